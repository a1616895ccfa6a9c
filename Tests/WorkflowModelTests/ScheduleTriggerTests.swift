import JSONValue
import Testing
import WorkflowModel

@Suite struct ScheduleTriggerTests {
    private func read(_ config: JSONObject) -> (trigger: ScheduleTrigger?, problems: [WorkflowProblem]) {
        ScheduleTrigger.read(config, path: "triggerConfig", zones: ZoneTable())
    }

    @Test func defaultsAreTheProjectsZoneCatchUpOnceAndParallel() throws {
        let trigger = try #require(read(["schedule": "0 9 * * 1", "all": true]).trigger)
        #expect(trigger == ScheduleTrigger(cron: try CronExpression("0 9 * * 1")))
        #expect(trigger.timezone == nil)
        #expect(trigger.catchUp == .once)
        #expect(trigger.overlap == .parallel)
    }

    @Test func readsWhatItWrites() throws {
        let filter: JSON = [
            "logic": "AND", "groups": [["filters": [["field": "data.plan", "operator": "equals", "value": "pro"]]]],
        ]
        let trigger = try #require(
            read([
                "schedule": "@daily", "timezone": "Europe/Berlin", "filter": filter, "catchUp": "skip",
                "overlap": "queue",
            ]).trigger)
        #expect(trigger.catchUp == .skip)
        #expect(trigger.overlap == .queue)
        #expect(read(trigger.json).trigger == trigger)
    }

    private struct Refusal: Sendable {
        var config: JSONObject
        var path: String
        var message: String

        init(_ config: JSONObject, _ path: String, _ message: String) {
            self.config = config
            self.path = path
            self.message = message
        }
    }

    private static let refusals: [Refusal] = [
        Refusal(["all": true], "triggerConfig.schedule", "is required"),
        Refusal(["schedule": "61 * * * *", "all": true], "triggerConfig.schedule", "its minute field"),
        Refusal(["schedule": "* * * * *"], "triggerConfig.all", "is required"),
        Refusal(["schedule": "* * * * *", "all": false], "triggerConfig.all", "must be true"),
        Refusal(["schedule": "* * * * *", "all": true, "segmentId": "s"], "triggerConfig.all", "stands alone"),
        Refusal(["schedule": "* * * * *", "segmentId": 5], "triggerConfig.segmentId", "id or the slug"),
        Refusal(["schedule": "* * * * *", "filter": []], "triggerConfig.filter", "must be"),
        Refusal(
            ["schedule": "* * * * *", "all": true, "timezone": "Mars/Base"], "triggerConfig.timezone", "no time zone"),
        Refusal(["schedule": "* * * * *", "all": true, "catchUp": "all"], "triggerConfig.catchUp", "once, skip"),
        Refusal(
            ["schedule": "* * * * *", "all": true, "overlap": 1], "triggerConfig.overlap", "parallel, skip, queue"),
        Refusal(["schedule": "* * * * *", "all": true, "cron": "x"], "triggerConfig.cron", "is not known here"),
    ]

    @Test(arguments: refusals)
    private func refusalNamesPathAndRule(_ refusal: Refusal) {
        let (trigger, problems) = read(refusal.config)
        #expect(trigger == nil)
        #expect(problems.contains { $0.path == refusal.path && $0.message.contains(refusal.message) }, "\(problems)")
    }

    @Test func filterMayNotAskForAnExecution() {
        let filter: JSON = [
            "logic": "AND", "groups": [["filters": [["field": "context.plan", "operator": "equals", "value": "pro"]]]],
        ]
        let (_, problems) = read(["schedule": "* * * * *", "filter": filter])
        #expect(problems.first?.path == "triggerConfig.filter.groups.0.filters.0.field")
    }
}
