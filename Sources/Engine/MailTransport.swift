import MailModel

/// What we need of the SMTP adapter: one attempt to hand one message to the relay.
package protocol MailTransport: Sendable {
    /// How many messages may be under way at once.
    var concurrency: Int { get }

    /// One attempt. Never throws: every failure is an outcome.
    func deliver(_ mail: OutgoingMail) async -> DeliveryOutcome

    /// The same for callers that are no tasks, and must not be kept waiting.
    /// - Parameter completion: called once, on a thread of the transport's.
    func submit(_ mail: OutgoingMail, completion: @escaping @Sendable (DeliveryOutcome) -> Void)

    /// Takes nothing new and ends what is under way, within seconds. Outcomes still come: unknown, where the message
    /// had been begun.
    func stop()
}

extension MailTransport {
    package func submit(_ mail: OutgoingMail, completion: @escaping @Sendable (DeliveryOutcome) -> Void) {
        Task { completion(await deliver(mail)) }
    }
}
