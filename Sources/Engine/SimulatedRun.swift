import JSONValue
import MailFormat
import WorkflowModel

/// One run of a simulation: the next event or the next timer, whichever is sooner, until the run ends, nothing is left to
/// happen, or the horizon is reached. An event at the very moment of a timeout comes first.
struct SimulatedRun {
    private struct Pending {
        var event: Event
        var at: Timestamp
        /// As the client sent them: values that are not to be kept still say so.
        var sentData: JSONObject = [:]
        /// Made by the run itself, and so already in the report.
        var isOwn = false
    }

    private let request: SimulationRequest
    private let workflow: WorkflowRecord
    private let environment: SimulatedEnvironment
    private let machine: ExecutionMachine
    private let start: Timestamp
    private let horizon: Timestamp
    private var execution: Execution
    private var contact: Contact
    /// Soonest first; of two at the same time the one that was named first.
    private var pending: [Pending] = []
    /// The webhook call under way.
    private var call: SimulatedCall?
    private var drafts = 0
    private var bodyBytes = 0
    private var shownBytes = 0
    private(set) var report: SimulationReport

    /// Mails whose text is shown, and bytes of text in all of them together.
    private static let draftLimit = 100
    private static let bodyLimit = 1 << 20
    /// Bytes of everything else that steps were given and gave.
    private static let showLimit = 4 << 20

    init(
        _ request: SimulationRequest, snapshot: SimulationSnapshot, environment: SimulatedEnvironment,
        start: Timestamp, horizon: Timestamp
    ) {
        self.request = request
        workflow = snapshot.workflow
        self.environment = environment
        self.start = start
        self.horizon = horizon
        machine = ExecutionMachine(
            graph: workflow.graph, workflowName: workflow.name, environment: environment)
        contact = snapshot.contact
        execution = Execution(
            id: SimulatedIdentifiers.execution, workflowID: workflow.id, contactID: contact.id,
            context: request.context, startedAt: start)
        report = SimulationReport(workflow: workflow, contact: contact, startedAt: start)
        if !workflow.isEnabled { report.warnings.append("the workflow is not enabled, so it starts for nobody") }
        noteRefusal(snapshot)
        if let rate = workflow.timers.ratePerMinute {
            report.warnings.append(
                "timers are spread over time, \(rate) a minute: with many due at once they come later than shown")
        }
        if !snapshot.isStoredContact { report.warnings.append("no such contact is stored; it was made up") }
        sortEvents()
    }

    private mutating func noteRefusal(_ snapshot: SimulationSnapshot) {
        guard snapshot.entry != .withoutValue else {
            report.warnings.append(
                "there is no value of the re-entry key \(workflow.reentryKey?.path ?? ""), so it would start for nobody"
            )
            return
        }
        guard snapshot.isRefused else { return }
        let what = snapshot.entry.value.map { " with \(workflow.reentryKey?.path ?? "the key") \($0)" } ?? ""
        report.warnings.append(
            workflow.allowsReentry
                ? "the contact has a run under way\(what), so it would not be started again"
                : "the contact has been here before\(what), so it would not be started again")
    }

    /// What is before the start has happened already; the rest is to come.
    private mutating func sortEvents() {
        let timed = request.events.map { ($0, $0.at.time(from: start)) }.enumerated()
            .sorted { ($0.element.1, $0.offset) < ($1.element.1, $1.offset) }
        for (_, (occurrence, at)) in timed {
            var event = makeEvent(occurrence.name, occurrence.data, at: at, isOwn: false)
            // What happens to a mail during the run happens to a mail of the run, unless it is said to be another's.
            if at >= start, event.name != EventName.emailReceived, EventName.ofMail.contains(event.name),
                event.data["executionId"] == nil
            {
                event.data["executionId"] = .string("\(execution.id)")
            }
            if at < start {
                environment.note(event)
                report.events.append(.init(at: at, name: event.name, data: event.data, effect: .past))
            } else {
                pending.append(Pending(event: event, at: at, sentData: occurrence.data))
            }
        }
    }

    private func makeEvent(_ name: String, _ data: JSONObject, at: Timestamp, isOwn: Bool) -> Event {
        let data = data.unwrappingTransientValues()
        return Event(
            id: environment.makeID(), name: name, data: data,
            source: isOwn || EventName.isReserved(name) ? .system : .api, generation: isOwn ? 1 : 0, createdAt: at)
    }

    // MARK: The course of events

