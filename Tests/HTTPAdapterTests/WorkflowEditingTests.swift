import Engine
import EngineTestKit
import HTTPAdapter
import JSONValue
import Testing
import WorkflowModel

/// Workflows made and changed over HTTP, with a real engine behind it.
@Suite struct WorkflowEditingTests {
    // MARK: Whole workflows

    @Test func runsAreMovedToTheCurrentVersionOrTheReportSaysWhyNot() async throws {
        try await withEngine { server in
            let workflow = try await server.makeDelayed()
            let id = try #require(Identifier(String(workflow.dropFirst("/workflows/".count))))
            try await server.engine.track("signed_up")
            let record = try #require(try await server.engine.context.store.read { try $0.loadCatalog().workflow(id) })
            var newer = record
            newer.versionID = Identifier(high: 99, low: 1)
            newer.versionNumber += 1
            let published = newer
            try await server.engine.context.store.write {
                try $0.save(published, definition: WorkflowDefinition.json(of: published.graph))
            }
            let look = try await server.send("POST", "\(workflow)/migrate")
            #expect(look.status == 200 && look.body["dryRun"] == true && look.body["executions"] == 1)
            #expect(look.body["obstacles"] == [] && look.body["current"] == 0)
            let done = try await server.send("POST", "\(workflow)/migrate", ["dryRun": false])
            #expect(done.status == 200 && done.body["dryRun"] == false && done.body["executions"] == 1)
            #expect(try await server.send("POST", "\(workflow)/migrate", [:]).body["current"] == 1)
            let bad = try await server.send("POST", "\(workflow)/migrate", ["dryRun": "no"])
            #expect(bad.status == 422 && bad.fields == ["dryRun"])
            // A version without the step that it stands on.
            newer.graph = try WorkflowGraph(steps: record.graph.steps.filter { $0.config == .trigger }, transitions: [])
            newer.versionID = Identifier(high: 99, low: 2)
            newer.versionNumber += 1
            let shorter = newer
            try await server.engine.context.store.write {
                try $0.save(shorter, definition: WorkflowDefinition.json(of: shorter.graph))
            }
            let orphan = try await server.send("POST", "\(workflow)/migrate", ["dryRun": true])
            #expect(orphan.body["obstacleCount"] == 1 && orphan.body["executions"] == 0)
            let refused = try await server.send("POST", "\(workflow)/migrate", ["dryRun": false])
            #expect(refused.status == 409 && refused.code == "conflict" && refused.fields.count == 1)
            #expect(try await server.send("POST", "/workflows/\(Identifier(high: 1, low: 1))/migrate").status == 404)
        }
    }

    @Test func theReentryKeyIsSetTakenAwayAndShownWithItsValues() async throws {
        try await withEngine { server in
            let made = try await server.send(
                "POST", "/workflows",
                ["name": "Order", "eventName": "paid", "enabled": false, "reentryKey": "order.id"])
            #expect(made.status == 201 && made.body["reentryKey"] == "order.id")
            let path = "/workflows/\(made.body["id"]?.stringValue ?? "")"
            for key in [5, "", "a..b", ["a"]] as [JSON] {
                let refused = try await server.send("PATCH", path, ["reentryKey": key])
                #expect(refused.status == 422 && refused.fields == ["reentryKey"], "\(key)")
            }
            #expect(try await server.send("PATCH", path, ["name": "Orders"]).body["reentryKey"] == "order.id")
            _ = try await server.send("PATCH", path, ["enabled": true])
            for order in [1, 1, 2] as [JSON] { try await server.engine.track("paid", data: ["order": ["id": order]]) }
            let list = try await server.send("GET", "\(path)/executions")
            #expect(list.body["data"]?.arrayValue?.map { $0["reentryValue"] } == ["2", "1"])
            let ann = try #require(try await server.engine.contact()).id
            let missing = try await server.send("POST", "\(path)/executions", ["contactId": .string("\(ann)")])
            #expect(missing.status == 422 && missing.fields == ["context.order.id"])
            let taken = try await server.send(
                "POST", "\(path)/executions",
                ["contactId": .string("\(ann)"), "context": ["order": ["id": "1"]]])
            #expect(taken.status == 409 && taken.code == "REENTRY_FORBIDDEN")
            #expect(try await server.send("PATCH", path, ["reentryKey": nil]).body["reentryKey"] == .null)
        }
    }

