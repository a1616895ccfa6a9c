import Engine
import EngineTestKit
import JSONValue
import SQLStore
import Testing
import WorkflowModel

/// An editor over an engine with the template `hello`.
struct EditorFixture: Sendable {
    let engine: EngineFixture
    let database: TemporaryDatabase
    var editor: WorkflowEditor { WorkflowEditor(context: engine.context, projectID: engine.project.id) }

    init() async throws {
        (engine, database) = try await makeEngine()
        try await engine.apply(document(event: "unrelated", slug: "templates", steps: ["end": ["type": "EXIT"]]))
    }

    /// A workflow on `signed_up`: trigger, a delay of an hour, an EXIT.
    func makeDelayed(enabled: Bool = true, reentry: Bool = false) async throws -> WorkflowDetail {
        let made = try await editor.create(NewWorkflow(name: "Flow", eventName: "signed_up", allowsReentry: reentry))
        let id = made.workflow.id
        _ = try await editor.add(.delay, to: id)
        _ = try await editor.add(NewStep(type: .exit, name: "End", options: ["reason": "done"]), to: id)
        return try await editor.change(id, WorkflowChanges(isEnabled: enabled))
    }

    func finishExecutions() async throws {
        engine.clock.advance(seconds: 3600)
        try await engine.runTimers()
    }

    func version(_ id: Identifier) async throws -> Int { try await editor.workflow(id).workflow.versionNumber }
}

extension NewStep {
    static let delay = NewStep(type: .delay, name: "Pause", options: ["amount": 1, "unit": "hours"])
}

private func refused(
    _ code: UseCaseError.Code, sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () async throws -> Void
) async -> UseCaseError? {
    do {
        try await body()
        Issue.record("was not refused", sourceLocation: sourceLocation)
        return nil
    } catch let error as UseCaseError {
        #expect(error.code == code, "\(error) \(error.problems)", sourceLocation: sourceLocation)
        return error
    } catch {
        Issue.record(error, sourceLocation: sourceLocation)
        return nil
    }
}

@Suite struct WorkflowEditorTests {
    // MARK: Workflows

    @Test func aNewWorkflowHasATriggerAndIsDisabled() async throws {
        let fixture = try await EditorFixture()
        let made = try await fixture.editor.create(NewWorkflow(name: "Welcome Series", eventName: " email.open "))
        let workflow = made.workflow
        #expect(workflow.slug == "welcome-series" && !workflow.isEnabled && !workflow.allowsReentry)
        #expect(workflow.trigger == .event("email.opened") && workflow.versionNumber == 1)
        let step = try #require(workflow.graph.steps.first)
        #expect(step.key == "trigger" && step.name == "Trigger: email.opened" && step.position == .init(x: 100, y: 100))
        #expect(workflow.graph.warnings.map(\.path) == ["steps.trigger"])
        let second = try await fixture.editor.create(NewWorkflow(name: "Welcome series", eventName: "x"))
        #expect(second.workflow.slug == "welcome-series-2")
    }

    @Test func aBlankEventNameIsRefused() async throws {
        let fixture = try await EditorFixture()
        for name in ["", "  ", "a\u{0}b", String(repeating: "x", count: 201)] {
            let error = await refused(.invalid) {
                _ = try await fixture.editor.create(NewWorkflow(name: "W", eventName: name))
            }
            #expect(error?.problems.map(\.path) == ["eventName"])
        }
    }

    @Test func whatIsBuiltByEditsRunsAsBuilt() async throws {
        let fixture = try await EditorFixture()
        let flow = try await fixture.makeDelayed()
        #expect(flow.workflow.graph.warnings.isEmpty)
        try await fixture.engine.track("signed_up")
        #expect(try await fixture.engine.executions().map(\.currentStep) == ["pause"])
        try await fixture.finishExecutions()
        #expect(try await fixture.engine.executions().map(\.exitReason) == ["done"])
    }

