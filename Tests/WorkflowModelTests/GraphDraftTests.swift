import JSONValue
import Testing
import WorkflowModel

@Suite struct GraphDraftTests {
    private static let condition = StepConfig.condition(.single(Condition(field: "data.plan", operator: .exists)))
    private static let exit = StepConfig.exit(reason: nil)

    /// A draft of steps and edges; the trigger is there already.
    private func draft(_ configs: [(String, StepConfig)], _ edges: [Transition]) throws -> GraphDraft {
        let steps = [Step(key: "trigger", config: .trigger)] + configs.map { Step(key: $0.0, config: $0.1) }
        return GraphDraft(try WorkflowGraph(steps: steps, transitions: edges))
    }

    private func ways(_ draft: GraphDraft) -> [String] {
        draft.graph.transitions.map { "\($0.id)>\($0.to)" }.sorted()
    }

    private func refusal(
        of draft: GraphDraft, _ edit: (inout GraphDraft) throws(GraphRefusal) -> Void,
        sourceLocation: SourceLocation = #_sourceLocation
    ) -> GraphRefusal? {
        var edited = draft
        do {
            try edit(&edited)
            Issue.record("was not refused", sourceLocation: sourceLocation)
            return nil
        } catch {
            #expect(edited == draft, "a refused edit changes nothing", sourceLocation: sourceLocation)
            return error
        }
    }

    // MARK: Adding

    @Test func aNewStepIsConnectedToTheLooseEndAddedLast() throws {
        var draft = try draft([("a", oneDay)], [Transition(from: "trigger", to: "a")])
        try draft.add(Step(key: "b", config: oneDay), connecting: true)
        #expect(ways(draft) == ["a>b", "trigger>a"])
        try draft.add(Step(key: "c", config: oneDay), connecting: false)
        try draft.add(Step(key: "d", config: oneDay), connecting: true)
        #expect(ways(draft) == ["a>b", "c>d", "trigger>a"])
    }

    @Test func nothingIsConnectedOutOfAnExit() throws {
        var alone = try draft([("end", Self.exit)], [Transition(from: "trigger", to: "end")])
        try alone.add(Step(key: "a", config: oneDay), connecting: true)
        #expect(ways(alone) == ["trigger>end"])
        var other = try draft([("end", Self.exit)], [])
        try other.add(Step(key: "a", config: oneDay), connecting: true)
        #expect(ways(other) == ["trigger>a"], "the loose end before the EXIT is taken")
    }

