import JSONValue
import Testing
import WorkflowModel

/// A contact's data, an event history and segments, as a filter sees them.
struct FilterSight: FilterScope {
    var values: JSON = [:]
    var now = start
    var history: [String: Timestamp] = [:]
    var segments: Set<String> = []

    func value(at path: String) -> JSON? { values[path: path] }
    func lastOccurrence(of event: String) -> Timestamp? { history[event] }
    func isMember(ofSegment id: String) -> Bool { segments.contains(id) }
}

private let everywhere = Filter.Vocabulary(hasExecution: true, hasSegments: true)

private func filter(_ logic: JSON = "AND", _ conditions: JSON...) -> JSON {
    ["logic": logic, "groups": [["filters": .array(conditions)]]]
}

private func one(_ field: String, _ comparison: String, _ value: JSON? = nil, _ unit: JSON? = nil) -> JSON {
    var object: JSONObject = ["field": .string(field), "operator": .string(comparison)]
    object["value"] = value
    object["unit"] = unit
    return .object(object)
}

@Suite struct FilterMeaningTests {
    private func holds(_ json: JSON, in sight: FilterSight) throws -> Bool {
        try Filter(json: json, path: "f", vocabulary: everywhere).isSatisfied(in: sight)
    }

    @Test(
        arguments: [
            (one("data.n", "equals", 5), true), (one("data.n", "equals", "5"), false),
            (one("data.n", "notEquals", "5"), true), (one("data.yes", "equals", true), true),
            (one("data.yes", "equals", "true"), false), (one("data.a.b", "equals", "deep"), true),
            (one("contact.data.n", "equals", 5), false), (one("contact.name", "equals", "Ann"), true),
            (one("data.list", "equals", ["x", 1]), true), (one("data.list", "contains", "x"), true),
            (one("data.text", "contains", "BC"), false), (one("data.text", "contains", "bc"), true),
            (one("data.n", "greaterThan", 4), true), (one("data.n", "greaterThan", "4"), false),
            (one("data.n", "lessThanOrEqual", "6"), false), (one("data.text", "lessThan", "abd"), true),
            (one("email", "equals", "ANN@Example.org"), true), (one("contact.email", "contains", "@EXAMPLE"), true),
            (one("email", "notContains", "ann"), false), (one("subscribed", "equals", true), true),
            (one("contact.subscribed", "notEquals", true), false), (one("event.amount", "greaterThan", 10), true),
            (one("trigger.amount", "equals", 7), true), (one("context.coupon", "exists"), true),
            (one("steps.call.status", "equals", 200), true), (one("data.empty", "exists"), true),
            (one("data.zero", "exists"), true), (one("data.no", "exists"), true),
            (one("data.nothing", "notExists"), true), (one("data.null", "notExists"), true),
            (one("data.null", "exists"), false), (one("data.empty", "exists", "ignored"), true),
        ] as [(JSON, Bool)])
    func valueIsCompared(_ condition: JSON, _ expected: Bool) throws {
        let sight = FilterSight(values: [
            "contact": ["email": "ann@example.org", "subscribed": true, "name": "Ann"],
            "data": [
                "n": 5, "yes": true, "no": false, "zero": 0, "empty": "", "null": .null, "text": "abc",
                "list": ["x", 1],
                "a": ["b": "deep"],
            ], "event": ["amount": 12], "trigger": ["amount": 7], "context": ["coupon": "C"],
            "steps": ["call": ["status": 200]],
        ])
        #expect(try holds(filter("AND", condition), in: sight) == expected)
        #expect(try holds(filter("OR", condition), in: sight) == expected)
    }

    /// Null and missing satisfy no operator about a value but `notExists`, the negative ones included.
    @Test(arguments: Condition.Operator.allCases.filter { !$0.asksForOccurrences })
    func nullAndMissingSatisfyOnlyNotExists(_ comparison: Condition.Operator) {
        for value in ["x", 5, true, "2026-01-05"] as [JSON] {
            let condition = Condition(field: "data.x", operator: comparison, value: value, unit: .days)
            guard condition.segment == nil else { continue }
            for values in [[:], ["data": [:]], ["data": ["x": .null]], ["data": 5]] as [JSON] {
                #expect(condition.isSatisfied(in: FilterSight(values: values)) == (comparison == .notExists))
            }
        }
    }

