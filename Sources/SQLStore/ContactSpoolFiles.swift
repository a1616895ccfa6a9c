import Dispatch
import Engine
import Foundation
import Glibc
import WorkflowModel

/// Uploaded files in a folder beside the database, where there is space for them; readable by their owner alone.
package struct ContactSpoolFiles: ContactSpool {
    private let database: String
    private let folder: String

    package init(besideDatabase database: String) {
        self.database = URL(fileURLWithPath: database).resolvingSymlinksInPath().path
        folder = self.database + "-imports"
    }

    private func path(_ id: Identifier) -> String { "\(folder)/\(id).csv" }

    package func make(_ id: Identifier) throws -> any ContactSpoolSink {
        if mkdir(folder, 0o700) != 0, errno != EEXIST { throw Self.failure(folder) }
        let path = path(id)
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Self.failure(path) }
        giveAway(descriptor)
        return Sink(descriptor: descriptor, path: path, folder: folder)
    }

    /// What a command of root's has made is the daemon's to go on with: it belongs to the database's owner. One to whom it
    /// cannot be given finds a file that it cannot read, and says so.
    private func giveAway(_ descriptor: Int32) {
        var facts = stat()
        guard geteuid() == 0, stat(database, &facts) == 0 else { return }
        _ = fchown(descriptor, facts.st_uid, facts.st_gid)
        _ = lchown(folder, facts.st_uid, facts.st_gid)
    }

    package func read(_ id: Identifier, at offset: Int, count: Int) throws -> [UInt8] {
        let path = path(id)
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            // Only a file that is gone stays so: rights, open files and disks can be mended.
            guard errno == ENOENT else { throw Self.failure(path, "read") }
            throw StoreError(.damaged, "the uploaded file is gone (\(path))")
        }
        defer { close(descriptor) }
        var result = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            while initialized < count {
                result = pread(
                    descriptor, buffer.baseAddress.map { $0 + initialized }, count - initialized,
                    off_t(offset + initialized))
                if result < 0, errno == EINTR { continue }
                guard result > 0 else { return }
                initialized += result
            }
        }
        guard result >= 0 else { throw Self.failure(path, "read") }
        return bytes
    }

    package func remove(_ id: Identifier) { unlink(path(id)) }

    package func files(olderThan time: Timestamp) -> [Identifier] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.compactMap { name in
            guard name.hasSuffix(".csv"), let id = Identifier(String(name.dropLast(4))) else { return nil }
            var facts = stat()
            guard stat("\(folder)/\(name)", &facts) == 0 else { return nil }
            return Int64(facts.st_mtim.tv_sec) * 1_000_000 < time.microseconds ? id : nil
        }
    }

    private static func failure(_ path: String, _ verb: String = "write") -> StoreError {
        let reason = String(cString: strerror(errno))
        if errno == ENOSPC || errno == EDQUOT {
            return StoreError(.full, "there is no space left for the uploaded file \(path)")
        }
        return StoreError(.failed, "cannot \(verb) \(path): \(reason)")
    }

    /// Closes itself.
    private final class Sink: ContactSpoolSink {
        private let descriptor: Int32
        private let path: String
        private let folder: String

        init(descriptor: Int32, path: String, folder: String) {
            self.descriptor = descriptor
            self.path = path
            self.folder = folder
        }

        deinit { close(descriptor) }

        func append(_ bytes: [UInt8]) throws {
            var done = 0
            while done < bytes.count {
                let count = bytes[done...].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
                if count < 0, errno == EINTR { continue }
                guard count >= 0 else { throw ContactSpoolFiles.failure(path) }
                done += count
            }
        }

        /// The disk may take a while, and no task may block for so long.
        func finish() async throws {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                DispatchQueue.global().async { [self] in
                    var isDone = fsync(descriptor) == 0
                    // The name, too, must be there after a crash.
                    let parent = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
                    if parent >= 0 {
                        isDone = fsync(parent) == 0 && isDone
                        close(parent)
                    }
                    continuation.resume(
                        with: isDone ? .success(()) : .failure(ContactSpoolFiles.failure(path)))
                }
            }
        }
    }
}
