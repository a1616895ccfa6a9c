import EngineTestKit
import JSONValue
import MailModel
import SQLStore
import Testing
import WorkflowModel

@testable import Engine

/// Random graphs × random events × random deaths of the process: where the undisturbed run ends, the disturbed one ends.
@Suite struct RandomRunTests {
    /// What happens from outside, in order.
    private enum Happening {
        case event(String, person: Int, data: JSONObject)
        case time(seconds: Int64)
        case answer(isGood: Bool)
    }

    // MARK: Random worlds

    private static let names = ["go", "come", "paid"]

    private static func step(_ index: Int, _ generator: inout SeededGenerator) -> (type: String, config: JSONObject) {
        switch Int.random(in: 0..<7, using: &generator) {
        case 0: return ("DELAY", ["amount": .int(Int64.random(in: 1...5, using: &generator)), "unit": "minutes"])
        case 1:
            var config: JSONObject = [
                "eventNames": .array(names.shuffled(using: &generator).prefix(2).map { .string($0) }),
                "timeout": .int(Int64.random(in: 30...300, using: &generator)),
            ]
            if Bool.random(using: &generator) { config["lookback"] = true }
            if Int.random(in: 0..<3, using: &generator) == 0 {
                config["filter"] = [
                    "logic": "AND",
                    "groups": [["filters": [["field": "event.n", "operator": "greaterThan", "value": 3]]]],
                ]
            }
            return ("WAIT_FOR_EVENT", config)
        case 2: return ("CONDITION", ["field": "event.n", "operator": "greaterThan", "value": 4])
        case 3:
            return (
                "CONDITION",
                [
                    "mode": "multi", "field": "data.seen",
                    "branches": [
                        ["id": "many", "operator": "greaterThan", "value": 2], ["id": "some", "operator": "exists"],
                    ],
                ]
            )
        case 4: return ("WEBHOOK", ["url": "https://crm.example/", "body": ["n": "{{ event.n }}"]])
        case 5: return ("UPDATE_CONTACT", ["data": ["seen": .int(Int64(index)), "last": "{{ event.n }}"]])
        default: return ("SEND_EMAIL", ["template": "hello"])
        }
    }

    /// Edges lead to later steps only.
    private static func workflow(_ slug: String, event: String, _ generator: inout SeededGenerator) -> JSON {
        let count = Int.random(in: 1...9, using: &generator)
        var steps: JSONObject = ["start": ["type": "TRIGGER", "next": "s0"]]
        for index in 0..<count {
            let (type, config) = step(index, &generator)
            func target() -> JSON? {
                let next = Int.random(in: (index + 1)...(count + 1), using: &generator)
                return next > count ? nil : next == count ? "end" : .string("s\(next)")
            }
            let branches: [String] =
                switch type {
                case "WAIT_FOR_EVENT": ["event", "timeout"]
                case "CONDITION": config["mode"] == nil ? ["yes", "no"] : ["many", "some", "default"]
                default: []
                }
            var step: JSONObject = ["type": .string(type), "config": .object(config)]
            if branches.isEmpty {
                step["next"] = target()
            } else {
                step["next"] = .object(
                    JSONObject(branches.compactMap { branch in target().map { (branch, $0) } }))
            }
            steps["s\(index)"] = .object(step)
        }
        steps["end"] = ["type": "EXIT", "config": ["reason": "the end"]]
        var flow =
            document(event: event, reentry: Bool.random(using: &generator), slug: slug, steps: [:])
            .objectValue ?? [:]
        flow["steps"] = .object(steps)
        return .object(flow)
    }

    private static func happenings(_ generator: inout SeededGenerator) -> [Happening] {
        (0..<Int.random(in: 10...30, using: &generator)).map { _ in
            switch Int.random(in: 0..<5, using: &generator) {
            case 0: .time(seconds: Int64.random(in: 1...400, using: &generator))
            case 1: .answer(isGood: Int.random(in: 0..<4, using: &generator) > 0)
            default:
                .event(
                    (["signed_up"] + names).randomElement(using: &generator) ?? "go",
                    person: Int.random(in: 0..<3, using: &generator),
                    data: ["n": .int(Int64.random(in: 0...8, using: &generator))])
            }
        }
    }

    // MARK: Running

    /// One thing that happens. What was half done before a death is done again, as clients and servers do; an event that
    /// was durable already is not tracked twice.
    private static func happen(_ happening: Happening, number: Int, _ engine: EngineFixture) async throws {
        switch happening {
        case .event(let name, let person, let data):
            let email = "p\(person)@example.org"
            let mark = JSON.int(Int64(number))
            if try await engine.contact(email)?.data["number"] != mark {
                try await engine.track(name, email, data: data.merging(["number": mark]))
            }
        case .time: break
        case .answer(let isGood): while try await answerOne(isGood: isGood, engine) {}
        }
        try await engine.runTimers()
    }

