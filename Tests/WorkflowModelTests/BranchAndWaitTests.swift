import JSONValue
import Testing
import WorkflowModel

@Suite struct BranchAndWaitTests {
    private func filter(_ field: String, _ comparison: Condition.Operator, _ value: JSON) -> Filter {
        Filter(.all, [.init([Condition(field: field, operator: comparison, value: value)])])
    }

    // MARK: CONDITION

    private func multi(_ field: String, otherwise: String? = nil) -> ConditionStep {
        .multi(
            field: field,
            branches: [
                .init(id: "a", name: "First", condition: .init(field: field, operator: .equals, value: "x")),
                .init(id: "b", name: "Second", condition: .init(field: field, operator: .contains, value: "f")),
                .init(id: "c", name: "Third", condition: .init(field: field, operator: .exists)),
            ], otherwise: otherwise)
    }

    @Test(
        arguments: [
            ("data.plan", nil, "b", "Second"), ("data.age", nil, "c", "Third"),
            ("data.none", nil, "default", "default"),
            ("data.none", "a", "a", "default"),
        ] as [(String, String?, String, String)])
    func firstBranchThatHoldsIsTaken(_ field: String, _ otherwise: String?, _ branch: String, _ name: String) throws {
        let condition = multi(field, otherwise: otherwise)
        let ends = Set(condition.branchIDs).sorted()
        let machine = try machine(
            [("if", .condition(condition))] + ends.map { ("end-\($0)", .exit(reason: $0)) },
            edges: [Transition(from: "trigger", to: "if")]
                + ends.map { Transition(from: "if", to: "end-\($0)", branch: $0) })
        let move = try #require(machine.advance(newExecution(), contact: ann, input: .started, now: start))
        #expect(move.execution.exitReason == branch)
        #expect(move.steps[1].output["branch"]?.stringValue == branch)
        #expect(move.steps[1].output["matchedBranch"]?.stringValue == name && move.steps[1].output["mode"] == "multi")
    }

    @Test func branchOfManyWithoutATransitionEndsTheRunAndSaysWhich() throws {
        let machine = try machine(
            [("if", .condition(multi("data.plan"))), ("end", .exit(reason: nil))],
            edges: [Transition(from: "trigger", to: "if"), Transition(from: "if", to: "end", branch: "a")])
        let move = machine.advance(newExecution(), contact: ann, input: .started, now: start)
        #expect(move?.execution.status == .completed && move?.execution.exitReason == "no_transition:b")
    }

    @Test(arguments: [("trigger.subject", "yes"), ("event.subject", "yes"), ("data.plan", "no")])
    func filterDecidesOverTheExecution(_ field: String, _ branch: String) throws {
        let machine = try machine(
            [("if", .condition(.filter(filter(field, .equals, "Hi"))))],
            edges: [Transition(from: "trigger", to: "if")])
        let move = machine.advance(newExecution(), contact: ann, input: .started, now: start)
        #expect(move?.execution.exitReason == "no_transition:\(branch)")
    }

    @Test func filterSeesTheOutputsOfEarlierStepsAndTheHistory() throws {
        let environment = TestEnvironment()
        environment.history = [event("bought")]
        let seen = Filter(
            .all,
            [
                .init([
                    Condition(field: "steps.set.updated", operator: .equals, value: true),
                    Condition(field: "event.bought", operator: .triggered),
                ])
            ])
        let machine = try machine(
            [("set", .updateContact(.init(data: ["n": 1]))), ("if", .condition(.filter(seen)))],
            edges: [Transition(from: "trigger", to: "set"), Transition(from: "set", to: "if")],
            environment: environment)
        let move = machine.advance(newExecution(), contact: ann, input: .started, now: start)
        #expect(move?.execution.outputs["if"]?["branch"] == "yes")
    }

    // MARK: WAIT_FOR_EVENT