    @Test func whatNobodyCanSeeOrWaitForIsRefused() async throws {
        try await withEngine { server in
            let workflow = try await server.makeWorkflow()
            let bad: [(type: String, config: JSON, field: String)] = [
                ("WAIT_FOR_EVENT", ["eventName": "  "], "config.eventName"),
                ("WAIT_FOR_EVENT", ["eventName": "\u{a0}"], "config.eventName"),
                ("DELAY", ["amount": 1e-300, "unit": "days"], "config.amount"),
                ("DELAY", ["amount": 0.00001, "unit": "minutes"], "config.amount"),
                ("WEBHOOK", ["url": "http://out.example/"], "config.url"),
            ]
            for (type, config, field) in bad {
                let reply = try await server.send(
                    "POST", "\(workflow)/steps", ["type": .string(type), "name": "Step", "config": config])
                #expect(reply.status == 422 && reply.fields == [field], "\(type) \(config) \(reply.body)")
            }
        }
    }

    @Test func aWorkflowIsMadeReadChangedAndDeleted() async throws {
        try await withEngine { server in
            let made = try await server.send(
                "POST", "/workflows",
                ["name": " Welcome ", "eventName": "signed_up", "description": "Greets", "allowReentry": true])
            #expect(made.status == 201 && made.body["enabled"] == false && made.body["name"] == "Welcome")
            #expect(made.body["triggerConfig"] == ["eventName": "signed_up"] && made.body["allowReentry"] == true)
            let step = made.body[path: "steps.0"]
            #expect(step?["type"] == "TRIGGER" && step?["name"] == "Trigger: signed_up")
            #expect(step?["position"] == ["x": 100, "y": 100] && step?["config"] == ["eventName": "signed_up"])
            let path = "/workflows/\(made.body["id"]?.stringValue ?? "")"
            #expect(try await server.send("GET", path).body == made.body)
            let changed = try await server.send("PATCH", path, ["name": "Hello", "description": nil, "enabled": true])
            #expect(changed.status == 200 && changed.body["name"] == "Hello" && changed.body["description"] == .null)
            let gone = try await server.send("DELETE", path)
            #expect(gone.status == 204 && gone.answer.body.isEmpty)
            #expect(try await server.send("GET", path).code == "not_found")
            #expect(try await server.send("DELETE", path).code == "not_found")
        }
    }

    @Test(
        arguments: [
            ([:], ["name", "eventName"]), (["name": 1, "eventName": nil], ["name", "eventName"]),
            (["name": " ", "eventName": " "], ["name", "eventName"]),
            (["name": "W", "eventName": "x", "triggerType": "MANUAL"], ["triggerType"]),
            (["name": .string(String(repeating: "n", count: 101)), "eventName": "x"], ["name"]),
            (
                ["name": "a\u{7}", "eventName": "x", "enabled": "yes", "description": 5],
                ["name", "description", "enabled"]
            ),
            (["name": "W", "eventName": .string(String(repeating: "é", count: 150))], ["eventName"]),
            ([], [""]), ("text", [""]),
        ] as [(JSON, [String])])
    func aNewWorkflowsValuesAreChecked(body: JSON, fields: [String]) async throws {
        try await withEngine { server in
            let reply = try await server.send("POST", "/workflows", body)
            #expect(reply.code == "validation_error" && reply.fields == fields)
        }
    }

    @Test func workflowsAreSearchedFilteredAndSorted() async throws {
        try await withEngine { server in
            server.engine.clock.advance(seconds: 1)
            let first = try await server.makeWorkflow("Alpha")
            server.engine.clock.advance(seconds: 1)
            _ = try await server.makeWorkflow("beta")
            server.engine.clock.advance(seconds: 1)
            let third = try await server.makeWorkflow("Gamma")
            _ = try await server.send("PATCH", first, ["enabled": true, "description": "Contains BETA"])
            try await server.addStep(third, "EXIT", "End")
            func names(_ query: String) async throws -> [String] {
                let reply = try await server.send("GET", "/workflows?search=a&\(query)")
                return reply.body["data"]?.arrayValue?.compactMap { $0["name"]?.stringValue } ?? []
            }
            #expect(try await names("sort=name&dir=asc") == ["Alpha", "beta", "Gamma", "templates"])
            #expect(try await names("sort=name") == ["templates", "Gamma", "beta", "Alpha"])
            #expect(try await names("sort=steps") == ["Gamma", "beta", "Alpha", "templates"])
            #expect(try await names("dir=asc") == ["templates", "Alpha", "beta", "Gamma"])
            #expect(try await names("status=active") == ["Alpha"])
            #expect(try await names("status=disabled&dir=asc&pageSize=2&page=2") == ["Gamma"])
            let found = try await server.send("GET", "/workflows?search=BeTa&sort=name&dir=asc")
            #expect(found.body["total"] == 2 && found.body[path: "data.0._count.steps"] == 1)
            let bad = try await server.send("GET", "/workflows?status=on&sort=age&dir=up")
            #expect(bad.code == "validation_error" && bad.fields == ["status", "sort", "dir"])
        }
    }

