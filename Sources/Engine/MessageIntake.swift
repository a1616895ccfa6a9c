import MailModel

/// What the milter adapter needs of us: the way in for a message.
package protocol MessageIntake: Sendable {
    /// Whether a message to this recipient (RCPT TO without brackets) could become an event. In memory, never blocks:
    /// the adapter asks for every recipient and does not collect a message nobody wants.
    func wants(recipient: String) -> Bool

    /// Why this recipient is refused, whatever the message; nil when it is not. In memory, never blocks.
    func refusal(of recipient: String) -> Reply?

    /// Reads one whole message: all that can be done with it before the database. Nothing has happened when nobody calls
    /// what it returns.
    /// - Parameter others: messages on their way to their end beside this one. Some of them may share its commit.
    func read(_ message: ReceivedMessage, others: Int) -> MessageRecording

    /// The same for a mail that nobody here wants and that bears the mark of our own (`OwnSubmission.markerField`): the adapter keeps
    /// nothing of it but that.
    /// - Parameter others: as above.
    func read(_ submission: OwnSubmission, others: Int) -> MessageRecording
}

/// What is left to do with a message that was read. Returns at once; the completion is called exactly once, from any thread,
/// after the message, its events and everything they caused are durable, or with a tempfail when that failed.
package typealias MessageRecording = @Sendable (_ completion: @escaping @Sendable (Verdict) -> Void) -> Void

extension MessageIntake {
    package func refusal(of recipient: String) -> Reply? { nil }

    /// Reads one whole message that comes alone.
    package func read(_ message: ReceivedMessage) -> MessageRecording { read(message, others: 0) }

    /// Reads and records one whole message.
    package func receive(_ message: ReceivedMessage, completion: @escaping @Sendable (Verdict) -> Void) {
        read(message)(completion)
    }
}