    /// `start` is 2027-01-15T08:00:00Z.
    @Test(
        arguments: [
            ("2027-01-15", "equals", "2027-01-15", true), ("2027-01-15T23:59:59Z", "equals", "2027-01-15", true),
            ("2027-01-16T00:00:00Z", "equals", "2027-01-15", false),
            ("2027-01-16T00:30:00+01:00", "equals", "2027-01-15", true),
            ("2027-01-15T10:00:00Z", "equals", "2027-01-15T23:00:00Z", true),
            ("2027-01-15", "notEquals", "2027-01-15", false), ("2027-01-14", "notEquals", "2027-01-15", true),
            ("soon", "notEquals", "2027-01-15", true), (5, "notEquals", "2027-01-15", true),
            ("soon", "equals", "2027-01-15", false), ("2027-02-31", "equals", "2027-02-31", true),
            ("2027-01-15T10:00:00+02:00", "lessThan", "2027-01-15T09:00:00Z", true),
            ("2027-01-15", "lessThan", "2027-01-15T00:00:01Z", true),
            ("2027-01-15T10:00", "greaterThan", "2027-01-15", true),
        ] as [(JSON, String, JSON, Bool)])
    func aDateIsItsUTCDay(_ actual: JSON, _ comparison: String, _ value: JSON, _ expected: Bool) throws {
        let condition = filter("AND", one("data.d", comparison, value))
        #expect(try holds(condition, in: FilterSight(values: ["data": ["d": actual]])) == expected)
    }

    @Test(
        arguments: [
            ("2027-01-14T08:00:00Z", "within", true), ("2027-01-14T07:59:59Z", "within", false),
            ("2028-01-01", "within", true), ("2027-01-14T08:00:00Z", "olderThan", false),
            ("2027-01-14T07:59:59.999Z", "olderThan", true), ("soon", "within", false), ("soon", "olderThan", false),
            (5, "olderThan", false),
        ] as [(JSON, String, Bool)])
    func spansCountFromNow(_ actual: JSON, _ comparison: String, _ expected: Bool) throws {
        for (amount, unit) in [(1, "days"), (24, "hours"), (1440, "minutes")] as [(JSON, JSON)] {
            let condition = filter("AND", one("data.d", comparison, amount, unit))
            #expect(try holds(condition, in: FilterSight(values: ["data": ["d": actual]])) == expected)
        }
    }

    @Test(
        arguments: [
            ("triggered", nil, false), ("triggered", -1000, true), ("notTriggered", nil, true),
            ("notTriggered", -1000, false), ("triggeredWithin", -86_400, true), ("triggeredWithin", -86_401, false),
            ("triggeredWithin", nil, false), ("triggeredOlderThan", -86_401, true),
            ("triggeredOlderThan", -86_400, false), ("triggeredOlderThan", nil, false),
            ("notTriggeredWithin", nil, true), ("notTriggeredWithin", -86_401, true),
            ("notTriggeredWithin", -86_400, false),
        ] as [(String, Int64?, Bool)])
    func historyIsAsked(_ comparison: String, _ seconds: Int64?, _ expected: Bool) throws {
        let needsSpan = comparison.hasSuffix("Within") || comparison.hasSuffix("OlderThan")
        let last = seconds.map { start.adding(seconds: $0) }
        for (field, event) in [
            ("event.cart.left", "cart.left"), ("email.open", "email.opened"), ("event.email.click", "email.clicked"),
        ] {
            let condition = one(field, comparison, needsSpan ? 1 : nil, needsSpan ? "days" : nil)
            var sight = FilterSight()
            sight.history[event] = last
            #expect(try holds(filter("AND", condition), in: sight) == expected)
        }
    }

