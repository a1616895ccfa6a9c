import Dispatch
import Engine
import Glibc
import JSONValue
import MailModel
import Synchronization
import WorkflowModel

/// Follows Postfix in the journal of systemd, through journalctl(1). The journal has cursors of its own.
package final class JournalLog: MailLogSource {
    private struct State {
        var child: ChildProcess?
        /// Of the last line that was given away.
        var cursor: String?
        /// The beginning of a line.
        var rest: [UInt8] = []
        /// Entries since the child was started.
        var count = 0
        /// The journal does not know the cursor any more.
        var isCursorGone = false
    }

    package let name = "journal"
    private let program: String
    private let queue = DispatchQueue(label: "mail-journal")
    private let state = Mutex(State())
    /// Bytes of one entry, at most: no line of Postfix has more.
    private static let entryLimit = 1 << 20
    /// Bytes that make a batch.
    private static let batchSize = 256 * 1024

    /// - Parameter program: the path of journalctl(1).
    package init(program: String = "/usr/bin/journalctl") { self.program = program }

    package func stop() { state.withLock { $0 = State() } }

    package func next(after position: String?) async -> MailLogBatch {
        await withCheckedContinuation { continuation in
            queue.async { [self] in
                continuation.resume(returning: state.withLock { read(after: position, &$0) })
            }
        }
    }

    private func read(after position: String?, _ state: inout State) -> MailLogBatch {
        if state.child == nil || state.cursor != position {
            do { try start(after: position, &state) } catch {
                return MailLogBatch(isAtEnd: true, trouble: "\(error)")
            }
        }
        var batch = MailLogBatch()
        var size = 0
        while size < Self.batchSize {
            guard let bytes = state.child?.read(within: size == 0 ? 200 : 0) else {
                batch.isAtEnd = true
                break
            }
            guard !bytes.isEmpty else {
                ended(position, &state, &batch)
                break
            }
            size += bytes.count
            take(bytes, &state, &batch)
        }
        if state.cursor != position { batch.position = state.cursor }
        return batch
    }

    private func start(after position: String?, _ state: inout State) throws {
        let isGone = state.isCursorGone
        state = State()
        // Without a position it begins with the last line, whose cursor is one; a cursor that is gone leaves a gap.
        let start = position.flatMap { isGone ? nil : ["--after-cursor=\($0)"] } ?? ["--lines=1"]
        // 2 is the facility of mail (RFC 5424 section 6.2.1).
        state.child = try ChildProcess(
            [program, "--follow", "--output=json", "--quiet", "--all"] + start + ["SYSLOG_FACILITY=2"])
        state.cursor = position
    }

    /// It should run for ever. One that ends at once cannot find where to begin.
    private func ended(_ position: String?, _ state: inout State, _ batch: inout MailLogBatch) {
        let isUnable = state.count == 0 && position != nil
        state.child?.end()
        state.child = nil
        batch.isAtEnd = true
        batch.hasLoss = isUnable && !state.isCursorGone
        batch.trouble = isUnable ? "the journal no longer has what comes next, or cannot be read" : "journalctl ended"
        state.isCursorGone = isUnable
    }

    private func take(_ bytes: [UInt8], _ state: inout State, _ batch: inout MailLogBatch) {
        state.rest += bytes
        var start = state.rest.startIndex
        while let feed = state.rest[start...].firstIndex(of: 0x0A) {
            take(entry: Array(state.rest[start..<feed]), &state, &batch)
            start = feed + 1
        }
        state.rest.removeFirst(start)
        if state.rest.count > Self.entryLimit { state.rest = [] }
    }

    private func take(entry: [UInt8], _ state: inout State, _ batch: inout MailLogBatch) {
        guard let entry = try? JSONParser.parse(entry), let cursor = entry["__CURSOR"]?.stringValue else { return }
        state.cursor = cursor
        state.count += 1
        guard let tag = entry["SYSLOG_IDENTIFIER"]?.stringValue, let text = Self.bytes(entry["MESSAGE"]),
            let time = entry["__REALTIME_TIMESTAMP"]?.stringValue.flatMap({ Int64($0) }),
            let record = MailLogReader.record(tag: Array(tag.utf8)[...], text: text[...], moment: .instant(time))
        else { return }
        batch.lines.append(.init(record: record, at: Timestamp(microseconds: time)))
    }

    /// What is not UTF-8 comes as a list of bytes (journalctl(1), "Journal JSON Format").
    private static func bytes(_ value: JSON?) -> [UInt8]? {
        if let text = value?.stringValue { return Array(text.utf8) }
        return value?.arrayValue?.map { UInt8(truncatingIfNeeded: $0.intValue ?? 0x3F) }
    }
}