    @Test func aCopyIsMade() async throws {
        try await withEngine { server in
            let path = try await server.makeDelayed()
            let copy = try await server.send("POST", "\(path)/duplicate")
            #expect(copy.status == 201 && copy.body["name"] == "Flow (Copy)" && copy.body["enabled"] == false)
            #expect(copy.body["steps"]?.arrayValue?.count == 3)
            let again = try await server.send("POST", "\(path)/duplicate", ["name": "x"])
            #expect(again.code == "validation_error" && again.fields == ["name"])
            #expect(try await server.send("POST", "\(path)/duplicate", [:]).status == 201)
        }
    }

    @Test func severalAreDeletedAtOnce() async throws {
        try await withEngine { server in
            func id(_ path: String) -> JSON { .string(String(path.dropFirst("/workflows/".count))) }
            let first = try await server.makeWorkflow("One")
            let second = try await server.makeWorkflow("Two")
            let busy = try await server.makeDelayed()
            try await server.engine.track("signed_up")
            let bulk = "/workflows/bulk-update"
            let ids: JSON = [id(first), id(second), id(first)]
            #expect(try await server.send("POST", bulk, ["ids": ids]).body == ["updated": 0])
            let locked = try await server.send("POST", bulk, ["ids": [id(first), id(busy)], "delete": true])
            #expect(locked.status == 409 && locked.code == "WORKFLOW_LOCKED")
            let missing = try await server.send(
                "POST", bulk, ["ids": [id(first), .string("\(Identifier(high: 9, low: 9))")], "delete": true])
            #expect(missing.status == 404)
            #expect(try await server.send("POST", bulk, ["ids": ids, "delete": true]).body == ["deleted": 2])
            #expect(try await server.send("GET", first).status == 404)
            #expect(try await server.send("GET", busy).status == 200)
            for (value, field) in [
                ([] as JSON, "ids"), (["x"], "ids.0"), ([1], "ids.0"), ("x", "ids"),
                (.array(Array(repeating: id(busy), count: 1001)), "ids"),
            ] {
                #expect(try await server.send("POST", bulk, ["ids": value]).fields == [field])
            }
        }
    }

    @Test func fieldsAreListed() async throws {
        try await withEngine { server in
            try await server.engine.track("order", data: ["total": 5])
            let reply = try await server.send("GET", "/workflows/fields?eventName=order")
            let names = reply.body["fields"]?.arrayValue?.compactMap(\.stringValue) ?? []
            #expect(names.contains("event.total") && names.contains("data.total") && names.contains("contact.email"))
            #expect(reply.body["count"] == .int(Int64(names.count)))
            let other = try await server.send("GET", "/workflows/fields?eventName=other")
            #expect(other.body["fields"]?.arrayValue?.contains("event.total") == false)
        }
    }

    @Test func aTriggerIsChangedUntilTheFirstExecution() async throws {
        try await withEngine { server in
            let path = try await server.makeDelayed()
            let schedule: JSON = ["schedule": "0 9 * * 1", "timezone": "Europe/Berlin", "all": true]
            let timed = try await server.send("PATCH", path, ["triggerType": "SCHEDULE", "triggerConfig": schedule])
            #expect(timed.status == 200 && timed.body["triggerType"] == "SCHEDULE")
            #expect(timed.body["triggerConfig"]?["timezone"] == "Europe/Berlin")
            let bad = try await server.send("PATCH", path, ["triggerConfig": ["schedule": "x", "all": true]])
            #expect(bad.code == "validation_error" && bad.fields == ["triggerConfig.schedule"])
            let back = try await server.send(
                "PATCH", path, ["triggerType": "EVENT", "triggerConfig": ["eventName": "signed_up"]])
            #expect(back.status == 200)
            try await server.engine.track("signed_up")
            let locked = try await server.send("PATCH", path, ["triggerConfig": ["eventName": "other"]])
            #expect(locked.status == 409 && locked.code == "WORKFLOW_LOCKED")
            try await server.finishDelays()
            let frozen = try await server.send("PATCH", path, ["triggerConfig": ["eventName": "other"]])
            #expect(frozen.status == 409 && frozen.code == "TRIGGER_LOCKED")
            #expect(frozen.fields == ["triggerConfig.eventName"])
        }
    }

