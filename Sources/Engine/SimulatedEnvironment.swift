import JSONValue
import Liquid
import MailFormat
import MailModel
import WorkflowModel

/// The machine's surroundings in a simulation: the project's templates and those of the document, and counters in place of
/// the database.
final class SimulatedEnvironment: MachineEnvironment {
    private let context: EngineContext
    private let snapshot: SimulationSnapshot
    /// Apart from the engine's: the ids here are those of every other simulation.
    private let templates = TemplateCache()
    /// Templates and partials of the document by slug, as if they were stored.
    private var own: [String: TemplateVersion] = [:]
    private var replies: [(key: ReplyKey, at: Timestamp)] = []
    private var count: UInt64 = 0
    var now = Timestamp(seconds: 0)

    /// - Throws: `UseCaseError.invalid` when a template of the document has an error.
    init(_ snapshot: SimulationSnapshot, context: EngineContext) throws {
        self.snapshot = snapshot
        self.context = context
        for template in snapshot.templates {
            let problems = CompiledTemplate.problems(in: template.content)
            guard problems.isEmpty else {
                throw UseCaseError(
                    .invalid, "template \(template.slug) has an error",
                    problems: problems.map {
                        .init(path: "templates.\(template.slug)", message: $0.message, place: $0.place)
                    })
            }
            let id = makeID()
            own[template.slug] = TemplateVersion(id: id, templateID: id, kind: template.kind, content: template.content)
        }
    }

    private func partial(_ name: String) -> TemplateVersion? {
        if let version = own[name] { return version.kind == .partial ? version : nil }
        return snapshot.catalog.partial(name, in: snapshot.workflow.projectID)?.current
    }

    /// An address of this installation, for mail that came to nobody in particular.
    var ownAddress: String {
        let sender = context.configuration.autoReplyFrom ?? context.configuration.defaultFrom ?? "postrider@localhost"
        let field = ReceivedMessage(headers: [HeaderField("From", sender)])
        return MessageReader.read(field).from.map { "\($0.address)" } ?? sender
    }

    func makeID() -> Identifier {
        count += 1
        return SimulatedIdentifiers.made(count)
    }

    // MARK: MachineEnvironment

    func render(_ source: String, scope: Scope) throws -> String {
        try context.templates.render(source, scope: scope, now: now)
    }

    func template(_ reference: String) -> TemplateSummary? {
        let stored = snapshot.catalog.template(reference, in: snapshot.workflow.projectID)?.current
        let version = own[reference].flatMap { $0.kind == .partial ? nil : $0 } ?? stored
        return version.map { templates.summary(of: $0, findPartial: partial) }
    }

    /// As if nobody had been answered before.
    func refusal(of reply: ReplyKey, after earlier: [ReplyKey]) -> String? {
        let limits = context.configuration.replies
        let sent = replies + earlier.map { (key: $0, at: now) }
        let windowStart = now.adding(seconds: -max(limits.window, ReplyLimits.shortestWindow))
        func isSame(_ key: ReplyKey) -> Bool {
            AutomaticReplyKey.key(for: key.recipient) == AutomaticReplyKey.key(for: reply.recipient)
                && key.route == reply.route && key.template == reply.template
        }
        if sent.contains(where: { isSame($0.key) && $0.at > windowStart }) {
            return AutomaticReplies.Refusal.alreadyAnswered.rawValue
        }
        let hourAgo = now.adding(seconds: -3600)
        return sent.count { $0.at > hourAgo } < limits.perSender ? nil : AutomaticReplies.Refusal.senderRate.rawValue
    }

    /// An automatic reply went out.
    func note(_ reply: ReplyKey) { replies.append((reply, now)) }

    func suppression(of address: String, kind: TemplateSummary.Kind) -> String? {
        guard RecipientAddress.normal(address) == snapshot.contact.email else { return nil }
        return snapshot.suppressions.first {
            $0.reason.stops(kind) && ($0.expiresAt.map { $0 > now } ?? true)
        }?.reason.rawValue
    }

    func makeMailID() -> Identifier { makeID() }

    func makeCallID() -> Identifier { makeID() }

    var zones: any TimeZoneRules { SystemZones() }

    var projectZone: String { snapshot.catalog.timezone(of: snapshot.workflow.projectID) }

    /// Every event so far, in order.
    private var history: [Event] = []

    /// An event happens now: it is there for whoever looks back from here on.
    func note(_ event: Event) { history.append(event) }

    func firstEvent(named names: [String], since execution: Execution, where test: (Event) -> Bool) -> Event? {
        history.first {
            $0.createdAt >= execution.startedAt && $0.id != execution.trigger?.id && names.contains($0.name) && test($0)
        }
    }

    func keptEvent(named names: [String], since execution: Execution, where test: (Event) -> Bool) -> Event? {
        firstEvent(named: names, since: execution, where: test)
    }

    func lastOccurrence(of event: String, contact: Identifier) -> Timestamp? {
        let simulated = history.last { $0.name == event }?.createdAt
        guard let stored = snapshot.occurrences[event], stored <= now else { return simulated }
        return simulated.map { max($0, stored) } ?? stored
    }

    /// As at the start.
    func isMember(_ contact: Identifier, ofSegment segment: String) -> Bool {
        snapshot.catalog.segment(segment, in: snapshot.workflow.projectID)
            .map { snapshot.memberships.contains($0.id) } ?? false
    }

    // MARK: Mails

    /// The mail of a request as it would leave, without the pixel.
    /// - Throws: why it would not.
    func draft(_ request: MailRequest, contact: Identifier) throws -> MailDraft {
        let entry = OutboxEntry(
            id: request.id, projectID: snapshot.workflow.projectID, contactID: contact,
            executionID: SimulatedIdentifiers.execution, dueAt: now, createdAt: now, generation: 1, request: request,
            messageID: MessageIDDomain(configuration: context.configuration, catalog: snapshot.catalog)
                .messageID(for: request, project: snapshot.workflow.projectID))
        let known = Array(own.values) + snapshot.catalog.templates.map(\.current)
        guard let version = known.first(where: { $0.id == request.templateVersionID }) else {
            throw MailBuilder.Failure(reason: "the template is not there")
        }
        let compiled = try templates.compiled(version)
        let partials = try templates.partialSet(templates.partials(of: compiled, find: partial))
        return try MailBuilder(context: context).draft(
            entry, content: version.content, template: compiled, partials: partials, isTracked: false)
    }

    /// The slug of a request's template, for people.
    func templateName(_ request: MailRequest) -> String {
        own.first { $0.value.id == request.templateVersionID }?.key
            ?? snapshot.catalog.templates.first { $0.current.id == request.templateVersionID }?.slug ?? "?"
    }
}
