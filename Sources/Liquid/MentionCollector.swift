import JSONValue

/// Notes while parsing which variables and partials a template names, and which names it defines itself.
struct MentionCollector {
    private var defined: Set<String> = []
    private var seen: Set<[String]> = []
    private var mentions: [VariableMention] = []
    private var seenPartials: Set<String?> = []
    private(set) var partials: [PartialMention] = []
    /// The last place that was looked up. Places are asked for in their order, so columns are counted on from here
    /// and a long line is not walked again for each of its variables.
    private var place = (offset: 0, line: 1, column: 1)

    /// Without those whose root the template sets somewhere: telling before from after would need its control flow.
    var variables: [VariableMention] { mentions.filter { $0.path.first.map { !defined.contains($0) } ?? false } }

    mutating func define(_ name: String) { defined.insert(name) }

    /// - Parameter name: nil for one that is only known when rendering.
    mutating func addPartial(_ name: String?, at offset: Int, in source: SourceText) {
        guard seenPartials.insert(name).inserted else { return }
        partials.append(
            PartialMention(name: name, line: source.line(at: offset), column: source.column(at: offset)))
    }

    mutating func add(_ lookups: [(Lookup, Int)], in source: SourceText) {
        for (lookup, offset) in lookups.sorted(by: { $0.1 < $1.1 }) {
            let path = Self.path(of: lookup)
            guard !path.isEmpty, seen.insert(path).inserted else { continue }
            move(to: offset, in: source)
            mentions.append(VariableMention(path: path, line: place.line, column: place.column))
        }
    }

    private mutating func move(to offset: Int, in source: SourceText) {
        let line = source.line(at: offset)
        let passed = offset >= place.offset && line == place.line ? source.scalars(in: place.offset..<offset) : nil
        place = (offset, line, passed.map { place.column + $0 } ?? source.column(at: offset))
    }

    private static func path(of lookup: Lookup) -> [String] {
        var path: [String] = []
        if let computed = lookup.computed {
            guard let name = computed.literalText else { return [] }
            path.append(name)
        } else {
            path.append(lookup.name.text)
        }
        for segment in lookup.segments {
            switch segment {
            case .key(let key): path.append(key)
            case .index(let expression):
                guard let key = expression.literalText ?? expression.literalInteger.map({ String($0) }) else {
                    return path
                }
                path.append(key)
            }
        }
        return path
    }
}
