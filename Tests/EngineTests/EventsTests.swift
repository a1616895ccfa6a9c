import Engine
import EngineTestKit
import JSONValue
import MailModel
import SQLStore
import Testing
import WorkflowModel

/// The engine over SQLite, with a virtual clock.
func makeEngine(
    _ configure: (inout EngineConfiguration) -> Void = { _ in }
) async throws -> (EngineFixture, TemporaryDatabase) {
    let database = try TemporaryDatabase()
    let store = try SQLiteStore(path: database.path, exclusively: false)
    return (try await EngineFixture(store: store, configure: configure), database)
}

/// A workflow document around steps.
func document(
    event: String = "signed_up", reentry: Bool = false, slug: String = "flow", steps: JSONObject,
    templates: JSONObject = ["hello": ["type": "TRANSACTIONAL", "subject": "Hello {{ contact.email }}", "text": "Hi"]]
) -> JSON {
    var all: JSONObject = ["start": ["type": "TRIGGER", "next": .string(steps.keys.first ?? "")]]
    all.merge(steps)
    return [
        "workflow": .string(slug), "enabled": true, "allowReentry": .bool(reentry),
        "trigger": ["event": .string(event)],
        "templates": .object(templates), "steps": .object(all),
    ]
}

@Suite struct EventsTests {
    @Test func eventStartsTheWorkflowAndTheMailIsInTheOutbox() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        try await engine.apply(document(steps: ["mail": ["type": "SEND_EMAIL", "config": ["template": "hello"]]]))
        try await engine.track("signed_up")
        let executions = try await engine.executions()
        #expect(executions.map(\.status) == [.completed])
        let transport = ScriptedTransport()
        try await engine.runDispatch(transport)
        #expect(transport.sent.map(\.recipient) == ["ann@example.org"])
        #expect(String(decoding: transport.sent[0].bytes, as: UTF8.self).contains("Subject: Hello ann@example.org\r\n"))
    }

    @Test func disabledWorkflowStartsNothing() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        var flow = document(steps: ["end": ["type": "EXIT"]]).objectValue ?? [:]
        flow["enabled"] = false
        try await engine.apply(.object(flow))
        try await engine.track("signed_up")
        #expect(try await engine.executions().isEmpty)
    }

    @Test func reentryIsRefusedForEverWhenForbiddenAndCounted() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        try await engine.apply(document(steps: ["end": ["type": "EXIT"]]))
        for _ in 0..<3 { try await engine.track("signed_up") }
        #expect(try await engine.executions().count == 1)
        #expect(try await engine.counter("enrolments_refused") == 2)
    }

    @Test func reentryIsRefusedWhileOneIsActiveWhenAllowed() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        try await engine.apply(
            document(reentry: true, steps: ["pause": ["type": "DELAY", "config": ["amount": 1, "unit": "hours"]]]))
        try await engine.track("signed_up")
        try await engine.track("signed_up")
        #expect(try await engine.executions().map(\.status) == [.waiting])
        engine.clock.advance(seconds: 3600)
        try await engine.runTimers()
        try await engine.track("signed_up")
        #expect(try await engine.executions().map(\.status) == [.completed, .waiting])
    }

    @Test func hundredParallelIdenticalTriggersMakeOneExecution() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        try await engine.apply(document(steps: ["mail": ["type": "SEND_EMAIL", "config": ["template": "hello"]]]))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<100 { group.addTask { try await engine.track("signed_up") } }
            try await group.waitForAll()
        }
        #expect(try await engine.executions().count == 1)
        let transport = ScriptedTransport()
        try await engine.runDispatch(transport)
        #expect(transport.sent.count == 1)
    }

    @Test func waitIsResumedByAnEventAndNotByTheOneThatStartedIt() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        try await engine.apply(
            document(
                event: "ping",
                steps: [
                    "wait": [
                        "type": "WAIT_FOR_EVENT", "config": ["eventName": "ping", "timeout": 60],
                        "next": ["event": "yes", "timeout": "late"],
                    ],
                    "yes": ["type": "EXIT", "config": ["reason": "again"]],
                    "late": ["type": "EXIT", "config": ["reason": "late"]],
                ]))
        try await engine.track("ping")
        #expect(try await engine.executions().map(\.status) == [.waiting])
        try await engine.track("ping", "somebody@else.example")
        #expect(try await engine.executions().map(\.status) == [.waiting, .waiting])
        try await engine.track("ping", data: ["n": 2])
        let ours = try #require(try await engine.executions().first { $0.contactEmail == "ann@example.org" })
        #expect(ours.status == .exited && ours.exitReason == "again" && ours.context == ["n": 2])
        engine.clock.advance(seconds: 60)
        try await engine.runTimers()
        let other = try await engine.executions().first { $0.contactEmail != "ann@example.org" }
        #expect(other?.exitReason == "late")
    }

    /// Whoever comes first wins; the loser finds nothing left.
    @Test(arguments: 0..<20)
    func eventAndTimeoutTogetherTakeExactlyOneEdge(_ round: Int) async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        try await engine.apply(
            document(
                steps: [
                    "wait": [
                        "type": "WAIT_FOR_EVENT", "config": ["eventName": "go", "timeout": 1],
                        "next": ["event": "a", "timeout": "b"],
                    ],
                    "a": ["type": "SEND_EMAIL", "config": ["template": "hello"]],
                    "b": ["type": "SEND_EMAIL", "config": ["template": "hello"]],
                ]))
        try await engine.track("signed_up")
        engine.clock.advance(seconds: 1)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await engine.runTimers() }
            group.addTask { try await engine.track("go") }
            try await group.waitForAll()
        }
        let execution = try #require(try await engine.executions().first)
        #expect(execution.status == .completed)
        let steps = try await engine.steps(of: execution).map(\.step)
        #expect(steps == ["start", "wait", "a"] || steps == ["start", "wait", "b"])
    }

    @Test func loopOfSelfCausedEventsStopsAtTheLimit() async throws {
        let (engine, _database) = try await makeEngine { $0.generationLimit = 4 }
        _ = _database
        try await engine.apply(
            document(
                event: "contact.updated", reentry: true,
                steps: ["set": ["type": "UPDATE_CONTACT", "config": ["data": ["n": "{{ execution.id }}"]]]]))
        try await engine.track("anything", data: ["n": "0"])
        try await engine.track("anything", data: ["n": "1"])
        let executions = try await engine.executions()
        #expect(executions.filter { $0.status == .completed }.count == 4 + 1)
        #expect(
            executions.filter { $0.status == .failed }.map(\.exitReason)
                == ["event_loop: contact.updated is 5 events of our own making deep"])
        #expect(try await engine.counter("event_loops_stopped") == 1)
    }

    @Test func ownChangeDoesNotResumeTheWaitThatFollowsIt() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        try await engine.apply(
            document(
                steps: [
                    "set": ["type": "UPDATE_CONTACT", "config": ["data": ["n": 1]], "next": "wait"],
                    "wait": [
                        "type": "WAIT_FOR_EVENT", "config": ["eventName": "contact.updated"], "next": "end",
                    ],
                    "end": ["type": "EXIT", "config": ["reason": "changed"]],
                ]))
        try await engine.track("signed_up")
        #expect(try await engine.executions().map(\.status) == [.waiting])
        try await engine.track("other", data: ["n": 2])
        #expect(try await engine.executions().map(\.exitReason) == ["changed"])
    }

    /// Three workflows that start each other would bring about 3¹⁰ events.
    @Test func fanOutOfOneCauseIsBounded() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        for slug in ["one", "two", "three"] {
            try await engine.apply(
                document(
                    event: "contact.updated", reentry: true, slug: slug,
                    steps: ["set": ["type": "UPDATE_CONTACT", "config": ["data": ["n": "{{ execution.id }}"]]]]))
        }
        try await engine.track("start", data: ["n": "a"])
        try await engine.track("start", data: ["n": "b"])
        #expect(try await engine.counter("event_fanouts_stopped") > 0)
        let runs = try await engine.executions("one").count
        #expect(runs > 100 && runs <= 1000)
    }

    @Test func triggerStaysAfterTheFirstExecution() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        try await engine.apply(document(event: "a", steps: ["end": ["type": "EXIT"]]))
        try await engine.apply(document(event: "b", steps: ["end": ["type": "EXIT"]]))
        try await engine.track("b")
        let error = await #expect(throws: UseCaseError.self) {
            try await engine.apply(document(event: "c", steps: ["end": ["type": "EXIT"]]))
        }
        #expect(error?.code == .triggerLocked)
    }

    @Test func contactDataIsLimited() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        let big = JSON.string(String(repeating: "x", count: Contact.dataLimit))
        let error = await #expect(throws: UseCaseError.self) { try await engine.track("a", data: ["k": big]) }
        #expect(error?.code == .invalid)
        #expect(try await engine.contact() == nil)
    }

    /// Rows that a failing disk has spoilt: their neighbours go on.
    @Test func damagedRowsDoNotHoldUpOthers() async throws {
        let (engine, database) = try await makeEngine()
        try await engine.apply(
            document(
                steps: [
                    "pause": ["type": "DELAY", "config": ["amount": 1, "unit": "minutes"], "next": "mail"],
                    "mail": ["type": "SEND_EMAIL", "config": ["template": "hello"]],
                ]))
        try await engine.track("signed_up", "bad@example.org")
        engine.clock.advance(seconds: 1)
        try await engine.track("signed_up", "good@example.org")
        try DamagedDatabase(database.path).spoil(
            "UPDATE executions SET context = '{', status = 'WAITING' WHERE due_at = (SELECT min(due_at) FROM executions)"
        )
        engine.clock.advance(seconds: 120)
        try await engine.runTimers()
        let states = try await engine.context.store.read { reader in
            try reader.executionCounts(in: engine.project.id).values.reduce(into: [:]) { $0.merge($1) { $0 + $1 } }
        }
        #expect(states == [.failed: 1, .completed: 1])
        try await engine.track("signed_up", "third@example.org")
        engine.clock.advance(seconds: 120)
        try await engine.runTimers()
        try DamagedDatabase(database.path).spoil(
            "UPDATE outbox SET request = '{' WHERE due_at = (SELECT min(due_at) FROM outbox)")
        let transport = ScriptedTransport()
        try await engine.runDispatch(transport)
        #expect(transport.sent.map(\.recipient) == ["third@example.org"])
    }

    @Test func trackMergesDataAndUnwrapsTransientValues() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        try await engine.apply(
            document(
                steps: [
                    "note": ["type": "UPDATE_CONTACT", "config": ["data": ["seen": "{{ event.code }}"]]]
                ]))
        try await engine.track(
            "signed_up", "ANN@Example.org", data: ["plan": "pro", "code": ["value": "X1", "persistent": false]])
        let contact = try #require(try await engine.contact())
        #expect(contact.data == ["plan": "pro", "seen": "X1"] && contact.isSubscribed)
    }

    @Test func structuralChangeIsRefusedWhileExecutionsAreUnderWay() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        let pause: JSON = ["type": "DELAY", "config": ["amount": 1, "unit": "hours"]]
        #expect(try await engine.apply(document(steps: ["pause": pause])) == .created(version: 1))
        #expect(try await engine.apply(document(steps: ["pause": pause])) == .unchanged)
        try await engine.track("signed_up")
        let changed = document(steps: ["pause": ["type": "DELAY", "config": ["amount": 2, "unit": "hours"]]])
        let error = await #expect(throws: UseCaseError.self) { try await engine.apply(changed) }
        #expect(error?.code == .workflowLocked && error?.description.contains("1 execution") == true)
        engine.clock.advance(seconds: 3600)
        try await engine.runTimers()
        #expect(try await engine.apply(changed) == .changed(version: 2))
    }

    @Test func brokenDocumentsNameEveryProblem() throws {
        let json: JSON = [
            "workflow": "Bad Name", "enable": true, "trigger": ["event": ""],
            "steps": [
                "a": ["type": "NOPE"],
                "b": ["type": "DELAY", "config": ["amount": -1, "unit": "days"], "next": "zzz"],
            ],
        ]
        let error = #expect(throws: UseCaseError.self) { try WorkflowDocument(json) }
        let text = error?.problems.map(\.description).joined(separator: "\n") ?? ""
        for part in ["workflow", "enable", "trigger.event", "steps.a.type", "steps.b.config.amount"] {
            #expect(text.contains(part), "\(part) in \(text)")
        }
    }

    @Test func templateThatDoesNotParseIsRefusedWithItsPlace() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        let flow = document(
            steps: ["mail": ["type": "SEND_EMAIL", "config": ["template": "hello"]]],
            templates: ["hello": ["subject": "x", "text": "line\n{% if %}"]])
        let error = await #expect(throws: UseCaseError.self) { try await engine.apply(flow) }
        #expect(error?.code == .invalid && error?.problems.first?.description.contains("2") == true)
    }
}
