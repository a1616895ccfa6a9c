import JSONValue
import Testing

@testable import Liquid

@Suite struct GoldenTests {
    private func outcome(of golden: GoldenCase) -> Result<String, any Error> {
        Result {
            var partials: [String: Template] = [:]
            for (name, source) in golden.partials { partials[name] = try Template(parsing: source, name: name) }
            let options = RenderOptions(escaping: .text, now: 0, partials: partials)
            return try Template(parsing: golden.template).render(golden.data, options: options)
        }
    }

    private func agrees(_ golden: GoldenCase) -> Bool {
        switch outcome(of: golden) {
        case .success(let text): golden.results.contains(text)
        case .failure: golden.results.isEmpty
        }
    }

    /// Exceptions are named with their reason; one that agrees after all must be struck out.
    @Test func agreesWithTheReferenceImplementationButForNamedExceptions() throws {
        let path = TestFiles.corpora() + "/liquid/golden.json"
        guard let bytes = TestFiles.read(path) else {
            print("SKIPPED golden Liquid cases: no corpora (set POSTRIDER_CORPORA)")
            return
        }
        let exceptionBytes = try #require(TestFiles.read(TestFiles.beside("golden-exceptions.json")))
        let exceptions = try #require(try JSONParser.parse(exceptionBytes).objectValue)
        let cases = (try JSONParser.parse(bytes)["tests"]?.arrayValue ?? []).compactMap(GoldenCase.init)
        try #require(cases.count > 600)
        var agreed = 0
        for golden in cases {
            let agrees = agrees(golden)
            if agrees { agreed += 1 }
            let isException = exceptions[golden.name] != nil
            #expect(
                agrees != isException,
                "\(golden.name): \(golden.template) gave \(outcome(of: golden)), wanted \(golden.results)")
        }
        print("golden Liquid cases: \(agreed) of \(cases.count) agree, \(exceptions.count) named exceptions")
    }
}
