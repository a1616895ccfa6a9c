import JSONValue
import MailFormat
import MailModel
import WorkflowModel

/// The files that came with mail, as far as the mail is kept as it came (``RawMailPolicy``).
package struct ReceivedFiles: Sendable {
    /// One of them, decoded.
    package struct File: Sendable, Hashable {
        /// As its sender wrote it: a name to show, no path to write to.
        package var filename: String?
        /// As its sender says; nobody has looked.
        package var contentType: String
        package var bytes: [UInt8]
    }

    /// A mail of many megabytes is in memory while one of its files is read: two at a time, and not on the threads of tasks.
    private static let threads = RenderingThreads("received files", count: 2)

    package let context: EngineContext

    package init(context: EngineContext) { self.context = context }

    /// - Parameters:
    ///   - number: from 1, in the order of the event's `attachments`.
    ///   - event: an `email.received`.
    /// - Throws: `UseCaseError.notFound` for an event of another project, for one whose mail is not kept, and for a number that it
    ///   does not have; `StoreError`.
    package func file(_ number: Int, of event: Identifier, in project: Identifier) async throws -> File {
        // Only we make events of that name: what a client writes into its own opens nobody's mail.
        guard let found = try await context.store.read({ try $0.event(event, in: project) }),
            found.name == EventName.emailReceived
        else {
            throw UseCaseError(.notFound, "there is no such event")
        }
        guard let id = found.data["rawMailId"]?.stringValue.flatMap({ Identifier($0) }), let archive = context.rawMail,
            let mail = try await Self.threads.run({ try archive.mail(id) })
        else { throw UseCaseError(.notFound, "the mail of this event is not kept: see raw_mail in the configuration") }
        let limits = context.configuration.readingLimits
        guard let file = try await Self.threads.run({ Self.file(number, of: mail.message, limits) }) else {
            throw UseCaseError(.notFound, "the mail has no attachment \(number)")
        }
        return file
    }

    /// Nil when the message has fewer.
    /// - Parameter limits: those of the event, or the numbers are others than the event's.
    package static func file(_ number: Int, of message: ReceivedMessage, _ limits: ReadingLimits) -> File? {
        let (read, parts) = MessageReader.readWithParts(message, limits: limits)
        guard number > 0, number <= read.attachments.count else { return nil }
        let attachment = read.attachments[number - 1]
        return File(
            filename: attachment.shownName, contentType: attachment.contentType,
            bytes: parts.content(of: parts.all[attachment.part]))
    }
}
