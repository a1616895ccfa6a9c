import Engine
import EngineTestKit
import JSONValue
import SQLStore
import Testing
import WorkflowModel

@testable import WorkflowFiles

/// What is exported applies back unchanged, and means the same to every execution.
@Suite struct RoundTripTests {
    private func engine() async throws -> (EngineFixture, TemporaryDatabase) {
        let database = try TemporaryDatabase()
        return (
            try await EngineFixture(store: try SQLiteStore(path: database.path, exclusively: false)), database
        )
    }

    @Test(arguments: 0..<60) func anExportAppliesBackUnchanged(_ seed: Int) async throws {
        let (engine, _database) = try await engine()
        _ = _database
        let workflows = Workflows(context: engine.context)
        var random = RandomWorkflow(seed: seed)
        let json = random.document()
        let document = try WorkflowDocument(json)
        #expect(try await workflows.apply(document) == .created(version: 1))
        #expect(try await workflows.apply(document) == .unchanged)
        let exported = try await workflows.export("flow", project: "default")
        let read = try WorkflowDocument(try YAMLReader.read(exported.yaml).value)
        #expect(try await workflows.apply(read) == .unchanged, "\(exported.yaml)")
        #expect(read.graph.hasSameStructure(as: document.graph))
        #expect(try await workflows.export("flow", project: "default").yaml == exported.yaml)
        let comparison = try await workflows.compare(read)
        #expect(WorkflowDifference(from: comparison.stored, to: read).isEmpty)
        guard case .success(.unchanged) = comparison.outcome else {
            Issue.record("\(comparison.outcome)")
            return
        }
    }

    @Test(arguments: 0..<60) func twoDocumentsDifferExactlyWhenApplyingChangesSomething(_ seed: Int) async throws {
        let (engine, _database) = try await engine()
        _ = _database
        let workflows = Workflows(context: engine.context)
        var random = RandomWorkflow(seed: seed)
        let first = random.document()
        _ = try await workflows.apply(try WorkflowDocument(first))
        let second = try WorkflowDocument(random.below(3) == 0 ? first : random.document())
        let comparison = try await workflows.compare(second)
        let differs = !WorkflowDifference(from: comparison.stored, to: second).isEmpty
        #expect(try await (workflows.apply(second) != .unchanged) == differs)
        let after = try await workflows.compare(second)
        #expect(WorkflowDifference(from: after.stored, to: second).isEmpty)
    }

    @Test func aTemplateIsTheSameBySlugAndById() async throws {
        let (engine, _database) = try await engine()
        _ = _database
        let workflows = Workflows(context: engine.context)
        func document(_ template: String) throws -> WorkflowDocument {
            try WorkflowDocument([
                "workflow": "flow", "trigger": ["event": "a"],
                "steps": [
                    "start": ["type": "TRIGGER", "next": "mail"],
                    "mail": ["type": "SEND_EMAIL", "config": ["templateId": .string(template)]],
                ], "templates": ["hello": ["subject": "S", "text": "T"]],
            ])
        }
        _ = try await workflows.apply(try document("hello"))
        let id = try #require(try await engine.context.store.read { try $0.loadCatalog() }.templates.first).id
        guard case .success(.updated) = try await workflows.compare(try document("\(id)")).outcome else {
            Issue.record("the step means the same")
            return
        }
    }
}

/// Workflows with every step type and option, acyclic because every way leads to a later step.
struct RandomWorkflow {
    private var values: RandomValues

    init(seed: Int) { values = RandomValues(seed: seed &* 7919 &+ 13) }

    mutating func below(_ bound: Int) -> Int { values.below(bound) }

