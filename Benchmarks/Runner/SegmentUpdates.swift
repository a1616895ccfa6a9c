import Engine
import Foundation
import JSONValue
import SQLStore
import ServerTestKit
import WorkflowModel

/// What segments cost: one update of a contact with 100 segments that all ask for what changes, and the computation of a
/// whole segment, among 100 000 contacts.
struct SegmentUpdates {
    let programs: Programs

    private static let contacts = 100_000
    private static let segments = 100
    private static let updates = 500
    /// Milliseconds for an update, seconds for a computation.
    private static let limit = 1.0

    private struct Round {
        /// Milliseconds of an update, durable, with all segments and without any.
        var update: Double
        var plain: Double
        /// Seconds.
        var compute: Double
        var computeTimed: Double
    }

    func run() async throws -> BenchmarkResult {
        let directory = try ServerDirectory.temporary()
        let bare = try await EngineUnderTest(database: directory.path("bare.db"))
        let full = try await EngineUnderTest(database: directory.path("full.db"))
        for engine in [bare, full] { try await Self.fill(engine) }
        for number in 0..<Self.segments {
            try await Self.make(full, "S\(number)", Self.filter(number))
        }
        try await Self.compute(full)
        var rounds: [Round] = []
        for number in 1...3 {
            let round = Round(
                update: try await Self.update(full, round: number), plain: try await Self.update(bare, round: number),
                compute: try await Self.computeOne(bare, number, Self.half),
                computeTimed: try await Self.computeOne(bare, number, Self.timed))
            rounds.append(round)
            say(
                "  round \(number): an update \(short(round.update)) ms, without segments \(short(round.plain)) ms; "
                    + "\(Self.contacts) contacts computed in \(short(round.compute)) s, "
                    + "with a span of time in \(short(round.computeTimed)) s")
        }
        try bare.store.close()
        try full.store.close()
        try await directory.remove()
        let update = median(rounds.map(\.update))
        let compute = median(rounds.map(\.compute))
        return BenchmarkResult(
            value: update, unit: "ms", against: "limits of 1 ms an update and 1 s a computation",
            ratio: max(update, compute) / Self.limit,
            more: [
                ("added", update - median(rounds.map(\.plain))), ("plain", median(rounds.map(\.plain))),
                ("computeSeconds", compute), ("computeTimedSeconds", median(rounds.map(\.computeTimed))),
            ])
    }

    private static func fill(_ engine: EngineUnderTest) async throws {
        let project = engine.project.id
        for start in stride(from: 0, to: contacts, by: 1000) {
            try await engine.store.write { store in
                for number in start..<start + 1000 {
                    let created = BenchmarkClock().now().adding(seconds: Int64(-number))
                    let contact = Contact(
                        id: engine.context.identifiers.make(at: created.adding(seconds: Int64(2 * number))),
                        email: "contact-\(number)@example.org", isSubscribed: number % 10 > 0,
                        data: [
                            "firstName": .string("Name \(number)"), "plan": number % 2 == 0 ? "pro" : "free",
                            "score": .int(Int64(number % 100)), "city": "Ulm", "signedUp": .string("\(created)"),
                            "tags": ["a", "b"],
                        ], createdAt: created, updatedAt: created)
                    try store.insert(contact, in: project)
                }
            }
        }
    }

    /// Each asks for the score, which every update changes; some ask for more.
    private static func filter(_ number: Int) -> Filter {
        var conditions = [
            Condition(
                field: "data.score", operator: number % 2 == 0 ? .greaterThan : .lessThan, value: .int(Int64(number)))
        ]
        switch number % 5 {
        case 1: conditions.append(Condition(field: "subscribed", operator: .equals, value: true))
        case 2: conditions.append(Condition(field: "data.city", operator: .contains, value: "l"))
        case 3:
            conditions.append(
                Condition(field: "event.order.placed", operator: .notTriggeredWithin, value: 30, unit: .days))
        case 4 where number > 4:
            conditions.append(Condition(field: "segment.s\(number - 4)", operator: .memberOfSegment))
        default: break
        }
        return Filter(.all, [.init(conditions)])
    }

    private static let half = Filter(
        .all,
        [
            .init([
                Condition(field: "data.plan", operator: .equals, value: "pro"),
                Condition(field: "subscribed", operator: .equals, value: true),
            ])
        ])
    private static let timed = Filter(
        .all,
        [
            .init([
                Condition(field: "data.plan", operator: .equals, value: "pro"),
                Condition(field: "createdAt", operator: .within, value: 14, unit: .hours),
            ])
        ])

    @discardableResult
    private static func make(_ engine: EngineUnderTest, _ name: String, _ filter: Filter) async throws -> SegmentRecord
    {
        try await Segments(context: engine.context, projectID: engine.project.id)
            .create(.init(name: name, kind: .dynamic, filter: filter)).segment
    }

    private static func compute(_ engine: EngineUnderTest) async throws {
        while try await Segmenter(context: engine.context).pass() {}
    }

    /// Seconds for one segment over all contacts, from the request to the last of them.
    private static func computeOne(_ engine: EngineUnderTest, _ number: Int, _ filter: Filter) async throws -> Double {
        let took = try await seconds {
            let segment = try await make(engine, "Computed \(number)", filter)
            try await compute(engine)
            let count = try await engine.store.read { try $0.memberCount(of: segment.id) }
            guard count > contacts / 10, count < contacts else { throw BenchmarkFailure("\(count) are in the segment") }
        }
        // The updates that follow are those of a project without segments.
        let segments = Segments(context: engine.context, projectID: engine.project.id)
        for segment in try await segments.list(search: "", limit: 100, offset: 0).rows {
            try await segments.delete("\(segment.segment.id)")
        }
        try await compute(engine)
        return took
    }

    /// Milliseconds at the median for an event that changes the score of its contact, one after the other.
    private static func update(_ engine: EngineUnderTest, round: Int) async throws -> Double {
        var times: [Double] = []
        for number in 0..<updates {
            let email = "contact-\((round * updates + number) * 7919 % contacts)@example.org"
            let score: JSON = .int(Int64((number * 31 + round) % 100))
            times.append(try await seconds { try await engine.track("seen", email: email, data: ["score": score]) })
        }
        return median(times) * 1000
    }
}
