import JSONValue
import Testing
import WorkflowModel

/// Identities that hold for every filter and every contact.
@Suite struct FilterPropertyTests {
    private static let seeds = Array(0..<300)

    /// Two operators of which exactly one holds, wherever both have a meaning.
    private static let opposites: [(Condition.Operator, Condition.Operator)] = [
        (.exists, .notExists), (.triggered, .notTriggered), (.triggeredWithin, .notTriggeredWithin),
        (.memberOfSegment, .notMemberOfSegment),
    ]

    @Test(arguments: seeds) func oppositesExcludeEachOther(_ seed: Int) {
        var random = RandomFilters(seed: seed)
        let sight = random.sight()
        for (first, second) in Self.opposites {
            let condition = random.condition(of: first)
            let other = Condition(
                field: condition.field, operator: second, value: condition.value, unit: condition.unit)
            #expect(condition.isSatisfied(in: sight) != other.isSatisfied(in: sight))
        }
        let value = random.value()
        for field in RandomFilters.fields {
            func holds(_ comparison: Condition.Operator) -> Bool {
                Condition(field: field, operator: comparison, value: value, unit: .days).isSatisfied(in: sight)
            }
            let exists = holds(.exists)
            #expect(holds(.equals) != holds(.notEquals) || !exists)
            #expect(holds(.contains) != holds(.notContains) || !exists)
            #expect(!(holds(.equals) && holds(.notEquals)) && !(holds(.contains) && holds(.notContains)))
            #expect(!(holds(.lessThan) && holds(.greaterThanOrEqual)))
            #expect(!(holds(.greaterThan) && holds(.lessThanOrEqual)))
            #expect(
                (holds(.lessThan) || holds(.greaterThanOrEqual)) == (holds(.greaterThan) || holds(.lessThanOrEqual)))
            #expect(!(holds(.within) && holds(.olderThan)))
            if !exists {
                for comparison in Condition.Operator.allCases
                where !comparison.asksForOccurrences && comparison != .notExists
                    && comparison != .notMemberOfSegment && comparison != .memberOfSegment
                {
                    #expect(!holds(comparison), "\(comparison) of nothing")
                }
            }
        }
    }

    @Test(arguments: seeds) func historyOperatorsFitTogether(_ seed: Int) {
        var random = RandomFilters(seed: seed)
        let sight = random.sight()
        let amount = random.condition(of: .triggeredWithin)
        func holds(_ comparison: Condition.Operator) -> Bool {
            Condition(field: amount.field, operator: comparison, value: amount.value, unit: amount.unit)
                .isSatisfied(in: sight)
        }
        #expect(holds(.triggeredOlderThan) == (holds(.triggered) && holds(.notTriggeredWithin)))
        #expect(holds(.triggered) == (holds(.triggeredWithin) || holds(.triggeredOlderThan)))
        #expect(!holds(.triggeredWithin) || holds(.triggered))
    }

    /// De Morgan: a filter is satisfied exactly when its complement is not.
    @Test(arguments: seeds) func theComplementIsTheOpposite(_ seed: Int) {
        var random = RandomFilters(seed: seed)
        for _ in 0..<5 {
            let filter = random.filter(depth: 3) { $0.condition(of: Self.opposites[$0.below(4)].0) }
            let sight = random.sight()
            #expect(filter.isSatisfied(in: sight) != Self.complement(of: filter).isSatisfied(in: sight))
            #expect(
                Self.complement(of: Self.complement(of: filter)).isSatisfied(in: sight)
                    == filter.isSatisfied(in: sight))
        }
    }

    @Test(arguments: seeds) func orderAndRepetitionDoNotCount(_ seed: Int) {
        var random = RandomFilters(seed: seed)
        let filter = random.filter(depth: 3) { $0.condition() }
        let sight = random.sight()
        let expected = filter.isSatisfied(in: sight)
        let turned = Filter(
            filter.logic, filter.groups.reversed().map { .init($0.conditions.reversed(), nested: $0.nested) })
        #expect(turned.isSatisfied(in: sight) == expected)
        #expect(Filter(filter.logic, filter.groups + filter.groups).isSatisfied(in: sight) == expected)
        #expect(Filter(.all, [.init([], nested: filter)]).isSatisfied(in: sight) == expected)
        #expect(Filter(.any, [.init([], nested: filter)]).isSatisfied(in: sight) == expected)
        let all = Filter(.all, filter.groups)
        let any = Filter(.any, filter.groups)
        #expect(!all.isSatisfied(in: sight) || any.isSatisfied(in: sight), "all implies any")
    }

    @Test(arguments: seeds) func whatIsWrittenIsReadAgain(_ seed: Int) throws {
        var random = RandomFilters(seed: seed)
        let filter = random.filter(depth: 3) { $0.condition() }
        let vocabulary = Filter.Vocabulary(hasExecution: true, hasSegments: true)
        #expect(try Filter(json: filter.json, path: "f", vocabulary: vocabulary) == filter)
        let text = JSONWriter.write(filter.json)
        #expect(try Filter(json: try JSONParser.parse(text), path: "f", vocabulary: vocabulary) == filter)
    }

    private static func complement(of filter: Filter) -> Filter {
        Filter(
            filter.logic == .all ? .any : .all,
            filter.groups.map { group in
                let parts = group.conditions.map { Filter.Group([complement(of: $0)]) }
                return .init(
                    [],
                    nested: Filter(.any, parts + (group.nested.map { [.init([], nested: complement(of: $0))] } ?? [])))
            })
    }

    private static func complement(of condition: Condition) -> Condition {
        let pair = opposites.first { $0.0 == condition.operator || $0.1 == condition.operator }
        let other = pair.map { $0.0 == condition.operator ? $0.1 : $0.0 } ?? condition.operator
        return Condition(field: condition.field, operator: other, value: condition.value, unit: condition.unit)
    }
}

