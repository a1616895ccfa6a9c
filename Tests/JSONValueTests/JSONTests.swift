import Testing

@testable import JSONValue

@Suite struct JSONTests {
    @Test func integersEqualTheirDoubles() {
        #expect(JSON.int(1) == JSON.double(1))
        #expect(JSON.int(1).hashValue == JSON.double(1).hashValue)
        #expect(JSON.int(1) != JSON.double(1.5))
        #expect(JSON.int(.max) != JSON.double(9_223_372_036_854_775_808))
        #expect(JSON.double(0) == JSON.double(-0.0))
        #expect(JSON.double(0).hashValue == JSON.double(-0.0).hashValue)
        #expect(Set<JSON>([1, 1.0, 2, "1", true]).count == 4)
    }

    @Test func differentKindsAreNeverEqual() {
        let values: [JSON] = [nil, false, 0, "", [], [:]]
        for (left, one) in values.enumerated() {
            for (right, other) in values.enumerated() { #expect((one == other) == (left == right)) }
        }
    }

    private static let document: JSON = [
        "a": ["b": ["c": 1], "list": [["x": "first"], "second"], "\u{301}e": "marked"], "a.b": "dotted", "n": nil,
    ]

    private static let paths: [(String, JSON?)] = [
        ("a.list.0.x", "first"), ("a.list.1", "second"), ("a.list.2", .none), ("a.list.-1", .none), ("a.b", "dotted"),
        ("n", JSON.null), ("n.x", .none), ("x", .none), ("a.b.c", 1), ("", .none), ("a.", .none), (".", .none),
        // A mark that joins the dot to a character of several scalars takes nothing from the dot.
        ("a.\u{301}e", "marked"),
    ]

    @Test(arguments: paths)
    func pathsLeadThroughObjectsAndArrays(path: String, expected: JSON?) {
        #expect(Self.document[path: path] == expected)
    }

    @Test func numbersAreReadEitherWay() {
        #expect(JSON.int(3).doubleValue == 3)
        #expect(JSON.double(3).intValue == 3)
        #expect(JSON.double(3.5).intValue == nil)
        #expect(JSON.double(1e300).intValue == nil)
        #expect(JSON.string("3").intValue == nil)
    }
}

@Suite struct JSONObjectTests {
    @Test func keepsTheOrderOfFirstWriting() {
        var object: JSONObject = ["z": 1, "a": 2, "m": 3]
        object["a"] = 4
        #expect(object.keys == ["z", "a", "m"])
        #expect(object.values == [1, 4, 3])
        object["z"] = .none
        object["z"] = 5
        #expect(object.keys == ["a", "m", "z"])
    }

    @Test func nullIsAValueAndNilRemoves() {
        var object: JSONObject = ["a": 1]
        object["a"] = JSON.null
        #expect(object.count == 1)
        object["a"] = .none
        #expect(object.isEmpty)
        object["missing"] = .none
        #expect(object.isEmpty)
    }

    @Test func orderDoesNotCountForEquality() {
        let one: JSONObject = ["a": 1, "b": ["x": 1, "y": 2]]
        let other: JSONObject = ["b": ["y": 2, "x": 1], "a": 1.0]
        #expect(one == other)
        #expect(one.hashValue == other.hashValue)
        #expect(one != ["a": 1])
        #expect(one != ["a": 1, "c": ["x": 1, "y": 2]])
        #expect(JSONObject(["a": JSON.null].map { ($0.key, $0.value) }) != [:])
    }

    /// The index that large objects keep must never disagree with the members.
    @Test(arguments: UInt64(1)...30)
    func behavesLikeADictionaryAtAnySize(seed: UInt64) {
        var random = SeededGenerator(state: seed)
        var object = JSONObject()
        var model: [String: JSON] = [:]
        for _ in 0..<300 {
            let key = "k\(Int.random(in: 0..<40, using: &random))"
            let value: JSON? = Bool.random(using: &random) ? .int(.random(in: 0...9, using: &random)) : .none
            object[key] = value
            model[key] = value
            #expect(object.count == model.count)
            #expect(object[key] == value)
        }
        for key in (0..<40).map({ "k\($0)" }) { #expect(object[key] == model[key], "seed \(seed)") }
        #expect(Set(object.keys) == Set(model.keys))
        #expect(object.map { $0.0 } == Array(object.keys))
    }

    @Test func mergeReplacesAndExtends() {
        let merged = (["a": 1, "b": ["x": 1]] as JSONObject).merging(["b": ["y": 2], "c": nil])
        #expect(merged == ["a": 1, "b": ["y": 2], "c": nil])
        #expect(merged.keys == ["a", "b", "c"])
    }

    @Test func laterMembersOfALiteralWin() {
        #expect(JSONObject([("a", 1), ("a", 2)]) == ["a": 2])
    }
}