    @Test func anotherProjectsWorkflowIsNotFound() async throws {
        let fixture = try await EditorFixture()
        let id = try await fixture.makeDelayed().workflow.id
        let stranger = WorkflowEditor(context: fixture.engine.context, projectID: Identifier(high: 5, low: 5))
        let edits: [@Sendable () async throws -> Void] = [
            { _ = try await stranger.workflow(id) }, { _ = try await stranger.change(id, WorkflowChanges(name: "x")) },
            { try await stranger.delete(id) }, { _ = try await stranger.duplicate(id) },
            { _ = try await stranger.delete([id]) }, { try await stranger.require([id]) },
            { _ = try await stranger.add(.delay, to: id) },
            { _ = try await stranger.change("pause", of: id, StepChanges(name: "x")) },
            { try await stranger.remove("pause", of: id, splicing: nil) },
            { try await stranger.connect(Transition(from: "a", to: "b"), in: id) },
            { try await stranger.disconnect("trigger", in: id) },
            { _ = try await stranger.insert(.delay, into: "trigger", of: id) },
        ]
        for edit in edits { _ = await refused(.notFound) { try await edit() } }
    }

    @Test func aCopyIsDisabledAndHasNoExecutions() async throws {
        let fixture = try await EditorFixture()
        let flow = try await fixture.makeDelayed(reentry: true)
        try await fixture.engine.track("signed_up")
        let copy = try await fixture.editor.duplicate(flow.workflow.id).workflow
        #expect(copy.name == "Flow (Copy)" && copy.slug == "flow-copy" && !copy.isEnabled && copy.allowsReentry)
        #expect(copy.graph == flow.workflow.graph && copy.trigger == flow.workflow.trigger)
        #expect(copy.id != flow.workflow.id && copy.versionNumber == 1)
        #expect(try await fixture.engine.executions("flow-copy").isEmpty)
        let long = try await fixture.editor.create(
            NewWorkflow(name: String(repeating: "n", count: 100), eventName: "x"))
        let longCopy = try await fixture.editor.duplicate(long.workflow.id).workflow
        #expect(longCopy.name.count == 100 && longCopy.name.hasSuffix("n (Copy)"))
    }

    @Test func aWorkflowWithExecutionsUnderWayIsNotDeleted() async throws {
        let fixture = try await EditorFixture()
        let id = try await fixture.makeDelayed().workflow.id
        try await fixture.engine.track("signed_up")
        _ = try await fixture.editor.change(id, WorkflowChanges(isEnabled: false))
        let error = await refused(.workflowLocked) { try await fixture.editor.delete(id) }
        #expect(error?.description.contains("1 execution ") == true)
        try await fixture.finishExecutions()
        try await fixture.editor.delete(id)
        _ = await refused(.notFound) { _ = try await fixture.editor.workflow(id) }
        try await fixture.engine.track("signed_up", "ben@example.org")
    }

    @Test func severalAreDeletedAllOrNone() async throws {
        let fixture = try await EditorFixture()
        let busy = try await fixture.makeDelayed().workflow.id
        let idle = try await fixture.editor.create(NewWorkflow(name: "Idle", eventName: "x")).workflow.id
        try await fixture.engine.track("signed_up")
        _ = await refused(.workflowLocked) { _ = try await fixture.editor.delete([idle, busy]) }
        _ = await refused(.notFound) { _ = try await fixture.editor.delete([idle, Identifier(high: 1, low: 2)]) }
        #expect(try await fixture.editor.workflow(idle).workflow.name == "Idle")
        #expect(try await fixture.editor.delete([idle, idle]) == 1)
        _ = await refused(.notFound) { try await fixture.editor.require([idle]) }
    }

    // MARK: Enabling

    @Test func enablingNamesEveryProblem() async throws {
        let fixture = try await EditorFixture()
        let id = try await fixture.editor.create(NewWorkflow(name: "W", eventName: "x")).workflow.id
        for name in ["One", "Two"] {
            _ = try await fixture.editor.add(
                NewStep(type: .sendEmail, name: name, options: ["templateId": "hello"]), to: id)
        }
        // Templates are never taken away by a route; a database that was repaired by hand may lack some.
        try DamagedDatabase(fixture.database.path).spoil("UPDATE templates SET slug = 'gone'")
        try DamagedDatabase(fixture.database.path).spoil(
            "UPDATE settings SET number = 7 WHERE name = 'catalog_version'")
        let error = await refused(.invalid) {
            _ = try await fixture.editor.change(id, WorkflowChanges(isEnabled: true))
        }
        #expect(error?.problems.map(\.path) == ["steps.one.config.templateId", "steps.two.config.templateId"])
        #expect(try await fixture.editor.workflow(id).workflow.isEnabled == false)
    }

