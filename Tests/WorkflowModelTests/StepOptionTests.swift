import JSONValue
import Testing
import WorkflowModel

@Suite struct StepOptionTests {
    /// What is read, written and read again is the same.
    @Test(
        arguments: [
            (.trigger, [:]), (.exit, [:]), (.exit, ["reason": "enough"]),
            (.sendEmail, ["templateId": "hello", "from": "a@x", "replyTo": "b@x", "to": "{{ c }}"]),
            (.delay, ["amount": 1.5, "unit": "hours"]), (.delay, ["amount": 2, "unit": "days"]),
            (.delay, ["until": "{{ event.at }}"]),
            (.waitForEvent, ["eventName": "a"]),
            (
                .waitForEvent,
                [
                    "eventNames": ["a", "email.opened"], "timeout": 60, "lookback": true,
                    "filter": [
                        "logic": "AND",
                        "groups": [["filters": [["field": "event.n", "operator": "greaterThan", "value": 3]]]],
                    ],
                ]
            ),
            (.condition, ["field": "data.plan", "operator": "equals", "value": "pro"]),
            (.condition, ["field": "plan", "operator": "exists"]),
            (
                .condition,
                [
                    "filter": [
                        "logic": "OR",
                        "groups": [
                            [
                                "filters": [
                                    [
                                        "field": "event.bought", "operator": "triggeredWithin", "value": 3,
                                        "unit": "days",
                                    ]
                                ]
                            ]
                        ],
                    ]
                ]
            ),
            (
                .condition,
                [
                    "mode": "multi", "field": "data.plan", "default": "rest",
                    "branches": [
                        ["id": "pro", "name": "Paying", "operator": "equals", "value": "pro"],
                        ["id": "any_1", "name": "any_1", "operator": "exists"],
                    ],
                ]
            ),
            (
                .webhook,
                [
                    "url": "https://x.example/{{ contact.id }}", "method": "PATCH", "headers": ["X-A": "{{ a }}"],
                    "body": ["a": ["{{ b }}", 1, nil]],
                ]
            ),
            (.updateContact, ["data": ["stage": "active", "old": nil], "subscriptionAction": "unsubscribe"]),
        ] as [(StepType, JSONObject)])
    func optionsComeBackAsTheyWereRead(_ type: StepType, _ options: JSONObject) throws {
        let (config, problems) = StepConfigReader.read(type, options, path: "config")
        let read = try #require(config, "\(problems)")
        #expect(read.type == type && read.json == options)
        #expect(StepConfigReader.read(type, read.json, path: "config").config == read)
    }

    @Test(
        arguments: [
            (.waitForEvent, ["eventName": "email.open"], ["eventName": "email.opened"]),
            (
                .waitForEvent,
                ["eventNames": ["email.click", "email.delivery", "email.bounce", "email.complaint", "email.clicked"]],
                ["eventNames": ["email.clicked", "email.delivered", "email.bounced", "email.complained"]]
            ),
            (.waitForEvent, ["eventName": "a", "eventNames": ["b", "a"]], ["eventNames": ["a", "b"]]),
            (.updateContact, ["updates": ["a": 1]], ["data": ["a": 1]]),
            (.sendEmail, ["template": "t"], ["templateId": "t"]),
            (
                .webhook, ["url": "https://x.example/", "method": "post"],
                ["url": "https://x.example/", "method": "POST"]
            ),
        ] as [(StepType, JSONObject, JSONObject)])
    func aliasesMeanTheCanonicalNames(_ type: StepType, _ given: JSONObject, _ canonical: JSONObject) {
        #expect(StepConfigReader.read(type, given, path: "").config?.json == canonical)
    }

