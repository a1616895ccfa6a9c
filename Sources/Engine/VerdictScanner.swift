import MailModel

/// What we need of a scanner that is asked: one look at one message.
package protocol VerdictScanner: Sendable {
    /// By its name in the configuration, for example `clamd`.
    var source: String { get }
    /// What it gives a verdict about, and leaves without one when it does not answer.
    var checks: [VerdictCheck] { get }

    /// Shows it the message. Never throws: a scanner that does not answer has an outcome too.
    /// - Parameter limit: how long it may take at most; its own limit may be shorter.
    func scan(_ message: ReceivedMessage, within limit: Duration) async -> ScanOutcome
}

/// How one look of a scanner ended.
package enum ScanOutcome: Hashable, Sendable {
    /// What it found; nothing where it has no opinion.
    case answered(ScanVerdicts)
    /// No answer that can be used. Temporary: another attempt may end otherwise.
    case failed(reason: String, isTemporary: Bool)
}