    @Test func looseEndsAreWarningsAndKeepNothingFromRunning() async throws {
        let fixture = try await EditorFixture()
        let id = try await fixture.editor.create(NewWorkflow(name: "Flow", eventName: "signed_up")).workflow.id
        _ = try await fixture.editor.add(
            NewStep(
                type: .condition, name: "Pro?", options: ["field": "data.plan", "operator": "equals", "value": "pro"]),
            to: id)
        let flow = try await fixture.editor.change(id, WorkflowChanges(isEnabled: true))
        #expect(flow.workflow.graph.warnings.map(\.path) == ["steps.pro", "steps.pro"])
        try await fixture.engine.track("signed_up")
        #expect(try await fixture.engine.executions().map(\.exitReason) == ["no_transition:no"])
    }

    // MARK: Trigger

    @Test func theEventStaysAfterTheFirstExecution() async throws {
        let fixture = try await EditorFixture()
        let id = try await fixture.makeDelayed().workflow.id
        let renamed = try await fixture.editor.change(id, WorkflowChanges(triggerConfig: ["eventName": "joined"]))
        #expect(renamed.workflow.graph.steps.first?.name == "Trigger: joined")
        try await fixture.engine.track("joined")
        try await fixture.finishExecutions()
        let error = await refused(.triggerLocked) {
            _ = try await fixture.editor.change(id, WorkflowChanges(triggerConfig: ["eventName": "other"]))
        }
        #expect(error?.problems.map(\.path) == ["triggerConfig.eventName"])
        _ = try await fixture.editor.change(id, WorkflowChanges(triggerConfig: ["eventName": "joined"]))
    }

    @Test func aDetourOverAnotherTypeDoesNotFreeTheEvent() async throws {
        let fixture = try await EditorFixture()
        let id = try await fixture.makeDelayed().workflow.id
        try await fixture.engine.track("signed_up")
        try await fixture.finishExecutions()
        let manual = try await fixture.editor.change(id, WorkflowChanges(triggerType: "MANUAL"))
        #expect(manual.workflow.trigger == .manual)
        _ = await refused(.triggerLocked) {
            _ = try await fixture.editor.change(
                id, WorkflowChanges(triggerType: "EVENT", triggerConfig: ["eventName": "other"]))
        }
        let back = try await fixture.editor.change(
            id, WorkflowChanges(triggerType: "EVENT", triggerConfig: ["eventName": "signed_up"]))
        #expect(back.workflow.trigger == .event("signed_up"))
    }

    @Test(
        arguments: [
            ("EVENT", nil, "triggerConfig.eventName"), ("EVENT", ["eventName": " "], "triggerConfig.eventName"),
            ("EVENT", ["eventName": "x", "y": 1], "triggerConfig.y"), ("EVENT", [1], "triggerConfig"),
            ("MANUAL", ["eventName": "x"], "triggerConfig.eventName"), ("NOPE", nil, "triggerType"),
            ("SCHEDULE", ["schedule": "61 * * * *", "all": true], "triggerConfig.schedule"),
        ] as [(String, JSON?, String)])
    func invalidTriggersAreRefused(type: String, config: JSON?, path: String) async throws {
        let fixture = try await EditorFixture()
        let id = try await fixture.editor.create(NewWorkflow(name: "W", eventName: "x")).workflow.id
        _ = try await fixture.editor.change(id, WorkflowChanges(triggerType: "MANUAL"))
        let error = await refused(.invalid) {
            _ = try await fixture.editor.change(id, WorkflowChanges(triggerType: type, triggerConfig: config))
        }
        #expect(error?.problems.map(\.path) == [path])
    }

    @Test func aScheduleIsSetAndShown() async throws {
        let fixture = try await EditorFixture()
        let id = try await fixture.makeDelayed().workflow.id
        let flow = try await fixture.editor.change(
            id,
            WorkflowChanges(
                triggerType: "SCHEDULE",
                triggerConfig: ["schedule": "0 9 * * 1", "timezone": "Europe/Berlin", "all": true]))
        #expect(flow.workflow.trigger.config["schedule"] == "0 9 * * 1")
        #expect(try await fixture.editor.workflow(id).workflow.trigger == flow.workflow.trigger)
    }

