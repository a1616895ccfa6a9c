import JSONValue
import Liquid
import MailFormat
import MailModel
import WorkflowModel

/// What the parts of a template make of variables.
struct RenderedParts: Sendable {
    var subject: String
    var html: String?
    /// Nil with HTML present: to be derived from it.
    var text: String?
    var from: String?
    var fromName: String?
    var replyTo: String?

    /// - Throws: `RenderingError`; its template is the name of the part or of a partial.
    init(_ template: CompiledTemplate, partials: PartialSet, variables: JSONObject, now: Timestamp) throws {
        func render(_ part: Template, _ escaping: OutputEscaping, _ partials: [String: Template]) throws -> String {
            try part.render(
                variables, options: RenderOptions(escaping: escaping, now: now.microseconds, partials: partials))
        }
        subject = try render(template.subject, .header, partials.text)
        html = try template.html.map { try render($0, .html, partials.html) }
        text = try template.text.map { try render($0, .text, partials.text) }
        /// What renders to nothing is not there.
        func address(_ name: String) throws -> String? {
            let text = try template.addresses[name].map { try render($0, .header, partials.text) }
            return text?.utf8.allSatisfy { $0 == 0x20 } == true ? nil : text
        }
        from = try address("from")
        fromName = try address("fromName")
        replyTo = try address("replyTo")
    }
}

/// Makes the mail of an outbox entry: renders the template version with the stored variables and composes the bytes.
/// The same entry gives the same mail on every attempt, its Date and Message-ID included.
struct MailBuilder {
    /// Why an entry is no mail; trying again would not help.
    struct Failure: Error, CustomStringConvertible {
        var reason: String
        var description: String { reason }
    }

    struct Built {
        var mail: OutgoingMail
        var subject: String
        /// The address in From in its normal form.
        var sender: String
    }

    /// Marks our own submissions, so that the milter knows them when the MTA shows them to it. The value is a signed
    /// token of the outbox entry.
    static let markerField = OwnSubmission.markerField

    let context: EngineContext
    /// Whose mail it is; nil asks the configuration alone what is recorded of readers.
    let project: Project?
    /// Whose wish not to be tracked counts; nil: nobody has said anything.
    let contact: Contact?

    init(context: EngineContext, project: Project? = nil, contact: Contact? = nil) {
        self.context = context
        self.project = project
        self.contact = contact
    }

    /// - Throws: `Failure`, or the error of template or composition.
    func build(
        _ entry: OutboxEntry, version: TemplateVersion, partials: [String: TemplateVersion] = [:],
        attachments: [MailAttachment] = [], now: Timestamp
    ) throws -> Built {
        var draft = try draft(
            entry, content: version.content, template: try context.templates.compiled(version),
            partials: try context.templates.partialSet(partials), isTracked: !entry.request.isTest,
            place: SharedPlace(of: entry, version: version))
        draft.files = attachments.map {
            AttachedFile(
                filename: $0.filename, contentType: $0.contentType, contentID: $0.contentID, bytes: $0.bytes)
        }
        guard let recipient = draft.to.first else { throw Failure(reason: "the mail has no recipient") }
        let message = try MessageComposer.composition(of: draft)
        let mail = OutgoingMail(
            reversePath: try reversePath(of: entry, from: draft.from.address),
            recipient: try Self.smtpForm(recipient.address, "to"), bytes: message.bytes,
            hasUTF8Header: message.hasUTF8Header)
        return Built(mail: mail, subject: draft.subject, sender: AddressText.normal("\(draft.from.address)"))
    }