    @Test(
        arguments: [
            (.sendEmail, ["templateId": "t", "attachments": [[:]]], "config.attachments"),
            (.delay, ["amount": 1, "unit": "days", "windw": [:]], "config.windw"),
            (.waitForEvent, ["eventName": "a", "lookback": "yes"], "config.lookback"),
            (.waitForEvent, ["eventName": "a", "filter": ["logic": "XOR"]], "config.filter.logic"),
            (.waitForEvent, ["eventName": "a\nb"], "config.eventName"),
            (.waitForEvent, ["eventNames": ["a", 5]], "config.eventNames"),
            (.waitForEvent, ["eventNames": []], "config.eventName"),
            (.waitForEvent, ["eventName": "a", "eventNames": ["b", "c\n"]], "config.eventNames.1"),
            (
                .waitForEvent, ["eventNames": .array((0...20).map { .string("e\($0)") })], "config.eventNames"
            ),
            (.sendEmail, ["template": "a", "templateId": "b"], "config.templateId"),
            (.condition, ["mode": "many", "field": "a", "branches": []], "config.mode"),
            (.condition, ["mode": "multi", "field": "a", "branches": []], "config.branches"),
            (
                .condition, ["mode": "multi", "field": "data.a", "branches": [["id": "a b", "operator": "exists"]]],
                "config.branches.0.id"
            ),
            (
                .condition, ["mode": "multi", "field": "data.a", "branches": [["id": "a", "operator": "is"]]],
                "config.branches.0.operator"
            ),
            (
                .condition,
                [
                    "mode": "multi", "field": "data.a",
                    "branches": [["id": "a", "operator": "exists"], ["id": "a", "operator": "notExists"]],
                ], "config.branches"
            ),
            (.condition, ["mode": "multi", "field": "data.a", "branches": [5]], "config.branches.0"),
            (
                .condition,
                [
                    "filter": [
                        "logic": "AND",
                        "groups": [["filters": [["field": "segment.vip", "operator": "exists"]]]],
                    ]
                ], "config.filter.groups.0.filters.0"
            ),
            (.condition, ["filter": ["logic": "AND", "groups": []], "field": "a"], "config.field"),
            (.webhook, [:], "config.url"), (.webhook, ["url": "ftp://x.example/"], "config.url"),
            (.webhook, ["url": "crm.example"], "config.url"), (.webhook, ["url": "ftp://{{ host }}/"], "config.url"),
            (.webhook, ["url": "https://x.example/", "method": "TRACE"], "config.method"),
            (.webhook, ["url": "https://x.example/", "method": "GET", "body": "x"], "config.body"),
            (.webhook, ["url": "https://x.example/", "headers": ["Host": "y"]], "config.headers.Host"),
            (.webhook, ["url": "https://x.example/", "headers": ["A": "x\ny"]], "config.headers.A"),
            (.webhook, ["url": "https://x.example/", "headers": ["A": "1", "a": "2"]], "config.headers.a"),
            (.webhook, ["url": "https://x.example/", "headers": ["A": 1]], "config.headers.A"),
            (.webhook, ["url": "https://x.example/", "headers": [1]], "config.headers"),
            (.webhook, ["url": "https://x.example/", "retries": 3], "config.retries"),
            (.updateContact, ["data": ["id": 1]], "config.data.id"),
            (.updateContact, ["updates": ["manageUrl": 1]], "config.updates.manageUrl"),
            (.updateContact, ["updates": 5], "config.updates"),
            (.updateContact, ["data": ["a": 1], "updates": ["b": 1]], "config.updates"),
            (.updateContact, ["data": [:], "subscriptionAction": "maybe"], "config.subscriptionAction"),
        ] as [(StepType, JSONObject, String)])
    func refusedOptionIsNamedByItsPath(_ type: StepType, _ options: JSONObject, _ path: String) {
        let (config, problems) = StepConfigReader.read(type, options, path: "config")
        #expect(config == nil)
        #expect(problems.contains { $0.path.hasPrefix(path) }, "\(problems)")
    }

    @Test func graphKnowsWhatItLooksBackOn() throws {
        func config(_ type: StepType, _ options: JSONObject) throws -> StepConfig {
            try #require(StepConfigReader.read(type, options, path: "").config)
        }
        let filter: JSON = [
            "logic": "AND", "groups": [["filters": [["field": "event.email.open", "operator": "triggered"]]]],
        ]
        let graph = try machine([
            ("plain", try config(.waitForEvent, ["eventName": "unkept"])),
            ("back", try config(.waitForEvent, ["eventNames": ["a", "b"], "lookback": true])),
            ("filtered", try config(.waitForEvent, ["eventName": "unkept", "filter": filter])),
        ]).graph
        #expect(graph.lookedBackEvents == ["a", "b", "email.opened"])
    }
}
