import Engine
import EngineTestKit
import JSONValue
import SQLStore
import Testing
import WorkflowModel

/// Blocks of contacts, by which members of a segment are found.
@Suite struct ContactBlockTests {
    private static let now = Timestamp(seconds: 1_800_000_000)
    private static let project = Project(id: Identifier(high: 1, low: 1), slug: "shop", name: "Shop")
    private static let segments = ["vip", "new"].enumerated().map { number, slug in
        SegmentRecord(
            id: Identifier(high: 2, low: UInt64(number)), projectID: project.id, slug: slug, name: slug, kind: .static,
            filter: nil, createdAt: now, updatedAt: now)
    }

    private static func contact(_ high: UInt64, _ low: UInt64) -> Contact {
        Contact(
            id: Identifier(high: high, low: low), email: "c\(high)-\(low)@example.org", isSubscribed: true, data: [:],
            createdAt: now, updatedAt: now)
    }

    /// Of each three contacts one is in the first segment, of each two one in the second.
    private static func fill(_ store: SQLiteStore) async throws -> [[Identifier]] {
        try await store.write { store in
            try store.insert(project, at: now)
            for segment in segments { try store.save(segment) }
            var members: [[Identifier]] = [[], []]
            for number in UInt64(0)..<600 {
                let contact = contact(0x0190_0000_0000_7000 + number / 40, 0x8000_0000_0000_0000 + number * 16)
                try store.insert(contact, in: project.id)
                for (place, share) in [(0, 3), (1, 2)] where number % UInt64(share) == 0 {
                    _ = try store.enter(contact.id, segments[place], at: now)
                    members[place].append(contact.id)
                }
            }
            return members
        }
    }

    @Test func membersOfEarlierVersionsAreFound() async throws {
        let database = try TemporaryDatabase()
        let first = try SQLiteStore(path: database.path, exclusively: false)
        let members = try await Self.fill(first)
        try first.close()
        let rows = Rows(database.path)
        let blocks = "SELECT hex(first_id) FROM contact_blocks ORDER BY project_id, first_id"
        let counts = """
            SELECT hex(first_id) || ' ' || hex(segment_id) || ' ' || members FROM segment_blocks s
            JOIN contact_blocks b ON b.id = s.block_id WHERE members > 0 ORDER BY 1
            """
        let (oldBlocks, oldCounts) = (try rows.run(blocks), try rows.run(counts))
        #expect(oldBlocks.count == 16 && oldCounts.count > 16)
        try database.goBack(toSchema: 18)
        let second = try SQLiteStore(path: database.path, exclusively: false)
        #expect(try rows.run(blocks) == oldBlocks)
        #expect(try rows.run(counts) == oldCounts)
        for (segment, members) in zip(Self.segments, members) {
            let page = try await second.read { try $0.members(of: segment.id, limit: 1000, offset: 0) }
            #expect(page.map(\.contact.id) == members)
        }
        try second.close()
    }

    @Test func countsThatAreWrongAreMended() async throws {
        let database = try TemporaryDatabase()
        let store = try SQLiteStore(path: database.path, exclusively: false)
        let members = try await Self.fill(store)
        // None where there are some, and more than there are.
        try Rows(database.path).run("UPDATE segment_blocks SET members = members % 2 * 50 WHERE block_id % 3 > 0")
        for (segment, members) in zip(Self.segments, members) {
            var cursor: Identifier?
            repeat {
                cursor = try await store.write { [cursor] in
                    try $0.recountMembers(of: segment.id, after: cursor, limit: 4)
                }
            } while cursor != nil
            #expect(try await store.write { try $0.recount(segment: segment.id) } == members.count)
            let page = try await store.read { try $0.members(of: segment.id, limit: 30, offset: 100) }
            #expect(page.map(\.contact.id) == Array(members[100..<130]))
        }
        try store.close()
    }

    /// It would go on with the schema that it knows.
    @Test func databaseOfADaemonOfAnEarlierVersionIsLeftAlone() async throws {
        let database = try TemporaryDatabase()
        var daemon: SQLiteStore? = try SQLiteStore(path: database.path, exclusively: true)
        if let daemon { _ = try await Self.fill(daemon) }
        try database.goBack(toSchema: 18)
        let error = #expect(throws: StoreError.self) { try SQLiteStore(path: database.path, exclusively: false) }
        #expect(error?.code == .inUse && error?.description.contains("restart the daemon first") == true)
        try daemon?.close()
        daemon = nil
        try SQLiteStore(path: database.path, exclusively: false).close()
        #expect(try Rows(database.path).count("SELECT count(*) FROM contact_blocks") == 16)
    }

    @Test func blockGoesWithItsLastContact() async throws {
        let database = try TemporaryDatabase()
        let store = try SQLiteStore(path: database.path, exclusively: false)
        let people = [Self.contact(9, 64), Self.contact(9, 65), Self.contact(10, 64), Self.contact(10, 65)]
        try await store.write { store in
            try store.insert(Self.project, at: Self.now)
            for segment in Self.segments { try store.save(segment) }
            for person in people {
                try store.insert(person, in: Self.project.id)
                _ = try store.enter(person.id, Self.segments[0], at: Self.now)
            }
        }
        let starts = "SELECT hex(substr(first_id, 8, 1)) FROM contact_blocks ORDER BY first_id"
        let left: [(Contact, [String])] = [
            (people[0], ["00", "09", "0A"]), (people[1], ["00", "0A"]), (people[3], ["00", "0A"]), (people[2], ["00"]),
        ]
        for (number, (person, blocks)) in left.enumerated() {
            try await store.write { try $0.erase(person, in: Self.project.id, replyKey: "\(number)", at: Self.now) }
            while try await store.write({ try $0.continueErasure(HistorySizes()) }) {}
            #expect(try Rows(database.path).run(starts) == blocks.map { [$0] })
            #expect(try await store.read { try $0.memberCount(of: Self.segments[0].id) } == 3 - number)
        }
        #expect(try Rows(database.path).count("SELECT count(*) FROM segment_blocks WHERE members <> 0") == 0)
        try store.close()
    }

    @Test func nobodysIdIsLeftWhereHeMadeABlock() async throws {
        let database = try TemporaryDatabase()
        let store = try SQLiteStore(path: database.path, exclusively: false)
        let contact = Self.contact(9, 0x8000_0000_0000_0040)
        try await store.write { store in
            try store.insert(Self.project, at: Self.now)
            for contact in [contact, Self.contact(9, 0x8000_0000_0000_0041)] {
                try store.insert(contact, in: Self.project.id)
            }
            try store.erase(contact, in: Self.project.id, replyKey: "k", at: Self.now)
        }
        while try await store.write({ try $0.continueErasure(HistorySizes()) }) {}
        let blocks = try Rows(database.path).run("SELECT hex(first_id) FROM contact_blocks ORDER BY first_id")
        let zeros = String(repeating: "0", count: 16)
        #expect(blocks == [[zeros + zeros], ["0000000000000009" + zeros]])
        try store.close()
    }
}
