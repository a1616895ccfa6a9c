import JSONValue

/// The workflow machine: given an execution, its graph, its contact and the time, it says what becomes of the
/// execution and what the shell has to do. No clock, no randomness, no I/O: production, simulation and tests drive
/// the same machine.
///
/// | state              | input                         | becomes                                            |
/// |--------------------|-------------------------------|----------------------------------------------------|
/// | RUNNING (new)      | started                       | runs to its next pause or end                      |
/// | RUNNING (new)      | stopped                       | FAILED at its trigger                              |
/// | RUNNING on webhook | webhookAnswered, succeeded    | runs on after the WEBHOOK                          |
/// | RUNNING on webhook | webhookAnswered, failed       | FAILED at the WEBHOOK                              |
/// | WAITING on delay   | timerFired, due               | runs on after the DELAY                            |
/// | WAITING on event   | timerFired, due               | runs on along `timeout`                            |
/// | WAITING            | timerMissed, due              | EXITED                                             |
/// | WAITING on event   | eventArrived, fits            | runs on along `event`                              |
/// | FAILED             | retried                       | runs from the step it failed at                    |
/// | RUNNING, WAITING   | cancelled                     | CANCELLED                                          |
/// | RUNNING on webhook | webhookAnswered, another call | ignored                                            |
/// | WAITING            | timerFired/Missed, not due    | ignored                                            |
/// | WAITING on event   | eventArrived, other name      | ignored                                            |
/// | WAITING on event   | eventArrived, own trigger     | ignored: what starts an execution never resumes it |
/// | final              | anything else                 | ignored                                            |
/// | any                | anything else                 | ignored                                            |
///
/// "Runs" means: executes steps until one pauses (WAITING, or RUNNING while its webhook is called), the graph ends
/// (COMPLETED), an EXIT is reached (EXITED) or a step cannot be done (FAILED, still standing on that step). The graph has
/// no cycle, so a run ends.
package struct ExecutionMachine {
    package enum Input: Hashable, Sendable {
        case started
        /// It must not start: the reason becomes visible on an execution that never ran.
        case stopped(reason: String)
        case timerFired
        /// The timer is so late that what it was for is past.
        case timerMissed
        case eventArrived(Event)
        case webhookAnswered(WebhookAnswer)
        case retried
        case cancelled(reason: String)
    }

    /// What the shell must do in the same transaction that stores the execution.
    package enum Effect: Hashable, Sendable {
        case sendMail(MailRequest)
        /// The mail right before it is an automatic reply, which counts.
        case countReply(ReplyKey)
        /// There would have been an automatic reply; why there is none.
        case refuseReply(reason: String)
        /// The contact as it is now; `subscriptionChanged` when the flag really flipped.
        case updateContact(Contact, subscriptionChanged: Bool)
        case callWebhook(WebhookRequest)
        /// Nobody waits for that call's answer any more.
        case cancelWebhook(call: Identifier)
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

    /// The `exitReason` of an execution whose timer was missed.
    package static let lateReason = "late"

    /// - Returns: nil when the table says "ignored".
    package func advance(_ execution: Execution, contact: Contact, input: Input, now: Timestamp) -> Move? {
        var run = ExecutionRun(machine: self, execution: execution, contact: contact, now: now)
        switch (input, execution.status, execution.wait) {
        case (.cancelled(let reason), .running, _), (.cancelled(let reason), .waiting, _):
            run.cancel(reason)
        case (.started, .running, nil) where execution.currentStep == nil:
            run.walk(from: graph.step(graph.triggerKey))
        case (.stopped(let reason), .running, nil) where execution.currentStep == nil:
            run.stop(reason)
        case (.timerFired, .waiting, .timer(let due)?) where due <= now:
            run.resumeFromDelay()
        case (.timerFired, .waiting, .event(let names, let due?)?) where due <= now:
            run.resumeFromTimeout(names)
        case (.timerMissed, .waiting, let wait?) where wait.due.map({ $0 <= now }) ?? false:
            run.giveUpLate()
        case (.eventArrived(let event), .waiting, .event(let names, _)?)
        where names.contains(event.name) && run.fits(event):
            run.resume(with: event)
        case (.webhookAnswered(let answer), .running, .webhook(let call)?) where answer.call == call:
            run.resume(with: answer)
        case (.retried, .failed, _):
            run.retry()
        default: return nil
        }
        return Move(execution: run.execution, steps: run.steps, effects: run.effects)
    }
}

extension ExecutionMachine {
    /// Where the output of a wait that does not look back tells of an event that came too early for it.
    package static let missedKey = "missedEvent"

    /// What outputs say about an event.
    package static func note(of event: Event) -> JSON {
        [
            "eventName": .string(event.name), "eventId": .string("\(event.id)"),
            "receivedAt": .string("\(event.createdAt)"),
        ]
    }
}
