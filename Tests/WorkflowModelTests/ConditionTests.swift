import JSONValue
import Testing
import WorkflowModel

@Suite struct ConditionTests {
    @Test(
        arguments: [
            ("equals", "a", "a", true), ("equals", "a", "A", false), ("equals", 5, "5", false),
            ("equals", 5, 5.0, true),
            ("equals", nil, nil, false), ("notEquals", "a", "b", true), ("notEquals", nil, "b", false),
            ("notEquals", "a", "a", false), ("contains", "abc", "b", true), ("contains", ["x", "y"], "y", true),
            ("contains", 5, "5", false), ("notContains", "abc", "z", true), ("notContains", nil, "z", false),
            ("greaterThan", 3, 2, true), ("greaterThan", 2, 2, false), ("greaterThan", "3", 2, false),
            ("greaterThan", "b", "a", true), ("lessThan", 1.5, 2, true), ("lessThan", nil, 2, false),
            ("greaterThanOrEqual", 2, 2, true), ("lessThanOrEqual", 3, 2, false), ("exists", "", nil, true),
            ("exists", 0, nil, true), ("exists", nil, nil, false), ("notExists", nil, nil, true),
            ("notExists", false, nil, false),
        ] as [(String, JSON, JSON, Bool)])
    func operatorDecides(_ name: String, _ actual: JSON, _ value: JSON, _ expected: Bool) throws {
        let comparison = try #require(Condition.Operator(rawValue: name))
        let condition = Condition(field: "event.x", operator: comparison, value: value)
        #expect(condition.isSatisfied(by: actual, now: start) == expected)
        // Null and missing are the same.
        if actual.isNull { #expect(condition.isSatisfied(by: nil, now: start) == expected) }
    }

    @Test func addressesCompareWithoutCase() {
        let condition = Condition(field: "contact.email", operator: .equals, value: "ANN@example.org")
        #expect(condition.isSatisfied(by: "ann@example.org", now: start))
    }

    @Test(
        arguments: [
            ("contact.email", "ann@example.org"), ("contact.plan", "free"), ("contact.data.plan", "free"),
            ("data.age", 30),
            ("contact.first name", "Ann"), ("event.subject", "Hi"), ("trigger.subject", "Hi"), ("subject", "Hi"),
            ("email", "ann@example.org"), ("plan", "free"), ("workflow.name", "Flow"), ("context.nothing", nil),
            ("constructor", nil), ("contact.subscribed", true),
        ] as [(String, JSON?)])
    func fieldIsFound(_ path: String, _ expected: JSON?) {
        let scope = Scope(
            contact: ann, execution: newExecution(trigger: event("e", ["subject": "Hi"], id: 100)), workflowName: "Flow"
        )
        #expect(scope.value(at: path) == expected)
    }
}

@Suite struct WorkflowGraphTests {
    private func problems(_ steps: [Step], _ transitions: [Transition]) -> [String] {
        do {
            _ = try WorkflowGraph(steps: steps, transitions: transitions)
            return []
        } catch {
            return error.problems.map(\.description)
        }
    }

    private let trigger = Step(key: "t", config: .trigger)
    private let exit = Step(key: "x", config: .exit(reason: nil))
    private let condition = Step(key: "c", config: .condition(.single(Condition(field: "a", operator: .exists))))

    @Test func soundGraphHasNoProblems() {
        #expect(
            problems(
                [trigger, condition, exit],
                [
                    .init(from: "t", to: "c"), .init(from: "c", to: "x", branch: "yes"),
                    .init(from: "c", to: "x", branch: "no"),
                ]
            ).isEmpty)
    }

    @Test func everyProblemIsNamedAtOnce() {
        let found = problems(
            [trigger, condition, exit, exit],
            [
                .init(from: "x", to: "c"), .init(from: "c", to: "x"), .init(from: "c", to: "x", branch: "maybe"),
                .init(from: "t", to: "nowhere"), .init(from: "t", to: "t"),
            ])
        for part in ["twice", "out of an EXIT", "needs a branch", "maybe", "nowhere", "to itself"] {
            #expect(found.contains { $0.contains(part) }, "\(part) in \(found)")
        }
    }

    @Test func cycleIsRefused() {
        let a = Step(key: "a", config: oneDay)
        let b = Step(key: "b", config: oneDay)
        let found = problems(
            [trigger, a, b], [.init(from: "t", to: "a"), .init(from: "a", to: "b"), .init(from: "b", to: "a")])
        #expect(found.count == 1 && found[0].contains("cycle"))
    }

