import Engine
import EngineTestKit
import JSONValue
import SQLStore
import Testing

@Suite struct ReentryTests {
    /// One workflow on `ping`, with or without re-entry.
    private static func apply(_ engine: EngineFixture, allowingReentry: Bool) async throws {
        try await engine.apply([
            "workflow": "flow", "enabled": true, "allowReentry": .bool(allowingReentry), "trigger": ["event": "ping"],
            "steps": ["trigger": ["type": "TRIGGER", "next": "end"], "end": ["type": "EXIT"]],
        ])
    }

    @Test func executionsFromBeforeCountWhenReentryIsForbidden() async throws {
        let database = try TemporaryDatabase()
        let engine = try await EngineFixture(store: try SQLiteStore(path: database.path, exclusively: true))
        try await Self.apply(engine, allowingReentry: true)
        for _ in 0..<3 { try await engine.track("ping", "ann@example.org") }
        try await Self.apply(engine, allowingReentry: false)
        try await engine.track("ping", "ann@example.org")
        try await engine.track("ping", "ben@example.org")
        try await engine.track("ping", "ben@example.org")
        #expect(try await engine.executions().count == 4)
        #expect(try await engine.counter("enrolments_refused") == 2)
    }

    @Test func allowingReentryAgainLetsEverybodyIn() async throws {
        let database = try TemporaryDatabase()
        let engine = try await EngineFixture(store: try SQLiteStore(path: database.path, exclusively: true))
        for allowsReentry in [false, true, false] {
            try await Self.apply(engine, allowingReentry: allowsReentry)
            for _ in 0..<2 { try await engine.track("ping") }
        }
        // One while it was forbidden, two while it was allowed, none afterwards.
        #expect(try await engine.executions().count == 3)
    }
}
