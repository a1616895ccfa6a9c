import Engine
import EngineTestKit
import JSONValue
import SQLStore
import Testing
import WorkflowModel

/// A filter finds in the database exactly the contacts that it is satisfied by in memory.
@Suite struct FilterAgreementTests {
    /// 12 databases × 60 contacts × 60 filters.
    @Test(arguments: 0..<12) func databaseAndMemoryAgree(_ seed: Int) async throws {
        let database = try TemporaryDatabase()
        let store = try SQLiteStore(path: database.path, exclusively: true)
        var random = RandomContacts(seed: UInt64(seed))
        let world = random.world(contacts: 60)
        try await world.store(in: store)
        for number in 0..<60 {
            let filter = random.filter(depth: 3)
            let expected = world.people.filter { filter.isSatisfied(in: world.scope($0)) }.map(\.id)
            let found = try await store.read { reader in
                try reader.contacts(
                    matching: filter, in: world.project.id, after: nil, limit: 1000, at: RandomContacts.now)
            }
            let count = try await store.read { reader in
                try reader.contactCount(matching: filter, in: world.project.id, at: RandomContacts.now)
            }
            let wrong = Set(found.map(\.id)).symmetricDifference(expected).compactMap { id in
                world.people.first { $0.id == id }
            }
            #expect(
                found.map(\.id) == expected && count == expected.count,
                "seed \(seed), filter \(number): \(JSONWriter.write(filter.json)) and \(wrong.prefix(1))")
        }
        try store.close()
    }

    @Test(arguments: 0..<60) func oneMemberReadAloneIsThatOfTheWhole(_ seed: Int) throws {
        var random = RandomContacts(seed: UInt64(seed) + 1000)
        for _ in 0..<100 {
            let object = JSON.object(random.data())
            let path = random.path()
            var text = JSONWriter.write(object)
            if seed % 2 == 1 { text = text.replacing("\":", with: "\" :\n").replacing("\",", with: "\" , ") }
            let whole = try JSONParser.parse(text)
            let found = try text.withUTF8 { try JSON.value(at: path, inText: $0) }
            #expect(found == whole[path: path], "seed \(seed): \(path) in \(text)")
        }
    }

    @Test func pagesFollowEachOther() async throws {
        let database = try TemporaryDatabase()
        let store = try SQLiteStore(path: database.path, exclusively: true)
        var random = RandomContacts(seed: 7)
        let world = random.world(contacts: 25)
        try await world.store(in: store)
        let everybody = Filter(.all, [.init([Condition(field: "email", operator: .exists)])])
        var found: [Identifier] = []
        while true {
            let after = found.last
            let page = try await store.read { reader in
                try reader.contacts(
                    matching: everybody, in: world.project.id, after: after, limit: 10, at: RandomContacts.now)
            }
            if page.isEmpty { break }
            found += page.map(\.id)
        }
        #expect(found == world.people.map(\.id))
        // Contacts of others are nobody's.
        let elsewhere = try await store.read { reader in
            try reader.contactCount(
                matching: everybody, in: Identifier(high: 9, low: 9), at: RandomContacts.now)
        }
        #expect(elsewhere == 0)
        try store.close()
    }

    /// What was broken off leaves its connection as it was.
    @Test func searchIsBrokenOffWhenItsTimeHasPassed() async throws {
        let database = try TemporaryDatabase()
        let store = try SQLiteStore(path: database.path, exclusively: true)
        var random = RandomContacts(seed: 10)
        let world = random.world(contacts: 600)
        try await world.store(in: store)
        let everybody = Filter(.all, [.init([Condition(field: "email", operator: .notEquals, value: "nobody")])])
        try await store.read { reader in
            func count() throws -> Int {
                try reader.contactCount(matching: everybody, in: world.project.id, at: RandomContacts.now)
            }
            var code: StoreError.Code?
            do { _ = try reader.within(.zero, count) } catch let error as StoreError { code = error.code }
            #expect(code == .tooSlow)
            #expect(try count() == 600)
            let again = try reader.within(.seconds(600), count)
            #expect(again == 600)
        }
        try store.close()
    }

    @Test func textOfAFilterIsNeverPartOfTheStatement() async throws {
        let database = try TemporaryDatabase()
        let store = try SQLiteStore(path: database.path, exclusively: true)
        var random = RandomContacts(seed: 8)
        let world = random.world(contacts: 3)
        try await world.store(in: store)
        let hostile = "') OR 1=1 --\"; DROP TABLE contacts; $.\u{0}"
        for field in ["data.\(hostile)", "email", "event.\(hostile)", "segment.\(hostile)"] {
            let operation: Condition.Operator =
                field.hasPrefix("event") ? .triggered : field.hasPrefix("segment") ? .memberOfSegment : .equals
            let filter = Filter(.all, [.init([Condition(field: field, operator: operation, value: .string(hostile))])])
            let count = try await store.read { reader in
                try reader.contactCount(matching: filter, in: world.project.id, at: RandomContacts.now)
            }
            #expect(count == 0, "\(field)")
        }
        try store.close()
    }

    /// The largest filter that is accepted is still one statement.
    @Test func largestFilterIsStillOneStatement() async throws {
        let database = try TemporaryDatabase()
        let store = try SQLiteStore(path: database.path, exclusively: true)
        var random = RandomContacts(seed: 9)
        let world = random.world(contacts: 3)
        try await world.store(in: store)
        let conditions = (0..<Filter.sizeLimit).map {
            Condition(field: "event.e\($0)", operator: .triggeredOlderThan, value: 1, unit: .days)
        }
        for filter in [
            Filter(.all, [.init(conditions)]), Filter(.any, conditions.map { .init([$0]) }),
        ] {
            let count = try await store.read { reader in
                try reader.contactCount(matching: filter, in: world.project.id, at: RandomContacts.now)
            }
            #expect(count == 0)
        }
        try store.close()
    }
}
