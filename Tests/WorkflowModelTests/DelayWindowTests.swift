import JSONValue
import Testing
import WorkflowModel

@Suite struct DelayWindowTests {
    private let morning: JSON = ["from": "09:00", "to": "17:00"]

    /// When a DELAY that begins at `now` ends.
    private func due(
        _ config: JSONObject, at now: String, contactZone: String? = nil, projectZone: String = "UTC"
    ) throws -> String {
        let (step, problems) = StepConfigReader.read(.delay, config, path: "config", zones: ZoneTable())
        #expect(problems.isEmpty)
        let environment = TestEnvironment()
        environment.zones = ZoneTable()
        environment.projectZone = projectZone
        let moving = try machine([("pause", try #require(step))], environment: environment)
        var contact = ann
        if let contactZone { contact.data["timezone"] = .string(contactZone) }
        let time = moment(now)
        var execution = newExecution()
        execution.startedAt = time
        let move = try #require(moving.advance(execution, contact: contact, input: .started, now: time))
        let due = try #require(move.execution.wait?.due)
        #expect(move.steps.last?.output["resumeAt"] == .string("\(due)"))
        return due.description.replacing(".000Z", with: "Z")
    }

    @Test func endInsideTheWindowStays() throws {
        #expect(
            try due(["amount": 1, "unit": "hours", "window": morning], at: "2026-01-05T10:00:00Z")
                == "2026-01-05T11:00:00Z")
    }

    @Test func endOutsideMovesToTheNextOpening() throws {
        #expect(
            try due(["amount": 8, "unit": "hours", "window": morning], at: "2026-01-05T10:00:00Z")
                == "2026-01-06T09:00:00Z")
    }

    @Test func instantIsMovedTooAndNeverIntoThePast() throws {
        #expect(
            try due(["until": "2026-01-07T20:00:00Z", "window": morning], at: "2026-01-05T10:00:00Z")
                == "2026-01-08T09:00:00Z")
        #expect(
            try due(["until": "2025-01-07T10:00:00Z", "window": morning], at: "2026-01-05T20:00:00Z")
                == "2026-01-06T09:00:00Z")
    }

    @Test(arguments: [
        ("Europe/Berlin", "2026-03-28T20:00:00Z", "2026-03-29T07:00:00Z"),
        ("Europe/Berlin", "2026-10-24T20:00:00Z", "2026-10-25T08:00:00Z"),
        ("America/New_York", "2026-03-08T03:00:00Z", "2026-03-08T13:00:00Z"),
        ("America/New_York", "2026-11-01T02:00:00Z", "2026-11-01T14:00:00Z"),
        ("Australia/Lord_Howe", "2026-10-03T12:00:00Z", "2026-10-03T22:00:00Z"),
        ("Australia/Lord_Howe", "2026-04-04T12:00:00Z", "2026-04-04T22:30:00Z"),
    ])
    func nextMorningIsTheContactsAcrossBothChanges(_ zone: String, _ evening: String, _ expected: String) throws {
        let config: JSONObject = ["amount": 1, "unit": "minutes", "window": morning]
        #expect(try due(config, at: evening, contactZone: zone, projectZone: "UTC") == expected)
    }

    @Test func zoneIsTheWindowsThenTheContactsThenTheProjects() throws {
        var config: JSONObject = ["amount": 1, "unit": "minutes", "window": morning]
        #expect(try due(config, at: "2026-01-05T20:00:00Z", projectZone: "Europe/Berlin") == "2026-01-06T08:00:00Z")
        #expect(
            try due(config, at: "2026-01-05T20:00:00Z", contactZone: "nowhere", projectZone: "Europe/Berlin")
                == "2026-01-06T08:00:00Z")
        config["window"] = ["from": "09:00", "to": "17:00", "timezone": "America/New_York"]
        #expect(
            try due(config, at: "2026-01-05T23:00:00Z", contactZone: "Europe/Berlin") == "2026-01-06T14:00:00Z")
    }

    @Test func refusalNamesPathAndRule() {
        let config: JSONObject = [
            "amount": 1, "unit": "days", "window": ["from": "9", "to": "17:00", "timezone": "Mars/Base"],
        ]
        let (step, problems) = StepConfigReader.read(.delay, config, path: "steps.pause.config", zones: ZoneTable())
        #expect(step == nil)
        #expect(problems.map(\.path) == ["steps.pause.config.window.from", "steps.pause.config.window.timezone"])
    }

    @Test func storedZoneIsTakenAsItIs() {
        let config: JSONObject = [
            "amount": 1, "unit": "days", "window": ["from": "09:00", "to": "17:00", "timezone": "Mars/Base"],
        ]
        #expect(StepConfigReader.read(.delay, config, path: "c").problems.isEmpty)
    }
}
