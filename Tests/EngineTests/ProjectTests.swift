import Engine
import EngineTestKit
import JSONValue
import SQLStore
import Testing
import WorkflowModel

@Suite struct ProjectTests {
    @Test func projectsAreMadeNamedAndListed() async throws {
        let database = try TemporaryDatabase()
        let engine = try await EngineFixture(store: try SQLiteStore(path: database.path, exclusively: false))
        let projects = Projects(context: engine.context)
        engine.clock.advance(seconds: 1)
        try await projects.create("news-letter", name: "Newsletter", timezone: "Europe/Berlin")
        engine.clock.advance(seconds: 1)
        try await projects.create("shop")
        try await projects.rename("shop", to: "The shop")
        #expect(try await projects.list().map(\.slug) == ["default", "news-letter", "shop"])
        #expect(try await projects.list().map(\.name) == ["Default", "Newsletter", "The shop"])
        #expect(try await projects.list().map(\.timezone) == ["UTC", "Europe/Berlin", "UTC"])
    }

    @Test(arguments: [
        ("shop", "Shop", "UTC", UseCaseError.Code.conflict), ("", "x", "UTC", .invalid), ("Shop", "x", "UTC", .invalid),
        ("a b", "x", "UTC", .invalid), (String(repeating: "a", count: 65), "x", "UTC", .invalid),
        ("b", " ", "UTC", .invalid), ("b", "a\nb", "UTC", .invalid), ("b", "x", "Mars/Olympus", .invalid),
        ("b", "x", "GMT+2", .invalid),
    ])
    func whatCannotBeAProjectIsRefused(
        slug: String, name: String, timezone: String, code: UseCaseError.Code
    ) async throws {
        let database = try TemporaryDatabase()
        let engine = try await EngineFixture(store: try SQLiteStore(path: database.path, exclusively: false))
        let projects = Projects(context: engine.context)
        try await projects.create("shop")
        let error = await #expect(throws: UseCaseError.self) {
            try await projects.create(slug, name: name, timezone: timezone)
        }
        #expect(error?.code == code)
        #expect(try await projects.list().count == 2)
    }

    @Test func aNewZonePlansTheSchedulesThatGoByIt() async throws {
        // Monday 09:00 in UTC.
        let stage = try await ScheduleStage(schedule: "0 12 * * *")
        try await stage.contacts(["ann@example.org"])
        try await stage.run()
        let projects = Projects(context: stage.engine.context)
        #expect(try await projects.setTimezone(Project.defaultSlug, to: "Asia/Tokyo") == 1)
        try await stage.run()
        let next = try await stage.engine.context.store.write { try $0.nextSchedule() }
        // Noon in Tokyo is 03:00 in UTC, of the next day by now.
        #expect(next == Timestamp(rfc3339: "2026-01-06T03:00:00Z"))
        #expect(try await projects.setTimezone(Project.defaultSlug, to: "Asia/Tokyo") == 0)
        stage.clock.advance(seconds: 18 * 3600)
        try await stage.run()
        #expect(try await stage.ticks().count == 1)
        for zone in ["", "Tokyo", "Asia/Tokyo ", "../etc/passwd"] {
            let error = await #expect(throws: UseCaseError.self) {
                _ = try await projects.setTimezone(Project.defaultSlug, to: zone)
            }
            #expect(error?.code == .invalid)
        }
    }

    @Test func aScheduleWithItsOwnZoneStays() async throws {
        let stage = try await ScheduleStage(schedule: "0 12 * * *", more: ["timezone": "Europe/Berlin"])
        try await stage.run()
        let before = try await stage.engine.context.store.write { try $0.nextSchedule() }
        #expect(
            try await Projects(context: stage.engine.context).setTimezone(Project.defaultSlug, to: "Asia/Tokyo") == 0)
        try await stage.run()
        #expect(try await stage.engine.context.store.write { try $0.nextSchedule() } == before)
    }
}
