import Engine
import Foundation
import Glibc
import JSONValue
import MailFormat
import MailModel
import Synchronization
import WorkflowModel

/// Raw mail in files beside the database, one for each message in a folder for each day, readable by their owner alone. Each
/// is a mail file with one field more.
package final class RawMailFiles: RawMailArchive {
    private let database: String
    private let folder: String
    private let limits: RawMailPolicy
    private let state = Mutex(State())

    private struct State {
        /// Bytes in the folder as of the last count, and what came since; nil before the first.
        var total: Int?
        var kept = 0
        var skipped = 0
        var failed = 0
    }

    package init(besideDatabase database: String, policy: RawMailPolicy) {
        self.database = URL(fileURLWithPath: database).resolvingSymlinksInPath().path
        folder = self.database + "-mail"
        limits = policy
    }

    /// Numbers for `/healthz`.
    package var numbers: [String: Int] {
        state.withLock { ["bytes": $0.total ?? 0, "kept": $0.kept, "skipped": $0.skipped, "failed": $0.failed] }
    }

    // MARK: Writing

    package func keep(_ mail: RawMail) throws -> Bool {
        let size = mail.message.body.count
        let isTooMuch = try size > limits.largestSize || total() + size > limits.largestTotal
        guard !isTooMuch else {
            state.withLock { $0.skipped += 1 }
            return false
        }
        do {
            let written = try write(mail)
            state.withLock { state in
                state.kept += 1
                state.total = state.total.map { $0 + written }
            }
            return true
        } catch {
            state.withLock { $0.failed += 1 }
            throw error
        }
    }

    private func total() throws -> Int {
        if let known = state.withLock({ $0.total }) { return known }
        let counted = files().reduce(0) { $0 + size(of: $1) }
        state.withLock { $0.total = $0.total ?? counted }
        return counted
    }

    private func write(_ mail: RawMail) throws -> Int {
        let path = path(of: mail.id, day: day(of: mail.receivedAt))
        let part = path + ".part"
        var descriptor = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        if descriptor < 0, errno == ENOENT {
            makeFolders(day(of: mail.receivedAt))
            descriptor = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        }
        guard descriptor >= 0 else { throw Self.failure(part) }
        defer { close(descriptor) }
        giveAway(descriptor: descriptor)
        let bytes = mail.bytes
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                let failure = Self.failure(part)
                unlink(part)
                throw failure
            }
            done += count
        }
        // Whoever sees the name sees the whole message.
        guard rename(part, path) == 0 else { throw Self.failure(path) }
        return bytes.count
    }

    private func makeFolders(_ day: String) {
        for path in [folder, "\(folder)/\(day)"] where mkdir(path, 0o700) == 0 {
            if let owner { _ = lchown(path, owner.user, owner.group) }
        }
    }

    /// What a command of root's has made is the daemon's: it belongs to the database's owner.
    private var owner: (user: uid_t, group: gid_t)? {
        var facts = stat()
        guard geteuid() == 0, stat(database, &facts) == 0 else { return nil }
        return (facts.st_uid, facts.st_gid)
    }

    private func giveAway(descriptor: Int32) {
        if let owner { _ = fchown(descriptor, owner.user, owner.group) }
    }

    // MARK: Reading

    package func mail(_ id: Identifier) throws -> RawMail? {
        guard let path = find(id) else { return nil }
        guard let data = FileManager.default.contents(atPath: path) else { throw Self.failure(path, "read") }
        let bytes = [UInt8](data)
        guard var mail = Self.mail(envelopeOf: bytes) else {
            throw StoreError(.damaged, "\(path) does not begin with \(RawMail.envelopeField)")
        }
        let limits = ReadingLimits(bodyBytes: .max, headerFields: .max, fieldBytes: .max)
        let (headers, body) = MessageReader.split(bytes, limits: limits)
        mail.message.headers = Array(headers.dropFirst())
        mail.message.body = body
        return mail
    }

    package func forEach(_ body: (RawMailNote) throws -> Bool) throws {
        for path in files() {
            guard let head = Self.beginning(of: path), let mail = Self.mail(envelopeOf: head) else { continue }
            let fields = MessageReader.split(head).headers
            let read = MessageReader.read(ReceivedMessage(headers: fields.filter { $0.isNamed("Subject") }))
            let note = RawMailNote(
                id: mail.id, reason: mail.reason, error: mail.error, receivedAt: mail.receivedAt,
                reversePath: mail.message.reversePath, recipients: mail.message.recipients, subject: read.subject,
                size: size(of: path))
            guard try body(note) else { return }
        }
    }

    private static func mail(envelopeOf bytes: [UInt8]) -> RawMail? {
        let name = Array("\(RawMail.envelopeField): ".utf8)
        guard bytes.starts(with: name), let end = bytes.firstIndex(of: 0x0A) else { return nil }
        return RawMail(
            envelope: String(decoding: bytes[name.count..<end], as: UTF8.self).trimmingCharacters(in: .newlines))
    }

    /// Enough for the envelope and the subject.
    private static func beginning(of path: String) -> [UInt8]? {
        guard let file = FileHandle(forReadingAtPath: path) else { return nil }
        defer { try? file.close() }
        return (try? file.read(upToCount: 256 << 10)).map { [UInt8]($0) }
    }

    // MARK: Files

    package func remove(_ id: Identifier) {
        guard let path = find(id) else { return }
        let size = size(of: path)
        guard unlink(path) == 0 else { return }
        state.withLock { state in state.total = state.total.map { max(0, $0 - size) } }
    }

    @discardableResult
    package func prune(before time: Timestamp, largestTotal: Int) throws -> Int {
        let found = files().map { (path: $0, size: size(of: $0)) }
        var total = found.reduce(0) { $0 + $1.size }
        var removed = 0
        // Room for what comes until the next time.
        let aim = total > largestTotal / 10 * 9 ? largestTotal / 10 * 9 : largestTotal
        for file in found {
            let isOld = Self.identifier(of: file.path).map { Self.time(of: $0) < time } ?? false
            guard isOld || total > aim else { break }
            guard unlink(file.path) == 0 || errno == ENOENT else { throw Self.failure(file.path, "remove") }
            total -= file.size
            removed += 1
        }
        let counted = total
        state.withLock { $0.total = counted }
        removeEmptyFolders()
        return removed
    }

    private func removeEmptyFolders() {
        let today = day(of: Timestamp(microseconds: Int64(Foundation.Date().timeIntervalSince1970 * 1_000_000)))
        // One that is not empty stays, and says so to nobody.
        for day in days() where day < today { rmdir("\(folder)/\(day)") }
    }

    private func days() -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter { $0.utf8.count == 10 }.sorted()
    }

    /// All files, oldest first: their names are in the order of time.
    private func files() -> [String] {
        days().flatMap { day in
            ((try? FileManager.default.contentsOfDirectory(atPath: "\(folder)/\(day)")) ?? [])
                .filter { $0.hasSuffix(".eml") }.sorted().map { "\(folder)/\(day)/\($0)" }
        }
    }

    private func find(_ id: Identifier) -> String? {
        let likely = path(of: id, day: day(of: Self.time(of: id)))
        if access(likely, F_OK) == 0 { return likely }
        return files().first { $0.hasSuffix("/\(id).eml") }
    }

    private func path(of id: Identifier, day: String) -> String { "\(folder)/\(day)/\(id).eml" }

    private func day(of time: Timestamp) -> String { String("\(time)".prefix(10)) }

    private static func identifier(of path: String) -> Identifier? {
        path.split(separator: "/").last.flatMap { Identifier(String($0.dropLast(4))) }
    }

    /// The milliseconds in the first six bytes of a UUID of version 7 (RFC 9562 section 5.7).
    private static func time(of id: Identifier) -> Timestamp {
        Timestamp(microseconds: id.bytes[..<6].reduce(Int64(0)) { $0 << 8 | Int64($1) } * 1000)
    }

    private func size(of path: String) -> Int {
        var facts = stat()
        return stat(path, &facts) == 0 ? Int(facts.st_size) : 0
    }

    private static func failure(_ path: String, _ verb: String = "write") -> StoreError {
        let code = errno
        if code == ENOSPC || code == EDQUOT { return StoreError(.full, "there is no space left for \(path)") }
        return StoreError(.failed, "cannot \(verb) \(path): \(String(cString: strerror(code)))")
    }
}