    mutating func run() {
        begin()
        while !execution.status.isFinal {
            let due = (call?.answeredAt ?? execution.wait?.due).map { max($0, environment.now) }
            if let next = pending.first, next.at <= horizon, due.map({ next.at <= $0 }) ?? true {
                pending.removeFirst()
                meet(next)
            } else if let due, due <= horizon {
                if let call { answer(call) } else { advance(.timerFired, at: due) }
            } else {
                break
            }
        }
        finish()
    }

    private mutating func begin() {
        environment.now = start
        if case .event(let name) = workflow.trigger {
            let data = triggerData(name)
            let event = makeEvent(name, data, at: start, isOwn: false)
            execution.trigger = event
            take(event, data)
            environment.note(event)
            report.events.append(.init(at: start, name: name, data: event.data, effect: .started))
        } else if case .schedule(let schedule) = workflow.trigger {
            beginOnSchedule(schedule)
        }
        if execution.trigger == nil, !request.triggerData.isEmpty {
            report.warnings.append("no event starts this workflow, so the trigger's data were not used")
        }
        advance(.started, at: start)
    }

    /// The run starts as if the contact had been enrolled by a tick at the start.
    private mutating func beginOnSchedule(_ schedule: ScheduleTrigger) {
        let tick: JSONObject = ["schedule": ["at": .string("\(start)")]]
        execution.context = tick.merging(execution.context)
        if !contact.isSubscribed { report.warnings.append("a schedule enrols nobody who is unsubscribed") }
        switch schedule.audience {
        case .all: break
        case .filter(let filter):
            if filter.isSatisfied(in: environment.contactScope(contact, now: start)) { break }
            report.warnings.append("the schedule's filter does not hold for the contact, so it would not be enrolled")
        case .segment(let segment):
            if environment.isMember(contact.id, ofSegment: segment) { break }
            report.warnings.append("the contact is not in the schedule's segment, so it would not be enrolled")
        }
    }

    /// Mail has somebody who sent it and somebody it was written to: an automatic reply could not be made otherwise.
    private mutating func triggerData(_ name: String) -> JSONObject {
        var data = request.triggerData
        guard name == EventName.emailReceived else { return data }
        for (key, address) in [("envelopeFrom", contact.email), ("to", environment.ownAddress)] where data[key] == nil {
            data[key] = .string(address)
            report.warnings.append("trigger.data.\(key) was taken to be \(address)")
        }
        return data
    }

    /// What an event does to the contact before anything else sees it: a client's data are kept, a subscription counts.
    private mutating func take(_ event: Event, _ sentData: JSONObject) {
        let before = contact
        switch event.name {
        case EventName.contactSubscribed: contact.isSubscribed = true
        case EventName.contactUnsubscribed: contact.isSubscribed = false
        default: if event.source == .api { contact.merge(sentData) }
        }
        noteChange(from: before, step: nil, isReported: event.source == .api)
    }

    private mutating func meet(_ next: Pending) {
        environment.now = next.at
        if !next.isOwn {
            take(next.event, next.sentData)
            report.events.append(
                .init(at: next.at, name: next.event.name, data: next.event.data, effect: .ignored, id: next.event.id))
        }
        environment.note(next.event)
        let step = execution.currentStep ?? ""
        guard advance(.eventArrived(next.event), at: next.at),
            let index = report.events.lastIndex(where: { $0.id == next.event.id })
        else { return }
        report.events[index].effect = .resumed(step: step)
    }

    @discardableResult
    private mutating func advance(_ input: ExecutionMachine.Input, at time: Timestamp) -> Bool {
        environment.now = time
        guard let move = machine.advance(execution, contact: contact, input: input, now: time) else { return false }
        execution = move.execution
        report.add(move, input: input)
        for step in move.steps where !fits(.array([step.input, step.output])) { report.abridge(step.sequence) }
        var updates = move.steps.filter { $0.type == .updateContact }
        for effect in move.effects {
            switch effect {
            case .sendMail(let request): send(request)
            case .updateContact(let changed, _):
                let before = contact
                contact = changed
                // Effects come in the order of the steps, and not every step changes something.
                let position = updates.firstIndex { Self.explains($0, before, changed) }
                let step = position.map { updates[$0].step }
                if let position { updates.removeFirst(position + 1) }
                noteChange(from: before, step: step, isReported: true)
            case .callWebhook(let request):
                let answers = self.request.answers[request.step] ?? []
                if answers.isEmpty {
                    report.warnings.append("the webhook of \(request.step) was taken to be answered 200")
                }
                call = SimulatedCall(
                    request, project: workflow.projectID, answers: answers, index: report.calls.count, at: time)
                report.calls.append(.init(at: time, request: request))
                if let body = request.body, !fits(.string(body)) {
                    report.calls[report.calls.count - 1].request.body = nil
                }
            case .cancelWebhook: call = nil
            case .countReply(let reply): environment.note(reply)
            case .refuseReply: break
            }
        }
        return true
    }

