import Engine
import EngineTestKit
import JSONValue
import Testing
import WorkflowModel

/// What one cause brings about is bounded, and what comes from outside never is.
@Suite struct FanOutTests {
    /// So many workflows that each change the contact when it was changed.
    private func applyMultipliers(_ engine: EngineFixture, count: Int) async throws {
        for number in 0..<count {
            try await engine.apply(
                document(
                    event: "contact.updated", reentry: true, slug: "multiplier-\(number)",
                    steps: [
                        "note": ["type": "UPDATE_CONTACT", "config": ["data": ["k\(number)": "{{ execution.id }}"]]]
                    ]))
        }
    }

    private func executionCount(_ engine: EngineFixture) async throws -> Int {
        let project = engine.project.id
        return try await engine.context.store.read { reader in
            try reader.executionCounts(in: project).values.reduce(0) { $0 + $1.values.reduce(0, +) }
        }
    }

    /// The ends of loops start executions too, to be seen: they count.
    @Test func workflowsThatMultiplyAreStopped() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        try await applyMultipliers(engine, count: 8)
        try await engine.track("signed_up", data: ["plan": "one"])
        try await engine.track("signed_up", data: ["plan": "two"])
        let count = try await executionCount(engine)
        #expect(count > 500 && count < 2500)
        #expect(try await engine.counter("event_fanouts_stopped") > 0)
        // Nothing of it holds up the next event.
        try await engine.apply(document(steps: ["end": ["type": "EXIT"]]))
        try await engine.track("signed_up", "ben@example.org")
        #expect(try await engine.executions().map(\.status) == [.exited])
    }

    /// Timers that are due together share a transaction, and are causes of their own.
    @Test func manyTimersAtOnceAreNotOneCause() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        try await engine.apply(
            document(
                steps: [
                    "pause": ["type": "DELAY", "config": ["amount": 1, "unit": "minutes"], "next": "note"],
                    "note": ["type": "UPDATE_CONTACT", "config": ["data": ["seen": true]]],
                ]))
        for number in 0..<6 {
            try await engine.apply(
                document(
                    event: "contact.updated", slug: "follower-\(number)",
                    steps: ["note": ["type": "UPDATE_CONTACT", "config": ["data": ["k\(number)": "same"]]]]))
        }
        for number in 0..<200 { try await engine.track("signed_up", "c\(number)@example.org") }
        engine.clock.advance(seconds: 60)
        try await engine.runTimers()
        #expect(try await engine.counter("event_fanouts_stopped") == 0)
        #expect(try await executionCount(engine) == 200 + 200 * 6)
    }

    /// Recipients of one request share a transaction, and are causes of their own.
    @Test func manyRecipientsAtOnceAreNotOneCause() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        for number in 0..<12 {
            try await engine.apply(
                document(
                    event: "contact.created", slug: "greeter-\(number)",
                    steps: ["note": ["type": "UPDATE_CONTACT", "config": ["data": ["k\(number)": "same"]]]]))
        }
        _ = try await DirectMail(context: engine.context).send(
            .init(
                projectID: engine.project.id,
                recipients: (0..<100).map { .init(email: "c\($0)@example.org") }, subject: "Hi", body: "Hi"))
        #expect(try await engine.counter("event_fanouts_stopped") == 0)
        #expect(try await executionCount(engine) == 1200)
    }
}
