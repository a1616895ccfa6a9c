import JSONValue
import Testing
import WorkflowModel

/// Every row of the table at the head of `ExecutionMachine`, and what each step does.
@Suite struct ExecutionMachineTests {
    // MARK: The transition table

    private enum State: CaseIterable {
        case new, onWebhook, onDelay, onEvent, onEventForEver, completed, exited, failed, cancelled
    }

    private enum Stimulus: CaseIterable {
        case started, stopped, timerDue, timerEarly, missedDue, missedEarly, eventFits, eventOther, eventOwnTrigger,
            answered, answeredBadly, otherAnswered, retried, cancelled
    }

    private static let call = Identifier(high: 5, low: 1)

    private func execution(_ state: State) -> Execution {
        var execution = newExecution()
        execution.stepCount = 2
        execution.currentStep = "pause"
        let due = start.adding(seconds: 60)
        switch state {
        case .new: (execution.currentStep, execution.stepCount) = (nil, 0)
        case .onWebhook: execution.wait = .webhook(call: Self.call)
        case .onDelay: (execution.status, execution.wait) = (.waiting, .timer(due: due))
        case .onEvent: (execution.status, execution.wait) = (.waiting, .event(names: ["go"], due: due))
        case .onEventForEver: (execution.status, execution.wait) = (.waiting, .event(names: ["go"], due: nil))
        case .completed: (execution.status, execution.currentStep) = (.completed, nil)
        case .exited: (execution.status, execution.currentStep) = (.exited, nil)
        case .failed: execution.status = .failed
        case .cancelled: (execution.status, execution.currentStep) = (.cancelled, nil)
        }
        return execution
    }

    /// The step that the execution stands on, with an EXIT at the end of each way out.
    private func stage(_ state: State) throws -> ExecutionMachine {
        let waits = state == .onEvent || state == .onEventForEver
        let pause: StepConfig =
            switch state {
            case .onDelay: oneDay
            case .onWebhook: .webhook(.init(url: "https://crm.example/"))
            case .onEvent, .onEventForEver: wait("go")
            default: .updateContact(.init(data: ["n": 1]))
            }
        return try machine(
            [("pause", pause), ("late", .exit(reason: "late way")), ("early", .exit(reason: "early way"))],
            edges: [
                Transition(from: "trigger", to: "pause"),
                Transition(from: "pause", to: "early", branch: waits ? "event" : nil),
            ] + (waits ? [Transition(from: "pause", to: "late", branch: "timeout")] : []))
    }

    private func apply(_ stimulus: Stimulus, in state: State) throws -> ExecutionMachine.Move? {
        let due = start.adding(seconds: 60)
        let early = due.adding(microseconds: -1)
        let other = Identifier(high: 5, low: 2)
        func good(_ call: Identifier) -> WebhookAnswer {
            .succeeded(call: call, status: 200, headers: [:], body: "", isBodyTruncated: false, attempts: 1)
        }
        let (input, now): (ExecutionMachine.Input, Timestamp) =
            switch stimulus {
            case .started: (.started, due)
            case .stopped: (.stopped(reason: "loop"), due)
            case .timerDue: (.timerFired, due)
            case .timerEarly: (.timerFired, early)
            case .missedDue: (.timerMissed, due)
            case .missedEarly: (.timerMissed, early)
            case .eventFits: (.eventArrived(event("go")), due)
            case .eventOther: (.eventArrived(event("stop")), due)
            case .eventOwnTrigger: (.eventArrived(event("go", id: 100)), due)
            case .answered: (.webhookAnswered(good(Self.call)), due)
            case .answeredBadly:
                (.webhookAnswered(.failed(call: Self.call, reason: "HTTP 404", status: 404, attempts: 5)), due)
            case .otherAnswered: (.webhookAnswered(good(other)), due)
            case .retried: (.retried, due)
            case .cancelled: (.cancelled(reason: "by hand"), due)
            }
        return try stage(state).advance(execution(state), contact: ann, input: input, now: now)
    }

    /// What moves; everything else is ignored.
    private func expectation(_ state: State, _ stimulus: Stimulus) -> (Execution.Status, String?)? {
        switch (state, stimulus) {
        case (.new, .started), (.failed, .retried): (.exited, "early way")
        case (.new, .stopped): (.failed, "loop")
        case (.onWebhook, .answered): (.exited, "early way")
        case (.onWebhook, .answeredBadly): (.failed, "HTTP 404")
        case (.onDelay, .timerDue): (.exited, "early way")
        case (.onEvent, .timerDue): (.exited, "late way")
        case (.onDelay, .missedDue), (.onEvent, .missedDue): (.exited, "late")
        case (.onEvent, .eventFits), (.onEventForEver, .eventFits): (.exited, "early way")
        case (.new, .cancelled), (.onWebhook, .cancelled), (.onDelay, .cancelled), (.onEvent, .cancelled),
            (.onEventForEver, .cancelled):
            (.cancelled, "by hand")
        default: nil
        }
    }

