import EngineTestKit
import JSONValue
import MailModel
import SQLStore
import Testing
import WorkflowModel

@testable import Engine

/// The hours in which the mail of a SEND_EMAIL step leaves.
@Suite struct MailWindowTests {
    private static let window: JSON = ["days": ["MON", "TUE", "WED", "THU", "FRI"], "from": "09:00", "to": "17:00"]

    private func prepared(
        at start: String, window: JSON = window, data: JSONObject = [:]
    ) async throws -> (EngineFixture, TemporaryDatabase) {
        let database = try TemporaryDatabase()
        let engine = try await EngineFixture(
            store: try SQLiteStore(path: database.path, exclusively: true), clock: VirtualClock(start))
        try await engine.apply(
            document(
                steps: ["mail": ["type": "SEND_EMAIL", "config": ["template": "hello", "window": window]]],
                templates: ["hello": ["type": "TRANSACTIONAL", "subject": "Hello", "text": "Hi"]]))
        try await engine.track("signed_up", data: data)
        return (engine, database)
    }

    private func due(_ engine: EngineFixture) async throws -> String {
        let next = try await engine.context.store.write { try $0.nextEntry() }
        return next.map { "\($0)" } ?? "none"
    }

    @Test(arguments: [
        // Winter and summer in Berlin, the nights in which the clocks change, and a weekend.
        ("2026-01-05T10:00:00Z", "Europe/Berlin", "2026-01-05T10:00:00.000Z"),
        ("2026-01-05T18:00:00Z", "Europe/Berlin", "2026-01-06T08:00:00.000Z"),
        ("2026-07-06T18:00:00Z", "Europe/Berlin", "2026-07-07T07:00:00.000Z"),
        ("2026-03-28T12:00:00Z", "Europe/Berlin", "2026-03-30T07:00:00.000Z"),
        ("2026-10-24T12:00:00Z", "Europe/Berlin", "2026-10-26T08:00:00.000Z"),
        ("2026-01-05T10:00:00Z", "America/New_York", "2026-01-05T14:00:00.000Z"),
        // What is no zone counts as none: the project's is UTC.
        ("2026-01-05T18:00:00Z", "Mars/Base", "2026-01-06T09:00:00.000Z"),
    ])
    func mailLeavesInTheContactsHours(now: String, zone: String, leaves: String) async throws {
        let (engine, database) = try await prepared(at: now, data: ["timezone": .string(zone)])
        #expect(try await due(engine) == leaves)
        // The step is done, and says when.
        let execution = try #require(try await engine.executions().first)
        #expect(execution.status == .completed)
        let step = try await engine.steps(of: execution).first { $0.step == "mail" }
        #expect(step?.output["leavesAt"]?.stringValue == leaves)
        withExtendedLifetime(database) {}
    }

    @Test func windowsOwnZoneGoesFirst() async throws {
        let window: JSON = ["from": "09:00", "to": "17:00", "timezone": "Asia/Tokyo"]
        let (engine, database) = try await prepared(
            at: "2026-01-05T10:00:00Z", window: window, data: ["timezone": "Europe/Berlin"])
        #expect(try await due(engine) == "2026-01-06T00:00:00.000Z")
        withExtendedLifetime(database) {}
    }

    @Test func mailWhoseTurnComesTooLateWaitsForTheNextOpening() async throws {
        let (engine, database) = try await prepared(at: "2026-01-05T16:59:00Z")
        let transport = ScriptedTransport()
        transport.answer([.deferred(reply: Reply(code: 451, enhancedCode: "4.2.0", text: "later"))])
        try await engine.runDispatch(transport)
        #expect(transport.sent.count == 1)
        // The second attempt is due after the window has closed.
        engine.clock.advance(seconds: 3600)
        try await engine.runDispatch(transport)
        #expect(transport.sent.count == 1)
        #expect(try await due(engine) == "2026-01-06T09:00:00.000Z")
        engine.clock.advance(seconds: 16 * 3600)
        try await engine.runDispatch(transport)
        #expect(transport.sent.count == 2)
        // Also its Date, from the first opening.
        #expect(transport.sent[0].bytes == transport.sent[1].bytes)
        withExtendedLifetime(database) {}
    }

    /// A mail that is decided on a Friday evening is no old mail on Monday.
    @Test func mailIsDatedWhenItsWindowOpens() async throws {
        let (engine, database) = try await prepared(at: "2026-01-09T18:00:00Z")
        let transport = ScriptedTransport()
        engine.clock.advance(seconds: 63 * 3600 + 600)
        try await engine.runDispatch(transport)
        let mail = try #require(transport.sent.first)
        #expect(SentMail(mail).field("Date") == "Mon, 12 Jan 2026 09:00:00 +0000")
        withExtendedLifetime(database) {}
    }

    @Test func windowThatIsNoneIsRefusedWhenItIsSaved() async throws {
        let (engine, database) = try await makeEngine()
        let error = await #expect(throws: UseCaseError.self) {
            try await engine.apply(
                document(
                    steps: [
                        "mail": [
                            "type": "SEND_EMAIL",
                            "config": [
                                "template": "hello", "window": ["from": "9", "to": "17:00", "timezone": "Mars/Base"],
                            ],
                        ]
                    ], templates: ["hello": ["subject": "Hello", "text": "Hi"]]))
        }
        #expect(error?.problems.count == 2)
        withExtendedLifetime(database) {}
    }
}
