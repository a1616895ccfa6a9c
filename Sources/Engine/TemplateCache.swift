import JSONValue
import Liquid
import Synchronization
import WorkflowModel

/// A mail template parsed once.
struct CompiledTemplate: Sendable {
    var subject: Template
    var html: Template?
    var text: Template?
    /// Of all three parts.
    var variablePaths: [[String]]

    /// - Throws: the syntax error of the first part that has one.
    init(_ content: TemplateContent) throws {
        subject = try Template(parsing: content.subject, name: "subject")
        html = try content.html.map { try Template(parsing: $0, name: "html") }
        text = try content.text.map { try Template(parsing: $0, name: "text") }
        variablePaths = [subject, html, text].compactMap(\.self).flatMap { $0.variables.map(\.path) }
    }
}

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
            options: RenderOptions(escaping: .header, now: now.microseconds))
    }

    func summary(_ record: Catalog.TemplateRecord) -> TemplateSummary {
        // A template that does not parse was refused when it was saved; should one be there, it mentions nothing and
        // fails when the mail is built.
        let paths = (try? compiled(record.current).variablePaths) ?? []
        return TemplateSummary(
            id: record.id, versionID: record.current.id, kind: record.current.kind, variablePaths: paths)
    }
}

/// Under which name the automatic replies to an address are counted: case and a `+detail` make nobody another person.
enum AutomaticReplyKey {
    static func key(for address: String) -> String {
        let address = address.lowercased()
        guard let at = address.lastIndex(of: "@") else { return address }
        return address[..<at].prefix { $0 != "+" } + String(address[at...])
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
        transaction.catalog.template(reference, in: projectID).map(transaction.context.templates.summary)
    }

    func mayReply(to address: String) -> Bool {
        let hourAgo = transaction.now.adding(seconds: -3600)
        let limit = transaction.context.configuration.repliesPerHour
        return asking(orElse: limit) {
            try transaction.store.automaticReplyCount(to: AutomaticReplyKey.key(for: address), since: hourAgo)
        } < limit
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

    /// There are no segments yet, and what refers to one is refused when it is saved.
    func isMember(_ contact: Identifier, ofSegment segment: String) -> Bool { false }
}
