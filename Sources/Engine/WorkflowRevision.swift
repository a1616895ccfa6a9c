import JSONValue
import WorkflowModel

/// One edit of one workflow inside one transaction: what it was, what it becomes, and the rules in between.
///
/// - While executions are RUNNING or WAITING, nothing that they go by may change: steps, their options, transitions, the
///   trigger. Names, descriptions and positions are free.
/// - The event that starts the workflow stays after its first execution.
/// - A version that an execution has taken stays as it is; a structural edit then makes the next one.
/// - What is enabled can run.
struct WorkflowRevision {
    let transaction: EngineTransaction
    let before: WorkflowRecord
    var after: WorkflowRecord

    /// Bytes of JSON that all steps and transitions of a workflow may have: they are read with every change of any.
    static let definitionLimit = 1 << 20
    /// Bytes of JSON that one step's options may have.
    static let optionsLimit = 64 << 10

    init(of record: WorkflowRecord, in transaction: EngineTransaction) {
        self.transaction = transaction
        before = record
        after = record
    }

    // MARK: Steps

    mutating func edit(_ body: (inout GraphDraft) throws(GraphRefusal) -> Void) throws {
        var draft = GraphDraft(after.graph)
        do {
            try body(&draft)
        } catch {
            throw UseCaseError(error)
        }
        after.graph = draft.graph
    }

    func require(transition id: String) throws {
        guard after.graph.transitions.contains(where: { $0.id == id }) else {
            throw UseCaseError(.notFound, "there is no transition \(id) in this workflow")
        }
    }

    /// - Throws: `UseCaseError.invalid` with every problem of its options.
    func step(from new: NewStep) throws -> Step {
        if new.type == .trigger {
            throw UseCaseError(
                .invalidGraph, "a workflow has exactly one TRIGGER",
                problems: [.init(path: "type", message: "a workflow has one TRIGGER, and this one has it")])
        }
        let options = try Self.options(new.options, type: new.type, template: new.template)
        let config = try StepCheck(transaction, after.projectID).config(new.type, options, path: "config")
        let key =
            new.key
            ?? KeyMaker.key(for: new.name, or: new.type.rawValue.lowercased()) { after.graph.step($0) != nil }
        return Step(key: key, name: new.name, config: config, options: options, position: new.position)
    }

    func step(_ key: String, changedBy changes: StepChanges) throws -> Step {
        guard var step = after.graph.step(key) else {
            throw UseCaseError(.notFound, "there is no step \(key) in this workflow")
        }
        if let name = changes.name { step.name = name }
        if let position = changes.position { step.position = position }
        guard changes.options != nil || changes.template != nil else { return step }
        if step.config == .trigger { return try trigger(step, changes) }
        var options = changes.options ?? step.options
        var template = changes.template
        if case .sendEmail(let send) = step.config {
            if changes.options == nil { options["template"] = nil }
            if changes.options == nil, template != nil { options["templateId"] = nil }
            let isNamed = options["template"] != nil || options["templateId"] != nil
            if template == nil, !isNamed { template = send.template }
        }
        step.options = try Self.options(options, type: step.config.type, template: template)
        step.config = try StepCheck(transaction, after.projectID).config(
            step.config.type, step.options, path: "config")
        return step
    }

    /// The trigger's configuration is the workflow's; naming it again here changes nothing.
    private func trigger(_ step: Step, _ changes: StepChanges) throws -> Step {
        guard changes.template == nil else { throw Self.noTemplate }
        guard let options = changes.options, .object(options) != after.trigger.config, !options.isEmpty else {
            return step
        }
        throw UseCaseError(
            .invalid, "the trigger is set elsewhere",
            problems: [.init(path: "config", message: "set triggerType and triggerConfig of the workflow instead")])
    }

    private static let noTemplate = UseCaseError(
        .invalid, "the step has no template",
        problems: [.init(path: "templateId", message: "is for SEND_EMAIL only")])

    /// The options with the template that stood beside them.
    private static func options(_ options: JSONObject, type: StepType, template: String?) throws -> JSONObject {
        guard JSONWriter.bytes(.object(options)).count <= optionsLimit else {
            throw UseCaseError(
                .invalid, "the step's options are too large",
                problems: [.init(path: "config", message: "must not be longer than \(optionsLimit) bytes of JSON")])
        }
        guard let template else { return options }
        guard type == .sendEmail else { throw noTemplate }
        var options = options
        if let named = options["template"] ?? options["templateId"], named != .string(template) {
            throw UseCaseError(
                .invalid, "two templates are named",
                problems: [.init(path: "templateId", message: "names another template than config does")])
        }
        if options["template"] == nil { options["templateId"] = .string(template) }
        return options
    }

