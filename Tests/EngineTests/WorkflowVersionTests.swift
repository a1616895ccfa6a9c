import Engine
import EngineTestKit
import JSONValue
import Testing
import WorkflowModel

/// Files applied under executions: what is refused, and what a version beside them means.
@Suite struct WorkflowVersionTests {
    /// The first version: a wait, then a question, then a tag on either side.
    private let first: JSONObject = [
        "wait": ["type": "WAIT_FOR_EVENT", "config": ["eventName": "go"], "next": "ask"],
        "ask": [
            "type": "CONDITION", "config": ["field": "data.plan", "operator": "equals", "value": "pro"],
            "next": ["yes": "old-tag", "no": "end"],
        ],
        "old-tag": ["type": "UPDATE_CONTACT", "config": ["data": ["seen": "first"]], "next": "end"],
        "end": ["type": "EXIT", "config": ["reason": "first"]],
    ]
    /// One step gone, one new, the branches swapped.
    private let second: JSONObject = [
        "wait": ["type": "WAIT_FOR_EVENT", "config": ["eventName": "go"], "next": "ask"],
        "ask": [
            "type": "CONDITION", "config": ["field": "data.plan", "operator": "equals", "value": "pro"],
            "next": ["yes": "end", "no": "new-tag"],
        ],
        "new-tag": ["type": "UPDATE_CONTACT", "config": ["data": ["seen": "second"]], "next": "end"],
        "end": ["type": "EXIT", "config": ["reason": "second"]],
    ]

    private func apply(_ steps: JSONObject, _ engine: EngineFixture, asNewVersion: Bool = false) async throws
        -> Workflows.Applied
    {
        try await Workflows(context: engine.context)
            .apply(try WorkflowDocument(document(event: "start", steps: steps)), asNewVersion: asNewVersion)
    }

