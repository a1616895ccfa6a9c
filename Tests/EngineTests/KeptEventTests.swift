import Engine
import EngineTestKit
import JSONValue
import SQLStore
import Testing
import WorkflowModel

/// Events that are newly kept: what happened before is found little by little, beside everything else.
@Suite struct KeptEventTests {
    /// Small enough that a few events take many steps.
    private static let sizes: HistorySizes = {
        var sizes = HistorySizes()
        sizes.look = 7
        sizes.keep = 2
        return sizes
    }()

    private static func bought(_ operator: Condition.Operator = .triggered) -> Filter {
        Filter(.all, [.init([Condition(field: "event.bought", operator: `operator`)])])
    }

    /// Twenty contacts; those with an even number have bought, some of them more than once.
    private static func fill(_ engine: EngineFixture) async throws {
        for number in 0..<60 {
            let name = number.isMultiple(of: 2) ? "bought" : "looked"
            try await engine.track(name, "c\(number % 20)@example.org", data: ["n": .int(Int64(number))])
            engine.clock.advance(seconds: 1)
        }
    }

    private static func step(_ engine: EngineFixture) async throws -> Bool {
        try await History(context: engine.context).step(sizes)
    }

    /// What the table of kept events says, and what it should.
    private static func isComplete(_ path: String) throws -> Bool {
        let rows = Rows(path)
        return try rows.run(
            "SELECT hex(contact_id), name, at, hex(event_id) FROM event_occurrences ORDER BY 1, 2, 3, 4")
            == rows.run(
                """
                SELECT hex(contact_id), name, created_at, hex(id) FROM events WHERE name = 'bought'
                ORDER BY 1, 2, 3, 4
                """)
    }

    private static func memberships(_ engine: EngineFixture, _ slug: String = "buyers") async throws -> Set<String> {
        let segments = Segments(context: engine.context, projectID: engine.project.id)
        return Set(try await segments.members(of: slug, limit: 100, offset: 0).rows.map(\.contact.email))
    }

    // MARK: Segments

    @Test func aSegmentSaysThatItIsComputedUntilThePastIsFound() async throws {
        let (engine, database) = try await makeEngine()
        try await Self.fill(engine)
        let segments = Segments(context: engine.context, projectID: engine.project.id)
        _ = try await segments.create(.init(name: "Buyers", kind: .dynamic, filter: Self.bought()))
        let segmenter = Segmenter(context: engine.context)
        #expect(try await !segmenter.pass(), "waits, and does not spin")
        #expect(try await segments.segment("buyers").isComputing)
        #expect(try await segments.segment("buyers").memberCount == 0)
        var steps = 0
        while try !Self.isComplete(database.path) {
            _ = try await segmenter.pass()
            #expect(try await segments.segment("buyers").isComputing)
            #expect(try await Self.step(engine))
            steps += 1
        }
        #expect(steps > 10)
        while try await Self.step(engine) {}
        while try await segmenter.pass() {}
        #expect(try await !segments.segment("buyers").isComputing)
        #expect(try await Self.memberships(engine) == Set((0..<10).map { "c\(2 * $0)@example.org" }))
    }

