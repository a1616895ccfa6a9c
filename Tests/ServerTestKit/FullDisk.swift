import Foundation
import Glibc
import Synchronization

/// A small file system of its own (tmpfs) that can be filled to the last byte, to see what ENOSPC does.
package final class FullDisk: Sendable, CustomStringConvertible {
    /// Where it is mounted.
    package let path: String
    /// Its size in KiB; the kernel rounds up to whole pages.
    package let kibibytes: Int
    private let leash: ProcessLeash.Entry?

    private init(path: String, kibibytes: Int) {
        self.path = path
        self.kibibytes = kibibytes
        leash = try? ProcessLeash.shared().hold("umount -l \(path)")
    }

    package var description: String { "\(kibibytes) KiB at \(path)" }

    /// Mounts an empty file system that everybody may write to.
    ///
    /// - Throws: ``FixtureError`` `unavailable` when we are neither root nor may use sudo, or when the container may
    ///   not mount: a test should skip itself then.
    package static func mount(
        in directory: ServerDirectory, name: String = "small", kibibytes: Int
    ) async throws -> FullDisk {
        let path = try await directory.directory(name)
        let result = try await Privilege.runAsRoot(
            ["mount", "-t", "tmpfs", "-o", "size=\(kibibytes)k,mode=0777", "postrider", path])
        guard result.succeeded else {
            throw FixtureError(.unavailable, "cannot mount a tmpfs at \(path): \(result.output)")
        }
        return FullDisk(path: path, kibibytes: kibibytes)
    }

    /// Writes until nothing fits any more.
    ///
    /// - Parameter leaving: KiB to leave free.
    /// - Throws: ``FixtureError`` `unavailable` when the file cannot be written at all.
    package func fill(leaving spare: Int = 0) async throws {
        try await offPool { [path] in
            let descriptor = open("\(path)/filler", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
            guard descriptor >= 0 else { throw FixtureError(.unavailable, "\(path)/filler: errno \(errno)") }
            defer { close(descriptor) }
            let block = [UInt8](repeating: 0x78, count: 4096)
            while write(descriptor, block, block.count) > 0 {}
            guard spare > 0 else { return }
            let size = lseek(descriptor, 0, SEEK_END)
            ftruncate(descriptor, max(0, size - off_t(spare) * 1024))
        }
    }

    /// Takes back what ``fill(leaving:)`` wrote.
    package func makeRoom() throws { try FileManager.default.removeItem(atPath: "\(path)/filler") }

    /// Unmounts it, even when files in it are open.
    package func unmount() async throws {
        let result = try await Privilege.runAsRoot(["umount", "-l", path])
        guard result.succeeded else { throw FixtureError(.unavailable, "umount \(path): \(result.output)") }
        leash?.release()
    }
}
