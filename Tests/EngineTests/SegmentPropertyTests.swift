import Engine
import EngineTestKit
import JSONValue
import SQLStore
import Testing
import WorkflowModel

/// Whatever happens in whatever order: who is kept in a segment is who satisfies its filter, and the events say the same.
@Suite struct SegmentPropertyTests {
    private static let people = ["ann", "ben", "cem", "dag"].map { "\($0)@example.org" }

    @Test(arguments: 0..<20) func whatIsKeptIsWhatTheFiltersSay(_ seed: Int) async throws {
        let stage = try await SegmentStage()
        var random = RandomSegments(seed: UInt64(seed))
        for number in 0..<8 {
            _ = try await stage.segments.create(
                .init(name: "S\(number)", kind: .dynamic, filter: random.filter(among: number)), announces: true)
        }
        try await stage.run()
        for step in 0..<60 {
            let email = random.pick(Self.people)
            switch random.below(10) {
            case 0..<4: try await stage.engine.track("x", email, data: random.data(at: stage.engine.clock.now()))
            case 4: try await stage.engine.track("x", email, subscribed: random.below(2) == 0)
            case 5, 6: try await stage.engine.track(random.pick(["p", "q"]), email)
            case 7, 8: stage.engine.clock.advance(microseconds: random.span())
            default:
                let number = random.below(8)
                _ = try await stage.segments.change(
                    "s\(number)", .init(filter: random.filter(among: number)), announces: true)
            }
            try await stage.run()
            try await Self.check(stage, "seed \(seed), step \(step)")
        }
    }

    private static func check(_ stage: SegmentStage, _ place: Comment) async throws {
        let project = stage.project
        let now = stage.engine.clock.now()
        try await stage.store.read { reader in
            let index = try #require(try reader.loadCatalog().segments[project])
            var counts: [Identifier: Int] = [:]
            for email in people {
                guard let contact = try reader.contact(email: email, in: project) else { continue }
                let kept = try reader.memberships(of: contact.id)
                let occurrences = try ["p", "q"].reduce(into: [String: Timestamp]()) {
                    $0[$1] = try reader.lastOccurrence(of: $1, contact: contact.id)
                }
                var members: Set<Identifier> = []
                for segment in index.segments {
                    let known = members
                    let scope = ContactScope(
                        contact, now: now, lastOccurrence: { occurrences[$0] },
                        isMember: { name in index.segment(name).map { known.contains($0.id) } ?? false })
                    if segment.filter?.isSatisfied(in: scope) == true { members.insert(segment.id) }
                }
                let slugs = { (ids: Set<Identifier>) in ids.compactMap { index.segment("\($0)")?.slug }.sorted() }
                #expect(slugs(kept) == slugs(members), place)
                for id in kept { counts[id, default: 0] += 1 }
            }
            for segment in index.segments {
                let entries = try reader.newestEventData(of: segment.entryEvent, in: project, among: 100_000).count
                let exits = try reader.newestEventData(of: segment.exitEvent, in: project, among: 100_000).count
                let count = try reader.memberCount(of: segment.id)
                #expect(count == counts[segment.id] ?? 0 && entries - exits == count, place)
            }
        }
    }
}

/// Filters of segments, and data that they ask for, by a seed.
private struct RandomSegments {
    private var generator: SeededGenerator

    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    mutating func below(_ bound: Int) -> Int { Int(generator.next() % UInt64(bound)) }
    mutating func pick<Value>(_ values: [Value]) -> Value { values[below(values.count)] }

    /// Microseconds, often just what makes the difference.
    mutating func span() -> Int64 { pick([1, 999_999, 60_000_000, 60_000_001, 3_600_000_001, 86_400_000_000]) }

    mutating func data(at now: Timestamp) -> JSONObject {
        var data: JSONObject = [:]
        for key in ["a", "b"] where below(2) == 0 { data[key] = pick([1, 2, "x", nil, ["c": 1], ["c": "x"]]) }
        if below(2) == 0 {
            data["date"] = .string("\(now.adding(seconds: pick([-3600, -60, -1, 0, 30, 3600])))")
        }
        return data
    }

    private mutating func condition(among number: Int) -> Condition {
        let span: JSON = .int(Int64(below(2) + 1))
        let unit = pick([Condition.Unit.minutes, .minutes, .hours])
        switch below(number > 0 ? 12 : 10) {
        case 0: return Condition(field: "data.a", operator: .equals, value: pick([1, 2, "x"]))
        case 1: return Condition(field: "data.b", operator: pick([.exists, .notExists]))
        case 2: return Condition(field: "data.a.c", operator: pick([.equals, .notEquals]), value: pick([1, "x"]))
        case 3: return Condition(field: "subscribed", operator: .equals, value: .bool(below(2) == 0))
        case 4: return Condition(field: "email", operator: .contains, value: pick(["a", "ben"]))
        case 5: return Condition(field: "data.date", operator: pick([.within, .olderThan]), value: span, unit: unit)
        case 6: return Condition(field: "createdAt", operator: pick([.within, .olderThan]), value: span, unit: unit)
        case 7: return Condition(field: "updatedAt", operator: pick([.within, .olderThan]), value: span, unit: unit)
        case 8:
            return Condition(
                field: "event.\(pick(["p", "q"]))",
                operator: pick([.triggeredWithin, .triggeredOlderThan, .notTriggeredWithin]), value: span, unit: unit)
        case 9: return Condition(field: "event.\(pick(["p", "q"]))", operator: pick([.triggered, .notTriggered]))
        default:
            return Condition(
                field: "segment.s\(below(number))", operator: pick([.memberOfSegment, .notMemberOfSegment]))
        }
    }

    /// Asks for segments before it alone, so that there is no circle.
    mutating func filter(among number: Int) -> Filter {
        Filter(
            below(2) == 0 ? .all : .any,
            (0...below(2)).map { _ in .init((0...below(2)).map { _ in condition(among: number) }) })
    }
}