    @Test func theOperatorSaysWhichReadingOfAnEventIsMeant() throws {
        var sight = FilterSight(values: ["event": ["opened": "yes"]])
        #expect(try holds(filter("AND", one("event.opened", "exists")), in: sight))
        #expect(try !holds(filter("AND", one("event.opened", "triggered")), in: sight))
        sight = FilterSight(history: ["opened": start])
        #expect(try !holds(filter("AND", one("event.opened", "exists")), in: sight))
        #expect(try holds(filter("AND", one("event.opened", "triggered")), in: sight))
    }

    @Test func membershipIsAsked() throws {
        let sight = FilterSight(segments: ["vip"])
        #expect(try holds(filter("AND", one("segment.vip", "memberOfSegment")), in: sight))
        #expect(try !holds(filter("AND", one("segment.vip", "notMemberOfSegment")), in: sight))
        #expect(try holds(filter("AND", one("segment.other", "notMemberOfSegment")), in: sight))
    }

    private func contains(_ text: String, _ part: String) -> Bool {
        Condition(field: "data.x", operator: .contains, value: .string(part))
            .isSatisfied(by: .string(text), now: start)
    }

    /// Every text of up to six letters of two, against every part of up to four.
    @Test func aPartIsFoundWhereverItStands() {
        func words(_ longest: Int) -> [String] {
            var all = [""]
            var last = all
            for _ in 0..<longest {
                last = last.flatMap { ["\($0)a", "\($0)b"] }
                all += last
            }
            return all
        }
        for text in words(6) {
            for part in words(4) {
                let stands = text.indices.contains { text[$0...].hasPrefix(part) } || part.isEmpty
                #expect(contains(text, part) == stands, "\(part) in \(text)")
            }
        }
        #expect(contains("caf\u{65}\u{301}", "e") && contains("größe", "öß") && !contains("größe", "oß"))
    }

    /// A search that begins anew at every letter takes minutes for it.
    @Test(.timeLimit(.minutes(1))) func aLongTextIsGoneThroughOnce() {
        let part = String(repeating: "a", count: 999) + "b"
        let text = String(repeating: "a", count: 1_000_000)
        #expect(!contains(text, part))
        #expect(contains(text + "b", part))
    }

    @Test func groupsAreJoinedAndTheirPartsMustAllHold() throws {
        let yes = one("data.yes", "exists")
        let no = one("data.no", "exists")
        let sight = FilterSight(values: ["data": ["yes": 1]])
        func groups(_ logic: JSON, _ groups: JSON...) -> JSON { ["logic": logic, "groups": .array(groups)] }
        #expect(try !holds(groups("AND", ["filters": [yes]], ["filters": [no]]), in: sight))
        #expect(try holds(groups("OR", ["filters": [yes]], ["filters": [no]]), in: sight))
        #expect(try !holds(groups("OR", ["filters": [yes, no]]), in: sight), "filters of a group are joined by and")
        let inner = groups("OR", ["filters": [no]], ["filters": [yes]])
        #expect(try holds(groups("AND", ["filters": [yes], "conditions": inner]), in: sight))
        #expect(try !holds(groups("AND", ["filters": [no], "conditions": inner]), in: sight))
        #expect(try holds(groups("AND", ["conditions": inner]), in: sight))
    }

    @Test func itSaysWhatItMentions() throws {
        let json: JSON = [
            "logic": "OR",
            "groups": [
                ["filters": [one("email.open", "triggered"), one("data.x", "exists")]],
                [
                    "conditions": filter(
                        "AND", one("event.paid", "notTriggeredWithin", 3, "days"), one("segment.vip", "memberOfSegment")
                    )
                ],
            ],
        ]
        let filter = try Filter(json: json, path: "f", vocabulary: everywhere)
        #expect(filter.lookedBackEvents == ["email.opened", "paid"])
        #expect(filter.segments == ["vip"])
        #expect(filter.mentionsTime)
        #expect(filter.json == json, "it is written as it was read")
    }
}