/// Random filters and what they look at.
private struct RandomFilters {
    static let fields = ["data.a", "data.b.c", "email", "event.n", "context.x", "createdAt"]
    private var state: UInt64

    init(seed: Int) { state = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15 &+ 1 }

    private mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

    private mutating func pick<Value>(_ values: [Value]) -> Value { values[below(values.count)] }

    mutating func value() -> JSON {
        pick([
            1, 2, 2.5, "a", "b", "ab", "", true, false, ["a", 1], "2027-01-15", "2027-01-14T10:00:00Z", "é", "e\u{301}",
        ])
    }

    mutating func sight() -> FilterSight {
        var object: JSONObject = [:]
        for (root, keys) in [("data", ["a", "b"]), ("event", ["n"]), ("context", ["x"])] {
            var inner: JSONObject = [:]
            for key in keys where below(3) > 0 {
                inner[key] = below(5) == 0 ? .null : key == "b" ? ["c": value()] : value()
            }
            object[root] = .object(inner)
        }
        object["contact"] = [
            "email": pick(["ann@example.org", "b"]),
            "createdAt": pick(["2027-01-15T07:00:00.000Z", "2026-05-05T00:00:00.000Z"]),
        ]
        var sight = FilterSight(values: .object(object))
        for name in ["p", "email.opened"] where below(2) == 0 {
            sight.history[name] = start.adding(seconds: -Int64(below(10)) * 43_200)
        }
        if below(2) == 0 { sight.segments.insert("s") }
        return sight
    }

    mutating func condition() -> Condition {
        condition(of: pick(Condition.Operator.allCases))
    }

    mutating func condition(of comparison: Condition.Operator) -> Condition {
        let field: String
        if comparison.asksForOccurrences {
            field = pick(["event.p", "email.opened"])
        } else if comparison == .memberOfSegment || comparison == .notMemberOfSegment {
            field = pick(["segment.s", "segment.t"])
        } else {
            field = pick(["data.a", "data.b.c", "event.n", "context.x"])
        }
        guard comparison.needsValue else { return Condition(field: field, operator: comparison) }
        if comparison.needsUnit {
            return Condition(field: field, operator: comparison, value: .int(Int64(below(5) + 1)), unit: .days)
        }
        let isOrdering = [.greaterThan, .lessThan, .greaterThanOrEqual, .lessThanOrEqual].contains(comparison)
        return Condition(
            field: field, operator: comparison, value: isOrdering ? pick([1, "a", "2027-01-15"]) : value())
    }

    mutating func filter(depth: Int, _ make: (inout RandomFilters) -> Condition) -> Filter {
        var groups: [Filter.Group] = []
        for _ in 0...below(3) {
            var group = Filter.Group([])
            for _ in 0..<below(3) { group.conditions.append(make(&self)) }
            if depth > 1, below(2) == 0 || group.conditions.isEmpty {
                group.nested = filter(depth: depth - 1, make)
            } else if group.conditions.isEmpty {
                group.conditions.append(make(&self))
            }
            groups.append(group)
        }
        return Filter(below(2) == 0 ? .all : .any, groups)
    }
}