    @Test func everyStateAnswersEveryInputAsTheTableSays() throws {
        for state in State.allCases {
            for stimulus in Stimulus.allCases {
                let move = try apply(stimulus, in: state)
                let expected = expectation(state, stimulus)
                #expect(move?.execution.status == expected?.0, "\(state) \(stimulus)")
                #expect(move?.execution.exitReason == expected?.1, "\(state) \(stimulus)")
                guard let move else { continue }
                #expect(move.execution.wait == nil && move.execution.completedAt != nil, "\(state) \(stimulus)")
                // A failed execution goes on standing where it failed.
                #expect((move.execution.currentStep != nil) == (move.execution.status == .failed))
                // Whatever was open is ended: no row is left waiting.
                #expect(move.steps.allSatisfy { $0.status.isFinal }, "\(state) \(stimulus)")
            }
        }
    }

    // MARK: Running

    @Test func startRunsToTheEndAndRecordsEveryStep() throws {
        let machine = try machine(
            [
                ("if", .condition(.single(Condition(field: "contact.plan", operator: .equals, value: "free")))),
                ("mail", .sendEmail(.init(template: "t"))), ("end", .exit(reason: nil)),
            ],
            edges: [
                Transition(from: "trigger", to: "if"), Transition(from: "if", to: "mail", branch: "yes"),
                Transition(from: "mail", to: "end"),
            ])
        let move = try #require(machine.advance(newExecution(), contact: ann, input: .started, now: start))
        #expect(move.execution.status == .exited && move.execution.exitReason == "exit_step")
        #expect(move.steps.map(\.step) == ["trigger", "if", "mail", "end"])
        #expect(move.steps.map(\.sequence) == [0, 1, 2, 3])
        #expect(move.steps.allSatisfy { $0.status == .completed && $0.completedAt == start })
        guard case .sendMail(let request)? = move.effects.first else {
            Issue.record("no mail")
            return
        }
        #expect(request.recipient == "ann@example.org" && request.answers == nil)
        #expect(request.variables == ["event": ["subject": "Hi"], "contact": ["email": "ann@example.org"]])
    }

    @Test func branchWithoutAnEdgeCompletesAndSaysSo() throws {
        let machine = try machine(
            [
                ("if", .condition(.single(Condition(field: "contact.plan", operator: .equals, value: "pro")))),
                ("x", .exit(reason: nil)),
            ],
            edges: [Transition(from: "trigger", to: "if"), Transition(from: "if", to: "x", branch: "yes")])
        let move = try #require(machine.advance(newExecution(), contact: ann, input: .started, now: start))
        #expect(move.execution.status == .completed && move.execution.exitReason == "no_transition:no")
    }