    /// The mail before it becomes bytes.
    /// - Parameters:
    ///   - isTracked: false leaves pixel and links alone whatever the template says.
    ///   - place: what anonymous hits are counted for; nil: for the project's mail without a template.
    /// - Throws: `Failure`, or the error of the template.
    func draft(
        _ entry: OutboxEntry, content: TemplateContent, template: CompiledTemplate, partials: PartialSet = PartialSet(),
        isTracked: Bool = true, place: SharedPlace? = nil
    ) throws -> MailDraft {
        let place = place ?? SharedPlace(of: entry, version: nil)
        let request = entry.request
        let links = MailLinks(of: entry.id, context: context)
        var parts = try RenderedParts(
            template, partials: partials, variables: MailLinks.add(links, to: request.variables), now: entry.createdAt)
        if parts.subject.isEmpty, let answers = request.answers { parts.subject = "Auto: \(answers.subject)" }
        if request.isTest { parts.subject = "[Test] " + parts.subject }
        let from = try sender(of: request, parts)
        var recipient = try mailbox(request.recipient, "to")
        if let name = request.recipientName { recipient.name = name }
        let replyTo = try (request.replyTo ?? parts.replyTo ?? ownReplyAddress(of: entry)).map {
            try mailbox($0, "replyTo")
        }
        return MailDraft(
            from: from, to: [recipient], replyTo: replyTo.map { [$0] } ?? [],
            subject: parts.subject, date: readyAt(entry).microseconds, messageID: entry.messageID,
            inReplyTo: request.answers?.messageID ?? Self.identifiers(request, "in-reply-to").first,
            references: references(request.answers) + Self.identifiers(request, "references"),
            // The text for people without HTML keeps the links that the author wrote.
            text: parts.text ?? parts.html.map { PlainText.from(html: $0) },
            html: parts.html.map { isTracked ? tracked($0, entry: entry, content: content, place: place) : $0 },
            extraHeaders: Self.withoutOverridden(
                headers(for: entry) + (links?.headers(for: request, bodies: [parts.html, parts.text]) ?? []), request),
            boundary: "postrider-\(entry.id)")
    }

    /// When its writer made it ready for transport (RFC 5322 section 3.6.1): when it was decided, or its window opened. The same for
    /// every attempt; how long it waits after that is not known before the first, and a crash may leave no trace of that one.
    private func readyAt(_ entry: OutboxEntry) -> Timestamp {
        entry.request.earliest(notBefore: entry.createdAt, rules: context.zones)
    }

    // MARK: Addresses

    /// Where bounces go: an address of this one mail, where there is one for that.
    private func reversePath(of entry: OutboxEntry, from: MailAddress) throws -> String {
        // A reply never causes a reply: the null reverse path (RFC 3834 section 3.3).
        if entry.request.answers != nil, context.configuration.replies.hasNullSender { return "" }
        let own = context.configuration.returnAddresses.returnPath(
            of: entry.id, project: project?.slug, tokens: context.tokens)
        return try own ?? Self.smtpForm(from, "from")
    }

    /// Where people answer to when nobody has said otherwise: an address of this one mail. What answers a mail itself comes
    /// from the address that was written to, and is answered there.
    private func ownReplyAddress(of entry: OutboxEntry) -> String? {
        guard entry.request.answers == nil else { return nil }
        return context.configuration.returnAddresses.replyAddress(
            of: entry.id, project: project?.slug, tokens: context.tokens)
    }

    /// A reply comes from the address that was written to; other mail from what step, template or configuration say.
    private func sender(of request: MailRequest, _ parts: RenderedParts) throws -> Mailbox {
        let writtenTo = request.answers.map { context.configuration.autoReplyFrom ?? $0.writtenTo }
        guard let text = request.from ?? writtenTo ?? parts.from ?? context.configuration.defaultFrom else {
            throw Failure(
                reason:
                    "there is no From address: give the template a from, or set mail.default_from in the configuration")
        }
        var mailbox = try mailbox(text, "from")
        // The name goes with the template's own address, not with one that something else chose.
        if let name = parts.fromName, request.from == nil, writtenTo == nil { mailbox.name = name }
        return mailbox
    }

    /// The address in a field's value; nil when there is none.
    static func address(in text: String) -> String? { mailbox(text).map { "\($0.address)" } }

    private func mailbox(_ text: String, _ role: String) throws -> Mailbox {
        guard let mailbox = Self.mailbox(text) else { throw Failure(reason: "\(role) is no mail address") }
        return mailbox
    }

