import MailModel
import WorkflowModel

/// Where the relay's log comes from.
package protocol MailLogSource: Sendable {
    /// What its position is kept under.
    var name: String { get }

    /// The next lines, as many as are there, at most some thousands.
    /// - Parameter position: where the last batch ended; nil begins at the end of what is there now.
    func next(after position: String?) async -> MailLogBatch

    /// Lets go of what it holds.
    func stop()
}

/// Lines of the relay's log, those that say something of a mail.
package struct MailLogBatch: Sendable {
    package struct Line: Sendable {
        package var record: MailLogRecord
        package var at: Timestamp

        package init(record: MailLogRecord, at: Timestamp) {
            self.record = record
            self.at = at
        }
    }

    package var lines: [Line]
    /// Where the next batch begins; nil when nothing was read.
    package var position: String?
    /// Nothing more was there.
    package var isAtEnd: Bool
    /// What is wrong with the log, in words for its administrator; nil when nothing is.
    package var trouble: String?
    /// Lines were lost: rotated away, or cut off.
    package var hasLoss: Bool

    package init(
        lines: [Line] = [], position: String? = nil, isAtEnd: Bool = false, trouble: String? = nil,
        hasLoss: Bool = false
    ) {
        self.lines = lines
        self.position = position
        self.isAtEnd = isAtEnd
        self.trouble = trouble
        self.hasLoss = hasLoss
    }
}
