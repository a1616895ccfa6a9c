import JSONValue
import Yams

/// Reads one YAML document into `JSON`: mappings, lists, text, numbers, booleans and null. Anchors and aliases are
/// refused, so that a small file cannot become a large value; keys are always text.
enum YAMLReader {
    private static let depthLimit = 32

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    static func read(_ text: String) throws -> JSON {
        do {
            let parser = try Parser(yaml: text)
            guard let node = try parser.singleRoot() else { throw Failure(description: "the file is empty") }
            // Nodes hold their anchors weakly; the parser owns them. Without it no anchor would be seen.
            return try withExtendedLifetime(parser) { try value(node, depth: 0) }
        } catch let error as YamlError {
            throw Failure(description: "no valid YAML: \(error)")
        }
    }

    private static func value(_ node: Node, depth: Int) throws -> JSON {
        let place = node.mark.map { "line \($0.line): " } ?? ""
        guard depth < depthLimit else { throw Failure(description: "\(place)nested too deeply") }
        guard node.anchor == nil else { throw Failure(description: "\(place)anchors are not supported") }
        switch node {
        case .alias: throw Failure(description: "\(place)aliases are not supported")
        case .scalar(let scalar): return self.scalar(node, scalar)
        case .sequence(let sequence): return .array(try sequence.map { try value($0, depth: depth + 1) })
        case .mapping(let mapping):
            var object = JSONObject()
            for (key, member) in mapping {
                guard let name = key.scalar?.string else { throw Failure(description: "\(place)a key must be text") }
                object[name] = try value(member, depth: depth + 1)
            }
            return .object(object)
        }
    }

    /// Plain scalars are resolved as YAML 1.2's core schema does; quoted ones are text.
    private static func scalar(_ node: Node, _ scalar: Node.Scalar) -> JSON {
        guard scalar.style == .plain || scalar.style == .any else { return .string(scalar.string) }
        switch scalar.string {
        case "", "~", "null": return .null
        case "true": return true
        case "false": return false
        default:
            if let integer = Int64(scalar.string) { return .int(integer) }
            if let first = scalar.string.unicodeScalars.first, "-+.0123456789".unicodeScalars.contains(first),
                let double = Double(scalar.string), double.isFinite
            {
                return .double(double)
            }
            return .string(scalar.string)
        }
    }
}
