import JSONValue
import Logging
import WorkflowModel

/// The one door for events: whatever happens (a request, a mail, an open, a delivery) comes in here, is recorded, resumes
/// the waits and starts the workflows that it concerns, and all that follows up to the next pause is done in the same
/// transaction.
package struct Events: Sendable {
    package let context: EngineContext

    package init(context: EngineContext) { self.context = context }

    /// What a client's track request says.
    package struct TrackRequest: Sendable {
        package var projectID: Identifier
        package var event: String
        package var email: String
        /// Nil keeps the flag of a known contact and subscribes a new one.
        package var subscribed: Bool?
        package var data: JSONObject

        package init(
            projectID: Identifier, event: String, email: String, subscribed: Bool? = nil, data: JSONObject = [:]
        ) {
            self.projectID = projectID
            self.event = event
            self.email = email
            self.subscribed = subscribed
            self.data = data
        }
    }

    package struct Tracked: Sendable, Hashable {
        package var contactID: Identifier
        package var eventID: Identifier
        package var at: Timestamp

        package init(contactID: Identifier, eventID: Identifier, at: Timestamp) {
            self.contactID = contactID
            self.eventID = eventID
            self.at = at
        }
    }

    /// Records a client's event; the contact is made or brought up to date first. Durable when it returns.
    package func track(_ request: TrackRequest) async throws -> Tracked {
        try await context.transact { try Self.record(request, in: $0) }
    }

    /// One event of a request that has several.
    package struct BatchItem: Sendable {
        /// In the request.
        package var position: Int
        package var request: TrackRequest

        package init(position: Int, request: TrackRequest) {
            self.position = position
            self.request = request
        }
    }

    /// Records several events in their order, in as few commits as do not keep others waiting. Each succeeds or fails on
    /// its own. Of a request with an idempotency key that was cut off, those that were recorded are found again, and the
    /// others are recorded now.
    package func track(_ items: [BatchItem]) async throws -> [Result<Tracked, any Error>] {
        let done = try await recordedParts()
        let open = items.filter { done[$0.position] == nil }
        var results: [Int: Result<Tracked, any Error>] = [:]
        for start in stride(from: 0, to: open.count, by: Self.batchSize) {
            let part = open[start..<min(start + Self.batchSize, open.count)]
            for (item, result) in zip(part, await trackTogether(part)) { results[item.position] = result }
        }
        return items.compactMap { item in done[item.position].map { .success($0) } ?? results[item.position] }
    }

    private func recordedParts() async throws -> [Int: Tracked] {
        guard let request = context.idempotency, request.isResumed else { return [:] }
        return try await context.store.write { try $0.idempotencyParts(of: request.id) }
    }

    /// Events of a batch that are handed to the writer at once: everybody else waits behind them.
    private static let batchSize = 250

    private func trackTogether(_ items: ArraySlice<BatchItem>) async -> [Result<Tracked, any Error>] {
        await withCheckedContinuation { continuation in
            let answers = BatchAnswers<Tracked>(count: items.count) { continuation.resume(returning: $0) }
            // The writer takes them in the order in which they are handed over, each in a savepoint of its own.
            for (place, item) in items.enumerated() {
                context.submit { transaction in
                    let tracked = try Self.record(item.request, in: transaction)
                    if let request = transaction.context.idempotency {
                        try transaction.store.insert(tracked, at: item.position, of: request.id)
                        request.noteParts()
                    }
                    return tracked
                } completion: {
                    answers.set($0, at: place)
                }
            }
        }
    }

    private static func record(_ request: TrackRequest, in transaction: EngineTransaction) throws -> Tracked {
        let events = EventRecorder(transaction: transaction, projectID: request.projectID)
        let contact = try events.upsert(
            email: request.email, subscribed: request.subscribed, subscribedWhenNew: request.subscribed ?? true,
            data: request.data)
        let event = try events.record(
            EventName.canonical(request.event), data: request.data.unwrappingTransientValues(), source: .api,
            generation: 0, contact: contact)
        return Tracked(contactID: contact.id, eventID: event.id, at: transaction.now)
    }
}

