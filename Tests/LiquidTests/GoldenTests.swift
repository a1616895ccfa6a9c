import CorpusKit
import JSONValue
import Testing

@testable import Liquid

@Suite struct GoldenTests {
    /// Exceptions are named with their reason; one that agrees after all must be struck out.
    @Test func agreesWithTheReferenceImplementationButForNamedExceptions() throws {
        guard let cases = try? LiquidCase.all(in: CorpusFolder()) else {
            print("SKIPPED golden Liquid cases: no corpora (set POSTRIDER_CORPORA)")
            return
        }
        let file = "/" + #filePath.split(separator: "/").dropLast().joined(separator: "/") + "/golden-exceptions.json"
        let bytes = try #require(CorpusFolder.bytes(ofFile: file))
        let exceptions = try #require(try JSONParser.parse(bytes).objectValue)
        var agreed = 0
        for golden in cases {
            if golden.agrees { agreed += 1 }
            #expect(
                golden.agrees != (exceptions[golden.name] != nil),
                "\(golden.name): \(golden.template) gave \(golden.outcome), wanted \(golden.results)")
        }
        print("golden Liquid cases: \(agreed) of \(cases.count) agree, \(exceptions.count) named exceptions")
    }
}