    /// Who changes meanwhile is seen as they are: nobody enters by a past that is only half known.
    @Test(arguments: 0..<12) func whatHappensMeanwhileIsRightAtOnce(_ pause: Int) async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        try await Self.fill(engine)
        let segments = Segments(context: engine.context, projectID: engine.project.id)
        _ = try await segments.create(.init(name: "Buyers", kind: .dynamic, filter: Self.bought()))
        _ = try await segments.create(.init(name: "Others", kind: .dynamic, filter: Self.bought(.notTriggered)))
        for _ in 0..<pause { _ = try await Self.step(engine) }
        // A buyer, one who is none, one who becomes one, and a new one of each kind.
        for email in ["c4@example.org", "c5@example.org", "new@example.org"] {
            try await engine.track("looked", email, data: ["changed": true])
        }
        for email in ["c7@example.org", "other@example.org"] { try await engine.track("bought", email) }
        func meanwhile() async throws -> Set<String> {
            let read = try await (Self.memberships(engine), Self.memberships(engine, "others"))
            #expect(read.0.isDisjoint(with: ["c5@example.org", "new@example.org"]))
            #expect(read.1.isDisjoint(with: ["c4@example.org", "c7@example.org", "other@example.org"]))
            return read.0.union(read.1)
        }
        #expect(
            try await meanwhile().isSuperset(of: ["new@example.org", "c7@example.org", "other@example.org"]))
        while try await Self.step(engine) {}
        let segmenter = Segmenter(context: engine.context)
        while try await segmenter.pass() {}
        #expect(try await meanwhile().count == 22)
        #expect(try await Self.memberships(engine).count == 12)
    }

    // MARK: Crashes

    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func theSearchGoesOnAfterARestartAndMissesNothing(_ seed: UInt64) async throws {
        let database = try TemporaryDatabase()
        var engine = try await EngineFixture(store: try SQLiteStore(path: database.path, exclusively: false))
        try await Self.fill(engine)
        let segments = Segments(context: engine.context, projectID: engine.project.id)
        _ = try await segments.create(.init(name: "Buyers", kind: .dynamic, filter: Self.bought()))
        var random = SeededGenerator(seed: seed)
        var round: UInt64 = 0
        var isAtWork = true
        while isAtWork {
            round += 1
            switch random.next() % 6 {
            case 0:
                // As after a kill: nothing but the file goes on.
                try (engine.context.store as? SQLiteStore)?.close()
                engine = try await EngineFixture(
                    store: try SQLiteStore(path: database.path, exclusively: false), clock: engine.clock,
                    seed: 1000 * seed + round)
            case 1: try await engine.track("bought", "c\(random.next() % 30)@example.org")
            case 2:
                let contacts = Contacts(context: engine.context, projectID: engine.project.id)
                if let contact = try await engine.contact("c\(random.next() % 20)@example.org") {
                    try await contacts.delete(contact.id)
                }
            case 3:
                let project = engine.project.id
                let rows = try await engine.context.store.read {
                    try $0.eventRows(named: "bought", in: project, after: 0, scan: 10_000).rows
                }
                let gone = rows.filter { _ in random.next() % 10 == 0 } + rows.suffix(1)
                _ = try await engine.context.store.write { try $0.deleteEvents(gone, in: project) }
            default: isAtWork = try await Self.step(engine) || round < 10
            }
        }
        while try await Self.step(engine) {}
        #expect(try Self.isComplete(database.path))
        try (engine.context.store as? SQLiteStore)?.close()
    }

    // MARK: Everybody else

    /// No step takes more than its share, so that what comes meanwhile waits for one of them at most.
    @Test func noStepLooksAtMoreThanItsShareAndEventsComeBetween() async throws {
        let (engine, database) = try await makeEngine()
        try await Self.fill(engine)
        let rows = Rows(database.path)
        try await engine.context.store.write { [project = engine.project.id] in
            try $0.keepEvents(["bought"], in: project)
        }
        #expect(try rows.count("SELECT count(*) FROM event_occurrences") == 0, "asking costs nothing")
        var before = 0
        var through = 0
        while try await engine.context.store.write({ try $0.continueKeeping(Self.sizes) }) == .more {
            let kept = try #require(try rows.count("SELECT count(*) FROM event_occurrences"))
            let place = try #require(try rows.count("SELECT through FROM kept_events"))
            #expect(kept - before <= Self.sizes.keep && place - through <= Self.sizes.look)
            try await engine.track("looked")
            (before, through) = (kept, place)
        }
        #expect(try Self.isComplete(database.path))
    }

    @Test func aBulkChangeWaitsForThePast() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        try await Self.fill(engine)
        let contacts = Contacts(context: engine.context, projectID: engine.project.id)
        let begun = try await contacts.begin(.unsubscribe, on: ContactQuery(filter: Self.bought()))
        let jobs = ContactJobs(context: engine.context)
        #expect(try await !jobs.pass(), "waits, and does not spin")
        while try await Self.step(engine) { _ = try await jobs.pass() }
        while try await jobs.pass() {}
        let job = try await engine.context.store.write { try $0.contactJob(begun.id) }
        #expect(job?.status == .completed && job?.counts.updated == 10)
    }

    @Test func aConditionIsRightBeforeThePastIsFound() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        try await Self.fill(engine)
        try await engine.apply(
            document(
                event: "asked",
                steps: [
                    "has": [
                        "type": "CONDITION",
                        "config": ["field": "event.bought", "operator": "triggered"],
                        "next": ["yes": "yes", "no": "no"],
                    ],
                    "yes": ["type": "EXIT", "config": ["reason": "yes"]],
                    "no": ["type": "EXIT", "config": ["reason": "no"]],
                ]))
        for email in ["c2@example.org", "c3@example.org"] { try await engine.track("asked", email) }
        let reasons = try await engine.executions().map { [$0.contactEmail, $0.exitReason ?? ""] }
        #expect(Set(reasons) == [["c2@example.org", "yes"], ["c3@example.org", "no"]])
    }
}