    @Test func timersAreSetAndShown() async throws {
        try await withEngine { server in
            let path = try await server.makeWorkflow()
            let reply = try await server.send(
                "PATCH", path, ["timers": ["rate": 60, "lateAfter": 3600, "late": "end"]])
            #expect(reply.body["timers"]?["rate"] == 60)
            #expect(try await server.send("PATCH", path, ["timers": ["rate": 0]]).fields == ["timers.rate"])
            #expect(try await server.send("PATCH", path, ["timers": nil]).body["timers"] == .null)
        }
    }

    // MARK: Executions

    @Test func executionsAreStartedCancelledAndCounted() async throws {
        try await withEngine { server in
            let path = try await server.makeDelayed()
            let contact = try await server.engine.track("other").contactID
            let start: JSON = ["contactId": .string("\(contact)"), "context": ["coupon": "X1"]]
            let started = try await server.send("POST", "\(path)/executions", start)
            #expect(started.status == 201 && started.body["status"] == "WAITING")
            #expect(started.body["context"] == ["coupon": "X1"] && started.body[path: "currentStep.id"] == "pause")
            #expect(try await server.send("POST", "\(path)/executions", start).code == "EXECUTION_ACTIVE")
            let one = "\(path)/executions/\(started.body["id"]?.stringValue ?? "")"
            #expect(try await server.send("POST", "\(one)/retry").code == "EXECUTION_NOT_FAILED")
            let cancelled = try await server.send("DELETE", one)
            #expect(cancelled.status == 200 && cancelled.body["status"] == "CANCELLED")
            #expect(try await server.send("DELETE", one).code == "EXECUTION_FINAL")
            #expect(try await server.send("POST", "\(path)/executions", start).code == "REENTRY_FORBIDDEN")
            let detail = try await server.send("GET", one)
            #expect(detail.body["stepExecutions"]?.arrayValue?.map { $0["stepId"] } == ["trigger", "pause"])
            try await server.engine.track("signed_up", "ben@example.org")
            let stats = try await server.send("GET", "\(path)/stats")
            #expect(stats.body[path: "executions.WAITING"] == 1 && stats.body[path: "executions.CANCELLED"] == 1)
            #expect(stats.body["refused"] == 2)
            let pause = stats.body["steps"]?.arrayValue?.first { $0["id"] == "pause" }
            #expect(pause?["entered"] == 2 && pause?["waiting"] == 1 && pause?["cancelled"] == 1)
            #expect(try await server.send("POST", "\(path)/executions/cancel-all").body == ["cancelled": 1])
            #expect(try await server.send("DELETE", "\(path)/steps/pause").status == 204, "nothing is under way")
        }
    }

    @Test func aFailedExecutionIsRetried() async throws {
        try await withEngine { server in
            let path = try await server.makeWorkflow()
            try await server.addStep(path, "DELAY", "Pause", ["until": "{{ event.when }}"])
            _ = try await server.send("PATCH", path, ["enabled": true])
            try await server.engine.track("signed_up", data: ["when": "some day"])
            let list = try await server.send("GET", "\(path)/executions?status=FAILED")
            let id = try #require(list.body[path: "data.0.id"]?.stringValue)
            let retried = try await server.send("POST", "\(path)/executions/\(id)/retry")
            #expect(retried.status == 200 && retried.body["status"] == "FAILED")
            let detail = try await server.send("GET", "\(path)/executions/\(id)")
            #expect(detail.body["stepExecutions"]?.arrayValue?.map { $0["stepId"] } == ["trigger", "pause", "pause"])
        }
    }