@Suite struct FilterReadingTests {
    private func problems(
        _ json: JSON, _ vocabulary: Filter.Vocabulary = .execution
    ) -> [String] {
        do {
            _ = try Filter(json: json, path: "f", vocabulary: vocabulary)
            return []
        } catch {
            return error.problems.map(\.path)
        }
    }

    @Test(
        arguments: [
            (5, ["f"]), ([:], ["f.logic", "f.groups"]), (["logic": "and", "groups": []], ["f.logic", "f.groups"]),
            (
                ["logic": "AND", "groups": [5, [:], ["filters": 5]]],
                ["f.groups.0", "f.groups.1", "f.groups.2.filters"]
            ),
            (["logic": "AND", "groups": [["filters": []]]], ["f.groups.0"]),
            (filter("AND", 5), ["f.groups.0.filters.0"]),
            (filter("AND", [:]), ["f.groups.0.filters.0.field"]),
            (filter("AND", one("plan", "equals", 5)), ["f.groups.0.filters.0.field"]),
            (filter("AND", one("data.", "equals", 5)), ["f.groups.0.filters.0.field"]),
            (filter("AND", one("email.subject", "triggered")), ["f.groups.0.filters.0.field"]),
            (filter("AND", one("data.x", "is", 5)), ["f.groups.0.filters.0.operator"]),
            (filter("AND", one("data.x", "triggered")), ["f.groups.0.filters.0.operator"]),
            (filter("AND", one("email", "greaterThan", "a")), ["f.groups.0.filters.0.operator"]),
            (filter("AND", one("subscribed", "contains", "a")), ["f.groups.0.filters.0.operator"]),
            (filter("AND", one("data.x", "equals")), ["f.groups.0.filters.0.value"]),
            (filter("AND", one("data.x", "equals", .null)), ["f.groups.0.filters.0.value"]),
            (filter("AND", one("data.x", "lessThan", true)), ["f.groups.0.filters.0.value"]),
            (filter("AND", one("email", "equals", 5)), ["f.groups.0.filters.0.value"]),
            (filter("AND", one("subscribed", "equals", "true")), ["f.groups.0.filters.0.value"]),
            (filter("AND", one("createdAt", "lessThan", "soon")), ["f.groups.0.filters.0.value"]),
            (filter("AND", one("createdAt", "lessThan", 5)), ["f.groups.0.filters.0.value"]),
            (filter("AND", one("data.x", "within", 5)), ["f.groups.0.filters.0.unit"]),
            (filter("AND", one("data.x", "within", 0, "days")), ["f.groups.0.filters.0.value"]),
            (filter("AND", one("data.x", "within", 1e300, "days")), ["f.groups.0.filters.0.value"]),
            (filter("AND", one("data.x", "within", 5, "weeks")), ["f.groups.0.filters.0.unit"]),
            (filter("AND", one("data.x", "equals", 5, "days")), ["f.groups.0.filters.0.unit"]),
            (filter("AND", ["field": "data.x", "operator": "exists", "colour": 1]), ["f.groups.0.filters.0.colour"]),
            (
                ["logic": "AND", "groups": [["filters": [one("data.x", "exists")], "g": 1]], "h": 1],
                ["f.h", "f.groups.0.g"]
            ),
            (
                filter("AND", one("x", "equals", 1), one("data.x", "is"), one("data.y", "equals")),
                ["f.groups.0.filters.0.field", "f.groups.0.filters.1.operator", "f.groups.0.filters.2.value"]
            ),
        ] as [(JSON, [String])])
    func everythingWrongIsNamedWithItsPath(_ json: JSON, _ paths: [String]) {
        #expect(problems(json) == paths)
    }

    @Test func valueIsAtMostAThousandBytes() {
        func text(_ count: Int) -> JSON { .string(String(repeating: "ö", count: count / 2)) }
        // Two brackets and two quotes are part of the JSON.
        for (value, isTaken) in [
            (text(1000), true), (text(1002), false), (.array([text(996)]), true), (.array([text(998)]), false),
            (["a": text(998)], false), (5, true),
        ] as [(JSON, Bool)] {
            for name in ["equals", "contains"] {
                let found = problems(filter("AND", one("data.x", name, value)))
                #expect(found == (isTaken ? [] : ["f.groups.0.filters.0.value"]))
            }
        }
        #expect(problems(filter("AND", one("email", "contains", text(1002)))) == ["f.groups.0.filters.0.value"])
    }

