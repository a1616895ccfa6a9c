import Engine
import JSONValue
import WorkflowModel

/// Contacts, what happened to them, and filters about them, all by a seed.
package struct RandomContacts {
    package static let now = Timestamp(seconds: 1_800_000_000)
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

    package init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    package mutating func below(_ bound: Int) -> Int { Int(generator.next() % UInt64(bound)) }
    package mutating func pick<Value>(_ values: [Value]) -> Value { values[below(values.count)] }

    // MARK: Values

    package mutating func value(depth: Int = 2) -> JSON {
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

    package mutating func data() -> JSONObject {
        var object: JSONObject = [:]
        for _ in 0..<below(7) {
            let key = pick(Self.keys)
            object[key] = key == "list" ? .array((0..<below(3)).map { _ in value() }) : value(depth: 3)
        }
        return object
    }

    package mutating func path() -> String { pick(Self.paths) }

    private mutating func time() -> Timestamp {
        Self.now.adding(microseconds: -Int64(below(5)) * 86_400_000_000 - Int64(below(3)) * 43_200_000_000)
            .adding(microseconds: pick([0, 0, 1, -1, 999, 500_000]))
    }

    // MARK: Contacts

    package struct World: Sendable {
        /// A segment `nobody` is not there.
        package static let segments = ["vip", "staff"]

        package static func segment(_ name: String) -> Identifier? {
            segments.firstIndex(of: name).map { Identifier(high: 6, low: UInt64($0)) }
        }
        package let project = Project(id: Identifier(high: 7, low: 1), slug: "p", name: "P")
        package var people: [Contact] = []
        package var events: [(Identifier, Event)] = []
        /// Segments by contact, by id.
        package var memberships: [Identifier: Set<Identifier>] = [:]

        package static let kept: Set<String> = ["p", "email.opened"]

        package func lastOccurrence(of name: String, _ contact: Identifier) -> Timestamp? {
            events.filter { $0.0 == contact && $0.1.name == name }.map(\.1.createdAt).max()
        }

        package func scope(_ contact: Contact) -> ContactScope {
            ContactScope(
                contact, now: RandomContacts.now,
                lastOccurrence: { self.lastOccurrence(of: $0, contact.id) },
                isMember: { name in
                    Self.segment(name).map { self.memberships[contact.id]?.contains($0) ?? false } ?? false
                })
        }

        package func store(in store: any Store) async throws {
            try await store.write { store in
                try store.insert(project, at: RandomContacts.now)
                try store.insert(
                    Project(id: Identifier(high: 7, low: 2), slug: "q", name: "Q"), at: RandomContacts.now)
                try store.keepEvents(Self.kept, in: project.id)
                let segments = Self.segments.compactMap { name in
                    Self.segment(name).map {
                        SegmentRecord(
                            id: $0, projectID: project.id, slug: name, name: name, kind: .static, filter: nil,
                            createdAt: RandomContacts.now, updatedAt: RandomContacts.now)
                    }
                }
                for segment in segments { try store.save(segment) }
                for contact in people {
                    try store.insert(contact, in: project.id)
                    // Whoever has left is no member.
                    for segment in segments {
                        _ = try store.enter(contact.id, segment, at: RandomContacts.now)
                        if memberships[contact.id]?.contains(segment.id) == true { continue }
                        _ = try store.leave(contact.id, segment)
                    }
                }
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

    package mutating func world(contacts count: Int) -> World {
        var world = World()
        for number in 0..<count {
            let name = pick(["ann", "ben", "k", "\u{e4}nne", "i\u{307}da", "x;y", "o`neil"])
            world.people.append(
                Contact(
                    id: Identifier(high: 8, low: UInt64(100 + number)), email: "\(name)\(number)@example.org",
                    isSubscribed: below(2) == 0, data: data(), createdAt: time(), updatedAt: time()))
            for id in World.segments.compactMap(World.segment) where below(2) == 0 {
                world.memberships[world.people[number].id, default: []].insert(id)
            }
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

    package mutating func condition() -> Condition {
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

    package mutating func filter(depth: Int) -> Filter {
        let groups = (0...below(2)).map { _ in
            var group = Filter.Group((0..<below(3)).map { _ in condition() })
            if depth > 1, below(3) == 0 { group.nested = filter(depth: depth - 1) }
            return group
        }
        return Filter(below(2) == 0 ? .all : .any, groups)
    }
}