    @Test func whatCannotBeStartedIsRefused() async throws {
        try await withEngine { server in
            let path = try await server.makeWorkflow()
            let contact = JSON.string("\(try await server.engine.track("other").contactID)")
            #expect(
                try await server.send("POST", "\(path)/executions", ["contactId": contact]).code == "WORKFLOW_DISABLED")
            _ = try await server.send("PATCH", path, ["enabled": true])
            #expect(try await server.send("POST", "\(path)/executions", [:]).fields == ["contactId"])
            let context = try await server.send(
                "POST", "\(path)/executions", ["contactId": contact, "context": [1], "x": 1])
            #expect(context.fields == ["x", "context"])
            let large = JSON.string(String(repeating: "x", count: 70_000))
            let size = try await server.send(
                "POST", "\(path)/executions", ["contactId": contact, "context": ["a": large]])
            #expect(size.status == 422 && size.fields == ["context"])
            for id in ["x", "\(Identifier(high: 1, low: 1))"] {
                #expect(try await server.send("POST", "\(path)/executions", ["contactId": .string(id)]).status == 404)
            }
        }
    }

    @Test func aSimulationWritesNothing() async throws {
        try await withEngine { server in
            let path = try await server.makeDelayed()
            let reply = try await server.send(
                "POST", "\(path)/simulate",
                ["contact": ["email": "new@example.org"], "events": [["event": "go", "at": "+5m"]]])
            #expect(reply.status == 200 && reply.body["exitReason"] == "done")
            #expect(reply.body["path"]?.arrayValue?.map { $0["stepId"] } == ["trigger", "pause", "end"])
            #expect(try await server.engine.executions().isEmpty)
            #expect(try await server.engine.contact("new@example.org") == nil)
            #expect(try await server.send("POST", "\(path)/simulate", [:]).fields == ["contact"])
        }
    }

    // MARK: Everywhere

    private static let routes: [(String, String, JSON?)] = [
        ("GET", "", nil), ("PATCH", "", ["name": "x"]), ("DELETE", "", nil), ("POST", "/duplicate", nil),
        ("POST", "/steps", ["type": "EXIT", "name": "x"]), ("PATCH", "/steps/a", ["name": "x"]),
        ("DELETE", "/steps/a", nil), ("POST", "/transitions", ["fromStepId": "a", "toStepId": "b"]),
        ("DELETE", "/transitions/a", nil), ("POST", "/transitions/a/insert-step", ["type": "DELAY", "name": "x"]),
        ("GET", "/executions", nil), ("POST", "/executions", ["contactId": "x"]),
        ("POST", "/executions/cancel-all", nil),
        ("GET", "/executions/\(Identifier(high: 1, low: 1))", nil),
        ("DELETE", "/executions/\(Identifier(high: 1, low: 1))", nil),
        ("POST", "/executions/\(Identifier(high: 1, low: 1))/retry", nil), ("GET", "/stats", nil),
        ("POST", "/simulate", ["contact": ["email": "a@example.org"]]),
    ]

    @Test func idsThatAreForeignOrNoneAreNotFound() async throws {
        try await withEngine { server in
            let foreign = Identifier(high: 77, low: 1)
            for (method, path, body) in Self.routes {
                for id in ["\(foreign)", "x", "%00", "..", "\(foreign)x"] {
                    let reply = try await server.send(method, "/workflows/\(id)\(path)", body)
                    #expect(reply.status == 404 && reply.code == "not_found", "\(method) \(id)\(path)")
                }
            }
        }
    }

    @Test func withoutASecretKeyNothingIsDone() async throws {
        try await withEngine { server in
            let path = try await server.makeDelayed()
            let publicKey = try await Authentication(context: server.engine.context).create(
                .public, project: Project.defaultSlug)
            for (method, route, body) in Self.routes {
                for key in ["sk_wrong", publicKey] {
                    #expect(
                        try await server.send(method, path + route, body, key: key).status == 401, "\(method) \(route)")
                }
            }
            #expect(try await server.send("GET", path).status == 200)
        }
    }

    /// What no JSON reader of ours takes, on every route that has a body.
    @Test(arguments: [
        "", "{", "[1,]", #"{"name":"a","name":"b"}"#, "{\"name\":\"\u{1}\"}", "nul", #"{"a":1}x"#,
        String(repeating: "[", count: 100_000), #"{"name":"\ud800"}"#,
    ])
    func whatIsNoJSONIsRefusedEverywhere(text: String) async throws {
        try await withEngine { server in
            let path = try await server.makeDelayed()
            for (method, route, body) in Self.routes where body != nil {
                let answer = try await server.client.request(
                    method, path + route, [("Authorization", "Bearer \(server.key)")], body: Array(text.utf8))
                try expectError(answer, 400, "invalid_json")
            }
            let bytes: [UInt8] = Array(#"{"name":""#.utf8) + [0xFF, 0xC0] + Array(#""}"#.utf8)
            let answer = try await server.client.request(
                "PATCH", path, [("Authorization", "Bearer \(server.key)")], body: bytes)
            try expectError(answer, 400, "invalid_json")
        }
    }
}
