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

/// Contacts, what happened to them, and filters about them, all by a seed.
struct RandomContacts {
    static let now = Timestamp(seconds: 1_800_000_000)
    private static let keys = [
        "a", "b", "a.b", "x y", "q\"t", "schl\u{fc}ssel", "e\u{301}", "K", "list", "o", "", "b.c",
    ]
    private static let paths = [
        "a", "b", "a.b", "a.b.c", "x y", "q\"t", "schl\u{fc}ssel", "\u{e9}", "\u{212a}", "K", "list.0", "list.1.a",
        "list.9", "o.a", "o.a.b", "o.o.o", "b.c", "missing", "o.K", "list",
    ]
    private static let texts = [
        "", "a", "ab", "A", "b", "\u{e9}", "e\u{301}", "2027-01-15", "2027-01-15T08:00:00Z",
        "2027-01-14T23:30:00+02:00",
        "2027-01-15 08:00", "2027-13-45", "5", "true", "K", "\u{212a}", "line\nbreak \"quoted\" \\", "\u{1F600}",
    ]
    private var generator: SeededGenerator

    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    private mutating func below(_ bound: Int) -> Int { Int(generator.next() % UInt64(bound)) }
    private mutating func pick<Value>(_ values: [Value]) -> Value { values[below(values.count)] }

    // MARK: Values

    mutating func value(depth: Int = 2) -> JSON {
        switch below(depth > 0 ? 12 : 9) {
        case 0: return .null
        case 1: return .bool(below(2) == 0)
        case 2: return .int(Int64(below(4)))
        case 3:
            return pick([
                .int(.max), .int(.min), .int(9_007_199_254_740_993), .int(9_007_199_254_740_992),
                .double(9_007_199_254_740_992), .double(1e300), .double(-0.0), .double(0.1), .double(2), .int(-1),
            ])
        case 4...8: return .string(pick(Self.texts))
        case 9, 10: return .array((0..<below(4)).map { _ in value(depth: depth - 1) })
        default:
            var object: JSONObject = [:]
            for _ in 0..<below(4) { object[pick(Self.keys)] = value(depth: depth - 1) }
            return .object(object)
        }
    }

    mutating func data() -> JSONObject {
        var object: JSONObject = [:]
        for _ in 0..<below(7) {
            let key = pick(Self.keys)
            object[key] = key == "list" ? .array((0..<below(3)).map { _ in value() }) : value(depth: 3)
        }
        return object
    }

    mutating func path() -> String { pick(Self.paths) }

    private mutating func time() -> Timestamp {
        Self.now.adding(microseconds: -Int64(below(5)) * 86_400_000_000 - Int64(below(3)) * 43_200_000_000)
            .adding(microseconds: pick([0, 0, 1, -1, 999, 500_000]))
    }

    // MARK: Contacts

    struct World: Sendable {
        static let segments = ["vip", "staff"]
        let project = Project(id: Identifier(high: 7, low: 1), slug: "p", name: "P")
        var people: [Contact] = []
        var events: [(Identifier, Event)] = []

        static let kept: Set<String> = ["p", "email.opened"]

        func lastOccurrence(of name: String, _ contact: Identifier) -> Timestamp? {
            events.filter { $0.0 == contact && $0.1.name == name }.map(\.1.createdAt).max()
        }

        func scope(_ contact: Contact) -> ContactScope {
            ContactScope(
                contact, now: RandomContacts.now,
                lastOccurrence: { self.lastOccurrence(of: $0, contact.id) },
                isMember: { _ in false })
        }

        func store(in store: any Store) async throws {
            try await store.write { store in
                try store.insert(project, at: RandomContacts.now)
                try store.insert(
                    Project(id: Identifier(high: 7, low: 2), slug: "q", name: "Q"), at: RandomContacts.now)
                try store.keepEvents(Self.kept, in: project.id)
                for contact in people { try store.insert(contact, in: project.id) }
                // Nobody of another project is ever found.
                var stranger = people[0]
                stranger.id = Identifier(high: 8, low: 1)
                try store.insert(stranger, in: Identifier(high: 7, low: 2))
                for (contact, event) in events {
                    try store.insert(event, contact: contact, in: project.id)
                    if Self.kept.contains(event.name) { try store.insertOccurrence(of: event, contact: contact) }
                }
            }
        }
    }

    mutating func world(contacts count: Int) -> World {
        var world = World()
        for number in 0..<count {
            let name = pick(["ann", "ben", "k", "\u{e4}nne", "i\u{307}da", "x;y", "o`neil"])
            world.people.append(
                Contact(
                    id: Identifier(high: 8, low: UInt64(100 + number)), email: "\(name)\(number)@example.org",
                    isSubscribed: below(2) == 0, data: data(), createdAt: time(), updatedAt: time()))
            for name in ["p", "email.opened", "unkept"] where below(2) == 0 {
                for _ in 0...below(2) {
                    let event = Event(
                        id: Identifier(high: 9, low: UInt64(world.events.count)), name: name, data: [:], source: .api,
                        createdAt: time())
                    world.events.append((world.people[number].id, event))
                }
            }
        }
        return world
    }

    // MARK: Filters

    mutating func condition() -> Condition {
        let comparison = pick(Condition.Operator.allCases)
        if comparison.asksForOccurrences {
            let field = pick(["event.p", "email.open", "event.unkept", "event.never"])
            return Condition(field: field, operator: comparison, value: .int(Int64(below(5))), unit: .days)
        }
        if comparison == .memberOfSegment || comparison == .notMemberOfSegment {
            return Condition(field: "segment.\(pick(["vip", "staff", "nobody"]))", operator: comparison)
        }
        let field = pick([
            "email", "subscribed", "createdAt", "updatedAt", "contact.id", "contact.createdAt", "contact.a", "data",
            "data.\(path())", "data.\(path())", "data.\(path())", "data.\(path())", "contact.data.\(path())",
        ])
        var wanted = value(depth: 2)
        if field == "email", below(3) > 0 {
            wanted = pick(["ann1@example.org", "ANN2@EXAMPLE.ORG", "\u{c4}nne", "x;y", "\u{212a}", "example", "`", ""])
        }
        if field == "subscribed", below(4) > 0 { wanted = .bool(below(2) == 0) }
        if comparison.needsUnit { wanted = pick([.int(Int64(below(5))), .double(0.5), .int(1)]) }
        return Condition(
            field: field, operator: comparison, value: comparison.needsValue ? wanted : .null,
            unit: comparison.needsUnit ? pick(Condition.Unit.allCases) : nil)
    }

    mutating func filter(depth: Int) -> Filter {
        let groups = (0...below(2)).map { _ in
            var group = Filter.Group((0..<below(3)).map { _ in condition() })
            if depth > 1, below(3) == 0 { group.nested = filter(depth: depth - 1) }
            return group
        }
        return Filter(below(2) == 0 ? .all : .any, groups)
    }
}