    /// The whole table: a field takes exactly the operators of its kind.
    @Test(
        arguments: [
            ("email", "equals notEquals contains notContains exists notExists"),
            ("subscribed", "equals notEquals exists notExists"),
            (
                "createdAt",
                "equals notEquals greaterThan lessThan greaterThanOrEqual lessThanOrEqual exists notExists within olderThan"
            ),
            (
                "data.x",
                "equals notEquals contains notContains greaterThan lessThan greaterThanOrEqual lessThanOrEqual exists notExists within olderThan"
            ),
            ("email.opened", "triggered notTriggered triggeredWithin triggeredOlderThan notTriggeredWithin"),
            ("segment.vip", "memberOfSegment notMemberOfSegment"),
            (
                "event.x",
                "equals notEquals contains notContains greaterThan lessThan greaterThanOrEqual lessThanOrEqual exists notExists within olderThan triggered notTriggered triggeredWithin triggeredOlderThan notTriggeredWithin"
            ),
        ])
    func aFieldTakesTheOperatorsOfItsKind(_ field: String, _ names: String) {
        let allowed = Set(names.split(separator: " ").map(String.init))
        for comparison in Condition.Operator.allCases {
            let value: JSON? =
                !comparison.needsValue
                ? nil : comparison.needsUnit ? 1 : field == "subscribed" ? true : "2026-01-05"
            let condition = one(field, comparison.rawValue, value, comparison.needsUnit ? "days" : nil)
            #expect(
                problems(filter("AND", condition), everywhere).isEmpty == allowed.contains(comparison.rawValue),
                "\(field) \(comparison)")
        }
    }

    @Test func aFilterOverContactsKnowsNoExecution() {
        for field in ["event.amount", "trigger.amount", "context.x", "steps.a.b"] {
            #expect(!problems(filter("AND", one(field, "exists")), .contact).isEmpty, "\(field)")
        }
        #expect(problems(filter("AND", one("event.paid", "triggered")), .contact).isEmpty)
        #expect(problems(filter("AND", one("data.plan", "equals", "pro")), .contact).isEmpty)
    }

    @Test func depthIsLimited() {
        func nested(_ depth: Int) -> JSON {
            (1..<depth).reduce(filter("AND", one("data.x", "exists"))) { inner, _ in
                ["logic": "AND", "groups": [["conditions": inner]]]
            }
        }
        #expect(problems(nested(10)).isEmpty)
        #expect(problems(nested(11)) == ["f" + String(repeating: ".groups.0.conditions", count: 10)])
        #expect(problems(nested(2000)).count == 1, "what is deeper is not looked into")
    }

    @Test func sizeIsLimitedOverAllGroupsTogether() {
        let condition = one("data.x", "exists")
        func group(_ count: Int) -> JSON { ["filters": .array(Array(repeating: condition, count: count))] }
        #expect(problems(["logic": "OR", "groups": [group(250), group(250)]]).isEmpty)
        #expect(problems(["logic": "OR", "groups": [group(250), group(251)]]).count == 1)
        #expect(problems(["logic": "OR", "groups": [group(100_000)]]).count == 1)
        let empty = JSON.array(Array(repeating: [:], count: 10_000))
        #expect(problems(["logic": "OR", "groups": empty]).count <= Filter.sizeLimit + 1)
    }

    @Test func aSingleConditionMayNameAFieldAlone() {
        let (condition, problems) = Condition.read(["field": "plan", "operator": "equals", "value": 5], path: "c")
        #expect(condition?.field == "plan" && problems.isEmpty)
        let (none, found) = Condition.read(["field": "plan", "operator": "triggered"], path: "c")
        #expect(none == nil && found.map(\.path) == ["c.operator"])
    }
}
