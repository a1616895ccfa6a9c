import MailModel
import WorkflowModel

extension Intake {
    /// How mail is received that did not come over SMTP just now.
    package struct Manner: Sendable {
        /// `replay` or `import`, as the event says it.
        package var source: String
        /// Mail that already became an event becomes another one.
        package var isAgain = false
        /// Mail from long ago may be answered automatically too.
        package var answersOldMail = false

        package init(source: String) { self.source = source }
    }

    /// What became of a message for one of its recipients.
    package enum Taken: Hashable, Sendable {
        case recorded(event: Identifier)
        /// Its route keeps it from being one.
        case kept(InboundOutcome.Kind)
        /// It had become an event before.
        case duplicate
        /// It is about mail of ours, which knows of it now or did before; nobody has a route for it.
        case returned
    }

    /// Receives a message from a file: everything but the answer to an MTA.
    /// - Returns: one for each recipient and project that has a route for it; none when nobody has.
    /// - Throws: `StoreError`.
    package func take(_ message: ReceivedMessage, _ manner: Manner) async throws -> [Taken] {
        guard let prepared = prepare(message, manner: manner) else { return [] }
        let outcomes = try await withCheckedThrowingContinuation { continuation in
            submit(prepared) { continuation.resume(with: $0) }
        }
        if outcomes.isEmpty, prepared.returned.mail != nil { return [.returned] }
        return outcomes.map { outcome in
            switch outcome {
            case .recorded(let event): .recorded(event: event)
            case .kept(let kind): .kept(kind)
            case .duplicate: .duplicate
            }
        }
    }
}