    private static func explains(_ step: StepExecution, _ before: Contact, _ after: Contact) -> Bool {
        guard let updates = step.output["updates"]?.objectValue else { return false }
        var changed = before
        changed.merge(updates)
        return changed.data == after.data
    }

    /// - Parameter isReported: whether the change is an event of its own.
    private mutating func noteChange(from before: Contact, step: String?, isReported: Bool) {
        guard contact.data != before.data || contact.isSubscribed != before.isSubscribed else { return }
        let change = SimulationReport.Change(at: environment.now, step: step, before: before, after: contact)
        if fits(.object(change.changedData)) { report.changes.append(change) }
        contact.updatedAt = environment.now
        guard isReported else { return }
        if contact.data != before.data { emit("contact.updated", [:]) }
        if contact.isSubscribed != before.isSubscribed {
            emit(contact.isSubscribed ? EventName.contactSubscribed : EventName.contactUnsubscribed, [:])
        }
    }

    /// An event that the run itself brings about. It resumes no wait of the run, because it came before the wait.
    private mutating func emit(_ name: String, _ data: JSONObject) {
        environment.note(makeEvent(name, data, at: environment.now, isOwn: true))
        report.events.append(.init(at: environment.now, name: name, data: data, effect: .emitted))
    }

    /// Whether so much more can be shown. What cannot is done all the same, and that it was is said once.
    private mutating func fits(_ value: JSON) -> Bool {
        if shownBytes <= Self.showLimit { shownBytes += JSONWriter.bytes(value).count }
        guard shownBytes > Self.showLimit else { return true }
        let warning = "there is too much to show, and some of it was left out"
        if !report.warnings.contains(warning) { report.warnings.append(warning) }
        return false
    }

    // MARK: Webhooks

    /// The attempt under way ends: with the call, or with the time of the next attempt, as it does in production.
    private mutating func answer(_ under: SimulatedCall) {
        var under = under
        environment.now = under.answeredAt
        let decision = under.answer()
        report.calls[under.index].attempts.append(under.lastAttempt)
        switch decision {
        case .retry: call = under
        case .end(let answer):
            call = nil
            advance(.webhookAnswered(answer), at: under.answeredAt)
        }
    }

    // MARK: Mails

    private mutating func send(_ request: MailRequest) {
        var mail = SimulationReport.Mail(
            at: environment.now, request: request, template: environment.templateName(request))
        drafts += 1
        if drafts > Self.draftLimit {
            mail.isAbridged = true
        } else {
            do {
                let draft = try environment.draft(request, contact: contact.id)
                mail.fill(draft)
                bodyBytes += (draft.html?.utf8.count ?? 0) + (draft.text?.utf8.count ?? 0)
                if bodyBytes > Self.bodyLimit { mail.abridge() }
            } catch {
                mail.error = "\(error)"
            }
        }
        report.mails.append(mail)
        announce(mail)
    }

    /// The relay is taken to accept every mail at once; a mail that cannot be made fails.
    private mutating func announce(_ mail: SimulationReport.Mail) {
        let event = makeEvent(
            mail.error == nil ? EventName.emailSent : EventName.emailFailed,
            [
                "emailId": .string("\(mail.id)"), "subject": .string(mail.subject), "to": .string(mail.recipient),
                "sourceType": "WORKFLOW",
            ], at: environment.now, isOwn: true)
        report.events.append(
            .init(at: environment.now, name: event.name, data: event.data, effect: .emitted, id: event.id))
        let place = pending.firstIndex { $0.at > environment.now } ?? pending.endIndex
        pending.insert(Pending(event: event, at: environment.now, isOwn: true), at: place)
    }

    // MARK: The end

    private mutating func finish() {
        report.execution = execution
        report.contact = contact
        for left in pending where !left.isOwn {
            report.events.append(.init(at: left.at, name: left.event.name, data: left.event.data, effect: .ignored))
        }
        report.end =
            execution.status.isFinal ? .final : execution.wait?.due == nil && call == nil ? .waiting : .horizon
        report.endedAt = execution.completedAt ?? horizon
    }
}