/// Records events of one project inside one transaction, and everything they bring about.
struct EventRecorder {
    let transaction: EngineTransaction
    let projectID: Identifier
    /// Changes of contacts are made without the events that tell of them, and without all that those would bring about.
    var isSilent = false

    var store: any StoreTransaction { transaction.store }
    var now: Timestamp { transaction.now }

    // MARK: Events

    /// Events and moves of executions that one cause may bring about in its transaction. Workflows that start each other
    /// multiply, and all of it happens while everybody else waits for the writer. What comes from outside is never cut.
    static let fanOutLimit = 2000

    /// - Parameters:
    ///   - contact: nil for an event that concerns nobody we know; it is recorded and moves nothing.
    ///   - origin: the execution whose own step brought the event about; a wait that it came to afterwards does not see
    ///     what was before it.
    @discardableResult
    func record(
        _ name: String, data: JSONObject, source: Event.Source = .system, generation: Int, contact: Contact?,
        id: Identifier? = nil, origin: Identifier? = nil
    ) throws -> Event {
        let event = Event(
            id: id ?? transaction.makeID(), name: name, data: data, source: source, generation: generation,
            createdAt: now)
        try store.insert(event, contact: contact?.id, in: projectID)
        for subscription in transaction.catalog.subscriptions(to: name, in: projectID) {
            try transaction.deliver(event.id, to: subscription)
        }
        transaction.wakes.events += 1
        guard let contact else { return event }
        if transaction.catalog.isKept(name, in: projectID) {
            try store.insertOccurrence(of: event, contact: contact.id)
            // A segment asks for kept events only. Whoever sees the event sees who is in the segment by it.
            try SegmentKeeper(transaction: transaction, projectID: projectID)
                .eventOccurred(event, contact: contact, origin: origin)
        }
        try follow(event, contact: contact, origin: origin)
        try SegmentKeeper.announce(in: transaction)
        return event
    }

    /// What the event moves and starts.
    private func follow(_ event: Event, contact: Contact, origin: Identifier?) throws {
        let generation = event.generation
        transaction.consequences += 1
        // Before the loop's end, which starts executions to be seen: they count too.
        guard generation == 0 || transaction.consequences <= Self.fanOutLimit else {
            return try stopFanOut(event, contact: contact)
        }
        guard generation <= transaction.context.configuration.generationLimit else {
            return try stopLoop(event, contact: contact)
        }
        transaction.eventNumber += 1
        try resume(with: event, contact: contact, origin: origin)
        try enrol(with: event, contact: contact)
    }

    /// A chain of events that keeps itself going: what the event would start is there to be seen, and never runs.
    private func stopLoop(_ event: Event, contact: Contact) throws {
        try store.count("event_loops_stopped", by: 1)
        transaction.context.logger.warning(
            "event loop stopped",
            metadata: ["event": "\(event.name)", "contact": "\(contact.id)", "generation": "\(event.generation)"])
        for workflow in transaction.catalog.workflows(triggeredBy: event.name, in: projectID) {
            try start(
                workflow, contact: contact.id, trigger: event, context: [:],
                input: .stopped(
                    reason: "event_loop: \(event.name) is \(event.generation) events of our own making deep"))
        }
    }

    private func stopFanOut(_ event: Event, contact: Contact) throws {
        try store.count("event_fanouts_stopped", by: 1)
        // One line for all that this cause still brings.
        guard !transaction.hasReportedFanOut else { return }
        transaction.hasReportedFanOut = true
        transaction.context.logger.warning(
            "one cause brought about too many events", metadata: ["event": "\(event.name)", "contact": "\(contact.id)"])
    }

    /// Waits see the event before new executions start, so that no execution is resumed by what started it.
    private func resume(with event: Event, contact: Contact, origin: Identifier?) throws {
        let number = transaction.eventNumber
        for id in try store.executions(waitingFor: event.name, contact: contact.id) {
            // One before it in this loop may have caused an event that moved it on: the wait it is in now is younger than
            // the event.
            if transaction.lastMoves[id, default: 0] > number { continue }
            do {
                if id == origin, try !looksBack(id) {
                    try noteMissed(event, by: id, contact: contact)
                    continue
                }
                try advance(id, input: .eventArrived(event))
            } catch let error as StoreError where error.code == .damaged {
                // One bad row must not keep the contact's events out for ever.
                try fail(id, error)
            }
        }
    }

