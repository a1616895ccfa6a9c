import JSONValue
import WorkflowModel

/// Templates by name, rendering that replaces `{{path}}`, ids that count up.
final class TestEnvironment: MachineEnvironment {
    var templates: [String: TemplateSummary] = [
        "t": TemplateSummary(
            id: Identifier(high: 9, low: 1), versionID: Identifier(high: 9, low: 2), kind: .transactional,
            variablePaths: [["event", "subject"], ["contact", "email"], ["missing"]]),
        "ad": TemplateSummary(
            id: Identifier(high: 9, low: 3), versionID: Identifier(high: 9, low: 4), kind: .marketing, variablePaths: []
        ),
    ]
    private var nextID: UInt64 = 0

    struct Failure: Error {}

    func render(_ source: String, scope: Scope) throws -> String {
        if source == "{{fail}}" { throw Failure() }
        guard source.hasPrefix("{{"), source.hasSuffix("}}") else { return source }
        return scope.value(at: String(source.dropFirst(2).dropLast(2)))?.stringValue ?? ""
    }

    func template(_ reference: String) -> TemplateSummary? { templates[reference] }

    /// Why there are no automatic replies.
    var replyRefusal: String?
    /// What was asked about, with what came before it in the same move.
    var askedReplies: [(reply: ReplyKey, earlier: [ReplyKey])] = []

    func refusal(of reply: ReplyKey, after earlier: [ReplyKey]) -> String? {
        askedReplies.append((reply, earlier))
        return replyRefusal
    }

    var suppressed: [String: String] = [:]

    func suppression(of address: String, kind: TemplateSummary.Kind) -> String? { suppressed[address] }

    var history: [Event] = []
    var zones: any TimeZoneRules = UTCRules()
    var projectZone = "UTC"

    func firstEvent(named names: [String], since execution: Execution, where test: (Event) -> Bool) -> Event? {
        history.first { names.contains($0.name) && test($0) }
    }

    func keptEvent(named names: [String], since execution: Execution, where test: (Event) -> Bool) -> Event? {
        firstEvent(named: names, since: execution, where: test)
    }

    func lastOccurrence(of event: String, contact: Identifier) -> Timestamp? {
        history.last { $0.name == event }?.createdAt
    }

    func isMember(_ contact: Identifier, ofSegment segment: String) -> Bool { false }

    func makeCallID() -> Identifier { makeMailID() }

    func makeMailID() -> Identifier {
        nextID += 1
        return Identifier(high: 8, low: nextID)
    }
}

let start = Timestamp(seconds: 1_800_000_000)
let ann = Contact(
    id: Identifier(high: 1, low: 1), email: "ann@example.org", isSubscribed: true,
    data: ["plan": "free", "age": 30, "first name": "Ann"], createdAt: start, updatedAt: start)

func event(_ name: String, _ data: JSONObject = [:], id: UInt64 = 1, generation: Int = 0) -> Event {
    Event(
        id: Identifier(high: 2, low: id), name: name, data: data, source: .api, generation: generation, createdAt: start
    )
}

/// A chain of steps after a trigger, each leading to the next; `edges` replaces the chain.
func machine(
    _ configs: [(String, StepConfig)], edges: [Transition]? = nil, environment: TestEnvironment = TestEnvironment()
) throws -> ExecutionMachine {
    let steps = [Step(key: "trigger", config: .trigger)] + configs.map { Step(key: $0.0, config: $0.1) }
    let chain = zip(steps, steps.dropFirst()).map { Transition(from: $0.key, to: $1.key) }
    return ExecutionMachine(
        graph: try WorkflowGraph(steps: steps, transitions: edges ?? chain), workflowName: "Flow",
        environment: environment)
}

func newExecution(trigger: Event? = event("signed_up", ["subject": "Hi"], id: 100)) -> Execution {
    Execution(
        id: Identifier(high: 3, low: 1), workflowID: Identifier(high: 4, low: 1), contactID: ann.id, trigger: trigger,
        startedAt: start)
}

let oneDay = StepConfig.delay(.init(.duration(microseconds: 86_400_000_000, amount: 1, unit: "days")))

func wait(_ names: String..., timeout: Int64? = 60) -> StepConfig {
    .waitForEvent(.init(eventNames: names, timeout: timeout))
}