    // MARK: Lock

    @Test func structuralEditsAreRefusedWhileExecutionsAreUnderWay() async throws {
        let fixture = try await EditorFixture()
        let id = try await fixture.makeDelayed().workflow.id
        try await fixture.engine.track("signed_up")
        try await fixture.engine.track("signed_up", "ben@example.org")
        let editor = fixture.editor
        let edits: [@Sendable () async throws -> Void] = [
            { _ = try await editor.add(.delay, to: id) },
            { _ = try await editor.insert(.delay, into: "trigger", of: id) },
            { _ = try await editor.change("pause", of: id, StepChanges(options: ["amount": 2, "unit": "hours"])) },
            { try await editor.remove("pause", of: id, splicing: nil) },
            { try await editor.remove("pause", of: id, splicing: .init(branch: nil)) },
            { try await editor.disconnect("pause", in: id) },
            { _ = try await editor.change(id, WorkflowChanges(triggerConfig: ["eventName": "x"])) },
            { _ = try await editor.change(id, WorkflowChanges(triggerType: "MANUAL")) },
        ]
        for isEnabled in [true, false] {
            _ = try await editor.change(id, WorkflowChanges(isEnabled: isEnabled))
            for edit in edits {
                let error = await refused(.workflowLocked) { try await edit() }
                #expect(error?.description.contains("2 executions") == true)
            }
        }
        #expect(try await fixture.version(id) == 1)
        try await fixture.finishExecutions()
        _ = try await editor.add(.delay, to: id)
    }

    @Test func namesPlacesAndDescriptionsAreFreeWhileExecutionsAreUnderWay() async throws {
        let fixture = try await EditorFixture()
        let id = try await fixture.makeDelayed().workflow.id
        try await fixture.engine.track("signed_up")
        let named = try await fixture.editor.change(
            id, WorkflowChanges(name: "New", description: "Why", isEnabled: false, allowsReentry: true))
        #expect(named.workflow.name == "New" && named.workflow.description == "Why")
        let moved = try await fixture.editor.change(
            "pause", of: id, StepChanges(name: "A while", position: .init(x: 5, y: 6)))
        #expect(moved.workflow.workflow.versionNumber == 1)
        // The same options, however they are spelled, are no edit.
        _ = try await fixture.editor.change(
            "pause", of: id, StepChanges(options: ["unit": "hours", "amount": .double(1.0)]))
        let step = try await fixture.editor.workflow(id).workflow.graph.step("pause")
        #expect(step?.name == "A while" && step?.position == .init(x: 5, y: 6))
        try await fixture.finishExecutions()
        #expect(try await fixture.engine.executions().map(\.exitReason) == ["done"])
    }

    // MARK: Versions

    @Test func anUnusedVersionIsReplacedAndAUsedOneIsFollowed() async throws {
        let fixture = try await EditorFixture()
        let id = try await fixture.makeDelayed().workflow.id
        #expect(try await fixture.version(id) == 1, "edits before the first execution make no versions")
        try await fixture.engine.track("signed_up")
        try await fixture.finishExecutions()
        try await fixture.editor.remove("pause", of: id, splicing: .init(branch: nil))
        #expect(try await fixture.version(id) == 2)
        _ = try await fixture.editor.add(.delay, to: id)
        #expect(try await fixture.version(id) == 2, "nobody has taken version 2")
        try await fixture.engine.track("signed_up", "ben@example.org")
        #expect(try await fixture.engine.executions().last?.exitReason == "done", "it goes from the trigger to the end")
        _ = try await fixture.editor.change("pause", of: id, StepChanges(name: "Renamed"))
        #expect(try await fixture.version(id) == 2, "a name is no new version")
        try await fixture.editor.connect(Transition(from: "pause", to: "end"), in: id)
        #expect(try await fixture.version(id) == 3)
    }

