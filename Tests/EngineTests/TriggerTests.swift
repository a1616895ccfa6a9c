import Engine
import EngineTestKit
import JSONValue
import SQLStore
import Testing
import WorkflowModel

@Suite struct TriggerTests {
    @Test func typesAreReadAsTheyAreShown() throws {
        let schedule: JSON = [
            "schedule": "0 9 * * 1", "timezone": "Europe/Berlin", "all": true, "catchUp": "skip", "overlap": "queue",
        ]
        for (type, config) in [("EVENT", ["eventName": "signed_up"]), ("MANUAL", .null), ("SCHEDULE", schedule)] {
            let (trigger, problems) = WorkflowRecord.Trigger.read(type: type, config: config)
            #expect(problems.isEmpty)
            #expect(trigger?.type == type)
            #expect(trigger?.config == config)
        }
    }

    @Test func eventNameIsTrimmedAndCanonical() {
        let (trigger, _) = WorkflowRecord.Trigger.read(type: "EVENT", config: ["eventName": " email.open\n"])
        #expect(trigger == .event("email.opened"))
    }

    @Test func refusalsNameThePath() {
        let cases: [(String, JSON, String)] = [
            ("CRON", .null, "triggerType"), ("EVENT", .null, "triggerConfig.eventName"),
            ("EVENT", ["eventName": "  "], "triggerConfig.eventName"),
            ("EVENT", ["eventName": "a", "x": 1], "triggerConfig.x"), ("EVENT", "a", "triggerConfig"),
            ("MANUAL", ["eventName": "a"], "triggerConfig.eventName"),
            ("SCHEDULE", ["schedule": "0 9 * * 1", "all": true, "timezone": "Mars/Base"], "triggerConfig.timezone"),
        ]
        for (type, config, path) in cases {
            let (trigger, problems) = WorkflowRecord.Trigger.read(type: type, config: config)
            #expect(trigger == nil)
            #expect(problems.map(\.path) == [path])
        }
    }

    @Test func onlyAnEventIsFrozen() throws {
        let schedule = WorkflowRecord.Trigger.schedule(ScheduleTrigger(cron: try CronExpression("@daily")))
        #expect(WorkflowRecord.Trigger.event("a").isFrozen(against: .event("b")))
        #expect(!WorkflowRecord.Trigger.event("a").isFrozen(against: .event("a")))
        #expect(!schedule.isFrozen(against: .manual))
    }

    @Test func scheduleOfADocumentIsKept() async throws {
        let database = try TemporaryDatabase()
        let engine = try await EngineFixture(store: try SQLiteStore(path: database.path, exclusively: true))
        let trigger: JSON = ["schedule": "0 9 * * MON", "timezone": "Europe/Berlin", "all": true]
        try await engine.apply(["workflow": "flow", "trigger": trigger, "steps": ["trigger": ["type": "TRIGGER"]]])
        let catalog = try await engine.context.store.read { try $0.loadCatalog() }
        let expected = ScheduleTrigger(cron: try CronExpression("0 9 * * MON"), timezone: "Europe/Berlin")
        #expect(catalog.workflows.map(\.trigger) == [.schedule(expected)])
        #expect(catalog.projects.map(\.timezone) == ["UTC"])
    }

    @Test func documentWithABadScheduleNamesThePath() {
        let error = #expect(throws: UseCaseError.self) {
            try WorkflowDocument([
                "workflow": "flow", "trigger": ["schedule": "0 25 * * *", "segmentId": 5, "catchUp": "never"],
                "steps": ["trigger": ["type": "TRIGGER"]],
            ])
        }
        #expect(
            error?.problems.map(\.path).sorted() == ["trigger.catchUp", "trigger.schedule", "trigger.segmentId"])
    }
}