    /// Nil for what is no mail address, with a name or without.
    ///
    /// The address is all of it, or what stands in angle brackets at its end. Whatever a variable puts into the name before
    /// them is a part of the name: it must not bring an address of its own, to which the mail would go.
    static func mailbox(_ text: String) -> Mailbox? {
        guard var mailbox = written(text.trimmed) else { return nil }
        mailbox.address = mailbox.address.composed
        return mailbox
    }

    private static func written(_ text: Substring) -> Mailbox? {
        if let address = MailAddress.parse(received: text) { return Mailbox(name: nil, address: address) }
        let found = MessageReader.read(ReceivedMessage(headers: [HeaderField("To", String(text))])).to
        guard text.last == ">", let start = text.lastIndex(of: "<") else {
            // A comment may stand behind it (RFC 5322 section 3.4).
            let isOne = found.count == 1 && text.contains("(") && !text.contains { ",;:<".contains($0) }
            return isOne ? found[0] : nil
        }
        guard let address = MailAddress.parse(received: text[text.index(after: start)...].dropLast()) else {
            return nil
        }
        if found.count == 1, found[0].address == address { return found[0] }
        return Mailbox(name: String(text[..<start].trimmed), address: address)
    }

    /// The address as it goes over the wire, its domain in ASCII (RFC 5891) and its local part as it is.
    private static func smtpForm(_ address: MailAddress, _ role: String) throws -> String {
        guard let form = address.smtpForm else { throw Failure(reason: "\(role) is an address that SMTP cannot carry") }
        return form
    }

    private func references(_ answers: MailRequest.Answered?) -> [String] {
        guard let answers else { return [] }
        return answers.references + (answers.messageID.map { [$0] } ?? [])
    }

    // MARK: Header fields

    /// The message ids in a field that the client asked for, without their angle brackets.
    private static func identifiers(_ request: MailRequest, _ name: String) -> [String] {
        guard let field = request.headers.first(where: { $0.name.lowercased() == name }) else { return [] }
        return field.value.split(whereSeparator: { $0 == " " || $0 == "<" || $0 == ">" }).map(String.init)
    }

    private func headers(for entry: OutboxEntry) -> [HeaderField] { ownHeaders(for: entry) }

    /// What the client asked for stands in the place of ours; the mark of our own is not to be replaced. Either field of
    /// one-click unsubscription takes over the pair.
    private static func withoutOverridden(_ own: [HeaderField], _ request: MailRequest) -> [HeaderField] {
        let asked = request.headers.filter { !threadFields.contains($0.name.lowercased()) }
        var names = Set(asked.map { $0.name.lowercased() })
        let pair: Set<String> = ["list-unsubscribe", "list-unsubscribe-post"]
        if !names.isDisjoint(with: pair) { names.formUnion(pair) }
        return own.filter { $0.name == markerField || !names.contains($0.name.lowercased()) }
            + asked.map { HeaderField($0.name, $0.value) }
    }

    /// The draft has members for them.
    private static let threadFields: Set<String> = ["in-reply-to", "references"]

    private func ownHeaders(for entry: OutboxEntry) -> [HeaderField] {
        var fields = [HeaderField(Self.markerField, context.tokens.token(.delivery, for: entry.id))]
        if entry.request.answers != nil {
            // RFC 3834 section 5; the other two are for programs that do not know it.
            fields.append(HeaderField("Auto-Submitted", "auto-replied"))
            fields.append(HeaderField("X-Auto-Response-Suppress", "All"))
            if context.configuration.replies.isMarkedAsBulk { fields.append(HeaderField("Precedence", "bulk")) }
        } else {
            fields.append(HeaderField("Auto-Submitted", "auto-generated"))
            if entry.request.kind == .marketing {
                fields.append(HeaderField("X-Auto-Response-Suppress", "All"))
                fields.append(HeaderField("Precedence", "bulk"))
            }
        }
        if let field = feedbackID(for: entry) { fields.append(field) }
        return fields
    }
}

extension StringProtocol where SubSequence == Substring {
    /// Without blanks around it.
    fileprivate var trimmed: Substring {
        let head = drop { $0 == " " || $0 == "\t" }
        return head.dropLast(head.reversed().prefix { $0 == " " || $0 == "\t" }.count)
    }
}
