import Engine
import EngineTestKit
import HTTPAdapter
import JSONValue
import Testing
import WorkflowModel

/// Steps and transitions of a workflow made and changed over HTTP, with a real engine behind it.
@Suite struct StepEditingTests {
    // MARK: Steps

    @Test func stepsAreAddedConnectedAndChanged() async throws {
        try await withEngine { server in
            let path = try await server.makeWorkflow()
            let mail = try await server.send(
                "POST", "\(path)/steps",
                [
                    "type": "SEND_EMAIL", "name": "Welcome mail", "config": ["from": "a@example.com"],
                    "templateId": "hello", "position": ["x": 1.5, "y": 2],
                ])
            #expect(mail.status == 201 && mail.body["id"] == "welcome-mail")
            #expect(mail.body["template"]?["name"] == "hello" && mail.body["position"] == ["x": 1.5, "y": 2])
            #expect(mail.body[path: "incomingTransitions.0.fromStepId"] == "trigger")
            let loose = try await server.send(
                "POST", "\(path)/steps",
                [
                    "id": "later", "type": "DELAY", "name": "Later", "config": ["amount": 1, "unit": "days"],
                    "autoConnect": false,
                ])
            #expect(loose.body["id"] == "later" && loose.body["incomingTransitions"] == [])
            let moved = try await server.send(
                "PATCH", "\(path)/steps/later",
                ["position": ["x": 9, "y": 9], "config": ["amount": 2, "unit": "days"]])
            #expect(moved.body["config"]?["amount"] == 2 && moved.body["name"] == "Later")
            let workflow = try await server.send("GET", path)
            #expect(workflow.body["steps"]?.arrayValue?.map { $0["id"] } == ["trigger", "welcome-mail", "later"])
            #expect(workflow.body[path: "warnings.0.field"] == "steps.later")
        }
    }

    @Test(
        arguments: [
            ([:], ["type", "name"]), (["type": "NOPE", "name": "x"], ["type"]),
            (["type": "EXIT", "name": "x", "id": "Bad Id"], ["id"]),
            (["type": "EXIT", "name": "x", "position": ["x": "1"]], ["position.x", "position.y"]),
            (
                ["type": "EXIT", "name": "x", "position": ["x": 1, "y": 1, "z": 1], "colour": 1],
                ["colour", "position.z"]
            ),
            (["type": "EXIT", "name": "x", "config": []], ["config"]),
            (["type": "EXIT", "name": "x", "autoConnect": 1], ["autoConnect"]),
            (["type": "EXIT", "name": "x", "config": ["why": "x"]], ["config.why"]),
            (["type": "DELAY", "name": "x", "config": ["amount": 400, "unit": "days"]], ["config.amount"]),
            (["type": "SEND_EMAIL", "name": "x", "templateId": "nope"], ["config.templateId"]),
            (["type": "EXIT", "name": "x", "templateId": "hello"], ["templateId"]),
            (["type": "CONDITION", "name": "x", "config": [:]], ["config.field"]),
        ] as [(JSON, [String])])
    func aNewStepsValuesAreChecked(body: JSON, fields: [String]) async throws {
        try await withEngine { server in
            let path = try await server.makeWorkflow()
            let reply = try await server.send("POST", "\(path)/steps", body)
            #expect(reply.status == 422 && reply.code == "validation_error")
            #expect(reply.fields == fields)
        }
    }

