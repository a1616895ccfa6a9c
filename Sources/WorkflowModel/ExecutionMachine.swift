import JSONValue

/// The workflow machine: given an execution, its graph, its contact and the time, it says what becomes of the
/// execution and what the shell has to do. No clock, no randomness, no I/O: production, simulation and tests drive
/// the same machine.
///
/// | state            | input                     | becomes                                            |
/// |------------------|---------------------------|----------------------------------------------------|
/// | RUNNING (new)    | started                   | runs to its next pause or end                      |
/// | WAITING on delay | timerFired, due           | runs on after the DELAY                            |
/// | WAITING on event | timerFired, due           | runs on along `timeout`                            |
/// | WAITING on event | eventArrived, name fits   | runs on along `event`                              |
/// | WAITING          | timerFired, not due       | ignored                                            |
/// | WAITING on delay | eventArrived              | ignored                                            |
/// | WAITING on event | eventArrived, other name  | ignored                                            |
/// | WAITING on event | eventArrived, own trigger | ignored: what starts an execution never resumes it |
/// | RUNNING          | timerFired, eventArrived  | ignored                                            |
/// | RUNNING, WAITING | cancelled                 | CANCELLED                                          |
/// | final            | anything                  | ignored                                            |
///
/// "Runs" means: executes steps until one pauses (WAITING), the graph ends (COMPLETED), an EXIT is reached (EXITED) or
/// a step cannot be done (FAILED). The graph has no cycle, so a run ends.
package struct ExecutionMachine {
    package enum Input: Hashable, Sendable {
        case started
        case timerFired
        case eventArrived(Event)
        case cancelled(reason: String)
    }

    /// What the shell must do in the same transaction that stores the execution.
    package enum Effect: Hashable, Sendable {
        case sendMail(MailRequest)
        /// The contact as it is now; `subscriptionChanged` when the flag really flipped.
        case updateContact(Contact, subscriptionChanged: Bool)
    }

    /// The new state, the steps executed (a step that was waiting appears again with its sequence number), and the
    /// effects in order.
    package struct Move: Hashable, Sendable {
        package var execution: Execution
        package var steps: [StepExecution]
        package var effects: [Effect]
    }

    package let graph: WorkflowGraph
    package let workflowName: String
    package let environment: any MachineEnvironment

    package init(graph: WorkflowGraph, workflowName: String, environment: any MachineEnvironment) {
        self.graph = graph
        self.workflowName = workflowName
        self.environment = environment
    }

    /// - Returns: nil when the table says "ignored".
    package func advance(_ execution: Execution, contact: Contact, input: Input, now: Timestamp) -> Move? {
        guard !execution.status.isFinal else { return nil }
        var run = Run(machine: self, execution: execution, contact: contact, now: now)
        switch (input, execution.status, execution.wait) {
        case (.cancelled(let reason), _, _):
            run.cancel(reason)
        case (.started, .running, _) where execution.currentStep == nil:
            run.walk(from: graph.step(graph.triggerKey))
        case (.timerFired, .waiting, .timer(let due)?) where due <= now:
            run.resumeFromDelay()
        case (.timerFired, .waiting, .event(let names, let due?)?) where due <= now:
            run.resumeFromTimeout(names)
        case (.eventArrived(let event), .waiting, .event(let names, _)?)
        where names.contains(event.name) && event.id != execution.trigger?.id:
            run.resume(with: event)
        default: return nil
        }
        return Move(execution: run.execution, steps: run.steps, effects: run.effects)
    }

    /// The working state of one move.
    private struct Run {
        let machine: ExecutionMachine
        var execution: Execution
        var contact: Contact
        let now: Timestamp
        var steps: [StepExecution] = []
        var effects: [Effect] = []

        var scope: Scope { Scope(contact: contact, execution: execution, workflowName: machine.workflowName) }

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
            execution.context.merge(event.data)
            execution.resumedBy = event
            finish(
                step,
                output: [
                    "eventName": .string(event.name), "eventId": .string("\(event.id)"),
                    "receivedAt": .string("\(event.createdAt)"),
                ])
            walk(after: step, branch: "event")
        }

        mutating func cancel(_ reason: String) {
            if execution.wait != nil, let step = current {
                record(step, sequence: execution.stepCount - 1, .cancelled, .null, completed: true)
            }
            end(.cancelled, reason: reason)
        }

        private var current: Step? { execution.currentStep.flatMap(machine.graph.step) }

        /// The version that this execution belongs to has no such step: the stored data contradict each other.
        private mutating func lostStep() {
            end(.failed, reason: "step \(execution.currentStep ?? "?") is not in the workflow")
        }

        /// Ends the step that was waiting; its row got the last sequence number when the wait began.
        private mutating func finish(_ step: Step, output: JSON) {
            execution.wait = nil
            execution.status = .running
            execution.outputs[step.key] = output
            record(step, sequence: execution.stepCount - 1, .completed, output, completed: true)
        }

        // MARK: Walking

        mutating func walk(after step: Step, branch: String?) {
            if let next = machine.graph.successor(of: step.key, branch: branch) { return walk(from: next) }
            // A branch without an edge ends the run, and says so; a plain last step is simply the end.
            end(.completed, reason: branch.map { "no_transition:\($0)" })
        }

        mutating func walk(from first: Step?) {
            var next = first
            while let step = next {
                execution.currentStep = step.key
                switch perform(step) {
                case .done(let output, let branch):
                    execution.outputs[step.key] = output
                    record(step, sequence: execution.stepCount, .completed, output, completed: true)
                    execution.stepCount += 1
                    next = machine.graph.successor(of: step.key, branch: branch)
                    if next == nil {
                        let isDeadEnd = branch != nil
                        return end(.completed, reason: isDeadEnd ? branch.map { "no_transition:\($0)" } : nil)
                    }
                case .paused(let wait, let output):
                    execution.outputs[step.key] = output
                    record(step, sequence: execution.stepCount, .waiting, output, completed: false)
                    execution.stepCount += 1
                    execution.wait = wait
                    execution.status = .waiting
                    return
                case .exited(let reason):
                    record(
                        step, sequence: execution.stepCount, .completed, ["exited": true, "reason": .string(reason)],
                        completed: true)
                    execution.stepCount += 1
                    return end(.exited, reason: reason)
                case .failed(let reason):
                    record(step, sequence: execution.stepCount, .failed, .null, error: reason, completed: true)
                    execution.stepCount += 1
                    return end(.failed, reason: reason)
                }
            }
        }

        private mutating func end(_ status: Execution.Status, reason: String?) {
            execution.status = status
            execution.exitReason = reason
            execution.currentStep = nil
            execution.wait = nil
            execution.completedAt = now
        }

        private mutating func record(
            _ step: Step, sequence: Int, _ status: StepExecution.Status, _ output: JSON, error: String? = nil,
            completed: Bool
        ) {
            steps.append(
                StepExecution(
                    sequence: sequence, step: step.key, type: step.config.type, status: status, output: output,
                    error: error, startedAt: now, completedAt: completed ? now : nil))
        }

        // MARK: Steps

        private enum Result {
            case done(output: JSON, branch: String?)
            case paused(Execution.Wait, output: JSON)
            case exited(reason: String)
            case failed(reason: String)
        }

        private mutating func perform(_ step: Step) -> Result {
            switch step.config {
            case .trigger: return .done(output: triggerOutput, branch: nil)
            case .condition(let condition): return perform(condition)
            case .delay(let delay): return perform(delay)
            case .waitForEvent(let wait): return perform(wait)
            case .updateContact(let update): return perform(update)
            case .sendEmail(let send): return perform(send, step: step)
            case .exit(let reason): return .exited(reason: reason ?? "exit_step")
            }
        }

        private var triggerOutput: JSON {
            [
                "triggered": true, "eventName": .string(execution.trigger?.name ?? "manual"),
                "timestamp": .string("\(now)"),
            ]
        }

        private func perform(_ condition: Condition) -> Result {
            let actual = scope.value(at: condition.field)
            let branch = condition.isSatisfied(by: actual, now: now) ? "yes" : "no"
            return .done(
                output: [
                    "field": .string(condition.field), "operator": .string(condition.operator.rawValue),
                    "expectedValue": condition.value, "actualValue": Self.abridged(actual ?? .null),
                    "result": .bool(branch == "yes"), "branch": .string(branch),
                ], branch: branch)
        }

        /// Step outputs are kept for every execution; a mail's whole body does not belong there.
        private static func abridged(_ value: JSON) -> JSON {
            switch value {
            case .string(let text) where text.utf8.count > 256: .string(String(text.prefix(256)) + "…")
            case .array, .object: .string("(\(value.arrayValue == nil ? "object" : "list"))")
            default: value
            }
        }

        private func perform(_ delay: StepConfig.Delay) -> Result {
            switch delay {
            case .duration(let microseconds, let amount, let unit):
                let due = now.adding(microseconds: microseconds)
                return .paused(
                    .timer(due: due),
                    output: [
                        "delayAmount": .double(amount), "delayUnit": .string(unit), "resumeAt": .string("\(due)"),
                    ])
            case .until(let source):
                do {
                    let text = try machine.environment.render(source, scope: scope).trimmingBlanks()
                    guard let due = Timestamp(rfc3339: text) else {
                        return .failed(reason: "until is no RFC 3339 time: \(text.prefix(64))")
                    }
                    guard due <= now.adding(seconds: StepConfigReader.longestPause) else {
                        return .failed(reason: "until is more than 365 days away: \(due)")
                    }
                    return .paused(.timer(due: due), output: ["resumeAt": .string("\(due)")])
                } catch {
                    return .failed(reason: "until cannot be rendered: \(error)")
                }
            }
        }

        private func perform(_ wait: StepConfig.WaitForEvent) -> Result {
            let due = wait.timeout.map { now.adding(seconds: $0) }
            return .paused(
                .event(names: wait.eventNames, due: due),
                output: [
                    "eventName": .string(wait.eventNames.joined(separator: ",")),
                    "timeoutAt": due.map { .string("\($0)") } ?? .null,
                ])
        }

        private mutating func perform(_ update: StepConfig.UpdateContact) -> Result {
            do {
                guard case .object(let data) = try rendered(.object(update.data)) else {
                    return .failed(reason: "no data")
                }
                var changed = contact
                changed.merge(data)
                if let subscribes = update.subscribes { changed.isSubscribed = subscribes }
                guard JSONWriter.bytes(.object(changed.data)).count <= Contact.dataLimit else {
                    return .failed(reason: "the contact's data would be larger than \(Contact.dataLimit / 1024) KiB")
                }
                let flipped = changed.isSubscribed != contact.isSubscribed
                if changed != contact {
                    changed.updatedAt = now
                    contact = changed
                    effects.append(.updateContact(changed, subscriptionChanged: flipped))
                }
                return .done(
                    output: ["updated": true, "updates": .object(data), "subscribed": .bool(contact.isSubscribed)],
                    branch: nil)
            } catch {
                return .failed(reason: "a value cannot be rendered: \(error)")
            }
        }

        private func rendered(_ value: JSON) throws -> JSON {
            switch value {
            case .string(let source): return .string(try machine.environment.render(source, scope: scope))
            case .array(let values): return .array(try values.map(rendered))
            case .object(let object): return .object(JSONObject(try object.map { ($0.0, try rendered($0.1)) }))
            default: return value
            }
        }

        private mutating func perform(_ send: StepConfig.SendEmail, step: Step) -> Result {
            switch MailPlan(send, step: step.key, scope: scope, environment: machine.environment).decide() {
            case .send(let request):
                effects.append(.sendMail(request))
                return .done(
                    output: [
                        "emailId": .string("\(request.id)"), "recipientEmail": .string(request.recipient),
                        "automaticReply": .bool(request.answers != nil),
                    ], branch: nil)
            case .skip(let reason, let detail):
                return .done(
                    output: ["skipped": .string(reason), "reason": detail.map { .string($0) } ?? .null], branch: nil)
            case .fail(let reason):
                return .failed(reason: reason)
            }
        }
    }
}

extension String {
    fileprivate func trimmingBlanks() -> String {
        let trimmed = drop { $0 == " " || $0 == "\n" || $0 == "\r" || $0 == "\t" }
        guard let last = trimmed.lastIndex(where: { $0 != " " && $0 != "\n" && $0 != "\r" && $0 != "\t" }) else {
            return ""
        }
        return String(trimmed[...last])
    }
}
