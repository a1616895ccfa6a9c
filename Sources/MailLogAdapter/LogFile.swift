import Dispatch
import Engine
import Glibc
import MailModel
import Synchronization
import WorkflowModel

/// Follows a log file through its rotation: by renaming it, or by copying it and cutting it off, while the daemon runs or is
/// down. What was rotated away is found beside the file as long as it is not compressed.
package final class LogFile: MailLogSource {
    private struct State {
        var open: OpenLog?
        /// Files that come after the open one, the next first.
        var successors: [String] = []
        /// Lines were lost since the last batch.
        var hasLoss = false
    }

    package let name: String
    private let path: String
    private let clock: LogClock
    /// Reading a disk may take its time; no thread of everybody else waits for it.
    private let queue = DispatchQueue(label: "mail-log")
    private let state = Mutex(State())

    /// - Parameter path: of the file that is written to.
    package init(path: String) {
        self.path = path
        name = path
        clock = LogClock()
    }

    package func stop() { state.withLock { $0 = State() } }

    package func next(after position: String?) async -> MailLogBatch {
        await withCheckedContinuation { continuation in
            queue.async { [self] in
                continuation.resume(returning: state.withLock { read(after: position.flatMap(LogPosition.init), &$0) })
            }
        }
    }

    private func read(after position: LogPosition?, _ state: inout State) -> MailLogBatch {
        if state.open?.position != position || state.open == nil, !begin(at: position, &state) {
            return MailLogBatch(isAtEnd: true, trouble: trouble)
        }
        guard let log = state.open else { return MailLogBatch(isAtEnd: true, trouble: trouble) }
        // Where it now stands counts as read, also when nothing of it was.
        var batch = MailLogBatch()
        var (bytes, ends) = log.lines()
        if ends.isEmpty {
            if let next = successor(of: log, &state) {
                state.open = next
                (bytes, ends) = next.lines()
            } else {
                batch.isAtEnd = true
            }
        }
        batch.lines = lines(bytes, ends)
        let reached = state.open?.position
        if reached != position { batch.position = reached?.text }
        batch.hasLoss = state.hasLoss
        if state.hasLoss { batch.trouble = "lines are missing: the log was rotated away before it was read" }
        state.hasLoss = false
        return batch
    }

    private var trouble: String { "\(path) cannot be opened: \(String(cString: strerror(errno)))" }

    private func lines(_ bytes: [UInt8], _ ends: [Int]) -> [MailLogBatch.Line] {
        var start = 0
        var lines: [MailLogBatch.Line] = []
        let time = clock.reading()
        for end in ends {
            if let record = MailLogReader.record(in: bytes[start..<end]) {
                lines.append(.init(record: record, at: time(record.moment)))
            }
            start = end + 1
        }
        return lines
    }

    // MARK: Which file

    /// Opens the file where the position is, or the end of the one that is written to.
    private func begin(at position: LogPosition?, _ state: inout State) -> Bool {
        state.open = nil
        state.successors = []
        guard let current = OpenLog(path: path) else {
            // Between two files of a rotation there may be none: the old one is looked for next time.
            return false
        }
        guard let position else {
            current.seekToEnd()
            state.open = current
            return true
        }
        if current.inode == position.inode, current.isOne(of: position) {
            current.seek(to: position.offset)
            state.open = current
            return true
        }
        let old = rotated()
        if let index = old.firstIndex(where: { OpenLog(path: $0)?.isOne(of: position) ?? false }),
            let log = OpenLog(path: old[index])
        {
            log.seek(to: position.offset)
            state.open = log
            state.successors = Array(old[(index + 1)...])
            return true
        }
        // A file that was moved to where we read it, a restored one for instance.
        if position.headLength > 0, current.isOne(of: position) {
            current.seek(to: position.offset)
        } else {
            state.hasLoss = position.offset > 0
        }
        state.open = current
        return true
    }

    /// The file that goes on where this one has ended; nil while it may still grow.
    private func successor(of log: OpenLog, _ state: inout State) -> OpenLog? {
        while let path = state.successors.first {
            state.successors.removeFirst()
            if let next = OpenLog(path: path), next.inode != log.inode { return next }
        }
        guard let current = OpenLog(path: path) else { return nil }
        if current.inode == log.inode {
            guard !log.isIntact else { return nil }
            // It was copied and cut off. The rest is in the copy, unless that is gone.
            if let copy = rotated().reversed().lazy.compactMap({ OpenLog(path: $0) }).first(where: {
                $0.inode != log.inode && $0.isOne(of: log.position)
            }) {
                copy.seek(to: log.offset)
                return copy
            }
            state.hasLoss = true
            return current
        }
        // Writers go on with the renamed file until they are told; nothing has come into the new one before that.
        return current.size > 0 && !log.hasWholeLine ? current : nil
    }

    /// Files of earlier days beside the log, oldest first.
    private func rotated() -> [String] {
        let slash = path.lastIndex(of: "/")
        let folder = slash.map { String(path[..<$0]) } ?? "."
        let base = slash.map { String(path[path.index(after: $0)...]) } ?? path
        guard let directory = opendir(folder.isEmpty ? "/" : folder) else { return [] }
        defer { closedir(directory) }
        var found: [(path: String, modified: Int64)] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard name.hasPrefix(base), name != base, Self.isRotated(name.dropFirst(base.count)) else { continue }
            var info = stat()
            let file = "\(folder)/\(name)"
            guard stat(file, &info) == 0, info.st_mode & S_IFMT == S_IFREG else { continue }
            found.append((file, Int64(info.st_mtim.tv_sec) * 1_000_000_000 + Int64(info.st_mtim.tv_nsec)))
        }
        return found.sorted { $0.modified < $1.modified }.map(\.path)
    }

    /// `.1`, `-20261126`, `.20261126-183537`, `.old`; not `.1.gz`.
    private static func isRotated(_ suffix: Substring) -> Bool {
        guard suffix.first == "." || suffix.first == "-" else { return false }
        return ![".gz", ".xz", ".bz2", ".zst", ".lz4"].contains { suffix.hasSuffix($0) }
    }
}
