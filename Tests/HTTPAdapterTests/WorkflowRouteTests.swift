import Engine
import HTTPAdapter
import JSONValue
import Testing
import WorkflowModel

@Suite struct WorkflowRouteTests {
    private static let contact = Identifier(high: 6, low: 6)
    private static let start = FixedClock.start

    /// Workflows numbered from 1, the highest number the newest; the first has executions.
    private func fill(_ server: ServerFixture, workflows: Int = 1, executions: Int = 1) throws {
        let graph = try WorkflowGraph(
            steps: [
                Step(key: "trigger", config: .trigger),
                Step(key: "pause", name: "A day off", config: .delay(.init(.until("2027-01-01T00:00:00Z")))),
            ],
            transitions: [Transition(from: "trigger", to: "pause")])
        let records = (1...workflows).map { record($0, graph: graph) }
        let listings = (0..<executions).map { listing($0) }
        server.store.change {
            $0.workflows = records
            $0.executions = listings
            $0.steps[Identifier(high: 20, low: 0)] = [
                StepExecution(
                    sequence: 0, step: "trigger", type: .trigger, status: .completed, output: ["ok": true],
                    startedAt: Self.start, completedAt: Self.start),
                StepExecution(sequence: 1, step: "gone", type: .sendEmail, status: .waiting, startedAt: Self.start),
            ]
        }
    }

    private func record(_ number: Int, graph: WorkflowGraph) -> WorkflowRecord {
        let created = Self.start.adding(seconds: Int64(number))
        return WorkflowRecord(
            id: Identifier(high: 10, low: UInt64(number)), projectID: ServerFixture.project.id, slug: "w\(number)",
            name: "Workflow \(number)", isEnabled: true, allowsReentry: false,
            trigger: number == 1 ? .event("email.received") : .manual, versionID: Identifier(high: 11, low: 1),
            versionNumber: 3, graph: graph, createdAt: created, updatedAt: created)
    }

    /// The first one waits, the others have ended.
    private func listing(_ number: Int) -> ExecutionListing {
        let isWaiting = number == 0
        return ExecutionListing(
            id: Identifier(high: 20, low: UInt64(number)), workflowID: Identifier(high: 10, low: 1),
            contactID: Self.contact, contactEmail: "ann@example.com", status: isWaiting ? .waiting : .completed,
            currentStep: isWaiting ? "pause" : nil, exitReason: nil, context: ["a": 1],
            dueAt: isWaiting ? Self.start.adding(seconds: 60) : nil, startedAt: Self.start,
            completedAt: isWaiting ? nil : Self.start)
    }

    private static let workflow = "/workflows/\(Identifier(high: 10, low: 1))"
    private static let executionID = "\(Identifier(high: 20, low: 0))"

