import FuzzKit
import JSONValue
import WorkflowModel

/// Filters from JSON that nobody vouches for: limits hold, what is taken is written and read again, deciding ends.
@_cdecl("LLVMFuzzerTestOneInput")
package func fuzzFilter(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    let sight = Sight(values: (try? JSONParser.parse(input.bytes(to: 0))) ?? .null)
    guard let json = try? JSONParser.parse(input.bytes()) else { return 0 }
    for vocabulary in [.execution, .contact, .condition, Filter.Vocabulary(hasExecution: true, hasSegments: true)] {
        read(json, vocabulary, sight)
    }
    return 0
}

private func read(_ json: JSON, _ vocabulary: Filter.Vocabulary, _ sight: Sight) {
    do {
        let filter = try Filter(json: json, path: "filter", vocabulary: vocabulary)
        expect(filter.conditions.count <= Filter.sizeLimit, "the size is limited")
        let again = try? Filter(json: filter.json, path: "filter", vocabulary: vocabulary)
        expect(again == filter, "what is written is read again")
        expect(again?.isSatisfied(in: sight) == filter.isSatisfied(in: sight), "and means the same")
        for condition in filter.conditions where condition.operator == .exists {
            let value = sight.value(at: condition.field)
            expect(value?.isNull != false || condition.isSatisfied(by: value, now: sight.now), "what is there exists")
        }
    } catch {
        expect(!error.problems.isEmpty, "a refusal names a problem")
        expect(error.problems.allSatisfy { $0.path.hasPrefix("filter") }, "a problem has its path")
        expect(!error.description.isEmpty, "a problem has words")
    }
}

private struct Sight: FilterScope {
    var values: JSON
    var now: Timestamp { Timestamp(seconds: 1_800_000_000) }

    func value(at path: String) -> JSON? { values[path: path] }
    func lastOccurrence(of event: String) -> Timestamp? {
        event.utf8.count % 2 == 0 ? now.adding(seconds: -86_400) : nil
    }
    func isMember(ofSegment id: String) -> Bool { id.utf8.count % 2 == 0 }
}