    /// Gives the oldest execution that waits for a call its last answer.
    /// - Returns: false when there is no call.
    private static func answerOne(isGood: Bool, _ engine: EngineFixture) async throws -> Bool {
        let now = engine.clock.now()
        let claimed = try await engine.context.store.write { store in
            let calls = try store.claimWebhookCalls(dueAt: now, limit: 100, perReceiver: 100, underWay: [:])
                .sorted { $0.executionID < $1.executionID }
            try store.unclaimWebhookCalls(calls.dropFirst().map(\.id), until: now)
            return calls.first
        }
        guard let call = claimed else { return false }
        let answer: WebhookAnswer =
            isGood
            ? .succeeded(
                call: call.id, status: 200, headers: [:], body: "{\"n\":5}", isBodyTruncated: false, attempts: 1)
            : .failed(call: call.id, reason: "HTTP 404", status: 404, attempts: 1)
        try await engine.context.transact { transaction in
            guard try transaction.store.endWebhookCall(call.id) else { return }
            try EventRecorder(transaction: transaction, projectID: call.projectID)
                .advance(call.executionID, input: .webhookAnswered(answer))
        }
        return true
    }

    /// The path of every execution, without ids and times.
    private static func outcome(_ engine: EngineFixture, _ slugs: [String]) async throws -> [String] {
        var lines: [String] = []
        for slug in slugs {
            for execution in try await engine.executions(slug) {
                let steps = try await engine.steps(of: execution).map {
                    "\($0.step)=\($0.status.rawValue)\($0.output["branch"].map { ":\($0.stringValue ?? "")" } ?? "")"
                }
                let context = JSONWriter.write(.object(execution.context))
                lines.append(
                    "\(slug) \(execution.contactEmail) \(execution.status.rawValue) \(execution.exitReason ?? "-") "
                        + "\(context) \(steps.joined(separator: " "))")
            }
        }
        for person in 0..<3 {
            let contact = try await engine.contact("p\(person)@example.org")
            lines.append("p\(person) " + JSONWriter.write(.object(contact?.data ?? [:])))
        }
        let transport = ScriptedTransport()
        try await engine.runDispatch(transport)
        return lines.sorted() + transport.sent.map(\.recipient).sorted()
    }

    private static func run(seed: UInt64, dying: Bool) async throws -> (outcome: [String], deaths: Int) {
        var generator = SeededGenerator(seed: seed)
        let flows = [
            workflow("one", event: "signed_up", &generator), workflow("two", event: "go", &generator),
        ]
        let happenings = happenings(&generator)
        let database = try TemporaryDatabase()
        let clock = VirtualClock()
        let identifiers = IdentifierSource.seeded(seed)
        func store() throws -> SQLiteStore { try SQLiteStore(path: database.path, exclusively: false) }
        var process = try store()
        let first = try await EngineFixture(store: process, clock: clock, identifiers: identifiers)
        for flow in flows { try await first.apply(flow) }
        var engine: EngineFixture? = dying ? nil : first
        var deaths = 0
        for (number, happening) in happenings.enumerated() {
            // Ids of different moments have an order, and with it whatever is due at the same time.
            clock.advance(seconds: 1)
            if case .time(let seconds) = happening { clock.advance(seconds: seconds) }
            var isDone = false
            while !isDone {
                do {
                    if engine == nil {
                        try process.close()
                        process = try store()
                        let failing = FailingStore(
                            process, after: Int.random(in: 1..<20, using: &generator),
                            isAfterCommit: Bool.random(using: &generator))
                        engine = try await EngineFixture(store: failing, clock: clock, identifiers: identifiers)
                        let now = clock.now()
                        _ = try await engine?.context.store.write { try $0.releaseWebhookClaims(at: now) }
                    }
                    if let engine { try await happen(happening, number: number, engine) }
                    isDone = true
                } catch is FailingStore.Died {
                    deaths += 1
                    engine = nil
                }
            }
        }
        try process.close()
        process = try store()
        let last = try await EngineFixture(store: process, clock: clock, identifiers: identifiers)
        let result = try await outcome(last, ["one", "two"])
        try process.close()
        return (result, deaths)
    }

    @Test(arguments: 0..<60 as Range<UInt64>)
    func disturbedRunEndsWhereTheUndisturbedOneEnds(_ seed: UInt64) async throws {
        let calm = try await Self.run(seed: seed, dying: false)
        let wild = try await Self.run(seed: seed, dying: true)
        #expect(wild.outcome == calm.outcome, "seed \(seed), \(wild.deaths) deaths")
        #expect(calm.deaths == 0 && wild.deaths > 0)
    }
}
