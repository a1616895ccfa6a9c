import Yams

/// A YAML text as a tree of located values, restricted to what a configuration needs.
///
/// Yams composes the whole text before anybody can look at it, stops at the first repeated key and copies aliased
/// nodes in place. Three things follow. Size is limited before parsing. A repeated key is renamed in the text with a
/// mark no key can hold and the text is parsed again, so that every repetition is reported. An anchor is refused
/// where it stands and nothing below it is looked at, so that an alias bomb never unfolds.
struct Document {
    /// Largest text that is parsed, in bytes.
    static let sizeLimit = 1 << 20
    /// Deepest nesting of mappings and lists; the schema needs three.
    static let depthLimit = 16
    /// Repeated keys reported before reading gives up; each costs one more parse of the text.
    static let repetitionLimit = 20

    /// One value and the line it begins on.
    struct Node {
        var line: Int
        var content: Content
    }

    enum Content {
        case scalar(String)
        /// Written as nothing, `~` or `null`.
        case nothing
        /// There is a finding about it already; nothing more is to be said.
        case refused
        case list([Node])
        case mapping([(key: String, line: Int, value: Node)])
    }

    /// The top of the document; nil when the text holds none, or cannot be parsed.
    private(set) var root: Node?
    private(set) var findings: [Finding] = []
    private let file: String
    /// Where anchored values begin that were reported; the copies aliases make of them say the same place.
    private var anchored: Set<[Int]> = []

    /// Parses `text`; what is wrong is in `findings`, named after `file`.
    init(text: String, file: String) {
        self.file = file
        guard text.utf8.count <= Self.sizeLimit else {
            complain(
                nil, "", "is larger than \(ByteSize.text(Self.sizeLimit))", "check that this is the configuration file")
            return
        }
        parse(text)
    }

    private mutating func complain(_ line: Int?, _ key: String, _ message: String, _ mend: String) {
        findings.append(Finding(.error, file: file, line: line, key: key, message: message, mend: mend))
    }
}

// MARK: Parsing

extension Document {
    /// Put before a repeated key to tell it from its twin: a character of the private use area, so no key of ours has
    /// it.
    private static let repetitionMark: Unicode.Scalar = "\u{E000}"

    private static func unmarked(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.filter { $0 != repetitionMark }))
    }

    private mutating func parse(_ original: String) {
        if original.unicodeScalars.contains(Self.repetitionMark) {
            return complain(nil, "", "holds the character U+E000", "remove it")
        }
        var text = original
        for _ in 0...Self.repetitionLimit {
            do {
                let parser = try Parser(yaml: text, encoding: .utf8)
                guard let top = try parser.singleRoot() else { return }
                // Nodes hold their anchors weakly; the parser owns them.
                withExtendedLifetime(parser) { root = convert(top, path: "", depth: 0) }
                return
            } catch YamlError.duplicatedKeysInMapping(let names, let context) {
                guard let renamed = Self.rename(at: context.mark, in: text) else {
                    let keys = names.map(Self.unmarked).joined(separator: ", ")
                    return complain(context.mark.line, keys, "is set more than once", "keep one of them")
                }
                text = renamed
            } catch {
                return complain(error)
            }
        }
        complain(nil, "", "repeats more than \(Self.repetitionLimit) keys", "keep one of each")
    }

    /// The text with the repetition mark put into the key at `mark`.
    private static func rename(at mark: Mark, in text: String) -> String? {
        var scalars = text.unicodeScalars
        var index = scalars.startIndex
        var line = 1
        while line < mark.line, index < scalars.endIndex {
            if endsLine(index, scalars) { line += 1 }
            index = scalars.index(after: index)
        }
        guard let key = scalars.index(index, offsetBy: mark.column - 1, limitedBy: scalars.endIndex),
            key < scalars.endIndex
        else { return nil }
        let isQuoted = scalars[key] == "\"" || scalars[key] == "'"
        // Twins beyond the second meet marked ones and get one more mark.
        let isPlain = scalars[key].properties.isAlphabetic || scalars[key] == "_" || scalars[key] == repetitionMark
        guard isQuoted || isPlain else { return nil }
        scalars.insert(repetitionMark, at: isQuoted ? scalars.index(after: key) : key)
        return String(scalars)
    }

    /// The line breaks of YAML 1.1 section 4.1.4, which libyaml counts.
    private static func endsLine(_ index: String.Index, _ scalars: String.UnicodeScalarView) -> Bool {
        switch scalars[index] {
        case "\n", "\u{85}", "\u{2028}", "\u{2029}": return true
        case "\r":
            let next = scalars.index(after: index)
            return next == scalars.endIndex || scalars[next] != "\n"
        default: return false
        }
    }

    private mutating func complain(_ error: any Error) {
        switch error as? YamlError {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            complain(mark.line, "", "is no valid YAML: \(problem)", "look at this line and the one above it")
        case .reader(let problem, let offset, _, let yaml):
            let line = offset.map { yaml.prefix($0).reduce(into: 1) { if $1.isNewline { $0 += 1 } } }
            complain(line, "", "is no valid YAML: \(problem)", "save the file as UTF-8 without control characters")
        default:
            complain(nil, "", "is no valid YAML", "compare it with the sample file")
        }
    }
}

// MARK: Converting

extension Document {
    private mutating func convert(_ node: Yams.Node, path: String, depth: Int) -> Node {
        let line = node.mark?.line ?? 1
        guard depth <= Self.depthLimit else {
            complain(line, path, "is nested deeper than \(Self.depthLimit) levels", "flatten it")
            return Node(line: line, content: .refused)
        }
        guard node.anchor == nil else {
            if anchored.insert([line, node.mark?.column ?? 0]).inserted {
                complain(
                    line, path, "has an anchor (&); anchors and aliases are not accepted",
                    "write the value out where it is used")
            }
            return Node(line: line, content: .refused)
        }
        switch node {
        case .scalar(let scalar):
            return Node(line: line, content: Self.content(of: scalar))
        case .sequence(let sequence):
            var items: [Node] = []
            for (index, item) in sequence.enumerated() {
                items.append(convert(item, path: "\(path)[\(index + 1)]", depth: depth + 1))
            }
            return Node(line: line, content: .list(items))
        case .mapping(let mapping):
            return Node(line: line, content: convert(mapping, path: path, depth: depth))
        case .alias:
            complain(line, path, "is an alias (*); anchors and aliases are not accepted", "write the value out here")
            return Node(line: line, content: .refused)
        }
    }

    private static func content(of scalar: Yams.Node.Scalar) -> Content {
        let isPlain = scalar.style == .plain || scalar.style == .any
        return isPlain && ["", "~", "null", "Null", "NULL"].contains(scalar.string) ? .nothing : .scalar(scalar.string)
    }

    private mutating func convert(_ mapping: Yams.Node.Mapping, path: String, depth: Int) -> Content {
        var pairs: [(key: String, line: Int, value: Node)] = []
        for (keyNode, valueNode) in mapping {
            guard case .scalar(let scalar) = keyNode, scalar.anchor == nil else {
                complain(keyNode.mark?.line, path, "has a key that is no plain word", "write key: value")
                continue
            }
            let line = scalar.mark?.line ?? 1
            let key = Self.unmarked(scalar.string)
            let keyPath = path.isEmpty ? key : "\(path).\(key)"
            if let twin = pairs.first(where: { $0.key == key }) {
                complain(line, keyPath, "is set a second time; the first is in line \(twin.line)", "keep one of them")
                continue
            }
            pairs.append((key, line, convert(valueNode, path: keyPath, depth: depth + 1)))
        }
        return .mapping(pairs)
    }
}