    private func waiting(_ wait: StepConfig.WaitForEvent, history: [Event] = []) throws -> (
        ExecutionMachine, ExecutionMachine.Move
    ) {
        let environment = TestEnvironment()
        environment.history = history
        let machine = try machine(
            [("wait", .waitForEvent(wait)), ("late", .exit(reason: "late")), ("on", .exit(reason: "on"))],
            edges: [
                Transition(from: "trigger", to: "wait"), Transition(from: "wait", to: "on", branch: "event"),
                Transition(from: "wait", to: "late", branch: "timeout"),
            ], environment: environment)
        return (machine, try #require(machine.advance(newExecution(), contact: ann, input: .started, now: start)))
    }

    @Test func anyOfSeveralEventsEndsTheWait() throws {
        for name in ["one", "two"] {
            let (machine, parked) = try waiting(.init(eventNames: ["one", "two"], timeout: 60))
            let move = machine.advance(parked.execution, contact: ann, input: .eventArrived(event(name)), now: start)
            #expect(move?.execution.exitReason == "on")
            #expect(move?.execution.outputs["wait"]?["eventName"]?.stringValue == name)
        }
    }

    @Test func eventThatTheFilterRefusesLeavesTheWaitAsItIs() throws {
        let (machine, parked) = try waiting(
            .init(eventNames: ["paid"], timeout: 60, filter: filter("event.amount", .greaterThan, 10)))
        func arrive(_ data: JSONObject) -> ExecutionMachine.Move? {
            machine.advance(parked.execution, contact: ann, input: .eventArrived(event("paid", data)), now: start)
        }
        #expect(arrive(["amount": 10]) == nil && arrive([:]) == nil)
        #expect(arrive(["amount": 11])?.execution.exitReason == "on")
    }

    @Test func lookBackFindsTheOldestEventThatFits() throws {
        let history = [
            event("paid", ["amount": 1], id: 1), event("paid", ["amount": 20], id: 2),
            event("paid", ["amount": 30], id: 3),
        ]
        let filter = filter("event.amount", .greaterThan, 10)
        let (_, move) = try waiting(
            .init(eventNames: ["paid"], timeout: 60, filter: filter, looksBack: true), history: history)
        #expect(move.execution.exitReason == "on" && move.execution.context == ["amount": 20])
        #expect(move.steps.map(\.status) == [.completed, .completed, .completed])
        let (_, forward) = try waiting(.init(eventNames: ["paid"], timeout: 60, filter: filter), history: history)
        #expect(forward.execution.status == .waiting)
    }

    @Test func lookBackNeverFindsWhatStartedTheExecution() throws {
        let (_, move) = try waiting(
            .init(eventNames: ["signed_up"], timeout: 60, looksBack: true),
            history: [event("signed_up", ["subject": "Hi"], id: 100)])
        #expect(move.execution.status == .waiting)
    }

    @Test func oneEventEndsOneWaitThatLooksBack() throws {
        let environment = TestEnvironment()
        environment.history = [event("go", id: 1)]
        let wait = StepConfig.waitForEvent(.init(eventNames: ["go"], timeout: 60, looksBack: true))
        let machine = try machine([("one", wait), ("two", wait)], environment: environment)
        let move = try #require(machine.advance(newExecution(), contact: ann, input: .started, now: start))
        #expect(move.execution.status == .waiting && move.execution.currentStep == "two")
    }

    // MARK: Retrying and late timers

    @Test func retryGoesOnAtTheStepThatFailedAndKeepsWhatWasDone() throws {
        let machine = try machine([
            ("set", .updateContact(.init(data: ["n": 1]))), ("mail", .sendEmail(.init(template: "new"))),
            ("end", .exit(reason: "done")),
        ])
        let failed = try #require(machine.advance(newExecution(), contact: ann, input: .started, now: start))
        #expect(failed.execution.status == .failed && failed.execution.currentStep == "mail")
        let environment = TestEnvironment()
        environment.templates["new"] = environment.templates["t"]
        let mended = ExecutionMachine(graph: machine.graph, workflowName: "Flow", environment: environment)
        let later = start.adding(seconds: 60)
        let move = try #require(mended.advance(failed.execution, contact: ann, input: .retried, now: later))
        #expect(move.execution.exitReason == "done" && move.execution.outputs["set"] != nil)
        #expect(move.steps.map(\.step) == ["mail", "end"] && move.steps.map(\.sequence) == [3, 4])
        #expect(move.effects.count == 1)
    }

    @Test func retryOfAStepThatIsGoneFailsAgain() throws {
        let machine = try machine([("end", .exit(reason: nil))])
        var execution = newExecution()
        (execution.status, execution.currentStep) = (.failed, "gone")
        let move = machine.advance(execution, contact: ann, input: .retried, now: start)
        #expect(move?.execution.status == .failed && move?.execution.exitReason == "step gone is not in the workflow")
    }

    @Test func missedTimerLeavesNoMailAndNoOpenStep() throws {
        let machine = try machine([("pause", oneDay), ("mail", .sendEmail(.init(template: "t")))])
        let parked = try #require(machine.advance(newExecution(), contact: ann, input: .started, now: start))
        let late = start.adding(seconds: 4 * 86_400)
        let move = try #require(machine.advance(parked.execution, contact: ann, input: .timerMissed, now: late))
        #expect(move.execution.status == .exited && move.execution.exitReason == ExecutionMachine.lateReason)
        #expect(move.effects.isEmpty && move.steps.map(\.status) == [.cancelled])
    }
}
