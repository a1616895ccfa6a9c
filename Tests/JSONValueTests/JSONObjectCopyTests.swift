import Testing

@testable import JSONValue

/// Copies share their members until one of them changes: nobody may see the change of another.
@Suite struct JSONObjectCopyTests {
    /// Sizes around the first room, its doubles and the index.
    static let sizes = [0, 1, 2, 5, 6, 7, 11, 12, 13, 14, 24, 25, 40]

    private static func object(_ size: Int) -> JSONObject {
        JSONObject(
            (0..<size).map { number -> (String, JSON) in
                ("k\(number)", ["value": .int(Int64(number)), "text": .string("number \(number), which is long")])
            })
    }

    /// What an object has, apart from it.
    private static func members(_ object: JSONObject) -> [(String, JSON)] { object.map { $0 } }

    private static func expectSame(_ object: JSONObject, _ members: [(String, JSON)], _ comment: Comment) {
        #expect(object.count == members.count, comment)
        #expect(object.isEmpty == members.isEmpty, comment)
        #expect(object.elementsEqual(members) { $0 == $1 }, comment)
        #expect(object.keys.elementsEqual(members.map(\.0)), comment)
        #expect(object.values.elementsEqual(members.map(\.1)), comment)
        for (key, value) in members { #expect(object[key] == value, comment) }
        #expect(object["missing"] == nil && !object.contains("missing"), comment)
    }

    /// Changes a copy, and then the original of another copy.
    private static func expectApart(
        _ size: Int, _ comment: Comment, _ change: (inout JSONObject) -> Void
    ) {
        let original = object(size)
        let before = members(original)
        var copy = original
        change(&copy)
        expectSame(original, before, comment)
        let changed = members(copy)
        var other = copy
        for key in copy.keys { other[key] = "overwritten" }
        other["another"] = true
        expectSame(copy, changed, comment)
    }

    @Test(arguments: sizes) func aSetMemberIsTheCopysAlone(size: Int) {
        Self.expectApart(size, "append to \(size)") { $0["new"] = 1 }
        guard size > 0 else { return }
        Self.expectApart(size, "set the first of \(size)") { $0["k0"] = 1 }
        Self.expectApart(size, "set the last of \(size)") { $0["k\(size - 1)"] = ["x": [1]] }
        Self.expectApart(size, "set a member of a member of \(size)") { object in
            var inner = object["k0"]?.objectValue ?? [:]
            inner["value"] = "changed"
            object["k0"] = .object(inner)
        }
    }

    @Test(arguments: sizes) func aRemovedMemberIsTheCopysAlone(size: Int) {
        for position in 0..<size {
            Self.expectApart(size, "remove \(position) of \(size)") { $0["k\(position)"] = .none }
        }
        Self.expectApart(size, "remove all of \(size)") { object in for key in object.keys { object[key] = .none } }
        Self.expectApart(size, "remove nothing of \(size)") { $0["missing"] = .none }
    }

    @Test(arguments: sizes, sizes) func aMergeIsTheCopysAlone(size: Int, other: Int) {
        let merged = Self.object(other)
        let before = Self.members(merged)
        Self.expectApart(size, "merge \(other) into \(size)") { $0.merge(merged) }
        var object = Self.object(size)
        object.merge(merged)
        object["more"] = 1
        Self.expectSame(merged, before, "merged into \(size)")
        #expect(object.count == max(size, other) + 1)
    }

    @Test(arguments: sizes) func growingStepByStepLeavesEveryStepAsItWas(size: Int) {
        var steps: [JSONObject] = []
        var object = JSONObject()
        for number in 0..<size {
            object["k\(number)"] = .int(Int64(number))
            steps.append(object)
        }
        for (number, step) in steps.enumerated() {
            Self.expectSame(step, (0...number).map { ("k\($0)", .int(Int64($0))) }, "step \(number) of \(size)")
        }
    }

    @Test(arguments: sizes) func aLoopOverAnObjectDoesNotSeeItsChanges(size: Int) {
        var object = Self.object(size)
        var seen: [String] = []
        for (key, _) in object {
            seen.append(key)
            object[key] = .none
            object["new \(key)"] = 1
        }
        #expect(seen == (0..<size).map { "k\($0)" })
        #expect(object.count == size)
    }

    /// Setting in place is what objects are built with: only a shared one is copied.
    @Test func membersThatNobodySharesStayWhereTheyAre() {
        var object = Self.object(5)
        let place = object.members
        object["k3"] = "set"
        object["sixth"] = "appended"
        object["k1"] = .none
        #expect(object.members == place)
        let copy = object
        #expect(copy.members == place)
        object["k3"] = "set again"
        #expect(object.members != place && copy.members == place)
        #expect(copy["k3"] == "set")
    }

    @Test func anEmptyObjectHasNoMemory() {
        #expect(JSONObject().members == nil)
        var object: JSONObject = ["a": 1]
        object["a"] = .none
        #expect(object.members == nil)
        #expect(object == [:] && object.hashValue == JSONObject().hashValue)
    }

    @Test func manyTasksMayChangeTheirCopiesAtOnce() async {
        let original = Self.object(20)
        let before = Self.members(original)
        await withTaskGroup(of: JSONObject.self) { group in
            for number in 0..<8 {
                group.addTask {
                    var copy = original
                    for step in 0..<200 { copy["k\(step % 30)"] = .int(Int64(number)) }
                    return copy
                }
            }
            for await copy in group {
                #expect(copy.count == 30)
                #expect(Set(copy.values).count == 1)
            }
        }
        Self.expectSame(original, before, "after the tasks")
    }
}
