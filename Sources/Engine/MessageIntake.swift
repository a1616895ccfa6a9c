import MailModel

/// What the milter adapter needs of us: the way in for a message.
package protocol MessageIntake: Sendable {
    /// Whether a message to this recipient (RCPT TO without brackets) could become an event. In memory, never blocks:
    /// the adapter asks for every recipient and does not collect a message nobody wants.
    func wants(recipient: String) -> Bool

    /// Takes one whole message. Returns at once; `completion` is called exactly once, from any thread, after the
    /// message, its events and everything they caused are durable, or with a tempfail when that failed.
    func receive(_ message: ReceivedMessage, completion: @escaping @Sendable (Verdict) -> Void)
}
