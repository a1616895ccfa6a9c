import Engine
import EngineTestKit
import JSONValue
import SQLStore
import Testing
import WorkflowModel

/// A wait that does not look back begins although what it waits for has come: it goes on waiting, and that is counted
/// where it can be known.
@Suite struct MissedEventTests {
    private static func flow(_ before: JSONObject, wait: JSONObject, slug: String = "flow") -> JSON {
        var steps = before
        steps["wait"] = ["type": "WAIT_FOR_EVENT", "config": .object(wait), "next": "end"]
        steps["end"] = ["type": "EXIT"]
        return document(slug: slug, steps: steps)
    }

    private static let pause: JSONObject = [
        "pause": ["type": "DELAY", "config": ["amount": 1, "unit": "minutes"], "next": "wait"]
    ]

    /// Somebody who looks back on `paid`, so that it is kept.
    private static let keeper = document(
        event: "never", slug: "keeper",
        steps: ["wait": ["type": "WAIT_FOR_EVENT", "config": ["eventName": "paid", "lookback": true]]])

    private static func waitOutput(_ engine: EngineFixture) async throws -> JSON? {
        let execution = try #require(try await engine.executions().first)
        return try await engine.steps(of: execution).first { $0.step == "wait" }?.output
    }

    @Test func keptEventBetweenTwoStepsIsCountedAndNamed() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        try await engine.apply(Self.keeper)
        try await engine.apply(Self.flow(Self.pause, wait: ["eventName": "paid"]))
        try await engine.track("signed_up")
        let missed = try await engine.track("paid")
        engine.clock.advance(seconds: 60)
        try await engine.runTimers()
        #expect(try await engine.executions().map(\.status) == [.waiting])
        #expect(try await engine.counter("waits_missed_event") == 1)
        #expect(try await Self.waitOutput(engine)?["missedEvent"]?["eventId"] == .string("\(missed.eventID)"))
        // It stays to be seen when the wait is over.
        try await engine.track("paid")
        #expect(try await engine.executions().map(\.status) == [.exited])
        #expect(try await Self.waitOutput(engine)?["missedEvent"]?["eventId"] == .string("\(missed.eventID)"))
        #expect(try await engine.counter("waits_missed_event") == 1)
    }

    @Test func eventThatNobodyKeepsCannotBeCounted() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        try await engine.apply(Self.flow(Self.pause, wait: ["eventName": "paid"]))
        try await engine.track("signed_up")
        try await engine.track("paid")
        engine.clock.advance(seconds: 60)
        try await engine.runTimers()
        #expect(try await engine.executions().map(\.status) == [.waiting])
        #expect(try await engine.counter("waits_missed_event") == 0)
    }

    @Test func ownEventOfTheSameTransactionIsCounted() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        let update: JSONObject = [
            "tag": ["type": "UPDATE_CONTACT", "config": ["data": ["plan": "pro"]], "next": "wait"]
        ]
        try await engine.apply(Self.flow(update, wait: ["eventName": "contact.updated"]))
        try await engine.track("signed_up")
        #expect(try await engine.executions().map(\.status) == [.waiting])
        #expect(try await engine.counter("waits_missed_event") == 1)
        #expect(try await Self.waitOutput(engine)?["missedEvent"]?["eventName"] == "contact.updated")
    }

    @Test func whatTheWaitWouldNotTakeIsNotMissed() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        let filter: JSON = [
            "logic": "AND",
            "groups": [["filters": [["field": "event.total", "operator": "greaterThan", "value": 10]]]],
        ]
        try await engine.apply(Self.keeper)
        try await engine.apply(Self.flow(Self.pause, wait: ["eventName": "paid", "filter": filter]))
        try await engine.track("paid", data: ["total": 99])
        try await engine.track("signed_up")
        try await engine.track("paid", data: ["total": 5])
        engine.clock.advance(seconds: 60)
        try await engine.runTimers()
        #expect(try await engine.executions().map(\.status) == [.waiting])
        #expect(try await engine.counter("waits_missed_event") == 0)
    }
}