    @Test func anEditThatIsRefusedLeavesEverythingAsItWas() async throws {
        let fixture = try await EditorFixture()
        let before = try await fixture.makeDelayed()
        _ = await refused(.invalidGraph) {
            try await fixture.editor.connect(Transition(from: "pause", to: "pause"), in: before.workflow.id)
        }
        _ = await refused(.invalid) {
            _ = try await fixture.editor.change(
                before.workflow.id, WorkflowChanges(name: "Other", triggerConfig: ["eventName": ""]))
        }
        let after = try await fixture.editor.workflow(before.workflow.id)
        #expect(after.workflow.graph == before.workflow.graph && after.workflow.name == before.workflow.name)
        #expect(after.workflow.updatedAt == before.workflow.updatedAt)
    }

    // MARK: Steps

    @Test func stepsGetKeysOfTheirNames() async throws {
        let fixture = try await EditorFixture()
        let id = try await fixture.editor.create(NewWorkflow(name: "W", eventName: "x")).workflow.id
        var step = NewStep.delay
        for key in ["pause", "pause-2", "pause-3"] { #expect(try await fixture.editor.add(step, to: id).key == key) }
        step.key = "mine"
        #expect(try await fixture.editor.add(step, to: id).key == "mine")
        let error = await refused(.conflict) { _ = try await fixture.editor.add(step, to: id) }
        #expect(error?.problems.map(\.path) == ["id"])
    }

    @Test(
        arguments: [
            (.delay, ["amount": -1, "unit": "days"], "config.amount"), (.delay, ["amonut": 1], "config.amonut"),
            (.sendEmail, [:], "config.template"), (.sendEmail, ["templateId": "nope"], "config.templateId"),
            (.sendEmail, ["template": "nope"], "config.template"),
            (.sendEmail, ["templateId": "hello", "to": "{{ broken"], "config.to"),
            (.updateContact, ["data": ["deep": ["{% if %}"]]], "config.data.deep.0"),
            (.updateContact, ["data": ["email": "x"]], "config.data.email"),
            (.webhook, ["url": "https://example.com", "headers": ["X-A": "{{ }"]], "config.headers.X-A"),
        ] as [(StepType, JSONObject, String)])
    func invalidOptionsAreRefusedWithTheirPath(type: StepType, options: JSONObject, path: String) async throws {
        let fixture = try await EditorFixture()
        let id = try await fixture.editor.create(NewWorkflow(name: "W", eventName: "x")).workflow.id
        let error = await refused(.invalid) {
            _ = try await fixture.editor.add(NewStep(type: type, name: "S", options: options), to: id)
        }
        #expect(error?.problems.contains { $0.path == path } == true, "\(error?.problems ?? [])")
    }

    @Test func aTemplateMayStandBesideTheOptions() async throws {
        let fixture = try await EditorFixture()
        let id = try await fixture.editor.create(NewWorkflow(name: "W", eventName: "x")).workflow.id
        let mail = try await fixture.editor.add(NewStep(type: .sendEmail, name: "Mail", template: "hello"), to: id)
        let template = try #require(mail.workflow.templates["mail"])
        #expect(template.slug == "hello")
        // Options that name none keep it; its id is as good as its name.
        let other = try await fixture.editor.change("mail", of: id, StepChanges(options: ["from": "a@example.com"]))
        #expect(other.workflow.templates["mail"]?.id == template.id)
        let byID = try await fixture.editor.change("mail", of: id, StepChanges(template: "\(template.id)"))
        #expect(byID.workflow.templates["mail"]?.id == template.id)
        let twice = await refused(.invalid) {
            _ = try await fixture.editor.change(
                "mail", of: id, StepChanges(options: ["template": "a"], template: "hello"))
        }
        #expect(twice?.problems.map(\.path) == ["templateId"])
        let wrong = await refused(.invalid) {
            _ = try await fixture.editor.add(
                NewStep(type: .exit, name: "End", template: "hello"), to: id)
        }
        #expect(wrong?.problems.map(\.path) == ["templateId"])
    }

    @Test func theTriggersOptionsAreTheWorkflows() async throws {
        let fixture = try await EditorFixture()
        let id = try await fixture.makeDelayed().workflow.id
        _ = try await fixture.editor.change(
            "trigger", of: id, StepChanges(name: "Start", options: ["eventName": "signed_up"]))
        let error = await refused(.invalid) {
            _ = try await fixture.editor.change("trigger", of: id, StepChanges(options: ["eventName": "x"]))
        }
        #expect(error?.problems.map(\.path) == ["config"])
        _ = await refused(.invalidGraph) {
            _ = try await fixture.editor.add(NewStep(type: .trigger, name: "T"), to: id)
        }
        _ = await refused(.invalidGraph) { try await fixture.editor.remove("trigger", of: id, splicing: nil) }
    }

    @Test func sizesAreLimited() async throws {
        let fixture = try await EditorFixture()
        let id = try await fixture.editor.create(NewWorkflow(name: "W", eventName: "x")).workflow.id
        let large = JSON.string(String(repeating: "x", count: 64 << 10))
        let error = await refused(.invalid) {
            _ = try await fixture.editor.add(NewStep(type: .exit, name: "E", options: ["reason": large]), to: id)
        }
        #expect(error?.problems.map(\.path) == ["config"])
        let half = JSON.string(String(repeating: "x", count: 60 << 10))
        let full = await refused(.invalidGraph) {
            for _ in 0..<20 {
                _ = try await fixture.editor.add(
                    NewStep(type: .updateContact, name: "U", options: ["data": ["k": half]]), to: id)
            }
        }
        #expect(full?.problems.map(\.path) == ["steps"])
    }

    // MARK: At the same time

    @Test func editsAtTheSameTimeLoseNothing() async throws {
        let fixture = try await EditorFixture()
        let id = try await fixture.editor.create(NewWorkflow(name: "W", eventName: "x")).workflow.id
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<50 {
                group.addTask {
                    var step = NewStep.delay
                    step.connects = number.isMultiple(of: 2)
                    _ = try await fixture.editor.add(step, to: id)
                }
            }
            try await group.waitForAll()
        }
        let graph = try await fixture.editor.workflow(id).workflow.graph
        #expect(graph.steps.count == 51 && Set(graph.steps.map(\.key)).count == 51)
    }

