import Foundation
import JSONValue
import Yams

/// The API's description, and what it says about values. Stricter than JSON Schema where a schema lists members: any
/// other is a problem unless the schema says `additionalProperties`.
struct APIDescription: Sendable {
    let root: JSON

    static let file = URL(filePath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Documentation/openapi.yaml")

    init() throws {
        let text = try String(contentsOf: Self.file, encoding: .utf8)
        guard let node = try Yams.compose(yaml: text) else { throw Unreadable() }
        root = try Self.json(node)
    }

    struct Unreadable: Error {}

    /// The operations as `GET /path`, with what is said of each.
    var operations: [(route: String, operation: JSON)] {
        (root["paths"]?.objectValue ?? [:]).flatMap { path, methods in
            (methods.objectValue ?? [:]).filter { $0.0 != "parameters" }.map { ("\($0.0.uppercased()) \(path)", $0.1) }
        }
    }

    /// What is said of the answer to a request.
    func response(_ route: String, status: Int) -> JSON? {
        operations.first { $0.route == route }?.operation["responses"]?["\(status)"].map(resolved)
    }

    /// Follows a reference.
    func resolved(_ value: JSON) -> JSON {
        guard let reference = value["$ref"]?.stringValue else { return value }
        let target = reference.dropFirst(2).split(separator: "/").reduce(root as JSON?) { $0?[String($1)] }
        return target.map(resolved) ?? .null
    }

    // MARK: Values

    /// Everything in which a value is not as a schema says.
    func problems(of value: JSON, _ schema: JSON, at path: String = "") -> [String] {
        let schema = resolved(schema)
        if let parts = schema["oneOf"]?.arrayValue {
            let fits = parts.contains { self.problems(of: value, $0, at: path).isEmpty }
            return fits ? [] : ["\(path): fits none of oneOf"]
        }
        var problems: [String] = []
        func report(_ message: String) { problems.append("\(path): \(message)") }
        if let types = self.types(of: schema), !types.contains(where: { Self.isOf($0, value) }) {
            report("is not \(types.joined(separator: " or ")) but \(value)")
        }
        if let allowed = schema["enum"]?.arrayValue, !allowed.contains(value) { report("is not in the enum: \(value)") }
        if let constant = schema["const"], constant != value { report("is not \(constant)") }
        if let text = value.stringValue { problems += self.problems(of: text, schema, at: path) }
        if let items = schema["items"], let values = value.arrayValue {
            for (position, item) in values.enumerated() {
                problems += self.problems(of: item, items, at: "\(path).\(position)")
            }
        }
        if let object = value.objectValue { problems += self.problems(of: object, schema, at: path) }
        return problems
    }

    private func problems(of text: String, _ schema: JSON, at path: String) -> [String] {
        switch schema["format"]?.stringValue {
        case "uuid" where UUID(uuidString: text) == nil: ["\(path): is no UUID"]
        case "date-time" where !text.hasSuffix("Z") || !text.contains("T"): ["\(path): is no time"]
        default: []
        }
    }

    private func problems(of object: JSONObject, _ schema: JSON, at path: String) -> [String] {
        let parts = [schema] + (schema["allOf"]?.arrayValue ?? []).map(resolved)
        var known: JSONObject = [:]
        var problems: [String] = []
        for part in parts {
            known.merge(part["properties"]?.objectValue ?? [:])
            for name in part["required"]?.arrayValue ?? [] where object[name.stringValue ?? ""] == nil {
                problems.append("\(path): lacks \(name.stringValue ?? "")")
            }
        }
        let others = parts.compactMap { $0["additionalProperties"] }.first
        for (name, member) in object {
            if let schema = known[name] {
                problems += self.problems(of: member, schema, at: "\(path).\(name)")
            } else if let others, others.objectValue != nil {
                problems += self.problems(of: member, others, at: "\(path).\(name)")
            } else if others != true, !known.isEmpty {
                problems.append("\(path).\(name): is not described")
            }
        }
        return problems
    }

    private func types(of schema: JSON) -> [String]? {
        schema["type"].map { $0.arrayValue?.compactMap(\.stringValue) ?? [$0.stringValue ?? ""] }
    }

    private static func isOf(_ type: String, _ value: JSON) -> Bool {
        switch type {
        case "null": value.isNull
        case "boolean": value.boolValue != nil
        case "integer": value.intValue != nil
        case "number": value.doubleValue != nil
        case "string": value.stringValue != nil
        case "array": value.arrayValue != nil
        default: value.objectValue != nil
        }
    }

    // MARK: YAML

    private static func json(_ node: Node) throws -> JSON {
        switch node {
        case .scalar(let scalar): self.scalar(scalar)
        case .sequence(let sequence): .array(try sequence.map(json))
        case .mapping(let mapping): .object(JSONObject(try mapping.map { ($0.key.string ?? "", try json($0.value)) }))
        case .alias: throw Unreadable()
        }
    }

    private static func scalar(_ scalar: Node.Scalar) -> JSON {
        guard scalar.style == .plain || scalar.style == .any else { return .string(scalar.string) }
        switch scalar.string {
        case "null", "~", "": return .null
        case "true": return true
        case "false": return false
        default:
            return Int64(scalar.string).map { .int($0) } ?? Double(scalar.string).map { .double($0) }
                ?? .string(scalar.string)
        }
    }
}
