import Engine
import EngineTestKit
import Foundation
import JSONValue
import SQLStore
import Testing
import WorkflowModel

/// The index of what happened to each contact says what a look through the tables says, whatever state its runs are in.
@Suite struct HistoryTests {
    private static let time = Timestamp(seconds: 1_800_000_000)
    private static let project = Identifier(high: 7, low: 1)

    /// Small enough that a few rows make runs, merges and merges of merges.
    private static let sizes: HistorySizes = {
        var sizes = HistorySizes()
        sizes.run = 4
        sizes.fanIn = 3
        sizes.merge = 2
        sizes.row = 70
        sizes.erase = 3
        return sizes
    }()

    /// A store with random history, and what reads the same tables from end to end.
    private struct Stage {
        let database: TemporaryDatabase
        let store: SQLiteStore
        let truth: Truth
        let contacts = (1...4 as ClosedRange<UInt64>).map { Identifier(high: 1, low: $0) }
        var numbers: SeededGenerator
        var count: UInt64 = 0

        init(seed: UInt64) async throws {
            database = try TemporaryDatabase()
            store = try SQLiteStore(path: database.path, exclusively: true)
            truth = Truth(path: database.path)
            numbers = SeededGenerator(seed: seed)
            try await store.write {
                try $0.insert(Project(id: project, slug: "p", name: "P"), at: time)
            }
            for contact in contacts {
                try await store.write {
                    try $0.insert(
                        Contact(
                            id: contact, email: "\(contact)@example.org", isSubscribed: true, data: [:],
                            createdAt: time, updatedAt: time), in: project)
                }
            }
        }

        mutating func random(_ limit: Int) -> Int { Int.random(in: 0..<limit, using: &numbers) }

        /// Ids go up, but not always: clocks are moved.
        private mutating func nextID() -> Identifier {
            count += 1
            return Identifier(high: random(10) == 0 ? 1 : count, low: 0x8000 + count)
        }

        mutating func add() async throws {
            let contact = contacts[random(contacts.count)]
            let id = nextID()
            let at = time.adding(seconds: Int64(count))
            switch random(4) {
            case 0:
                let stored = StoredExecution(
                    execution: Execution(
                        id: id, workflowID: Identifier(high: 3, low: count), contactID: contact, status: .completed,
                        startedAt: at, completedAt: at), projectID: project, versionID: Identifier(high: 4, low: 1))
                try await store.write { try $0.insert(stored, once: false) }
            case 1:
                let entry = OutboxEntry(
                    id: id, projectID: project, contactID: contact, executionID: nil, dueAt: at, createdAt: at,
                    generation: 0,
                    request: MailRequest(
                        id: id, step: "s", templateVersionID: Identifier(high: 5, low: 1), kind: .transactional,
                        recipient: "a@example.org", from: nil, replyTo: nil, variables: [:]), messageID: "m")
                try await store.write { try $0.insert(entry) }
            default:
                let event = Event(
                    id: id, name: "event-\(random(3))", data: [:], source: .api, createdAt: at)
                let known = random(8) > 0
                try await store.write { try $0.insert(event, contact: known ? contact : nil, in: project) }
            }
        }

        /// Deletes all events of a name: the newest are often among them.
        mutating func deleteSome() async throws {
            let name = "event-\(random(3))"
            let rows = try await store.read { try $0.eventRows(named: name, in: project, after: 0, scan: 10_000).rows }
            _ = try await store.write { try $0.deleteEvents(rows, in: project) }
        }

        func check(_ note: Comment) async throws {
            let probe = HistoryProbe(store: store, project: project)
            for contact in contacts {
                for kind in HistoryKind.allCases {
                    let found = try await probe.timeline(of: contact, kinds: [kind], pages: 3).map(\.id)
                    #expect(try found == truth.ids(kind, of: contact), note)
                }
                let all = try await probe.timeline(of: contact, pages: 5)
                #expect(Set(all.map(\.id)).count == all.count, note)
            }
            let names = try await store.read { try $0.eventNames(in: project, limit: 10) }
            #expect(try Dictionary(uniqueKeysWithValues: names.map { ($0.name, $0.count) }) == truth.names(), note)
        }
    }

    /// Another connection, which reads tables from end to end.
    private struct Truth {
        let path: String

        func ids(_ kind: HistoryKind, of contact: Identifier) throws -> [Identifier] {
            let hex = contact.bytes.map { String(format: "%02x", $0) }.joined()
            let (table, order) =
                switch kind {
                case .event: ("events", "rowid")
                case .execution: ("executions", "id")
                case .mail: ("outbox", "id")
                }
            return try rows("SELECT lower(hex(id)) FROM \(table) WHERE contact_id = x'\(hex)' ORDER BY \(order) DESC")
                .compactMap { Identifier(bytes: $0[0].chunkedBytes) }
        }

