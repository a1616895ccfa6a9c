import JSONValue
import WorkflowModel

/// What applying a document to a stored workflow means, decided before anything is written. The rules are those of every
/// structural edit: never under executions that would break, never to a version that an execution has taken.
struct WorkflowChange {
    /// What the decision needs to know about the stored workflow.
    struct Facts {
        /// RUNNING and WAITING executions.
        var active: Int
        var hasExecutions: Bool
        /// Whether an execution has taken the current version.
        var isVersionUsed: Bool
    }

    let document: WorkflowDocument
    let known: WorkflowRecord
    let facts: Facts
    /// Whether steps, transitions or trigger would be others.
    let isStructural: Bool

    init(_ document: WorkflowDocument, to known: WorkflowRecord, facts: Facts, catalog: Catalog) {
        self.document = document
        self.known = known
        self.facts = facts
        let stored = Self.comparable(known.graph, catalog: catalog, project: known.projectID)
        let wanted = Self.comparable(document.graph, catalog: catalog, project: known.projectID)
        isStructural = known.trigger != document.trigger || stored != wanted
    }

    /// - Parameter asNewVersion: publishes beside the current version, which executions under way keep.
    /// - Throws: `UseCaseError`: `triggerLocked`, `workflowLocked` with the number of executions.
    func decide(asNewVersion: Bool) throws -> Workflows.Applied {
        guard isStructural else { return isCosmetic ? .updated : .unchanged }
        if facts.hasExecutions, known.trigger.isFrozen(against: document.trigger) || isAnotherEvent {
            throw UseCaseError(
                .triggerLocked,
                "\(known.slug) has had executions, so its trigger stays: apply the file under another workflow name")
        }
        if facts.active > 0, !asNewVersion {
            throw UseCaseError(
                .workflowLocked,
                "\(known.slug) has \(facts.active) \(facts.active == 1 ? "execution" : "executions") under way, which would break: apply again when no more are, or with --as-new-version, so that they finish on version \(known.versionNumber)"
            )
        }
        if known.graph.hasSameStructure(as: document.graph) { return .updated }
        if !facts.isVersionUsed, !asNewVersion { return .changed(version: known.versionNumber) }
        return .changed(version: known.versionNumber + 1)
    }

    /// Names, switches, positions and the spelling of options.
    private var isCosmetic: Bool {
        known.name != document.name || known.description != document.description
            || known.isEnabled != document.isEnabled || known.allowsReentry != document.allowsReentry
            || known.reentryKey != document.reentryKey || known.timers != document.timers
            || Self.withoutTriggerOptions(known.graph) != Self.withoutTriggerOptions(document.graph)
    }

    /// The event that the trigger remembers over a time as MANUAL or SCHEDULE, so that a detour does not free it.
    private var rememberedEvent: JSON? { known.graph.step(known.graph.triggerKey)?.options["eventName"] }

    private var isAnotherEvent: Bool {
        guard let event = document.trigger.eventName, let rememberedEvent else { return false }
        return rememberedEvent != .string(event)
    }

    /// What a trigger remembers is ours, and no matter of files.
    private static func withoutTriggerOptions(_ graph: WorkflowGraph) -> [Step] {
        graph.steps.map { step in
            var step = step
            if step.key == graph.triggerKey { step.options = [:] }
            return step
        }
    }

    private func remembering(_ graph: WorkflowGraph) -> WorkflowGraph {
        guard let rememberedEvent else { return graph }
        let steps = graph.steps.map { step in
            var step = step
            if step.key == graph.triggerKey, step.options["eventName"] == nil {
                step.options["eventName"] = document.trigger.eventName.map { .string($0) } ?? rememberedEvent
            }
            return step
        }
        return (try? WorkflowGraph(steps: steps, transitions: graph.transitions)) ?? graph
    }

    /// The workflow as it will be.
    func record(_ applied: Workflows.Applied, in transaction: EngineTransaction) -> WorkflowRecord {
        var record = known
        record.name = document.name
        record.description = document.description
        record.isEnabled = document.isEnabled
        record.allowsReentry = document.allowsReentry
        record.reentryKey = document.reentryKey
        record.trigger = document.trigger
        record.timers = document.timers
        record.graph = remembering(document.graph)
        record.updatedAt = transaction.now
        if case .changed(let version) = applied, version != known.versionNumber {
            record.versionNumber = version
            record.versionID = transaction.makeID()
        }
        return record
    }

    private struct Comparable: Equatable {
        var steps: [String: StepConfig]
        var transitions: Set<Transition>
    }

    /// A template is the same by slug and by id.
    private static func comparable(_ graph: WorkflowGraph, catalog: Catalog, project: Identifier) -> Comparable {
        let steps = graph.steps.map { step -> (String, StepConfig) in
            guard case .sendEmail(var send) = step.config, let record = catalog.template(send.template, in: project)
            else { return (step.key, step.config) }
            send.template = "\(record.id)"
            return (step.key, .sendEmail(send))
        }
        return Comparable(
            steps: Dictionary(uniqueKeysWithValues: steps), transitions: Set(graph.transitions))
    }
}