    /// Whether an execution waits for events since it started, its own included.
    private func looksBack(_ id: Identifier) throws -> Bool {
        guard let stored = try store.execution(id), let key = stored.execution.currentStep,
            let workflow = transaction.catalog.workflow(stored.execution.workflowID),
            case .waitForEvent(let wait)? = try graph(of: stored, workflow: workflow)?.step(key)?.config
        else { return false }
        return wait.looksBack
    }

    static let missedCounter = "waits_missed_event"

    /// An execution's own step brought about what its next wait is for, before the wait began and without its looking
    /// back: that is counted, and the step says so.
    private func noteMissed(_ event: Event, by id: Identifier, contact: Contact) throws {
        guard let stored = try store.execution(id), let key = stored.execution.currentStep,
            let workflow = transaction.catalog.workflow(stored.execution.workflowID),
            let graph = try graph(of: stored, workflow: workflow),
            var output = stored.execution.outputs[key]?.objectValue, output[ExecutionMachine.missedKey] == nil
        else { return }
        let move = machine(workflow, graph: graph)
            .advance(stored.execution, contact: contact, input: .eventArrived(event), now: now)
        try throwFailure()
        // A filter would have kept it out.
        guard move != nil else { return }
        output[ExecutionMachine.missedKey] = ExecutionMachine.note(of: event)
        let step = StepExecution(
            sequence: stored.execution.stepCount - 1, step: key, type: .waitForEvent, status: .waiting,
            output: .object(output), startedAt: now)
        try store.save([step], of: id)
        try store.count(Self.missedCounter, by: 1)
    }

    /// Ends an execution that cannot be moved: its row, its version or what they hang on cannot be read.
    func fail(_ id: Identifier, _ error: any Error) throws {
        transaction.context.logger.error("execution failed", metadata: ["execution": "\(id)", "error": "\(error)"])
        try store.failExecution(id, reason: Self.damageReason, at: now)
    }

    static let damageReason = "its stored data cannot be read"

    private func enrol(with event: Event, contact: Contact) throws {
        for workflow in transaction.catalog.workflows(triggeredBy: event.name, in: projectID) {
            try start(workflow, contact: contact.id, trigger: event, context: [:])
        }
    }

    // MARK: Executions

    /// Starts an execution unless re-entry forbids it.
    /// - Returns: its id; nil when re-entry forbids it, which is counted, or when there is no such contact.
    @discardableResult
    func start(
        _ workflow: WorkflowRecord, contact contactID: Identifier, trigger: Event?, context: JSONObject,
        input: ExecutionMachine.Input = .started
    ) throws -> Identifier? {
        let entry = workflow.entry(trigger: trigger, context: context)
        guard try isFree(entry, into: workflow, contact: contactID) else {
            try store.count("enrolments_refused", by: 1)
            try store.countRefusal(of: workflow.id)
            return nil
        }
        guard let contact = try store.contact(contactID) else { return nil }
        let execution = Execution(
            id: transaction.makeID(), workflowID: workflow.id, contactID: contactID, context: context,
            trigger: trigger, startedAt: now)
        transaction.consequences += 1
        let machine = machine(workflow, graph: workflow.graph)
        let move = machine.advance(execution, contact: contact, input: input, now: now)
        try throwFailure()
        guard let move else { return nil }
        let stored = StoredExecution(
            execution: move.execution, projectID: projectID, versionID: workflow.versionID, reentryValue: entry.value)
        try store.insert(stored, once: !workflow.allowsReentry)
        try apply(move, contact: contact)
        return execution.id
    }

    private func isFree(
        _ entry: WorkflowRecord.Entry, into workflow: WorkflowRecord, contact: Identifier
    ) throws -> Bool {
        if entry == .withoutValue {
            try store.count(Self.keylessCounter, by: 1)
            return false
        }
        return try !store.hasExecution(
            of: workflow.id, contact: contact, value: entry.value, onlyActive: workflow.allowsReentry)
    }