    @Test func aThousandRunsFinishOnTheirVersionAndNewOnesTakeTheNew() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        #expect(try await apply(first, engine) == .created(version: 1))
        for index in 0..<1000 {
            try await engine.track("start", "old\(index)@example.org", data: ["plan": index % 2 == 0 ? "pro" : "free"])
        }
        let refusal = await #expect(throws: UseCaseError.self) { try await apply(second, engine) }
        #expect(refusal?.code == .workflowLocked)
        #expect(refusal?.description.contains("1000 executions under way") == true)
        #expect(try await apply(second, engine, asNewVersion: true) == .changed(version: 2))
        #expect(try await apply(second, engine, asNewVersion: true) == .unchanged, "publishing again changes nothing")
        for index in 0..<10 {
            try await engine.track("start", "new\(index)@example.org", data: ["plan": index % 2 == 0 ? "pro" : "free"])
        }
        for index in 0..<1000 { try await engine.track("go", "old\(index)@example.org") }
        for index in 0..<10 { try await engine.track("go", "new\(index)@example.org") }
        let workflow = try #require(try await engine.context.store.read { try $0.loadCatalog() }.workflows.first)
        let rows = try await Workflows(context: engine.context).executions(
            of: workflow.id, project: engine.project.id, status: .exited, limit: 2000, offset: 0
        ).rows
        #expect(rows.count == 1010, "no run is lost")
        for row in rows {
            let isOld = row.contactEmail.hasPrefix("old")
            #expect(row.exitReason == (isOld ? "first" : "second"), "\(row.contactEmail)")
        }
        for (email, seen) in [
            ("old0", "first"), ("old1", nil), ("old998", "first"), ("new0", nil), ("new1", "second"),
        ] as [(String, JSON?)] {
            #expect(try await engine.contact("\(email)@example.org")?.data["seen"] == seen, "\(email)")
        }
    }

    @Test func withoutRunsAChangeReplacesAVersionThatNobodyTookAndElsePublishes() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        _ = try await apply(first, engine)
        #expect(try await apply(second, engine) == .changed(version: 1))
        try await engine.track("start")
        try await engine.track("go")
        #expect(try await engine.executions().map(\.exitReason) == ["second"])
        #expect(try await apply(first, engine) == .changed(version: 2))
        #expect(try await apply(second, engine) == .changed(version: 2), "nobody took it yet")
        #expect(try await apply(first, engine, asNewVersion: true) == .changed(version: 3))
    }

    @Test func namesAndSwitchesChangeUnderRuns() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        _ = try await apply(first, engine)
        try await engine.track("start")
        var changed = document(event: "start", steps: first).objectValue ?? [:]
        changed["name"] = "Other"
        changed["description"] = "New"
        changed["timers"] = ["rate": 5]
        let workflows = Workflows(context: engine.context)
        #expect(try await workflows.apply(try WorkflowDocument(.object(changed))) == .updated)
        let record = try #require(try await engine.context.store.read { try $0.loadCatalog() }.workflows.first)
        #expect(record.name == "Other" && record.description == "New" && record.timers.ratePerMinute == 5)
        #expect(record.versionNumber == 1)
        #expect(try await workflows.apply(try WorkflowDocument(.object(changed))) == .unchanged)
    }

    @Test func theEventIsFrozenAfterTheFirstRunEvenForANewVersion() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        _ = try await apply(first, engine)
        try await engine.track("start")
        let other = try WorkflowDocument(document(event: "other", steps: first))
        for asNewVersion in [true, false] {
            let refusal = await #expect(throws: UseCaseError.self) {
                try await Workflows(context: engine.context).apply(other, asNewVersion: asNewVersion)
            }
            #expect(refusal?.code == .triggerLocked)
        }
    }

    @Test func aDetourOverAnotherTriggerDoesNotFreeTheEvent() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        let workflows = Workflows(context: engine.context)
        func file(_ trigger: JSON, options: JSONObject = [:]) throws -> WorkflowDocument {
            try WorkflowDocument([
                "workflow": "flow", "enabled": true, "trigger": trigger,
                "steps": [
                    "start": ["type": "TRIGGER", "config": .object(options), "next": "end"], "end": ["type": "EXIT"],
                ],
            ])
        }
        // As it is after a client has made it MANUAL.
        _ = try await workflows.apply(try file(["event": "start"], options: ["eventName": "start"]))
        try await engine.track("start")
        let id = try #require(try await engine.context.store.read { try $0.loadCatalog() }.workflows.first).id
        try await engine.context.transact { transaction in
            guard var record = transaction.catalog.workflow(id) else { return }
            record.trigger = .manual
            try transaction.store.save(record, definition: WorkflowDefinition.json(of: record.graph))
        }
        #expect(
            try await workflows.apply(try file(["manual": true])) == .unchanged, "what it remembers is no difference")
        #expect(try await workflows.apply(try file(["manual": true]).with(name: "Other")) == .updated)
        let refusal = await #expect(throws: UseCaseError.self) {
            try await workflows.apply(try file(["event": "other"]))
        }
        #expect(refusal?.code == .triggerLocked)
        #expect(try await workflows.apply(try file(["event": "start"])) == .updated)
    }

    @Test func comparingSaysWhatApplyingWouldDoAndDoesNothing() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        let workflows = Workflows(context: engine.context)
        let file = try WorkflowDocument(document(event: "start", steps: second))
        #expect(try await workflows.compare(file).stored == nil)
        _ = try await apply(first, engine)
        try await engine.track("start")
        let before = try await engine.context.store.read { try $0.loadCatalog() }.version
        let comparison = try await workflows.compare(file)
        #expect(comparison.storedVersion == 1)
        guard case .failure(let refusal) = comparison.outcome else {
            Issue.record("a run is under way")
            return
        }
        #expect(refusal.code == .workflowLocked && refusal.description.contains("1 execution under way"))
        guard case .success(.changed(2)) = try await workflows.compare(file, asNewVersion: true).outcome else {
            Issue.record("a version beside it is possible")
            return
        }
        #expect(try await engine.context.store.read { try $0.loadCatalog() }.version == before)
    }
}

extension WorkflowDocument {
    fileprivate func with(name: String) -> WorkflowDocument {
        var copy = self
        copy.name = name
        return copy
    }
}