    @Test func workflowsAreListedWithTheirCounts() async throws {
        try await withServer { server in
            try fill(server, executions: 3)
            let answer = try await server.get("/workflows")
            #expect(answer.status == 200)
            expectJSONFields(answer)
            #expect(
                try JSONParser.parse(answer.body) == [
                    "data": [
                        [
                            "id": .string("\(Identifier(high: 10, low: 1))"), "slug": "w1", "name": "Workflow 1",
                            "description": nil,
                            "enabled": true, "allowReentry": false, "reentryKey": nil, "triggerType": "EVENT",
                            "triggerConfig": ["eventName": "email.received"], "timers": nil, "version": 3,
                            "projectId": .string("\(ServerFixture.project.id)"),
                            "createdAt": .string("\(Self.start.adding(seconds: 1))"),
                            "updatedAt": .string("\(Self.start.adding(seconds: 1))"),
                            "_count": ["steps": 2, "executions": 3],
                        ]
                    ],
                    "total": 1, "page": 1, "pageSize": 20, "totalPages": 1,
                ])
        }
    }

    @Test func headTellsTheLengthOfWhatGetWouldSend() async throws {
        try await withServer { server in
            try fill(server)
            for path in [
                "/workflows", "\(Self.workflow)/executions", "\(Self.workflow)/executions/\(Self.executionID)",
            ] {
                let get = try await server.get(path)
                let head = try await server.client.request(
                    "HEAD", path, ServerFixture.authorization(ServerFixture.secretKey))
                #expect(head.status == 200)
                #expect(head.field("Content-Length") == "\(get.body.count)")
            }
        }
    }

    @Test func anEmptyListHasNoPages() async throws {
        try await withServer { server in
            let body = try JSONParser.parse(try await server.get("/workflows").body)
            #expect(body == ["data": [], "total": 0, "page": 1, "pageSize": 20, "totalPages": 0])
        }
    }

    @Test(arguments: [
        ("", 20, 1, 20, 2), ("?page=2", 5, 2, 20, 2), ("?pageSize=10&page=3", 5, 3, 10, 3),
        ("?pageSize=500", 25, 1, 100, 1),
        ("?page=3", 0, 3, 20, 2), ("?page=9223372036854775807&pageSize=100", 0, 1_000_000_000, 100, 1),
        ("?page=&pageSize=%31%30", 10, 1, 10, 3),
    ])
    func listsComeInPages(query: String, count: Int, page: Int, size: Int, pages: Int) async throws {
        try await withServer { server in
            try fill(server, workflows: 25)
            let body = try JSONParser.parse(try await server.get("/workflows\(query)").body)
            #expect(body["data"]?.arrayValue?.count == count)
            #expect(body["page"] == .int(Int64(page)))
            #expect(body["pageSize"] == .int(Int64(size)))
            #expect(body["totalPages"] == .int(Int64(pages)))
            #expect(body["total"] == 25)
        }
    }

    @Test(arguments: [
        ("page=0", ["page"]), ("page=-1", ["page"]), ("pageSize=x", ["pageSize"]),
        ("page=1.5&pageSize=0", ["page", "pageSize"]),
        ("page=99999999999999999999", ["page"]),
    ])
    func pageNumbersAreWholeNumbersFromOne(query: String, fields: [String]) async throws {
        try await withServer { server in
            let answer = try await server.get("/workflows?\(query)")
            try expectError(answer, 422, "validation_error")
            #expect(try complaints(answer) == fields)
        }
    }

    @Test func executionsAreListedUnderBothNames() async throws {
        try await withServer { server in
            try fill(server, executions: 2)
            let body = try JSONParser.parse(try await server.get("\(Self.workflow)/executions").body)
            #expect(body["data"] == body["executions"])
            #expect(body["total"] == 2)
            #expect(
                body[path: "data.0"] == [
                    "id": .string(Self.executionID), "workflowId": .string("\(Identifier(high: 10, low: 1))"),
                    "contactId": .string("\(Self.contact)"), "status": "WAITING", "currentStepId": "pause",
                    "exitReason": nil, "context": ["a": 1], "dueAt": .string("\(Self.start.adding(seconds: 60))"),
                    "startedAt": .string("\(Self.start)"), "completedAt": nil, "reentryValue": nil,
                    "contact": ["id": .string("\(Self.contact)"), "email": "ann@example.com"],
                    "currentStep": ["id": "pause", "name": "A day off", "type": "DELAY"],
                ])
            #expect(body[path: "data.1.currentStep"] == .null)
        }
    }

    @Test(arguments: [("COMPLETED", 2), ("waiting", 1), ("FAILED", 0), ("", 3)])
    func executionsAreFilteredByStatus(status: String, count: Int) async throws {
        try await withServer { server in
            try fill(server, executions: 3)
            let body = try JSONParser.parse(try await server.get("\(Self.workflow)/executions?status=\(status)").body)
            #expect(body["data"]?.arrayValue?.count == count)
            #expect(body["total"] == .int(Int64(count)))
        }
    }

    @Test func anUnknownStatusIsRefused() async throws {
        try await withServer { server in
            try fill(server)
            let answer = try await server.get("\(Self.workflow)/executions?status=DONE")
            try expectError(answer, 422, "validation_error")
            #expect(try complaints(answer) == ["status"])
        }
    }

    @Test func anExecutionIsShownWithItsSteps() async throws {
        try await withServer { server in
            try fill(server)
            let answer = try await server.get("\(Self.workflow)/executions/\(Self.executionID)")
            #expect(answer.status == 200)
            let body = try JSONParser.parse(answer.body)
            #expect(body["status"] == "WAITING")
            #expect(body["workflow"] == ["id": .string("\(Identifier(high: 10, low: 1))"), "name": "Workflow 1"])
            #expect(
                body["stepExecutions"] == [
                    [
                        "id": .string("\(Self.executionID)/0"), "sequence": 0, "stepId": "trigger",
                        "status": "COMPLETED", "input": [:], "attempts": 1,
                        "output": ["ok": true], "error": nil, "startedAt": .string("\(Self.start)"),
                        "completedAt": .string("\(Self.start)"),
                        "step": ["id": "trigger", "name": "trigger", "type": "TRIGGER"],
                    ],
                    [
                        "id": .string("\(Self.executionID)/1"), "sequence": 1, "stepId": "gone", "status": "WAITING",
                        "input": nil, "attempts": 1, "output": nil, "error": nil, "startedAt": .string("\(Self.start)"),
                        "completedAt": nil,
                        "step": ["id": "gone", "name": "gone", "type": "SEND_EMAIL"],
                    ],
                ])
        }
    }

    @Test(arguments: [
        "/workflows/x/executions", "/workflows/\(Identifier(high: 99, low: 1))/executions",
        "/workflows/x/executions/\(executionID)", "\(workflow)/executions/x",
        "\(workflow)/executions/\(Identifier(high: 99, low: 1))",
        "/workflows/\(Identifier(high: 99, low: 1))/executions/\(executionID)",
    ])
    func whatIsNotThereIsNotFound(path: String) async throws {
        try await withServer { server in
            try fill(server)
            try expectError(try await server.get(path), 404, "not_found")
        }
    }

    @Test func anotherProjectsWorkflowIsNotFound() async throws {
        try await withServer { server in
            try fill(server)
            server.store.change { $0.workflows[0].projectID = Identifier(high: 1, low: 2) }
            try expectError(try await server.get("\(Self.workflow)/executions"), 404, "not_found")
            let list = try JSONParser.parse(try await server.get("/workflows").body)
            #expect(list["total"] == 0)
        }
    }
}
