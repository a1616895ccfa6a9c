import JSONValue

/// A mail that a workflow or a client wants sent: what goes into the outbox. It is rendered later, from the immutable template
/// version and these variables.
package struct MailRequest: Hashable, Sendable {
    /// The message that an automatic reply answers (RFC 3834, RFC 5322 section 3.6.4).
    package struct Answered: Hashable, Sendable {
        /// The address the message was written to; the reply's From.
        package var writtenTo: String
        package var subject: String
        /// Without angle brackets; nil when the message had none.
        package var messageID: String?
        package var references: [String]

        package init(writtenTo: String, subject: String, messageID: String?, references: [String]) {
            self.writtenTo = writtenTo
            self.subject = subject
            self.messageID = messageID
            self.references = references
        }
    }

    package var id: Identifier
    package var step: String
    package var templateVersionID: Identifier
    /// The versions of the partials, by name: with them and the variables the mail is the same whenever it is rendered.
    package var partials: [String: Identifier]
    package var kind: TemplateSummary.Kind
    package var recipient: String
    /// A step has written it to the address that its contact had then. Known once it is in the outbox.
    package var isToContact = false
    /// The recipient's display name.
    package var recipientName: String?
    /// Overrides of the template's addresses.
    package var from: String?
    package var replyTo: String?
    package var variables: JSONObject
    /// Set for an automatic reply.
    package var answers: Answered?
    /// A look at a template before it is used: marked in its subject, without pixel, and nothing comes of its fate.
    package var isTest: Bool
    /// Header fields that the client asked for; they stand in the place of ours of the same name.
    package var headers: [Header] = []
    /// When it may leave, with the zone that was found for it; nil for at any time.
    package var window: SendWindow?
    /// The set of files that goes with it.
    package var attachmentSet: Identifier?

    /// The broadcast that it is a part of.
    package var broadcast: Broadcast?

    /// Which mail to many a mail belongs to.
    package struct Broadcast: Hashable, Sendable {
        package var id: Identifier
        /// Position of the variant.
        package var variant: Int
        /// Nil where there are no variants.
        package var variantName: String?

        package init(id: Identifier, variant: Int = 0, variantName: String? = nil) {
            self.id = id
            self.variant = variant
            self.variantName = variantName
        }
    }

    package struct Header: Hashable, Sendable {
        package var name: String
        package var value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    package init(
        id: Identifier, step: String, templateVersionID: Identifier, partials: [String: Identifier] = [:],
        kind: TemplateSummary.Kind, recipient: String, from: String? = nil, replyTo: String? = nil,
        variables: JSONObject = [:], answers: Answered? = nil, isTest: Bool = false
    ) {
        self.id = id
        self.step = step
        self.templateVersionID = templateVersionID
        self.partials = partials
        self.kind = kind
        self.recipient = recipient
        self.from = from
        self.replyTo = replyTo
        self.variables = variables
        self.answers = answers
        self.isTest = isTest
    }
}

extension MailRequest {
    /// The first moment from then on at which the mail may leave.
    package func earliest(notBefore time: Timestamp, rules: any TimeZoneRules) -> Timestamp {
        guard let window, let zone = window.timezone else { return time }
        return window.earliest(notBefore: time, zone: zone, rules: rules)
    }
}

/// Decides what a SEND_EMAIL step sends, to whom, and whether it may.
struct MailPlan {
    enum Decision {
        /// With what it counts as when it is an automatic reply.
        case send(MailRequest, reply: ReplyKey?)
        case skip(reason: String, detail: String?)
        case fail(reason: String)
    }

    private let send: StepConfig.SendEmail
    private let step: String
    private let scope: Scope
    private let environment: any MachineEnvironment
    private let earlierReplies: [ReplyKey]

    /// What a step says that sent no automatic reply.
    static let refusedReply = "reply_refused"

    /// - Parameter earlierReplies: those of the same move.
    init(
        _ send: StepConfig.SendEmail, step: String, scope: Scope, environment: any MachineEnvironment,
        earlierReplies: [ReplyKey] = []
    ) {
        self.earlierReplies = earlierReplies
        self.send = send
        self.step = step
        self.scope = scope
        self.environment = environment
    }

    func decide() -> Decision {
        guard let template = environment.template(send.template) else {
            return .fail(reason: "template not found: \(send.template)")
        }
        do {
            let recipient = try send.to.map { try environment.render($0, scope: scope) } ?? scope.contact.email
            if let trigger = incomingMail(for: recipient) { return try reply(to: trigger, template: template) }
            if template.kind.needsSubscription, !scope.contact.isSubscribed,
                recipient.lowercased() == scope.contact.email
            {
                return .skip(reason: "unsubscribed", detail: nil)
            }
            if let refusal = suppressed(recipient, template) { return refusal }
            return .send(try request(template, recipient: recipient, answers: nil), reply: nil)
        } catch {
            return .fail(reason: "the mail cannot be addressed: \(error)")
        }
    }

    /// The mail that started this execution, when a mail to `recipient` would be an automatic reply to it: the
    /// recipient is the one who wrote.
    private func incomingMail(for recipient: String) -> Event? {
        guard let trigger = scope.execution.trigger, trigger.name == EventName.emailReceived else { return nil }
        let writers = [scope.contact.email] + ["envelopeFrom", "replyAddress"].map(lowered(trigger))
        return writers.contains(recipient.lowercased()) ? trigger : nil
    }

    private func lowered(_ trigger: Event) -> (String) -> String? {
        { trigger.data[$0]?.stringValue?.lowercased() }
    }

    /// An automatic reply goes to the reverse path, not to From (RFC 3834 section 4), unless intake chose From, and only
    /// where intake found nothing against it.
    private func reply(to trigger: Event, template: TemplateSummary) throws -> Decision {
        if let refusal = trigger.data["replyRefusal"]?.stringValue {
            return .skip(reason: Self.refusedReply, detail: refusal)
        }
        guard let reversePath = trigger.data["envelopeFrom"]?.stringValue, !reversePath.isEmpty else {
            return .skip(reason: Self.refusedReply, detail: "null_sender")
        }
        let recipient = trigger.data["replyAddress"]?.stringValue ?? reversePath
        if let refusal = suppressed(recipient, template) { return refusal }
        let writtenTo = trigger.data["to"]?.stringValue ?? ""
        let reply = ReplyKey(
            recipient: recipient, route: trigger.data["route"]?.stringValue ?? writtenTo.lowercased(),
            template: template.id)
        if let refusal = environment.refusal(of: reply, after: earlierReplies) {
            return .skip(reason: Self.refusedReply, detail: refusal)
        }
        let answered = MailRequest.Answered(
            writtenTo: writtenTo, subject: trigger.data["subject"]?.stringValue ?? "",
            messageID: trigger.data["messageId"]?.stringValue,
            references: trigger.data["references"]?.arrayValue?.compactMap(\.stringValue) ?? [])
        return .send(try request(template, recipient: recipient, answers: answered), reply: reply)
    }

    private func suppressed(_ recipient: String, _ template: TemplateSummary) -> Decision? {
        environment.suppression(of: recipient.lowercased(), kind: template.kind).map {
            .skip(reason: "suppressed", detail: $0)
        }
    }

    private func request(
        _ template: TemplateSummary, recipient: String, answers: MailRequest.Answered?
    ) throws -> MailRequest {
        var request = MailRequest(
            id: environment.makeMailID(), step: step, templateVersionID: template.versionID,
            partials: template.partials, kind: template.kind, recipient: recipient,
            from: try send.from.map { try environment.render($0, scope: scope) },
            replyTo: try send.replyTo.map { try environment.render($0, scope: scope) },
            variables: scope.variables(at: template.variablePaths), answers: answers)
        request.window = send.window.map { window in
            var window = window
            window.timezone = window.zone(
                contact: scope.contact.data["timezone"]?.stringValue, project: environment.projectZone,
                rules: environment.zones)
            return window
        }
        return request
    }
}