    /// Of an edit and an enrolment at the same time one comes first; in both orders the execution runs in the version it
    /// took, and the edit knows of it.
    @Test(arguments: 0..<20)
    func anEditSeesTheExecutionsBeforeIt(_ round: Int) async throws {
        let fixture = try await EditorFixture()
        let id = try await fixture.makeDelayed().workflow.id
        let isEdited = try await withThrowingTaskGroup(of: Bool?.self) { group in
            group.addTask {
                try await fixture.engine.track("signed_up")
                return nil
            }
            group.addTask {
                do {
                    try await fixture.editor.remove("pause", of: id, splicing: .init(branch: nil))
                    return true
                } catch let error as UseCaseError where error.code == .workflowLocked {
                    return false
                }
            }
            return try await group.reduce(into: false) { $0 = $1 ?? $0 }
        }
        let execution = try #require(try await fixture.engine.executions().first)
        let steps = try await fixture.engine.steps(of: execution).map(\.step)
        #expect(steps == (isEdited ? ["trigger", "end"] : ["trigger", "pause"]))
    }

    // MARK: Fields

    @Test func fieldsComeFromTheNewestContactsAndEvents() async throws {
        let fixture = try await EditorFixture()
        try await fixture.engine.track("order", data: ["total": 12, "paid": true, "when": "2026-01-01T00:00:00Z"])
        try await fixture.engine.track("visit", data: ["total": "many", "page": "/"])
        let fields = try await WorkflowFields(context: fixture.engine.context).read(
            project: fixture.engine.project.id, eventName: nil)
        let types = Dictionary(uniqueKeysWithValues: fields.map { ($0.name, "\($0.category) \($0.type)") })
        #expect(types["contact.email"] == "contact string" && types["execution.startedAt"] == "system date")
        #expect(types["data.paid"] == "data boolean" && types["data.when"] == "data date")
        #expect(types["data.total"] == "data string", "the contact has the newer value alone")
        #expect(types["event.total"] == "event mixed" && types["event.page"] == "event string")
        let orders = try await WorkflowFields(context: fixture.engine.context).read(
            project: fixture.engine.project.id, eventName: "order")
        #expect(orders.filter { $0.category == .event }.map(\.name) == ["event.paid", "event.total", "event.when"])
        let stranger = try await WorkflowFields(context: fixture.engine.context).read(
            project: Identifier(high: 5, low: 5), eventName: nil)
        #expect(stranger.allSatisfy { $0.category == .contact || $0.category == .system })
    }
}
