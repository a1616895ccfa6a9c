import JSONValue
import MailFormat
import MailModel
import WorkflowModel

/// What a simulation found: the whole path of the run, and everything that it would have done.
package struct SimulationReport: Sendable {
    /// One step as it was executed.
    package struct Visit: Sendable {
        package var execution: StepExecution
        package var name: String?
        /// The branch it left by; nil for a plain way on, and where the run has ended or stands.
        package var branch: String?
        package var wait: Wait?
    }

    package struct Wait: Sendable {
        package enum Ending: String, Sendable { case timer, event, timeout, webhook }

        /// Empty for a delay.
        package var events: [String]
        package var until: Timestamp?
        /// Nil while it lasts.
        package var endedBy: Ending?
        package var event: String?
    }

    package struct Mail: Sendable {
        package var id: Identifier
        package var at: Timestamp
        package var step: String
        package var template: String
        /// The envelope's recipient.
        package var recipient: String
        package var from = ""
        package var to = ""
        package var replyTo: String?
        package var subject = ""
        package var text: String?
        package var html: String?
        package var isAutomaticReply: Bool
        /// Why the mail could not be made, and would fail.
        package var error: String?
        /// Whether text and HTML were left out, because there is too much of them.
        package var isAbridged = false
    }

    /// A WEBHOOK step's call.
    package struct Call: Sendable {
        package var at: Timestamp
        package var request: WebhookRequest
        package var attempts: [Attempt] = []
    }

    package struct Attempt: Sendable {
        /// When it ended.
        package var at: Timestamp
        package var status: Int?
        package var error: String?
    }

    package struct Change: Sendable {
        package var at: Timestamp
        /// Nil for a change by an event's data.
        package var step: String?
        package var before: Contact
        package var after: Contact
    }

    package enum EventEffect: Hashable, Sendable {
        /// Before the start.
        case past
        case started
        case resumed(step: String)
        case ignored
        /// Brought about by the run.
        case emitted
    }

    package struct EventNote: Sendable {
        package var at: Timestamp
        package var name: String
        package var data: JSONObject
        package var effect: EventEffect
        var id: Identifier?
    }

    package enum End: String, Sendable {
        /// The run has ended.
        case final
        /// A timer would fire after the horizon.
        case horizon
        /// It waits for an event, for ever if none comes.
        case waiting
    }

    package var workflow: WorkflowRecord
    /// As the run left it.
    package var contact: Contact
    package var startedAt: Timestamp
    package var endedAt: Timestamp
    package var end = End.final
    /// As it stands at the end.
    package var execution: Execution
    package var visits: [Visit] = []
    package var mails: [Mail] = []
    package var calls: [Call] = []
    package var changes: [Change] = []
    package var events: [EventNote] = []
    package var warnings: [String] = []

    init(workflow: WorkflowRecord, contact: Contact, startedAt: Timestamp) {
        self.workflow = workflow
        self.contact = contact
        self.startedAt = startedAt
        endedAt = startedAt
        execution = Execution(
            id: SimulatedIdentifiers.execution, workflowID: workflow.id, contactID: contact.id, startedAt: startedAt)
    }

    // MARK: Adding

    mutating func add(_ move: ExecutionMachine.Move, input: ExecutionMachine.Input) {
        for step in move.steps {
            if let index = visits.lastIndex(where: { $0.execution.sequence == step.sequence }) {
                visits[index].end(with: step, input: input)
                continue
            }
            var visit = Visit(execution: step, name: workflow.graph.step(step.step)?.name)
            visit.branch = step.output["branch"]?.stringValue
            if !step.status.isFinal, let wait = move.execution.wait { visit.wait = Wait(wait) }
            if step.type == .waitForEvent, step.status == .completed { visit.branch = "event" }
            visits.append(visit)
        }
    }
}

extension SimulationReport {
    /// Leaves out what a step was given and gave.
    mutating func abridge(_ sequence: Int) {
        guard let index = visits.lastIndex(where: { $0.execution.sequence == sequence }) else { return }
        visits[index].execution.input = .null
        visits[index].execution.output = .null
    }
}

extension SimulationReport.Wait {
    init(_ wait: Execution.Wait) {
        switch wait {
        case .timer(let due): self.init(events: [], until: due)
        case .event(let names, let due): self.init(events: names, until: due)
        case .webhook: self.init(events: [], until: nil)
        }
    }
}

extension SimulationReport.Visit {
    fileprivate mutating func end(with step: StepExecution, input cause: ExecutionMachine.Input) {
        let (startedAt, input) = (execution.startedAt, execution.input)
        execution = step
        execution.startedAt = startedAt
        if execution.input.isNull { execution.input = input }
        switch cause {
        case .timerFired:
            let isTimeout = wait?.events.isEmpty == false
            wait?.endedBy = isTimeout ? .timeout : .timer
            if isTimeout { branch = "timeout" }
        case .eventArrived(let event):
            wait?.endedBy = .event
            wait?.event = event.name
            branch = "event"
        case .webhookAnswered: wait?.endedBy = .webhook
        default: break
        }
    }
}

extension SimulationReport.Mail {
    init(at time: Timestamp, request: MailRequest, template: String) {
        self.init(
            id: request.id, at: time, step: request.step, template: template, recipient: request.recipient,
            isAutomaticReply: request.answers != nil)
    }

    mutating func fill(_ draft: MailDraft) {
        from = Self.text(draft.from)
        to = draft.to.map(Self.text).joined(separator: ", ")
        replyTo = draft.replyTo.first.map(Self.text)
        subject = draft.subject
        text = draft.text ?? draft.html.map(PlainText.from)
        html = draft.html
    }

    private static func text(_ mailbox: Mailbox) -> String {
        mailbox.name.map { "\($0) <\(mailbox.address)>" } ?? "\(mailbox.address)"
    }

    mutating func abridge() {
        text = nil
        html = nil
        isAbridged = true
    }
}