    // MARK: Trigger

    static func triggerName(_ event: String) -> String { String("Trigger: \(event)".prefix(WorkflowRecord.nameLimit)) }

    /// - Throws: `UseCaseError`: `workflowLocked`, `triggerLocked`.
    mutating func setTrigger(_ trigger: WorkflowRecord.Trigger) throws {
        guard trigger != after.trigger else { return }
        let problems = SegmentCheck(transaction.catalog, after.projectID).problems(of: trigger, path: "triggerConfig")
        guard problems.isEmpty else { throw UseCaseError(.invalid, "the trigger is invalid", problems: problems) }
        try Self.refuseWhileUnderWay(before, transaction)
        guard var step = after.graph.step(after.graph.triggerKey) else { return }
        if case .event(let name) = trigger {
            // The step remembers the name over a time as MANUAL or SCHEDULE, so that a detour does not free it.
            let known = after.trigger.eventName ?? step.options["eventName"]?.stringValue
            if let known, known != name {
                try refuseAfterFirstExecution(known)
                if step.name == Self.triggerName(known) { step.name = Self.triggerName(name) }
            }
            step.options["eventName"] = .string(name)
            try edit { (draft) throws(GraphRefusal) in try draft.replace(step) }
        }
        after.trigger = trigger
    }

    private func refuseAfterFirstExecution(_ event: String) throws {
        guard try transaction.store.hasExecutions(of: before.id) else { return }
        throw UseCaseError(
            .triggerLocked,
            "\(before.slug) has had executions, so \(event) stays the event that starts it: make a copy for another",
            problems: [.init(path: "triggerConfig.eventName", message: "stays after the first execution")])
    }

    // MARK: Storing

    /// Stores what has changed, if anything has.
    /// - Throws: `UseCaseError`: `workflowLocked`, `invalid` with every problem of a workflow that is enabled and cannot run.
    mutating func store() throws {
        let isStructural = !before.graph.hasSameStructure(as: after.graph) || before.trigger != after.trigger
        let isRedrawn = before.graph != after.graph
        guard isStructural || isRedrawn || hasNewSwitches else { return }
        if isStructural { try Self.refuseWhileUnderWay(before, transaction) }
        if after.isEnabled, isStructural || !before.isEnabled {
            try StepCheck(transaction, after.projectID).refuseUnlessRunnable(after.graph)
        }
        let definition = WorkflowDefinition.json(of: after.graph)
        try Self.refuseUnlessSmall(definition)
        if isStructural, try transaction.store.isUsed(version: after.versionID) {
            after.versionID = transaction.makeID()
            after.versionNumber += 1
        } else if isStructural || isRedrawn {
            try transaction.store.replaceDefinition(definition, ofVersion: after.versionID)
        }
        after.updatedAt = transaction.now
        try transaction.store.save(after, definition: definition)
    }

    private var hasNewSwitches: Bool {
        before.name != after.name || before.description != after.description || before.isEnabled != after.isEnabled
            || before.allowsReentry != after.allowsReentry || before.reentryKey != after.reentryKey
            || before.timers != after.timers
    }

    private static func refuseUnlessSmall(_ definition: JSON) throws {
        guard JSONWriter.bytes(definition).count > definitionLimit else { return }
        throw UseCaseError(
            .invalidGraph, "the workflow is too large",
            problems: [.init(path: "steps", message: "must not be longer than \(definitionLimit) bytes of JSON")])
    }

    static func refuseWhileUnderWay(_ record: WorkflowRecord, _ transaction: EngineTransaction) throws {
        let active = try transaction.store.activeExecutionCount(workflow: record.id)
        guard active > 0 else { return }
        throw UseCaseError(
            .workflowLocked,
            "\(record.slug) has \(active) \(active == 1 ? "execution" : "executions") under way: let them end or cancel them first",
            problems: [.init(path: "executions", message: "\(active) RUNNING or WAITING")])
    }
}

extension UseCaseError {
    init(_ refusal: GraphRefusal) {
        let code: Code =
            switch refusal.code {
            case .notFound: .notFound
            case .conflict: .conflict
            case .refused: .invalidGraph
            }
        let first = refusal.problems.first?.message ?? "the graph would break a rule"
        self.init(code, first, problems: code == .notFound ? [] : refusal.problems)
    }
}
