import JSONValue
import Liquid

/// One case of the golden file: what a template must render, or that it must be refused.
package struct LiquidCase: Sendable {
    package var name: String
    package var template: String
    package var data: JSONObject
    package var partials: [(String, String)]
    /// Any of these; none means that parsing or rendering must fail.
    package var results: [String]
    /// Holds only where expressions are read strictly; some of these contradict a case that is not strict.
    package var isStrict: Bool

    package init?(_ json: JSON) {
        guard let name = json["name"]?.stringValue, let template = json["template"]?.stringValue else { return nil }
        self.name = name
        self.template = template
        data = json["data"]?.objectValue ?? JSONObject()
        partials = (json["templates"]?.objectValue ?? JSONObject()).compactMap { name, value in
            value.stringValue.map { (name, $0) }
        }
        if json["invalid"]?.boolValue == true {
            results = []
        } else if let result = json["result"]?.stringValue {
            results = [result]
        } else {
            results = json["results"]?.arrayValue?.compactMap(\.stringValue) ?? []
        }
        let tags = json["tags"]?.arrayValue ?? []
        isStrict = tags.contains("strict") || tags.contains("strict2")
    }

    /// - Throws: `CorpusError` when the file is absent or is no golden file.
    package static func all(in corpora: CorpusFolder) throws -> [LiquidCase] {
        let bytes = try corpora.read("liquid/golden.json")
        guard let tests = (try? JSONParser.parse(bytes))?["tests"]?.arrayValue else {
            throw CorpusError("liquid/golden.json has no list of tests")
        }
        let cases = tests.compactMap(LiquidCase.init)
        guard cases.count == tests.count, !cases.isEmpty else {
            throw CorpusError("liquid/golden.json: \(tests.count - cases.count) tests cannot be read")
        }
        return cases
    }

    /// What our language makes of it.
    package var outcome: Result<String, any Error> {
        Result {
            var compiled: [String: Template] = [:]
            for (name, source) in partials { compiled[name] = try Template(parsing: source, name: name) }
            let options = RenderOptions(escaping: .text, now: 0, partials: compiled)
            return try Template(parsing: template).render(data, options: options)
        }
    }

    package var agrees: Bool {
        switch outcome {
        case .success(let text): results.contains(text)
        case .failure: results.isEmpty
        }
    }
}

extension Agreement {
    /// The golden cases of the template language that are not strict.
    package static func liquid(_ corpora: CorpusFolder) throws -> Agreement {
        var agreement = Agreement(corpus: "liquid")
        for golden in try LiquidCase.all(in: corpora) where !golden.isStrict {
            agreement.count(golden.agrees, "\(golden.name): gave \(golden.outcome), wanted \(golden.results)")
        }
        return agreement
    }
}
