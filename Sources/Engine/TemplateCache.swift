import JSONValue
import Liquid
import Synchronization
import WorkflowModel

/// Parsed templates by version, and parsed one-liners of step options by source. Both are immutable, so entries never
/// go stale; the caches are emptied when they are full.
final class TemplateCache: Sendable {
    private let versions = Mutex<[Identifier: CompiledTemplate]>([:])
    private let lines = Mutex<[String: Template]>([:])
    private static let limit = 1000

    func compiled(_ version: TemplateVersion) throws -> CompiledTemplate {
        if let known = versions.withLock({ $0[version.id] }) { return known }
        let compiled = try CompiledTemplate(version.content)
        versions.withLock {
            if $0.count >= Self.limit { $0.removeAll() }
            $0[version.id] = compiled
        }
        return compiled
    }

    func line(_ source: String) throws -> Template {
        if let known = lines.withLock({ $0[source] }) { return known }
        let template = try Template(parsing: source, name: "value")
        lines.withLock {
            if $0.count >= Self.limit { $0.removeAll() }
            $0[source] = template
        }
        return template
    }
}

extension TemplateCache {
    /// Renders a one-line value of a step's options.
    func render(_ source: String, scope: Scope, now: Timestamp) throws -> String {
        // Nearly every option is literal text.
        guard source.contains("{{") || source.contains("{%") else { return source }
        let template = try line(source)
        return try template.render(
            scope.variables(at: template.variables.map(\.path)),
            options: RenderOptions(escaping: .header, now: now.microseconds, limits: Self.lineLimits))
    }

    /// A step's options are rendered while the database waits: what takes longer than a few milliseconds does not belong
    /// there.
    private static let lineLimits: RenderLimits = {
        var limits = RenderLimits()
        limits.outputBytes = 1_000_000
        limits.loopTurns = 10_000
        limits.work = 200_000
        limits.memoryBytes = 4_000_000
        return limits
    }()

    /// - Parameter catalog: has the partials.
    func summary(_ record: Catalog.TemplateRecord, in catalog: Catalog) -> TemplateSummary {
        summary(of: record.current) { catalog.partial($0, in: record.projectID)?.current }
    }

    /// A template that does not parse was refused when it was saved; should one be there, it mentions nothing and fails when
    /// the mail is built.
    func summary(of version: TemplateVersion, findPartial: (String) -> TemplateVersion?) -> TemplateSummary {
        let compiled = try? compiled(version)
        var paths = compiled?.variablePaths ?? []
        let partials = compiled.map { self.partials(of: $0, find: findPartial) } ?? [:]
        for partial in partials.values { paths += (try? self.compiled(partial).variablePaths) ?? [] }
        return TemplateSummary(
            id: version.templateID, versionID: version.id, kind: version.kind, variablePaths: paths,
            partials: partials.mapValues(\.id))
    }
}

/// The machine's view of one project inside one transaction.
struct TransactionEnvironment: MachineEnvironment {
    let transaction: EngineTransaction
    let projectID: Identifier

    func render(_ source: String, scope: Scope) throws -> String {
        try transaction.context.templates.render(source, scope: scope, now: transaction.now)
    }

    func template(_ reference: String) -> TemplateSummary? {
        transaction.catalog.template(reference, in: projectID).map {
            transaction.context.templates.summary($0, in: transaction.catalog)
        }
    }

    func refusal(of reply: ReplyKey, after earlier: [ReplyKey]) -> String? {
        asking(orElse: nil) {
            try AutomaticReplies(transaction, project: projectID).refusal(of: reply, after: earlier)?.rawValue
        }
    }

    func suppression(of address: String, kind: TemplateSummary.Kind) -> String? {
        asking(orElse: nil) {
            let address = RecipientAddress.normal(address)
            let store = transaction.store
            if let reason = try store.standingSuppression(
                of: address, in: projectID, for: kind, at: transaction.now, transaction.context)
            {
                return reason.rawValue
            }
            // An erased person's address that somebody still knows; who came back is a contact again.
            guard try store.hasSuppressedAddresses(in: projectID),
                try store.contact(email: address, in: projectID) == nil,
                try store.isErasedAddress(SuppressedAddress.hash(address, transaction.context), in: projectID)
            else { return nil }
            return "erased"
        }
    }

    func makeMailID() -> Identifier { transaction.makeID() }

    func makeCallID() -> Identifier { transaction.makeID() }

    var zones: any TimeZoneRules { transaction.context.zones }

    var projectZone: String { transaction.catalog.timezone(of: projectID) }

    func firstEvent(named names: [String], since execution: Execution, where test: (Event) -> Bool) -> Event? {
        asking(orElse: nil) {
            try transaction.store.firstOccurrence(
                of: names, contact: execution.contactID, after: execution.trigger?.id, since: execution.startedAt,
                where: test)
        }
    }

    func keptEvent(named names: [String], since execution: Execution, where test: (Event) -> Bool) -> Event? {
        let kept = names.filter { transaction.catalog.isKept($0, in: projectID) }
        guard !kept.isEmpty else { return nil }
        return asking(orElse: nil) {
            do {
                return try transaction.store.firstOccurrence(
                    of: kept, contact: execution.contactID, after: execution.trigger?.id, since: execution.startedAt,
                    where: test)
            } catch let error as StoreError where error.code == .damaged {
                // Who does not look back must not fail for it.
                return nil
            }
        }
    }

    func lastOccurrence(of event: String, contact: Identifier) -> Timestamp? {
        asking(orElse: nil) { try transaction.store.lastOccurrence(of: event, contact: contact) }
    }

    /// The machine knows no database and its errors: the transaction fails when the machine has returned.
    private func asking<Value>(orElse fallback: Value, _ body: () throws -> Value) -> Value {
        do { return try body() } catch {
            transaction.failure = error
            return fallback
        }
    }

    /// A segment that is not there has no members: it may have been there for an older version.
    func isMember(_ contact: Identifier, ofSegment segment: String) -> Bool {
        guard let segment = transaction.catalog.segment(segment, in: projectID) else { return false }
        return asking(orElse: false) { try transaction.store.isMember(contact, of: segment.id) }
    }
}
