import Engine
import EngineTestKit
import JSONValue
import SQLStore
import Testing
import WorkflowModel

/// Rules of the engine that no other suite is named after.
@Suite struct RuleTests {
    // MARK: UPDATE_CONTACT

    /// Many writers of one contact, each with a key of its own.
    @Test func concurrentUpdatesLoseNoKey() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        let count = 20
        for number in 0..<count {
            let set: JSON = [
                "type": "UPDATE_CONTACT", "config": ["data": .object(["step\(number)": .int(Int64(number))])],
            ]
            try await engine.apply(document(event: "e\(number)", slug: "w\(number)", steps: ["set": set]))
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<count {
                group.addTask { try await engine.track("e\(number)", data: ["track\(number)": true]) }
            }
            try await group.waitForAll()
        }
        let keys = Set(try #require(try await engine.contact()).data.keys)
        #expect(keys == Set((0..<count).flatMap { ["step\($0)", "track\($0)"] }))
    }

    @Test func nullDeletesAKeyAndOtherKeysStay() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        try await engine.apply(
            document(steps: ["set": ["type": "UPDATE_CONTACT", "config": ["data": ["old": nil, "new": 1]]]]))
        try await engine.track("signed_up", data: ["old": 1, "kept": 2])
        #expect(try await engine.contact()?.data == ["kept": 2, "new": 1])
    }

    /// The flag's event comes when the flag really flips, and not otherwise.
    @Test func subscriptionEventComesOnlyWithAChange() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        try await engine.apply(
            document(
                reentry: true,
                steps: ["set": ["type": "UPDATE_CONTACT", "config": ["subscriptionAction": "unsubscribe"]]]))
        try await engine.apply(
            document(event: "contact.unsubscribed", reentry: true, slug: "gone", steps: ["end": ["type": "EXIT"]]))
        for _ in 0..<3 { try await engine.track("signed_up") }
        #expect(try await engine.executions("gone").count == 1)
    }

    // MARK: SEND_EMAIL

    @Test func unsubscribedContactGetsNoMarketingMailAndTheRunGoesOn() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        try await engine.apply(
            document(
                steps: [
                    "mail": ["type": "SEND_EMAIL", "config": ["template": "ad"], "next": "end"],
                    "end": ["type": "EXIT", "config": ["reason": "went on"]],
                ], templates: ["ad": ["subject": "News", "text": "Hi"]]))
        try await engine.track("signed_up", subscribed: false)
        let execution = try #require(try await engine.executions().first)
        #expect(execution.exitReason == "went on")
        #expect(try await engine.steps(of: execution)[1].output["skipped"] == "unsubscribed")
        let transport = ScriptedTransport()
        try await engine.runDispatch(transport)
        #expect(transport.sent.isEmpty)
    }

    // MARK: Re-entry

    @Test(arguments: [true, false])
    func hundredParallelStartsByHandMakeOneExecution(_ allowsReentry: Bool) async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        try await engine.apply(
            document(
                reentry: allowsReentry,
                steps: ["pause": ["type": "DELAY", "config": ["amount": 1, "unit": "hours"]]]))
        try await engine.track("seen")
        let contact = try #require(try await engine.contact()).id
        let flow = try await engine.context.store.read { try $0.loadCatalog().workflows[0].id }
        let started = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<100 {
                group.addTask {
                    let listing = try? await Executions(context: engine.context).start(
                        flow, contact: contact, context: [:], project: engine.project.id)
                    return listing != nil
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(started == 1)
        #expect(try await engine.executions().count == 1)
        #expect(try await engine.context.store.read { try $0.refusedEnrolments(of: flow) } == 99)
    }

    // MARK: Triggers

    @Test(arguments: [
        ("email.open", "email.opened"), ("email.click", "email.clicked"), ("email.delivery", "email.delivered"),
        ("email.bounce", "email.bounced"), ("email.complaint", "email.complained"),
    ])
    func aliasesOfEventsAreTheSameEvent(_ alias: String, _ canonical: String) async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        try await engine.apply(document(event: alias, steps: ["end": ["type": "EXIT"]]))
        let catalog = try await engine.context.store.read { try $0.loadCatalog() }
        #expect(catalog.workflows.map(\.trigger) == [.event(canonical)])
    }

    @Test func namesAreComparedExactly() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        try await engine.apply(document(event: "Signed_Up", steps: ["end": ["type": "EXIT"]]))
        for name in ["signed_up", "Signed_U", "Signed_Up "] { try await engine.track(name) }
        #expect(try await engine.executions().isEmpty)
        try await engine.track("Signed_Up")
        #expect(try await engine.executions().count == 1)
    }

    // MARK: Self-feeding events

    /// A workflow that mails about every mail: its own mails start it, up to the limit, and the end of it can be seen.
    @Test func mailAboutEveryMailEndsByGenerationsAndVisibly() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        let mail: JSONObject = ["mail": ["type": "SEND_EMAIL", "config": ["template": "hello"]]]
        try await engine.apply(document(slug: "first", steps: mail))
        try await engine.apply(document(event: "email.sent", reentry: true, slug: "echo", steps: mail))
        try await engine.track("signed_up")
        let transport = ScriptedTransport()
        try await engine.runDispatch(transport)
        let limit = engine.context.configuration.generationLimit
        #expect(transport.sent.count == 1 + limit)
        let echoes = try await engine.executions("echo")
        #expect(echoes.filter { $0.status == .completed }.count == limit)
        let stopped = echoes.filter { $0.status == .failed }
        #expect(stopped.count == 1 && stopped.first?.exitReason?.hasPrefix("event_loop: email.sent") == true)
        #expect(try await engine.counter("event_loops_stopped") == 1)
    }

    // MARK: Waits

    @Test func waitSeesEventsFromTheMomentItBeganAndNoneBefore() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        try await engine.apply(
            document(
                steps: [
                    "pause": ["type": "DELAY", "config": ["amount": 1, "unit": "minutes"], "next": "wait"],
                    "wait": ["type": "WAIT_FOR_EVENT", "config": ["eventName": "go"], "next": "end"],
                    "end": ["type": "EXIT"],
                ]))
        try await engine.track("go")
        try await engine.track("signed_up")
        try await engine.track("go")
        engine.clock.advance(seconds: 60)
        try await engine.runTimers()
        #expect(try await engine.executions().map(\.status) == [.waiting])
        try await engine.track("go")
        #expect(try await engine.executions().map(\.status) == [.exited])
    }

    /// The first of two waits that an event ends causes an event that moves the second on: the wait it comes to is younger
    /// than the first event.
    @Test func eventNeverEndsAWaitThatBeganAfterIt() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        try await engine.apply(
            document(
                slug: "first",
                steps: [
                    "wait": ["type": "WAIT_FOR_EVENT", "config": ["eventName": "go"], "next": "set"],
                    "set": ["type": "UPDATE_CONTACT", "config": ["data": ["n": 1]]],
                ]))
        try await engine.apply(
            document(
                event: "second", slug: "second",
                steps: [
                    "either": [
                        "type": "WAIT_FOR_EVENT", "config": ["eventNames": ["go", "contact.updated"]], "next": "again",
                    ],
                    "again": ["type": "WAIT_FOR_EVENT", "config": ["eventName": "go"], "next": "end"],
                    "end": ["type": "EXIT"],
                ]))
        try await engine.track("signed_up")
        engine.clock.advance(seconds: 1)
        try await engine.track("second")
        try await engine.track("go")
        let execution = try #require(try await engine.executions("second").first)
        #expect(execution.status == .waiting && execution.currentStep == "again")
        #expect(try await engine.steps(of: execution)[1].output["eventName"] == "contact.updated")
        try await engine.track("go")
        #expect(try await engine.executions("second").map(\.status) == [.exited])
    }

    /// A batch of timers is many causes: the bound on what one of them brings about is each one's own.
    @Test func timersOfOneBatchDoNotCountAgainstEachOther() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        try await engine.apply(
            document(
                steps: [
                    "pause": ["type": "DELAY", "config": ["amount": 1, "unit": "minutes"], "next": "set"],
                    "set": ["type": "UPDATE_CONTACT", "config": ["data": ["a": 1]]],
                ]))
        for number in 0..<5 {
            try await engine.apply(
                document(
                    event: "contact.updated", slug: "w\(number)",
                    steps: [
                        "set": [
                            "type": "UPDATE_CONTACT", "config": ["data": .object(["k\(number)": .int(1)])],
                        ]
                    ]))
        }
        for number in 0..<200 { try await engine.track("signed_up", "c\(number)@example.org") }
        engine.clock.advance(seconds: 60)
        try await engine.runTimers()
        #expect(try await engine.counter("event_fanouts_stopped") == 0)
        #expect(try await engine.executions("w4").count == 200)
    }

    /// One event concerns the waits of its contact, however many others wait for the same name.
    @Test func eventTouchesTheWaitsOfItsContactAlone() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        try await engine.apply(
            document(
                steps: [
                    "wait": ["type": "WAIT_FOR_EVENT", "config": ["eventName": "go"], "next": "end"],
                    "end": ["type": "EXIT"],
                ]))
        for number in 0..<300 { try await engine.track("signed_up", "c\(number)@example.org") }
        try await engine.track("go", "c7@example.org")
        let executions = try await engine.executions()
        #expect(executions.filter { $0.status == .exited }.map(\.contactEmail) == ["c7@example.org"])
        #expect(executions.filter { $0.status == .waiting }.count == 299)
    }
}