    @Test func conditionsAndWaitsAreConnectedByTheirBranches() throws {
        var draft = try draft([("if", Self.condition)], [Transition(from: "trigger", to: "if")])
        try draft.add(Step(key: "wait", config: wait("go")), connecting: true)
        try draft.add(Step(key: "forever", config: wait("go", timeout: nil)), connecting: true)
        try draft.add(Step(key: "end", config: Self.exit), connecting: true)
        #expect(
            ways(draft) == [
                "forever:event>end", "if:yes>wait", "trigger>if", "wait:event>forever", "wait:timeout>forever",
            ])
    }

    @Test func severalBranchesAreConnectedByTheFirst() throws {
        let multi = StepConfig.condition(
            .multi(
                field: "data.plan",
                branches: [
                    .init(
                        id: "pro", name: "pro",
                        condition: Condition(field: "data.plan", operator: .equals, value: "pro")),
                    .init(
                        id: "team", name: "team",
                        condition: Condition(field: "data.plan", operator: .equals, value: "team")),
                ], otherwise: "other"))
        var draft = try draft([("if", multi)], [Transition(from: "trigger", to: "if")])
        try draft.add(Step(key: "a", config: oneDay), connecting: true)
        #expect(ways(draft) == ["if:pro>a", "trigger>if"])
    }

    @Test func aSecondTriggerAndATakenKeyAreRefused() throws {
        let draft = try draft([("a", oneDay)], [])
        #expect(
            refusal(of: draft) { (d) throws(GraphRefusal) in
                try d.add(Step(key: "t", config: .trigger), connecting: true)
            }?.code == .refused)
        #expect(
            refusal(of: draft) { (d) throws(GraphRefusal) in try d.add(Step(key: "a", config: oneDay), connecting: true)
            }?.code == .conflict)
    }

    // MARK: Inserting

    @Test func insertedStepKeepsTheBranchBeforeItAndLeadsOnPlainly() throws {
        var draft = try draft(
            [("if", Self.condition), ("end", Self.exit)],
            [Transition(from: "trigger", to: "if"), Transition(from: "if", to: "end", branch: "no", priority: 7)])
        try draft.insert(Step(key: "pause", config: oneDay), into: "if:no")
        #expect(ways(draft) == ["if:no>pause", "pause>end", "trigger>if"])
        #expect(draft.graph.transitions(from: "if").map(\.priority) == [7])
        #expect(draft.graph.transitions(from: "pause").map(\.priority) == [0])
    }

    @Test func insertedConditionsAndWaitsLeadOnByTheirBranches() throws {
        let start = try draft([("end", Self.exit)], [Transition(from: "trigger", to: "end")])
        var one = start
        try one.insert(Step(key: "if", config: Self.condition), into: "trigger")
        #expect(ways(one) == ["if:yes>end", "trigger>if"])
        var two = start
        try two.insert(Step(key: "wait", config: wait("go")), into: "trigger")
        #expect(ways(two) == ["trigger>wait", "wait:event>end", "wait:timeout>end"])
    }

    @Test func triggerAndExitAreNotInserted() throws {
        let draft = try draft([("end", Self.exit)], [Transition(from: "trigger", to: "end")])
        for config in [StepConfig.trigger, Self.exit] {
            let refusal = refusal(of: draft) { (d) throws(GraphRefusal) in
                try d.insert(Step(key: "x", config: config), into: "trigger")
            }
            #expect(refusal?.code == .refused && refusal?.problems.map(\.path) == ["type"])
        }
        let missing = refusal(of: draft) { (d) throws(GraphRefusal) in
            try d.insert(Step(key: "x", config: oneDay), into: "end")
        }
        #expect(missing?.code == .notFound)
    }

    // MARK: Removing

    @Test func removedStepLeavesTheGraphDisconnected() throws {
        var draft = try draft(
            [("a", oneDay), ("b", oneDay)], [Transition(from: "trigger", to: "a"), Transition(from: "a", to: "b")])
        try draft.remove("a")
        #expect(ways(draft).isEmpty)
        #expect(draft.graph.steps.map(\.key) == ["trigger", "b"])
    }

    @Test func splicedStepsPredecessorsLeadToItsSuccessor() throws {
        var draft = try draft(
            [("if", Self.condition), ("a", oneDay), ("b", oneDay)],
            [
                Transition(from: "trigger", to: "if"), Transition(from: "if", to: "a", branch: "yes"),
                Transition(from: "if", to: "a", branch: "no", priority: 2), Transition(from: "a", to: "b"),
            ])
        try draft.splice("a", keeping: nil)
        #expect(ways(draft) == ["if:no>b", "if:yes>b", "trigger>if"])
        #expect(draft.graph.transitions(from: "if").map(\.priority).sorted() == [0, 2])
        try draft.splice("b", keeping: nil)
        #expect(ways(draft) == ["trigger>if"], "without a successor the edges into it go")
    }

    @Test func splicingAConditionNeedsTheBranchToKeep() throws {
        let start = try draft(
            [("if", Self.condition), ("a", oneDay)],
            [Transition(from: "trigger", to: "if"), Transition(from: "if", to: "a", branch: "yes")])
        #expect(refusal(of: start) { (d) throws(GraphRefusal) in try d.splice("if", keeping: nil) }?.code == .refused)
        #expect(
            refusal(of: start) { (d) throws(GraphRefusal) in try d.splice("if", keeping: "no") }?.problems.map(\.path)
                == ["branch"])
        var draft = start
        try draft.splice("if", keeping: "yes")
        #expect(ways(draft) == ["trigger>a"])
    }

    @Test func splicingAWaitNeedsTheBranchOnlyWhereItsWaysDiffer() throws {
        let same = try draft(
            [("wait", wait("go")), ("a", oneDay)],
            [
                Transition(from: "trigger", to: "wait"), Transition(from: "wait", to: "a", branch: "event"),
                Transition(from: "wait", to: "a", branch: "timeout"),
            ])
        var one = same
        try one.splice("wait", keeping: nil)
        #expect(ways(one) == ["trigger>a"])
        let different = try draft(
            [("wait", wait("go")), ("a", oneDay), ("b", oneDay)],
            [
                Transition(from: "trigger", to: "wait"), Transition(from: "wait", to: "a", branch: "event"),
                Transition(from: "wait", to: "b", branch: "timeout"),
            ])
        #expect(
            refusal(of: different) { (d) throws(GraphRefusal) in try d.splice("wait", keeping: nil) }?.code == .refused)
        var two = different
        try two.splice("wait", keeping: "timeout")
        #expect(ways(two) == ["trigger>b"])
    }

    @Test func theTriggerStays() throws {
        let draft = try draft([], [])
        #expect(refusal(of: draft) { (d) throws(GraphRefusal) in try d.remove("trigger") }?.code == .refused)
        #expect(
            refusal(of: draft) { (d) throws(GraphRefusal) in try d.splice("trigger", keeping: nil) }?.code == .refused)
        #expect(refusal(of: draft) { (d) throws(GraphRefusal) in try d.remove("nobody") }?.code == .notFound)
    }

    // MARK: Connecting

    private func connecting(_ from: String, _ to: String, _ branch: String? = nil) throws -> GraphRefusal? {
        let draft = try draft(
            [
                ("if", Self.condition), ("wait", wait("go")), ("forever", wait("go", timeout: nil)), ("a", oneDay),
                ("b", oneDay), ("end", Self.exit),
            ],
            [
                Transition(from: "trigger", to: "if"), Transition(from: "if", to: "a", branch: "yes"),
                Transition(from: "a", to: "b"), Transition(from: "wait", to: "end", branch: "event"),
            ])
        return refusal(of: draft) { (d) throws(GraphRefusal) in
            try d.connect(Transition(from: from, to: to, branch: branch))
        }
    }

    @Test(
        arguments: [
            ("a", "a", nil, "toStepId"), ("end", "a", nil, "fromStepId"), ("b", "trigger", nil, "toStepId"),
            ("if", "b", "yes", "branch"), ("if", "b", nil, "branch"), ("if", "b", "maybe", "branch"),
            ("a", "end", nil, "fromStepId"), ("b", "end", "yes", "branch"), ("b", "a", nil, "toStepId"),
            ("b", "if", nil, "toStepId"), ("wait", "a", "event", "branch"), ("forever", "a", "timeout", "branch"),
        ] as [(String, String, String?, String)])
    func transitionsThatBreakARuleAreRefused(from: String, to: String, branch: String?, path: String) throws {
        let refusal = try connecting(from, to, branch)
        #expect(refusal?.code == .refused)
        #expect(refusal?.problems.map(\.path) == [path])
    }

    @Test(arguments: [("nobody", "a", "fromStepId"), ("b", "nobody", "toStepId")])
    func transitionsBetweenUnknownStepsAreNotFound(from: String, to: String, path: String) throws {
        let refusal = try connecting(from, to)
        #expect(refusal?.code == .notFound)
        #expect(refusal?.problems.map(\.path) == [path])
    }

    @Test func aWaitMayLeadOnByAPlainEdgeBesideATaggedOne() throws {
        var draft = try draft(
            [("wait", wait("go")), ("a", oneDay), ("b", oneDay)],
            [Transition(from: "wait", to: "a", branch: "event")])
        try draft.connect(Transition(from: "wait", to: "b"))
        #expect(ways(draft) == ["wait:event>a", "wait>b"])
        try draft.disconnect("wait:event")
        #expect(ways(draft) == ["wait>b"])
        #expect(refusal(of: draft) { (d) throws(GraphRefusal) in try d.disconnect("wait:event") }?.code == .notFound)
    }

    // MARK: Replacing

    @Test func optionsThatNoLongerFitTheEdgesAreRefused() throws {
        let draft = try draft(
            [("wait", wait("go")), ("a", oneDay)], [Transition(from: "wait", to: "a", branch: "timeout")])
        let refusal = refusal(of: draft) { (d) throws(GraphRefusal) in
            try d.replace(Step(key: "wait", config: wait("go", timeout: nil)))
        }
        #expect(refusal?.code == .refused)
        let other = self.refusal(of: draft) { (d) throws(GraphRefusal) in
            try d.replace(Step(key: "wait", config: oneDay))
        }
        #expect(other?.problems.map(\.path) == ["type"])
    }

    // MARK: Structure and warnings

    @Test func namesPositionsAndSpellingsAreNoStructure() throws {
        let plain = try draft([("a", oneDay)], [Transition(from: "trigger", to: "a")]).graph
        let steps = [
            Step(key: "trigger", config: .trigger),
            Step(key: "a", name: "A", config: oneDay, options: ["amount": 1], position: .init(x: 1, y: 1)),
        ]
        let renamed = try WorkflowGraph(steps: steps.reversed(), transitions: plain.transitions)
        #expect(plain.hasSameStructure(as: renamed) && plain != renamed)
        let other = try draft([("a", oneDay)], [Transition(from: "trigger", to: "a", priority: 1)]).graph
        #expect(!plain.hasSameStructure(as: other))
        #expect(
            !plain.hasSameStructure(as: try draft([("a", Self.exit)], [Transition(from: "trigger", to: "a")]).graph))
    }

    @Test func warningsSayWhereRunsEndEarlyOrNeverCome() throws {
        let graph = try draft(
            [("if", Self.condition), ("wait", wait("go")), ("last", wait("go")), ("lost", oneDay), ("end", Self.exit)],
            [
                Transition(from: "trigger", to: "if"), Transition(from: "if", to: "wait", branch: "yes"),
                Transition(from: "wait", to: "last", branch: "event"),
            ]
        ).graph
        #expect(graph.warnings.map(\.path) == ["steps.if", "steps.wait", "steps.lost", "steps.end"])
        #expect(graph.warnings[0].message.contains("no") && graph.warnings[1].message.contains("timeout"))
        #expect(try draft([], []).graph.warnings.map(\.path) == ["steps.trigger"])
        #expect(try draft([("a", oneDay)], [Transition(from: "trigger", to: "a")]).graph.warnings.isEmpty)
    }
}

@Suite struct KeyMakerTests {
    @Test(
        arguments: [
            ("Welcome mail", [], "welcome-mail"), ("Welcome mail", ["welcome-mail"], "welcome-mail-2"),
            ("Welcome mail", ["welcome-mail", "welcome-mail-2"], "welcome-mail-3"), ("  (Yes!) ", [], "yes"),
            ("日本", [], "step"), ("a_B-c", [], "a_b-c"),
            (String(repeating: "x", count: 99), [], String(repeating: "x", count: 64)),
        ] as [(String, [String], String)])
    func keysAreMadeOfNames(name: String, taken: [String], key: String) {
        let made = KeyMaker.key(for: name, or: "step") { taken.contains($0) }
        #expect(made == key && Step.isKey(made))
    }

    @Test func aLongTakenKeyMakesRoomForItsNumber() {
        let long = String(repeating: "x", count: 64)
        let made = KeyMaker.key(for: long, or: "step") { $0 == long }
        #expect(made == String(repeating: "x", count: 62) + "-2" && Step.isKey(made))
    }
}