    @Test func whatAStepCannotBecomeIsRefused() async throws {
        try await withEngine { server in
            let path = try await server.makeWorkflow()
            try await server.addStep(path, "SEND_EMAIL", "Mail", ["templateId": "hello"])
            let step = "\(path)/steps/mail"
            #expect(try await server.send("PATCH", step, ["type": "EXIT"]).fields == ["type"])
            #expect(try await server.send("PATCH", step, ["templateId": nil]).fields == ["templateId"])
            #expect(try await server.send("PATCH", "\(path)/steps/nobody", ["name": "x"]).status == 404)
            #expect(
                try await server.send("PATCH", "\(path)/steps/trigger", ["config": ["eventName": "x"]]).fields == [
                    "config"
                ])
            let second = try await server.send("POST", "\(path)/steps", ["type": "TRIGGER", "name": "T"])
            #expect(second.status == 400 && second.code == "invalid_graph" && second.fields == ["type"])
            let taken = try await server.send("POST", "\(path)/steps", ["type": "EXIT", "name": "T", "id": "mail"])
            #expect(taken.status == 409 && taken.code == "conflict" && taken.fields == ["id"])
        }
    }

    @Test func aDeletedStepLeavesAGapUnlessItIsSpliced() async throws {
        try await withEngine { server in
            let path = try await server.makeDelayed()
            let step = "\(path)/steps/pause"
            #expect(try await server.send("DELETE", "\(step)?splice=maybe").fields == ["splice"])
            #expect(try await server.send("DELETE", "\(step)?branch=yes").fields == ["branch"])
            #expect(try await server.send("DELETE", "\(step)?splice=true&branch=yes").code == "invalid_graph")
            #expect(try await server.send("DELETE", "\(step)?splice=true").status == 204)
            let spliced = try await server.send("GET", path)
            #expect(spliced.body["transitions"]?.arrayValue?.map { $0["toStepId"] } == ["end"])
            #expect(try await server.send("DELETE", "\(path)/steps/end").status == 204)
            #expect(try await server.send("GET", path).body["transitions"] == [])
            #expect(try await server.send("DELETE", "\(path)/steps/trigger").code == "invalid_graph")
            #expect(try await server.send("DELETE", "\(path)/steps/end").status == 404)
        }
    }

    // MARK: Transitions

    @Test func transitionsAreMadeUnderEveryNameOfTheirBranch() async throws {
        try await withEngine { server in
            let path = try await server.makeWorkflow()
            let condition: JSON = ["field": "data.plan", "operator": "equals", "value": "pro"]
            try await server.addStep(path, "CONDITION", "Pro", condition)
            try await server.addStep(path, "WAIT_FOR_EVENT", "Wait", ["eventName": "go", "timeout": 60])
            let end = try await server.send(
                "POST", "\(path)/steps", ["type": "EXIT", "name": "End", "autoConnect": false])
            #expect(end.status == 201)
            func connect(_ body: JSON) async throws -> EngineServer.Reply {
                try await server.send("POST", "\(path)/transitions", body)
            }
            let no = try await connect([
                "fromStepId": "pro", "toStepId": "end", "condition": ["branch": "no"], "priority": 2,
            ])
            #expect(
                no.status == 201 && no.body["id"] == "pro:no" && no.body["branch"] == "no" && no.body["priority"] == 2)
            let late = try await connect(["fromStepId": "wait", "toStepId": "end", "waitOutcome": "TIMEOUT"])
            #expect(late.body["branch"] == "timeout")
            let event = try await connect([
                "fromStepId": "wait", "toStepId": "end", "branch": "event", "condition": nil,
            ])
            #expect(event.body["id"] == "wait:event")
            let twice = try await connect(["fromStepId": "wait", "toStepId": "end", "branch": "event"])
            #expect(twice.status == 400 && twice.code == "invalid_graph" && twice.fields == ["branch"])
            for (body, field) in [
                (
                    ["fromStepId": "pro", "toStepId": "end", "branch": "yes", "condition": ["branch": "no"]] as JSON,
                    "branch"
                ),
                (["fromStepId": "pro", "toStepId": "end", "condition": ["x": 1]], "condition"),
                (["fromStepId": "pro", "toStepId": "end", "waitOutcome": "LATE"], "waitOutcome"),
                (["fromStepId": "pro", "toStepId": "end", "priority": -1], "priority"),
                (["fromStepId": "pro"], "toStepId"),
                (["fromStepId": "pro", "toStepId": "end", "branch": ""], "branch"),
            ] {
                let reply = try await connect(body)
                #expect(reply.code == "validation_error" && reply.fields == [field])
            }
            #expect(try await connect(["fromStepId": "nobody", "toStepId": "end"]).status == 404)
            #expect(try await server.send("DELETE", "\(path)/transitions/pro%3Ano").status == 204)
            #expect(try await server.send("DELETE", "\(path)/transitions/pro:no").status == 404)
        }
    }

    @Test func aStepIsInsertedIntoATransition() async throws {
        try await withEngine { server in
            let path = try await server.makeDelayed()
            let insert = "\(path)/transitions/pause/insert-step"
            let wait = try await server.send(
                "POST", insert,
                ["type": "WAIT_FOR_EVENT", "name": "Wait", "config": ["eventName": "go", "timeout": 5]])
            #expect(wait.status == 201)
            #expect(wait.body["outgoingTransitions"]?.arrayValue?.map { $0["branch"] } == ["event", "timeout"])
            let exit = try await server.send("POST", insert, ["type": "EXIT", "name": "X"])
            #expect(exit.status == 400 && exit.fields == ["type"])
            let option = try await server.send("POST", insert, ["type": "EXIT", "name": "X", "autoConnect": true])
            #expect(option.status == 422 && option.fields == ["autoConnect"])
            let missing = try await server.send(
                "POST", "\(path)/transitions/nobody/insert-step", ["type": "DELAY", "name": "X"])
            #expect(missing.status == 404)
        }
    }
}
