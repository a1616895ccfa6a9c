import JSONValue

/// The working state of one move of the machine.
struct ExecutionRun {
    let machine: ExecutionMachine
    var execution: Execution
    var contact: Contact
    let now: Timestamp
    var steps: [StepExecution] = []
    var effects: [ExecutionMachine.Effect] = []

    init(machine: ExecutionMachine, execution: Execution, contact: Contact, now: Timestamp) {
        self.machine = machine
        self.execution = execution
        self.contact = contact
        self.now = now
    }

    var environment: any MachineEnvironment { machine.environment }
    var scope: Scope { Scope(contact: contact, execution: execution, workflowName: machine.workflowName) }

    var filterScope: ExecutionScope { ExecutionScope(scope: scope, now: now, environment: environment) }

    // MARK: Resuming

    mutating func resumeFromDelay() {
        guard let step = current else { return lostStep() }
        // The row written when the delay began has the planned time; nothing is added but the end.
        finish(step, output: execution.outputs[step.key] ?? .null)
        walk(after: step, branch: nil)
    }

    mutating func resumeFromTimeout(_ names: [String]) {
        guard let step = current else { return lostStep() }
        finish(step, output: ["timedOut": true, "eventName": .string(names.joined(separator: ","))])
        walk(after: step, branch: "timeout")
    }

    mutating func resume(with event: Event) {
        guard let step = current else { return lostStep() }
        finish(step, output: take(event))
        walk(after: step, branch: "event")
    }

    /// Makes the event the one that `event.*` means.
    /// - Returns: what the wait says about it.
    mutating func take(_ event: Event) -> JSON {
        execution.context.merge(event.data)
        execution.resumedBy = event
        return ExecutionMachine.note(of: event)
    }

    mutating func resume(with answer: WebhookAnswer) {
        guard let step = current else { return lostStep() }
        let output = output(of: answer, before: execution.outputs[step.key] ?? .null)
        switch answer {
        case .succeeded:
            finish(step, output: output, attempts: answer.attempts)
            walk(after: step, branch: nil)
        case .failed(_, let reason, _, _):
            execution.outputs[step.key] = output
            record(
                step, sequence: execution.stepCount - 1, .failed, output: output, error: reason,
                attempts: answer.attempts)
            end(.failed, reason: reason)
        }
    }

    mutating func retry() {
        guard let step = execution.currentStep == nil ? machine.graph.step(machine.graph.triggerKey) : current else {
            return lostStep()
        }
        execution.status = .running
        execution.exitReason = nil
        execution.completedAt = nil
        execution.wait = nil
        walk(from: step)
    }

    // MARK: Ending

    mutating func cancel(_ reason: String) {
        if case .webhook(let call)? = execution.wait { effects.append(.cancelWebhook(call: call)) }
        recordUnfinished(.cancelled, error: nil)
        end(.cancelled, reason: reason)
    }

    mutating func giveUpLate() {
        recordUnfinished(.cancelled, error: "the timer came too late")
        end(.exited, reason: ExecutionMachine.lateReason)
    }

    mutating func stop(_ reason: String) {
        execution.currentStep = machine.graph.triggerKey
        end(.failed, reason: reason)
    }

    /// Ends the row of the step that the execution stands on, if it is still open.
    private mutating func recordUnfinished(_ status: StepExecution.Status, error: String?) {
        guard execution.wait != nil, let step = current else { return }
        record(step, sequence: execution.stepCount - 1, status, output: .null, error: error)
    }

    private var current: Step? { execution.currentStep.flatMap(machine.graph.step) }

    /// The version that this execution belongs to has no such step: the stored data contradict each other.
    private mutating func lostStep() {
        end(.failed, reason: "step \(execution.currentStep ?? "?") is not in the workflow")
    }

    /// Ends the step that was waiting; its row got the last sequence number when the wait began.
    private mutating func finish(_ step: Step, output: JSON, attempts: Int = 1) {
        var output = output
        if let missed = execution.outputs[step.key]?[ExecutionMachine.missedKey], var object = output.objectValue {
            object[ExecutionMachine.missedKey] = missed
            output = .object(object)
        }
        execution.wait = nil
        execution.status = .running
        execution.outputs[step.key] = output
        record(step, sequence: execution.stepCount - 1, .completed, output: output, attempts: attempts)
    }

    /// A failed execution goes on standing where it failed, so that it can be retried from there.
    private mutating func end(_ status: Execution.Status, reason: String?) {
        execution.status = status
        execution.exitReason = reason
        if status != .failed { execution.currentStep = nil }
        execution.wait = nil
        execution.completedAt = now
    }

    // MARK: Walking

    private mutating func walk(after step: Step, branch: String?) {
        if let next = machine.graph.successor(of: step.key, branch: branch) { return walk(from: next) }
        endOfPath(branch: branch)
    }

    /// A branch without a transition ends the run, and says so; a plain last step is simply the end.
    private mutating func endOfPath(branch: String?) {
        end(.completed, reason: branch.map { "no_transition:\($0)" })
    }

    mutating func walk(from first: Step?) {
        var next = first
        while let step = next {
            execution.currentStep = step.key
            switch perform(step) {
            case .done(let output, let input, let branch):
                execution.outputs[step.key] = output
                add(step, .completed, input: input, output: output)
                next = machine.graph.successor(of: step.key, branch: branch)
                if next == nil { return endOfPath(branch: branch) }
            case .paused(let wait, let output, let input):
                execution.outputs[step.key] = output
                if case .webhook = wait {
                    add(step, .running, input: input, output: output)
                } else {
                    add(step, .waiting, input: input, output: output)
                    execution.status = .waiting
                }
                execution.wait = wait
                return
            case .exited(let reason):
                add(step, .completed, output: ["exited": true, "reason": .string(reason)])
                return end(.exited, reason: reason)
            case .failed(let reason):
                add(step, .failed, output: .null, error: reason)
                return end(.failed, reason: reason)
            }
        }
    }

    // MARK: Rows

    private mutating func add(
        _ step: Step, _ status: StepExecution.Status, input: JSON = .null, output: JSON, error: String? = nil
    ) {
        record(step, sequence: execution.stepCount, status, input: input, output: output, error: error)
        execution.stepCount += 1
    }

    private mutating func record(
        _ step: Step, sequence: Int, _ status: StepExecution.Status, input: JSON = .null, output: JSON,
        error: String? = nil, attempts: Int = 1
    ) {
        steps.append(
            StepExecution(
                sequence: sequence, step: step.key, type: step.config.type, status: status, input: input,
                output: output, error: error, attempts: attempts, startedAt: now,
                completedAt: status.isFinal ? now : nil))
    }
}

/// What filters and conditions of one execution look at.
struct ExecutionScope: FilterScope {
    var scope: Scope
    let now: Timestamp
    let environment: any MachineEnvironment

    func value(at path: String) -> JSON? { scope.value(at: path) }

    func lastOccurrence(of event: String) -> Timestamp? {
        environment.lastOccurrence(of: event, contact: scope.contact.id)
    }

    func isMember(ofSegment id: String) -> Bool { environment.isMember(scope.contact.id, ofSegment: id) }
}