    /// Enrolments that were refused because the event had no value of the re-entry key.
    static let keylessCounter = "enrolments_without_key"

    /// Moves one stored execution. An input that its state ignores changes nothing.
    /// - Returns: whether it moved.
    @discardableResult
    func advance(_ id: Identifier, input: ExecutionMachine.Input) throws -> Bool {
        guard let stored = try store.execution(id) else { return false }
        guard let contact = try store.contact(stored.execution.contactID) else {
            throw StoreError(.damaged, "the contact of execution \(id) is missing")
        }
        guard let workflow = transaction.catalog.workflow(stored.execution.workflowID) else {
            throw StoreError(.damaged, "the workflow of execution \(id) is missing or cannot be read")
        }
        guard let graph = try graph(of: stored, workflow: workflow) else {
            throw StoreError(.damaged, "version \(stored.versionID) of workflow \(workflow.slug) is missing")
        }
        transaction.consequences += 1
        let machine = machine(workflow, graph: graph)
        let move = machine.advance(stored.execution, contact: contact, input: input, now: now)
        try throwFailure()
        guard let move else { return false }
        if case .cancelled = input { transaction.wakes.withdraws = true }
        transaction.lastMoves[id] = transaction.eventNumber
        try store.update(
            StoredExecution(execution: move.execution, projectID: stored.projectID, versionID: stored.versionID))
        try apply(move, contact: contact)
        return true
    }

    /// What the machine's surroundings could not throw through it.
    private func throwFailure() throws {
        guard let failure = transaction.failure else { return }
        transaction.failure = nil
        throw failure
    }

    private func graph(of stored: StoredExecution, workflow: WorkflowRecord) throws -> WorkflowGraph? {
        stored.versionID == workflow.versionID ? workflow.graph : try store.graph(ofVersion: stored.versionID)
    }

    private func machine(_ workflow: WorkflowRecord, graph: WorkflowGraph) -> ExecutionMachine {
        ExecutionMachine(
            graph: graph, workflowName: workflow.name,
            environment: TransactionEnvironment(transaction: transaction, projectID: projectID))
    }

    /// Writes what a move brought, the execution's own row excepted. The events of its own making come last, when
    /// everything they could meet is stored.
    private func apply(_ move: ExecutionMachine.Move, contact before: Contact) throws {
        let execution = move.execution
        try store.save(move.steps, of: execution.id)
        let missed = move.steps.count { $0.status == .waiting && $0.output[ExecutionMachine.missedKey] != nil }
        if missed > 0 { try store.count(Self.missedCounter, by: missed) }
        if execution.wait?.due != nil { transaction.wakes.advance = true }
        var latest = before
        for effect in move.effects {
            switch effect {
            case .sendMail(var request):
                request.isToContact = RecipientAddress.normal(request.recipient) == before.email
                let entry = entry(request, of: execution)
                try store.insert(entry)
                transaction.wakes.mail(entry)
            case .countReply(let reply):
                try AutomaticReplies(transaction, project: projectID).count(reply)
            case .refuseReply(let reason):
                try AutomaticReplies(transaction, project: projectID).noteRefusal(reason)
            case .updateContact(let contact, _): latest = contact
            case .callWebhook(let request):
                try store.insert(
                    WebhookCall(
                        request: request, projectID: projectID, executionID: execution.id, dueAt: now, createdAt: now))
                transaction.wakes.webhooks = true
            case .cancelWebhook:
                try store.deleteWebhookCalls(of: execution.id)
            }
        }
        try change(from: before, to: latest, generation: execution.generation, origin: execution.id)
    }

    private func entry(_ request: MailRequest, of execution: Execution) -> OutboxEntry {
        OutboxEntry(
            id: request.id, projectID: projectID, contactID: execution.contactID, executionID: execution.id,
            dueAt: request.earliest(notBefore: now, rules: transaction.context.zones), createdAt: now,
            generation: execution.generation, request: request,
            messageID: MessageIDDomain(transaction).messageID(for: request, project: projectID))
    }
}
