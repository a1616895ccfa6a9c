import JSONValue
import Yams

/// A place in a text, both numbers counted from 1; columns are counted in Unicode scalars.
package struct TextPlace: Hashable, Sendable {
    package var line: Int
    package var column: Int

    package init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }
}

/// The value of a YAML document, and where its parts stand in the text.
package struct YAMLDocument: Sendable {
    package let value: JSON
    let places: PlaceTree

    /// The place of the innermost part that a path names: `steps.reply.config.template`, `groups.0.filters.1`. What is
    /// missing in the document is looked for where it would be.
    package func place(of path: String) -> TextPlace { places.place(of: path[...]) }
}

/// Places of a value and of everything in it. A member of a mapping stands where its key does.
struct PlaceTree: Sendable {
    var place: TextPlace
    var members: [String: PlaceTree] = [:]
    var items: [PlaceTree] = []

    func place(of path: Substring) -> TextPlace {
        guard !path.isEmpty else { return place }
        if path.first == "[" {
            guard let end = path.firstIndex(of: "]"), let index = Int(path[path.index(after: path.startIndex)..<end]),
                items.indices.contains(index)
            else { return place }
            return items[index].place(of: Self.rest(path, from: path.index(after: end)))
        }
        if let (index, rest) = Self.position(path), items.indices.contains(index) {
            return items[index].place(of: rest)
        }
        // A key may have dots itself; the longest that fits is meant.
        let key = members.keys.filter { Self.begins(path, with: $0) }.max { $0.utf8.count < $1.utf8.count }
        guard let key, let member = members[key] else { return place }
        return member.place(of: Self.rest(path, from: path.index(path.startIndex, offsetBy: key.count)))
    }

    /// A place in a list written as a member: `body.0.name`.
    private static func position(_ path: Substring) -> (Int, Substring)? {
        let digits = path.prefix { $0.isASCII && $0.isNumber }
        guard let index = Int(digits) else { return nil }
        let rest = path[digits.endIndex...]
        guard rest.isEmpty || rest.first == "." || rest.first == "[" else { return nil }
        return (index, Self.rest(path, from: digits.endIndex))
    }

    private static func begins(_ path: Substring, with key: String) -> Bool {
        guard path.hasPrefix(key) else { return false }
        let rest = path.dropFirst(key.count)
        return rest.isEmpty || rest.first == "." || rest.first == "["
    }

    private static func rest(_ path: Substring, from index: Substring.Index) -> Substring {
        let rest = path[index...]
        return rest.first == "." ? rest.dropFirst() : rest
    }
}

/// Reads one YAML document into `JSON`: mappings, lists, text, numbers, booleans and null. Anchors and aliases are
/// refused, so that a small file cannot become a large value; keys are always text.
package enum YAMLReader {
    private static let depthLimit = 32

    package struct Failure: Error, CustomStringConvertible {
        package var place: TextPlace
        package var message: String

        package var description: String { "line \(place.line), column \(place.column): \(message)" }
    }

    package static func read(_ text: String) throws -> YAMLDocument {
        do {
            let parser = try Parser(yaml: text)
            guard let node = try parser.singleRoot() else {
                throw Failure(place: TextPlace(line: 1, column: 1), message: "the file is empty")
            }
            // Nodes hold their anchors weakly; the parser owns them. Without it no anchor would be seen.
            return try withExtendedLifetime(parser) {
                var places = PlaceTree(place: place(node))
                let value = try value(node, depth: 0, places: &places)
                return YAMLDocument(value: value, places: places)
            }
        } catch let error as YamlError {
            throw failure(error)
        }
    }

    private static func place(_ node: Node) -> TextPlace {
        TextPlace(line: node.mark?.line ?? 1, column: node.mark?.column ?? 1)
    }

    private static func failure(_ error: YamlError) -> Failure {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            Failure(place: TextPlace(line: mark.line, column: mark.column), message: "no valid YAML: \(problem)")
        case .duplicatedKeysInMapping(let keys, let context):
            Failure(
                place: TextPlace(line: context.mark.line, column: context.mark.column),
                message: "the mapping that begins here has twice: \(keys.sorted().joined(separator: ", "))")
        default: Failure(place: TextPlace(line: 1, column: 1), message: "no valid YAML: \(error)")
        }
    }

    /// - Parameter places: has its own place already, and gets those of what is inside.
    private static func value(_ node: Node, depth: Int, places: inout PlaceTree) throws -> JSON {
        func refuse(_ message: String) -> Failure { Failure(place: place(node), message: message) }
        guard depth < depthLimit else { throw refuse("nested too deeply") }
        guard node.anchor == nil else { throw refuse("anchors are not supported") }
        switch node {
        case .alias: throw refuse("aliases are not supported")
        case .scalar(let scalar): return self.scalar(scalar)
        case .sequence(let sequence):
            var values: [JSON] = []
            for item in sequence {
                var inner = PlaceTree(place: place(item))
                values.append(try value(item, depth: depth + 1, places: &inner))
                places.items.append(inner)
            }
            return .array(values)
        case .mapping(let mapping):
            var object = JSONObject()
            for (key, member) in mapping {
                guard let name = key.scalar?.string else { throw refuse("a key must be text") }
                var inner = PlaceTree(place: place(key))
                object[name] = try value(member, depth: depth + 1, places: &inner)
                places.members[name] = inner
            }
            return .object(object)
        }
    }

    private static func scalar(_ scalar: Node.Scalar) -> JSON {
        guard scalar.style == .plain || scalar.style == .any else { return .string(scalar.string) }
        return plain(scalar.string)
    }

    /// Plain scalars are resolved as YAML 1.2's core schema does; quoted ones are text.
    static func plain(_ text: String) -> JSON {
        switch text {
        case "", "~", "null": return .null
        case "true": return true
        case "false": return false
        default:
            if let integer = Int64(text) { return .int(integer) }
            if let first = text.unicodeScalars.first, "-+.0123456789".unicodeScalars.contains(first),
                let double = Double(text), double.isFinite
            {
                return .double(double)
            }
            return .string(text)
        }
    }
}
