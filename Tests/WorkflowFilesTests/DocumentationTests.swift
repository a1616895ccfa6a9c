import Engine
import Foundation
import JSONValue
import Testing
import WorkflowModel

@testable import WorkflowFiles

/// Documentation/workflows.md is true: its examples are read, and nothing that is read is missing from it.
@Suite struct DocumentationTests {
    private static let page =
        (try? String(contentsOf: projectFolder.appendingPathComponent("Documentation/workflows.md"), encoding: .utf8))
        ?? ""

    /// The YAML blocks of the page.
    static let blocks: [String] = page.components(separatedBy: "```yaml\n").dropFirst().map {
        $0.components(separatedBy: "\n```")[0]
    }

    @Test func thereAreExamplesOfEverything() throws {
        #expect(Self.blocks.count >= 15)
        let documents = try Self.blocks.map(Self.document)
        let types = Set(documents.flatMap { $0.graph.steps.map(\.config.type) })
        #expect(types == Set(StepType.allCases))
    }

    @Test(arguments: blocks) func anExampleIsRead(_ block: String) throws {
        let document = try Self.document(block)
        try Workflows.check(document)
        #expect(document.graph.warnings.isEmpty, "\(document.graph.warnings)")
    }

    /// A part of a file, completed to a whole one: what it leads to ends, and what it does not say is not asked for.
    private static func document(_ block: String) throws -> WorkflowDocument {
        let part = try YAMLReader.read(block).value
        if part["workflow"] != nil { return try WorkflowDocument(part) }
        var object = part.objectValue ?? [:]
        object["workflow"] = "part"
        object["trigger"] = object["trigger"] ?? ["manual": true]
        var steps = object["steps"]?.objectValue ?? [:]
        if let filter = object["filter"] {
            object["filter"] = nil
            steps["check"] = ["type": "CONDITION", "config": ["filter": filter], "next": ["yes": "a", "no": "b"]]
        }
        for step in steps.values {
            let next = step["next"] ?? .null
            for target in next.objectValue.map({ Array($0.values) }) ?? [next] {
                guard let target = target.stringValue, steps[target] == nil else { continue }
                steps[target] = ["type": "EXIT"]
            }
        }
        steps["start"] = ["type": "TRIGGER", "next": .string(steps.keys.first ?? "done")]
        if steps.count == 1 { steps["done"] = ["type": "EXIT"] }
        object["steps"] = .object(steps)
        return try WorkflowDocument(.object(object))
    }

    // MARK: Nothing is missing

    /// Whether the page has the word in code.
    private static func mentions(_ word: String) -> Bool {
        ["`\(word)`", "`\(word) ", " \(word): ", "{\(word): ", " \(word):\n"].contains { page.contains($0) }
    }

    /// The options that a reader knows, as it names them when it meets one that it does not know.
    private static func options(of problems: [WorkflowProblem]) -> [String] {
        problems.filter { $0.path.hasSuffix("nonsense") }.flatMap { problem in
            problem.message.components(separatedBy: "known are ").dropFirst().flatMap {
                $0.components(separatedBy: ", ")
            }
        }
    }

    @Test(arguments: StepType.allCases) func everyOptionOfAStepIsThere(_ type: StepType) {
        var options = Self.options(of: StepConfigReader.read(type, ["nonsense": 1], path: "c").problems)
        if type == .condition {
            for config in [["filter": [:], "nonsense": 1], ["mode": "multi", "nonsense": 1]] as [JSONObject] {
                options += Self.options(of: StepConfigReader.read(type, config, path: "c").problems)
            }
        }
        #expect(!options.isEmpty)
        for option in options where !["eventName", "updates"].contains(option) || type == .waitForEvent {
            #expect(Self.mentions(option), "\(type.rawValue) has \(option)")
        }
    }

    @Test func everyKeyOfAFileIsThere() {
        let broken: JSON = [
            "workflow": "w", "nonsense": 1, "trigger": ["event": "a", "nonsense": 1], "timers": ["nonsense": 1],
            "steps": ["start": ["type": "TRIGGER", "nonsense": 1]],
            "templates": ["t": ["subject": "s", "text": "t", "nonsense": 1]],
        ]
        let error = #expect(throws: UseCaseError.self) { try WorkflowDocument(broken) }
        let schedule: JSON = [
            "workflow": "w", "trigger": ["schedule": "* * * * *", "all": true, "nonsense": 1],
            "steps": ["start": ["type": "TRIGGER"]],
        ]
        let other = #expect(throws: UseCaseError.self) { try WorkflowDocument(schedule) }
        let options = Self.options(of: (error?.problems ?? []) + (other?.problems ?? []))
        #expect(Set(options).isSuperset(of: ["timers", "manual", "lateAfter", "next", "trackOpens", "catchUp"]))
        // A canvas' matter, not an administrator's.
        for option in options where option != "position" {
            #expect(Self.mentions(option), "\(option)")
        }
    }

    @Test func everyOperatorIsThere() {
        for comparison in Condition.Operator.allCases { #expect(Self.mentions(comparison.rawValue), "\(comparison)") }
    }

    @Test func everyMemberOfASimulationsRequestIsThere() {
        let error = #expect(throws: UseCaseError.self) {
            try SimulationRequest(json: [
                "nonsense": 1, "contact": ["email": "a@b", "nonsense": 1], "events": [["nonsense": 1]],
                "webhooks": ["a": ["nonsense": 1]],
            ])
        }
        let options = Self.options(of: error?.problems ?? [])
        #expect(options.count > 10)
        for option in options { #expect(Self.page.contains(option), "\(option)") }
    }
}