    @Test func exactlyOneTriggerIsRequired() {
        #expect(problems([exit], []).contains { $0.contains("exactly one TRIGGER") })
        #expect(
            problems([trigger, Step(key: "t2", config: .trigger)], []).contains { $0.contains("exactly one TRIGGER") })
    }

    @Test(
        arguments: [
            (.sendEmail, [:], "template"), (.delay, ["amount": 0, "unit": "days"], "amount"),
            (.delay, ["amount": 1, "unit": "weeks"], "unit"), (.delay, ["amount": 366, "unit": "days"], "365"),
            (.delay, ["until": "x", "amount": 1], "stands alone"), (.waitForEvent, [:], "eventName"),
            (.waitForEvent, ["eventName": "a", "timeout": 31_536_001], "timeout"),
            (.condition, ["field": "a"], "operator"),
            (.condition, ["field": "a", "operator": "equals"], "value"), (.updateContact, [:], "data"),
            (.updateContact, ["data": ["email": "x"]], "reserved"), (.exit, ["reson": "x"], "reson"),
            (.sendEmail, ["template": 5], "must be text"),
        ] as [(StepType, JSONObject, String)])
    func wrongOptionIsNamed(_ type: StepType, _ config: JSONObject, _ part: String) {
        let result = StepConfigReader.read(type, config, path: "steps.s.config")
        #expect(result.config == nil)
        #expect(result.problems.contains { $0.description.contains(part) }, "\(result.problems)")
    }
}

@Suite struct ValueTests {
    @Test(arguments: [
        ("2026-11-23T06:00:00Z", "2026-11-23T06:00:00.000Z"),
        ("2024-02-29T23:59:59.123456+01:00", "2024-02-29T22:59:59.123Z"),
        ("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.500Z"),
        ("2000-03-01 00:00:00-00:30", "2000-03-01T00:30:00.000Z"),
    ])
    func timestampIsReadAndWritten(_ text: String, _ expected: String) throws {
        #expect(try #require(Timestamp(rfc3339: text)).description == expected)
    }

    @Test(arguments: [
        "", "2026-13-01T00:00:00Z", "2025-02-29T00:00:00Z", "2026-11-23T06:00:00", "2026-11-23T24:00:00Z", "x",
    ])
    func otherTextIsNoTimestamp(_ text: String) { #expect(Timestamp(rfc3339: text) == nil) }

    @Test func civilDatesAgreeWithCountingDays() {
        var date = CivilDate(year: 1600, month: 1, day: 1)
        var days = date.daysSinceEpoch
        for _ in 0..<(400 * 366) {
            #expect(CivilDate(daysSinceEpoch: days) == date)
            days += 1
            if date.day < CivilDate.daysIn(month: date.month, year: date.year) {
                date.day += 1
            } else {
                date =
                    date.month == 12
                    ? .init(year: date.year + 1, month: 1, day: 1)
                    : .init(year: date.year, month: date.month + 1, day: 1)
            }
        }
    }

    @Test func identifierIsAVersionSevenUUIDAndComesBackFromItsText() throws {
        let id = Identifier(at: Timestamp(seconds: 1_800_000_000), random: (.max, .max))
        let text = id.description
        #expect(text.count == 36)
        #expect(Array(text)[14] == "7" && "89ab".contains(Array(text)[19]))
        #expect(Identifier(text) == id && Identifier(text.uppercased()) == id && Identifier(bytes: id.bytes) == id)
        #expect(Identifier(at: Timestamp(seconds: 1_800_000_001), random: (0, 0)) > id)
    }

    @Test(arguments: [
        "", "x", "0190a6f0-0000-7000-8000-00000000000", "0190a6f0-0000-7000-8000-00000000000g",
        "0190a6f00000-7000-8000-0000000000000000",
    ])
    func otherTextIsNoIdentifier(_ text: String) { #expect(Identifier(text) == nil) }

    @Test func mergeDeletesNullsAndKeepsReservedKeysOut() {
        var contact = ann
        let changed = contact.merge([
            "plan": .null, "email": "evil@x", "city": "", "once": ["value": 1, "persistent": false], "n": 2,
        ])
        #expect(changed && contact.data == ["age": 30, "first name": "Ann", "n": 2] && contact.email == ann.email)
    }

    @Test(arguments: [
        ("email.received", true), ("email.x", true), ("contact.subscribed", true), ("segment.a.entry", true),
        ("segment.a.updated", false), ("contact.created", false), ("signed_up", false),
    ])
    func reservedNames(_ name: String, _ isReserved: Bool) { #expect(EventName.isReserved(name) == isReserved) }
}