    mutating func document() -> JSON {
        let count = 2 + below(8)
        var steps: JSONObject = ["start": ["type": "TRIGGER", "next": "s0"]]
        for index in 0..<count { steps["s\(index)"] = .object(step(index, of: count)) }
        var document: JSONObject = [
            "workflow": "flow", "name": .string(line()), "enabled": .bool(below(2) == 0),
            "allowReentry": .bool(below(2) == 0),
            "reentryKey": [nil, "order.id", "order"][below(3)], "trigger": ["event": "go"], "steps": .object(steps),
            "templates": [
                "t": [
                    "type": "TRANSACTIONAL", "subject": .string(line() + "s"), "text": .string(line() + "\n" + line()),
                ],
                "u": [
                    "subject": "U", "html": "<p>\n\n{{ a }}\n</p>\n", "trackOpens": .bool(below(2) == 0),
                    "from": "a@b.example",
                ],
            ],
        ]
        if below(2) == 0 { document["description"] = .string(line()) }
        if below(2) == 0 { document["timers"] = ["rate": .int(Int64(1 + below(50)))] }
        return .object(document)
    }

    /// A text that Liquid takes for text.
    private mutating func line() -> String {
        "n" + values.text().filter { $0 != "{" && $0 != "}" && $0 != "%" }
    }

    private mutating func later(_ index: Int, _ count: Int) -> JSON {
        .string("s\(min(count - 1, index + 1 + below(3)))")
    }

    private mutating func step(_ index: Int, of count: Int) -> JSONObject {
        if index == count - 1 { return ["type": "EXIT", "config": ["reason": .string(line())]] }
        var step: JSONObject
        switch below(9) {
        case 0: step = ["type": "SEND_EMAIL", "config": ["template": values.pick(["t", "u"]), "to": .string(line())]]
        case 1:
            step = [
                "type": "DELAY",
                "config": ["amount": .int(Int64(1 + below(30))), "unit": values.pick(["minutes", "hours", "days"])],
            ]
        case 2: step = ["type": "DELAY", "config": ["until": .string(line())]]
        case 3:
            step = [
                "type": "WAIT_FOR_EVENT",
                "config": [
                    "eventNames": ["a", "email.open"], "timeout": 60, "lookback": .bool(below(2) == 0),
                    "filter": filter(),
                ],
                "next": ["event": later(index, count), "timeout": later(index, count)],
            ]
        case 4:
            step = [
                "type": "CONDITION", "config": ["filter": filter()],
                "next": ["yes": later(index, count), "no": later(index, count)],
            ]
        case 5:
            step = [
                "type": "CONDITION", "config": ["field": "plan", "operator": "equals", "value": .string(line())],
                "next": ["no": later(index, count), "yes": later(index, count)],
            ]
        case 6:
            step = [
                "type": "CONDITION",
                "config": [
                    "mode": "multi", "field": "contact.plan",
                    "branches": [
                        ["id": "A", "operator": "equals", "value": .string(line())],
                        ["id": "b-2", "name": .string(line()), "operator": "exists"],
                    ],
                ], "next": ["A": later(index, count), "b-2": later(index, count), "default": later(index, count)],
            ]
        case 7:
            step = [
                "type": "WEBHOOK",
                "config": [
                    "url": "https://example.com/{{ a }}", "headers": ["X-A": "b: c"],
                    "body": ["x": values.value(depth: 2)],
                ],
            ]
        default:
            step = [
                "type": "UPDATE_CONTACT",
                "config": ["data": ["a": values.value(depth: 2), "b": .null], "subscriptionAction": "subscribe"],
            ]
        }
        if step["next"] == nil { step["next"] = later(index, count) }
        if below(3) == 0 { step["name"] = .string(line()) }
        if below(4) == 0 { step["position"] = ["x": .int(Int64(below(500))), "y": 10.5] }
        return step
    }

    private mutating func filter() -> JSON {
        let one: JSON = ["field": "data.x", "operator": "contains", "value": .string(line())]
        let two: JSON = [
            "field": "email.opened", "operator": "triggeredWithin", "value": .int(Int64(1 + below(9))), "unit": "days",
        ]
        let inner: JSON = ["logic": "OR", "groups": [["filters": [two]], ["filters": [one]]]]
        return ["logic": values.pick(["AND", "OR"]), "groups": [["filters": [one, two]], ["conditions": inner]]]
    }
}
