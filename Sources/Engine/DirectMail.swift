import JSONValue
import Liquid
import MailFormat
import MailModel
import WorkflowModel

/// Mail that a client asks for: to a few recipients, at once, outside of any workflow.
package struct DirectMail: Sendable {
    package let context: EngineContext
    /// Recipients of one request.
    package static let recipientLimit = 100
    /// Files of one request, and their bytes.
    package static let attachmentLimit = 10
    package static let attachmentBytes = 10 * 1024 * 1024

    package init(context: EngineContext) { self.context = context }

    package struct Recipient: Hashable, Sendable {
        package var email: String
        package var name: String?

        package init(email: String, name: String? = nil) {
            self.email = email
            self.name = name
        }
    }

    package struct Request: Sendable {
        package var projectID: Identifier
        package var recipients: [Recipient]
        /// By slug or id.
        package var template: String?
        /// In the place of the template's.
        package var subject: String?
        /// HTML, in the place of the template's bodies.
        package var body: String?
        package var from: Recipient?
        /// The sender's display name where `from` has none.
        package var senderName: String?
        package var replyTo: String?
        /// Nil keeps the flag of a known contact and leaves a new one unsubscribed.
        package var subscribed: Bool?
        package var headers: [MailRequest.Header]
        package var data: JSONObject
        package var attachments: [MailAttachment]
        /// What is recorded of the reader at most, beside what the template allows.
        package var tracksOpens: TrackingMode?
        package var tracksClicks: TrackingMode?

        package init(
            projectID: Identifier, recipients: [Recipient], template: String? = nil, subject: String? = nil,
            body: String? = nil, from: Recipient? = nil, senderName: String? = nil, replyTo: String? = nil,
            subscribed: Bool? = nil, headers: [MailRequest.Header] = [], data: JSONObject = [:],
            attachments: [MailAttachment] = []
        ) {
            self.projectID = projectID
            self.recipients = recipients
            self.template = template
            self.subject = subject
            self.body = body
            self.from = from
            self.senderName = senderName
            self.replyTo = replyTo
            self.subscribed = subscribed
            self.headers = headers
            self.data = data
            self.attachments = attachments
        }
    }

    package struct Sent: Sendable, Hashable {
        package struct Mail: Sendable, Hashable {
            package var contactID: Identifier
            package var email: String
            package var id: Identifier
        }

        /// In the order of the recipients; one that was named twice gets one mail.
        package var mails: [Mail]
        package var at: Timestamp
    }

    /// Puts a mail for every recipient into the outbox, or for none; the contacts are made or brought up to date first.
    /// Durable when it returns.
    /// - Throws: `UseCaseError`: `notFound` for the template; `invalid` for a template that does not parse, a missing
    ///   sender, and a marketing template for somebody who has not subscribed.
    package func send(_ request: Request) async throws -> Sent {
        try Self.checkSyntax(request)
        return try await context.transact { transaction in
            let content = try MailContent(request, in: transaction)
            let attachments = try Self.keep(request.attachments, in: transaction)
            var sent: [String: Sent.Mail] = [:]
            let mails = try request.recipients.indices.map { position in
                let email = AddressText.normal(request.recipients[position].email)
                if let mail = sent[email] { return mail }
                transaction.beginCause()
                let mail = try Self.send(
                    request, to: position, content: content, attachments: attachments, in: transaction)
                sent[email] = mail
                return mail
            }
            try Self.audit(request, first: mails.first?.id, count: sent.count, in: transaction)
            return Sent(mails: mails, at: transaction.now)
        }
    }

    /// One record for all mails of a request, under the id of the first.
    private static func audit(
        _ request: Request, first: Identifier?, count: Int, in transaction: EngineTransaction
    ) throws {
        guard let first else { return }
        var details: JSONObject = ["count": .int(Int64(count))]
        details["template"] = request.template.map { .string($0) }
        try transaction.audit("mail.sent", "\(first)", in: request.projectID, details: details)
    }

    // MARK: One mail

    private static func send(
        _ request: Request, to position: Int, content: MailContent, attachments: Identifier?,
        in transaction: EngineTransaction
    ) throws -> Sent.Mail {
        let recipient = request.recipients[position]
        var data = request.data
        if let name = recipient.name, data["name"] == nil { data["name"] = .string(name) }
        let contact = try EventRecorder(transaction: transaction, projectID: request.projectID).upsert(
            email: recipient.email, subscribed: request.subscribed, subscribedWhenNew: request.subscribed ?? false,
            data: data)
        guard !content.version.kind.needsSubscription || contact.isSubscribed else {
            throw UseCaseError(
                .invalid, "\(contact.email) has not subscribed, and the template is \(content.version.kind.rawValue)",
                problems: [
                    .init(path: "to.\(position)", message: "\(contact.email) has not subscribed to marketing mail")
                ])
        }
        let id = transaction.makeID()
        var mail = MailRequest(
            id: id, step: "", templateVersionID: content.version.id, partials: content.summary.partials,
            kind: content.version.kind,
            recipient: recipient.email, from: content.from, replyTo: request.replyTo,
            variables: variables(for: contact, id: id, request: request, content: content, now: transaction.now))
        mail.recipientName = recipient.name
        mail.headers = request.headers
        mail.attachmentSet = attachments
        let entry = OutboxEntry(
            id: id, projectID: request.projectID, contactID: contact.id, executionID: nil, dueAt: transaction.now,
            createdAt: transaction.now, generation: 0, request: mail,
            messageID: MessageIDDomain(transaction).messageID(for: mail, project: request.projectID))
        try transaction.store.insert(entry)
        transaction.wakes.mail(entry)
        return Sent.Mail(contactID: contact.id, email: contact.email, id: id)
    }

    /// What the request says counts before what is stored of the contact, and is not stored where it is transient.
    private static func variables(
        for contact: Contact, id: Identifier, request: Request, content: MailContent, now: Timestamp
    ) -> JSONObject {
        let said = request.data.unwrappingTransientValues()
        var contact = contact
        contact.merge(said)
        let scope = Scope(
            contact: contact,
            execution: Execution(id: id, workflowID: id, contactID: contact.id, context: said, startedAt: now),
            workflowName: "")
        return scope.variables(at: content.summary.variablePaths)
    }

    private static func keep(
        _ attachments: [MailAttachment], in transaction: EngineTransaction
    ) throws -> Identifier? {
        guard !attachments.isEmpty else { return nil }
        let id = transaction.makeID()
        try transaction.store.insert(attachments, asSet: id)
        return id
    }

    /// Outside of the transaction: everybody else waits for it.
    private static func checkSyntax(_ request: Request) throws {
        var problems: [WorkflowProblem] = []
        for (path, text) in [("subject", request.subject), ("body", request.body)] {
            guard let text else { continue }
            do throws(TemplateSyntaxError) {
                _ = try Template(parsing: text, name: path)
            } catch {
                problems.append(
                    .init(
                        path: path, message: "\(error)", place: .init(line: error.line, column: error.column)))
            }
        }
        guard problems.isEmpty else { throw UseCaseError(.invalid, "the mail has errors", problems: problems) }
    }

    // MARK: Rules

    /// Whether a file may have that media type.
    package static func isContentType(_ text: String) -> Bool { AttachedFile.isContentType(text) }

    /// Whether the HTML may call a file so.
    package static func isContentID(_ text: String) -> Bool { AttachedFile.isContentID(text) }

    // MARK: Looking

    /// - Throws: `UseCaseError.notFound`, also for a mail of another project.
    package func status(of id: Identifier, project: Identifier) async throws -> MailStatus {
        guard let status = try await context.store.read({ try $0.mailStatus(id, in: project) }) else {
            throw UseCaseError(.notFound, "there is no mail \(id)")
        }
        return status
    }
}

