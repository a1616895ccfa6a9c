import JSONValue

/// Notes while parsing which variables and partials a template names, and which names it defines itself.
struct MentionCollector {
    private var defined: Set<String> = []
    private var seen: Set<[String]> = []
    private var mentions: [VariableMention] = []
    private var seenPartials: Set<String> = []
    private(set) var partialNames: [String] = []

    /// Without those whose root the template sets somewhere: telling before from after would need its control flow.
    var variables: [VariableMention] { mentions.filter { $0.path.first.map { !defined.contains($0) } ?? false } }

    mutating func define(_ name: String) { defined.insert(name) }

    mutating func addPartial(_ name: String) {
        if seenPartials.insert(name).inserted { partialNames.append(name) }
    }

    mutating func add(_ lookups: [(Lookup, Int)], in source: SourceText) {
        for (lookup, offset) in lookups {
            let path = Self.path(of: lookup)
            guard !path.isEmpty, seen.insert(path).inserted else { continue }
            mentions.append(
                VariableMention(path: path, line: source.line(at: offset), column: source.column(at: offset)))
        }
    }

    private static func path(of lookup: Lookup) -> [String] {
        var path: [String] = []
        switch lookup.root {
        case .name(let name): path.append(name)
        case .computed(.literal(.json(.string(let name)))): path.append(name)
        case .computed: return []
        }
        for segment in lookup.segments {
            switch segment {
            case .key(let key): path.append(key)
            case .index(.literal(.json(.string(let key)))): path.append(key)
            case .index(.literal(.json(.int(let index)))): path.append(String(index))
            case .index: return path
            }
        }
        return path
    }
}