        func names() throws -> [String: Int] {
            Dictionary(
                uniqueKeysWithValues: try rows("SELECT name, count(*) FROM events GROUP BY name").map {
                    ($0[0], Int($0[1]) ?? 0)
                })
        }

        func run(_ sql: String) throws { try Rows(path).run(sql) }
        func rows(_ sql: String) throws -> [[String]] { try Rows(path).run(sql) }
    }

    @Test(arguments: 1...12 as ClosedRange<UInt64>)
    func lookUpEqualsAFullScanAtEveryStateOfTheRuns(_ seed: UInt64) async throws {
        var stage = try await Stage(seed: seed)
        for step in 0..<160 {
            switch stage.random(20) {
            case 0: try await stage.deleteSome()
            case 1..<9:
                let isUrgent = stage.random(3) == 0
                _ = try await stage.store.write { try $0.indexHistory(Self.sizes, isUrgent: isUrgent) }
            default: try await stage.add()
            }
            if step % 4 == 3 { try await stage.check("seed \(seed), step \(step)") }
        }
        while try await stage.store.write({ try $0.indexHistory(Self.sizes, isUrgent: true) }) {}
        try await stage.check("seed \(seed), all of it")
        let runs = try stage.truth.rows("SELECT level, count(*) FROM contact_runs GROUP BY level")
        #expect(runs.allSatisfy { Int($0[1]) ?? 99 < Self.sizes.fanIn }, "\(runs)")
        #expect(try stage.truth.rows("SELECT 1 FROM contact_journal").isEmpty)
        try stage.store.close()
    }

    /// As the migration leaves a database that was in use: nothing is indexed, and there is no journal.
    @Test func whatWasThereBeforeIsFoundAndIndexed() async throws {
        var stage = try await Stage(seed: 77)
        for _ in 0..<60 { try await stage.add() }
        try stage.truth.run(
            """
            DELETE FROM contact_journal; DELETE FROM history_progress;
            INSERT INTO history_progress (kind, through, last)
                SELECT 1, 0, NULL
                UNION ALL SELECT 2, x'', (SELECT max(id) FROM executions)
                UNION ALL SELECT 3, x'', (SELECT max(id) FROM outbox);
            """)
        for step in 0..<40 {
            try await stage.check("step \(step)")
            if step % 3 == 0 { try await stage.add() }
            _ = try await stage.store.write { try $0.indexHistory(Self.sizes, isUrgent: false) }
        }
        #expect(
            try stage.truth.rows("SELECT 1 FROM history_progress WHERE last IS NOT NULL").isEmpty, "all is taken in")
        try stage.store.close()
    }

    @Test func backgroundLoopIndexesWhatIsEnough() async throws {
        let (engine, database) = try await makeEngine()
        for number in 0..<(History.sizes.run / 2) { try await engine.track("ping", "c\(number % 7)@example.org") }
        let truth = Truth(path: database.path)
        let loop = Task { await History(context: engine.context).run() }
        // It wakes by itself when there is enough, and it is asleep until then.
        for number in 0..<(History.sizes.run / 2) { try await engine.track("ping", "c\(number % 7)@example.org") }
        while try truth.rows("SELECT 1 FROM contact_runs").isEmpty { await Task.yield() }
        loop.cancel()
        await loop.value
        let ann = try #require(try await engine.contact("c0@example.org"))
        let probe = HistoryProbe(store: engine.context.store, project: engine.project.id)
        #expect(try await probe.timeline(of: ann.id, pages: 100).map(\.id) == truth.ids(.event, of: ann.id))
    }

    /// Places begin at 0; one below would lie behind all of them in the index.
    @Test func positionsHaveNoNegativePlaces() {
        #expect(TimelinePosition("7..")?.description == "7..")
        #expect(TimelinePosition("-1..") == nil)
        #expect(TimelinePosition("\(Int64.min)..") == nil)
    }

    @Test func failedNeighbourLeavesNothingInTheJournal() async throws {
        struct Expected: Error {}
        let stage = try await Stage(seed: 5)
        let stored = StoredExecution(
            execution: Execution(
                id: Identifier(high: 50, low: 1), workflowID: Identifier(high: 3, low: 1), contactID: stage.contacts[0],
                status: .completed, startedAt: Self.time, completedAt: Self.time),
            projectID: Self.project, versionID: Identifier(high: 4, low: 1))
        await withTaskGroup { group in
            for fails in [true, false, true, false] {
                group.addTask {
                    try? await stage.store.write { store in
                        if fails {
                            try store.insert(stored, once: false)
                            throw Expected()
                        }
                    }
                }
            }
        }
        try await stage.check("nothing")
        #expect(try stage.truth.rows("SELECT 1 FROM contact_journal").isEmpty)
        try stage.store.close()
    }
}

extension String {
    fileprivate var chunkedBytes: [UInt8] {
        stride(from: 0, to: count, by: 2).compactMap { UInt8(dropFirst($0).prefix(2), radix: 16) }
    }
}