/// The immutable version that a client's mails are made from, and who they come from.
private struct MailContent {
    let version: TemplateVersion
    /// Nil: what template or configuration say.
    let from: String?
    let summary: TemplateSummary

    init(_ request: DirectMail.Request, in transaction: EngineTransaction) throws {
        version = try Self.version(for: request, in: transaction)
        summary = transaction.context.templates.summary(of: version) {
            transaction.catalog.partial($0, in: request.projectID)?.current
        }
        from = try Self.sender(
            request, otherwise: version.content.from ?? transaction.context.configuration.defaultFrom)
    }

    /// A version of its own where the request says something else than its template. The same content is one version,
    /// however often it is sent.
    private static func version(
        for request: DirectMail.Request, in transaction: EngineTransaction
    ) throws -> TemplateVersion {
        let template = try request.template.map { reference in
            guard let template = transaction.catalog.template(reference, in: request.projectID) else {
                throw UseCaseError(
                    .notFound, "there is no template \(reference)",
                    problems: [.init(path: "template", message: "there is no such template")])
            }
            return template.current
        }
        let modes = (opens: request.tracksOpens, clicks: request.tracksClicks)
        let isAsItIs =
            template.map {
                $0.content.tracksOpens == TrackingMode.least($0.content.tracksOpens, modes.opens)
                    && $0.content.tracksClicks == TrackingMode.least($0.content.tracksClicks, modes.clicks)
            } ?? false
        if let template, request.subject == nil, request.body == nil, isAsItIs { return template }
        return try UnnamedContent(
            template, subject: request.subject, body: request.body, otherwise: .transactional, in: request.projectID,
            opens: modes.opens, clicks: modes.clicks
        ).version(in: transaction)
    }

    private static func sender(_ request: DirectMail.Request, otherwise: String?) throws -> String? {
        if let from = request.from { return text(from.email, name: from.name ?? request.senderName) }
        guard let otherwise else {
            throw UseCaseError(
                .invalid, "there is no sender",
                problems: [
                    .init(path: "from", message: "is missing, and neither template nor configuration has one")
                ])
        }
        guard let name = request.senderName else { return nil }
        let field = ReceivedMessage(headers: [HeaderField("From", otherwise)])
        guard let address = MessageReader.read(field).from?.address else { return nil }
        return text("\(address)", name: name)
    }

    /// A mailbox as a header field has it (RFC 5322 section 3.4).
    private static func text(_ email: String, name: String?) -> String {
        guard let name, !name.isEmpty else { return email }
        let quoted = name.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
        return "\"\(quoted)\" <\(email)>"
    }
}