    @Test func delayAfterDelayWaitsTwiceAndDelayAsLastStepCompletes() throws {
        let machine = try machine([("one", oneDay), ("two", oneDay)])
        let first = try #require(machine.advance(newExecution(), contact: ann, input: .started, now: start))
        #expect(first.execution.wait == .timer(due: start.adding(seconds: 86_400)))
        let day1 = start.adding(seconds: 86_400)
        let second = try #require(machine.advance(first.execution, contact: ann, input: .timerFired, now: day1))
        #expect(
            second.execution.currentStep == "two" && second.execution.wait == .timer(due: day1.adding(seconds: 86_400)))
        // The finished delay keeps its row, the new one gets the next.
        #expect(second.steps.map(\.sequence) == [1, 2])
        #expect(second.steps.map(\.status) == [.completed, .waiting])
        let day2 = start.adding(seconds: 2 * 86_400)
        let end = try #require(machine.advance(second.execution, contact: ann, input: .timerFired, now: day2))
        #expect(end.execution.status == .completed && end.execution.exitReason == nil)
    }

    @Test func resumingEventIsMergedAndVisibleWhileTheTriggerStays() throws {
        let machine = try machine([
            ("wait", wait("bought", "left")),
            (
                "note",
                .updateContact(.init(data: ["sku": "{{event.sku}}", "first": "{{trigger.subject}}", "plan": .null]))
            ),
        ])
        let parked = try #require(machine.advance(newExecution(), contact: ann, input: .started, now: start)).execution
        let move = try #require(
            machine.advance(parked, contact: ann, input: .eventArrived(event("left", ["sku": "A1"])), now: start))
        #expect(move.execution.context == ["sku": "A1"])
        #expect(
            move.effects == [
                .updateContact(
                    Contact(
                        id: ann.id, email: ann.email, isSubscribed: true,
                        data: ["age": 30, "first name": "Ann", "sku": "A1", "first": "Hi"], createdAt: start,
                        updatedAt: start), subscriptionChanged: false)
            ])
    }

    @Test func untaggedEdgeOfAWaitServesEventAndTimeout() throws {
        let machine = try machine([("wait", wait("go")), ("end", .exit(reason: "here"))])
        let parked = try #require(machine.advance(newExecution(), contact: ann, input: .started, now: start)).execution
        let byEvent = machine.advance(parked, contact: ann, input: .eventArrived(event("go")), now: start)
        let byTimeout = machine.advance(parked, contact: ann, input: .timerFired, now: start.adding(seconds: 60))
        #expect(byEvent?.execution.exitReason == "here" && byTimeout?.execution.exitReason == "here")
    }

    @Test func updateIsSeenByLaterStepsOfTheSameRun() throws {
        let machine = try machine(
            [
                ("set", .updateContact(.init(data: ["plan": "pro"], subscribes: false))),
                ("if", .condition(.single(Condition(field: "contact.subscribed", operator: .equals, value: false)))),
                ("end", .exit(reason: "seen")),
            ],
            edges: [
                Transition(from: "trigger", to: "set"), Transition(from: "set", to: "if"),
                Transition(from: "if", to: "end", branch: "yes"),
            ])
        let move = try #require(machine.advance(newExecution(), contact: ann, input: .started, now: start))
        #expect(move.execution.exitReason == "seen")
    }

    @Test(arguments: [
        ("missing template", StepConfig.sendEmail(.init(template: "nope"))),
        ("address", .sendEmail(.init(template: "t", to: "{{fail}}"))),
        ("until", .delay(.init(.until("tomorrow")))),
        ("until far", .delay(.init(.until("2099-01-01T00:00:00Z")))),
        ("value", .updateContact(.init(data: ["a": "{{fail}}"]))),
    ])
    func stepThatCannotBeDoneFailsTheExecutionWithAReason(_ name: String, _ config: StepConfig) throws {
        let machine = try machine([("step", config), ("end", .exit(reason: nil))])
        let move = try #require(machine.advance(newExecution(), contact: ann, input: .started, now: start))
        #expect(move.execution.status == .failed && move.execution.exitReason != nil)
        #expect(move.steps.last?.status == .failed && move.steps.last?.error == move.execution.exitReason)
        #expect(move.effects.isEmpty)
    }

    @Test func delayUntilARenderedInstant() throws {
        let machine = try machine([("until", .delay(.init(.until("{{trigger.at}}"))))])
        let execution = newExecution(trigger: event("e", ["at": "2027-01-20T10:00:00+01:00"], id: 100))
        let move = try #require(machine.advance(execution, contact: ann, input: .started, now: start))
        #expect(move.execution.wait?.due == Timestamp(rfc3339: "2027-01-20T09:00:00Z"))
    }

    // MARK: Mail

    @Test func marketingMailIsSkippedForTheUnsubscribed() throws {
        var contact = ann
        contact.isSubscribed = false
        let machine = try machine([("mail", .sendEmail(.init(template: "ad"))), ("end", .exit(reason: nil))])
        let move = try #require(machine.advance(newExecution(), contact: contact, input: .started, now: start))
        #expect(move.effects.isEmpty && move.execution.status == .exited)
        #expect(move.steps[1].output["skipped"] == "unsubscribed")
    }

    private func received(_ data: JSONObject) -> Execution {
        let base: JSONObject = [
            "envelopeFrom": "Ann+x@example.org", "to": "help@example.com", "subject": "Question", "messageId": "m1@x",
            "references": ["r1@x"],
        ]
        return newExecution(trigger: event("email.received", base.merging(data), id: 100))
    }

    @Test func mailToTheSenderOfAReceivedMailIsAnAutomaticReplyToTheReversePath() throws {
        let machine = try machine([("mail", .sendEmail(.init(template: "ad")))])
        var contact = ann
        contact.isSubscribed = false
        let move = try #require(machine.advance(received([:]), contact: contact, input: .started, now: start))
        guard case .sendMail(let request)? = move.effects.first else {
            Issue.record("no mail")
            return
        }
        #expect(request.recipient == "Ann+x@example.org")
        #expect(
            request.answers
                == .init(writtenTo: "help@example.com", subject: "Question", messageID: "m1@x", references: ["r1@x"]))
    }

    @Test(arguments: [["replyRefusal": "mailing_list"], ["envelopeFrom": ""]] as [JSONObject])
    func refusedReplyIsAStepOutputAndNoFailure(_ data: JSONObject) throws {
        let machine = try machine([("mail", .sendEmail(.init(template: "t"))), ("end", .exit(reason: nil))])
        let move = try #require(machine.advance(received(data), contact: ann, input: .started, now: start))
        let reason = data["replyRefusal"]?.stringValue ?? "null_sender"
        #expect(move.effects == [.refuseReply(reason: reason)] && move.execution.status == .exited)
        #expect(move.steps[1].output["skipped"] == "reply_refused")
        #expect(move.steps[1].output["reason"]?.stringValue == reason)
    }

    @Test func replyBeyondTheRateIsRefused() throws {
        let environment = TestEnvironment()
        environment.replyRefusal = "rate_limit"
        let machine = try machine([("mail", .sendEmail(.init(template: "t")))], environment: environment)
        let move = try #require(machine.advance(received([:]), contact: ann, input: .started, now: start))
        #expect(move.effects == [.refuseReply(reason: "rate_limit")])
        #expect(move.steps[1].output["reason"] == "rate_limit")
    }

    @Test func repliesAreCountedByRouteSenderAndTemplateWithinOneMoveToo() throws {
        let environment = TestEnvironment()
        let machine = try machine(
            [("one", .sendEmail(.init(template: "t"))), ("two", .sendEmail(.init(template: "ad")))],
            environment: environment)
        let execution = received(["route": "@example.com"])
        let move = try #require(machine.advance(execution, contact: ann, input: .started, now: start))
        let keys = ["t", "ad"].compactMap { environment.templates[$0]?.id }.map {
            ReplyKey(recipient: "Ann+x@example.org", route: "@example.com", template: $0)
        }
        #expect(environment.askedReplies.map(\.reply) == keys)
        #expect(environment.askedReplies.map(\.earlier) == [[], [keys[0]]])
        let counted = move.effects.compactMap { if case .countReply(let reply) = $0 { reply } else { nil } }
        #expect(counted == keys)
    }

    @Test func replyGoesToFromWhereIntakeChoseIt() throws {
        let machine = try machine([("mail", .sendEmail(.init(template: "t")))])
        let execution = received(["replyAddress": "ann@example.net"])
        let move = try #require(machine.advance(execution, contact: ann, input: .started, now: start))
        guard case .sendMail(let request)? = move.effects.first else {
            Issue.record("no mail")
            return
        }
        #expect(request.recipient == "ann@example.net" && request.answers != nil)
    }

    @Test func mailToSomebodyElseIsNoReply() throws {
        let machine = try machine([("mail", .sendEmail(.init(template: "t", to: "boss@example.com")))])
        let move = try #require(machine.advance(received([:]), contact: ann, input: .started, now: start))
        guard case .sendMail(let request)? = move.effects.first else {
            Issue.record("no mail")
            return
        }
        #expect(request.answers == nil && request.recipient == "boss@example.com")
    }

    // MARK: Whole runs

    /// A move never ends RUNNING, always records what it did, and a waiting execution always can go on.
    @Test(arguments: 0..<200)
    func randomChainsEndWhereTheirLastStepSays(_ seed: Int) throws {
        var generator = SplitMix(seed: UInt64(seed))
        let configs = (0..<Int.random(in: 1...12, using: &generator)).map { index -> (String, StepConfig) in
            let config: StepConfig =
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: oneDay
                case 1: wait("go")
                case 2: .updateContact(.init(data: ["n": .int(Int64(index))]))
                default: .sendEmail(.init(template: "t"))
                }
            return ("s\(index)", config)
        }
        let machine = try machine(configs)
        var now = start
        var contact = ann
        var rows: [Int: StepExecution] = [:]
        var mails = 0
        var move = machine.advance(newExecution(), contact: contact, input: .started, now: now)
        while let done = move {
            for step in done.steps { rows[step.sequence] = step }
            for effect in done.effects {
                switch effect {
                case .sendMail: mails += 1
                case .updateContact(let changed, _): contact = changed
                case .callWebhook, .cancelWebhook, .countReply, .refuseReply: break
                }
            }
            #expect(done.execution.status != .running)
            #expect(done.execution.stepCount == rows.count)
            guard done.execution.status == .waiting else { break }
            now = done.execution.wait?.due ?? now
            let isEventWait = if case .event? = done.execution.wait { true } else { false }
            let useEvent = isEventWait && Bool.random(using: &generator)
            move = machine.advance(
                done.execution, contact: contact,
                input: useEvent ? .eventArrived(event("go")) : .timerFired, now: now)
            #expect(move != nil)
        }
        #expect(move?.execution.status == .completed)
        #expect(rows.count == configs.count + 1 && rows.values.allSatisfy { $0.status == .completed })
        #expect(mails == configs.filter { $0.1.type == .sendEmail }.count)
    }
}

private struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1 }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
