import Engine
import JSONValue
import WorkflowModel

/// How two workflows differ, by what it means to executions and people and not by lines of text: the order of steps and
/// the spelling of options do not count.
///
///     ~ enabled: false -> true
///     + step tag (UPDATE_CONTACT)
///     +   config.data.plan: pro
///     ~ step reply (SEND_EMAIL)
///     -   config.template: a
///     +   config.template: b
package struct WorkflowDifference: Sendable {
    package private(set) var lines: [String] = []

    package var isEmpty: Bool { lines.isEmpty }

    /// - Parameter old: nil when there is nothing yet.
    package init(from old: WorkflowDocument?, to new: WorkflowDocument) {
        compareHeads(old.map(Self.head) ?? [], Self.head(new))
        compare("step", Self.steps(old), Self.steps(new))
        compare("template", Self.templates(old), Self.templates(new))
    }

    /// Something named with its options, flattened to `path: value`.
    private struct Item {
        var name: String
        /// Shown behind the name.
        var kind: String
        var options: [Option]
    }

    private struct Option: Equatable {
        var path: String
        var value: String
    }

    // MARK: Flattening

    private static func head(_ document: WorkflowDocument) -> [Option] {
        var object = document.json.objectValue ?? [:]
        for key in ["workflow", "steps", "templates"] { object[key] = nil }
        return flat(.object(object), path: "")
    }

    private static func steps(_ document: WorkflowDocument?) -> [Item] {
        guard let document else { return [] }
        return document.graph.steps.map { step in
            var options: [Option] = []
            if let name = step.name { options.append(Option(path: "name", value: name)) }
            options += flat(.object(step.config.json), path: "config")
            if let position = step.position {
                options.append(Option(path: "position", value: "\(position.x), \(position.y)"))
            }
            for edge in document.graph.transitions(from: step.key) {
                let priority = edge.priority == 0 ? "" : " (priority \(edge.priority))"
                options.append(
                    Option(path: edge.branch.map { "next.\($0)" } ?? "next", value: "\(edge.to)\(priority)"))
            }
            return Item(name: step.key, kind: " (\(step.config.type.rawValue))", options: options)
        }
    }

    private static func templates(_ document: WorkflowDocument?) -> [Item] {
        (document?.templates ?? []).map { Item(name: $0.slug, kind: "", options: flat(.object($0.json), path: "")) }
    }

    private static func flat(_ value: JSON, path: String) -> [Option] {
        switch value {
        case .object(let object) where object["field"]?.stringValue != nil && object["operator"] != nil:
            return [Option(path: path, value: comparison(object))]
        case .object(let object) where !object.isEmpty:
            return object.flatMap { flat($1, path: path.isEmpty ? $0 : "\(path).\($0)") }
        case .array(let values) where values.contains { $0.objectValue != nil || $0.arrayValue != nil }:
            return values.enumerated().flatMap { flat($1, path: "\(path).\($0)") }
        case .string(let text): return [Option(path: path, value: text)]
        default: return [Option(path: path, value: JSONWriter.write(value))]
        }
    }

    /// A condition in one line: `data.plan equals "pro"`.
    private static func comparison(_ object: JSONObject) -> String {
        ["field", "operator", "value", "unit"].compactMap { key in
            guard let value = object[key] else { return nil }
            return key == "value" ? JSONWriter.write(value) : value.stringValue ?? ""
        }.joined(separator: " ")
    }

    // MARK: Comparing

    private mutating func compareHeads(_ old: [Option], _ new: [Option]) {
        let before = Dictionary(uniqueKeysWithValues: old.map { ($0.path, $0.value) })
        let after = Dictionary(uniqueKeysWithValues: new.map { ($0.path, $0.value) })
        for option in old where after[option.path] == nil { lines.append("- \(option.path): \(option.value)") }
        for option in new {
            switch before[option.path] {
            case nil: lines.append("+ \(option.path): \(option.value)")
            case option.value?: break
            case let value?: lines.append("~ \(option.path): \(value) -> \(option.value)")
            }
        }
    }

    private mutating func compare(_ word: String, _ old: [Item], _ new: [Item]) {
        let before = Dictionary(uniqueKeysWithValues: old.map { ($0.name, $0) })
        let after = Set(new.map(\.name))
        for item in old where !after.contains(item.name) { lines.append("- \(word) \(item.name)\(item.kind)") }
        for item in new {
            guard let known = before[item.name] else {
                lines.append("+ \(word) \(item.name)\(item.kind)")
                for option in item.options { show(option, mark: "+") }
                continue
            }
            guard
                Set(known.options.map(\.path)) != Set(item.options.map(\.path)) || known.kind != item.kind
                    || known.options.contains(where: { !item.options.contains($0) })
            else { continue }
            let kind = known.kind == item.kind ? item.kind : "\(known.kind) ->\(item.kind)"
            lines.append("~ \(word) \(item.name)\(kind)")
            compareOptions(known.options, item.options)
        }
    }

    private mutating func compareOptions(_ old: [Option], _ new: [Option]) {
        let before = Dictionary(uniqueKeysWithValues: old.map { ($0.path, $0) })
        let after = Set(new.map(\.path))
        for option in old where !after.contains(option.path) { show(option, mark: "-") }
        for option in new {
            guard let known = before[option.path] else {
                show(option, mark: "+")
                continue
            }
            if known == option { continue }
            if Self.lineCount(known.value) > 1 || Self.lineCount(option.value) > 1 {
                showLines(option.path, known.value, option.value)
            } else {
                show(known, mark: "-")
                show(option, mark: "+")
            }
        }
    }

    private mutating func show(_ option: Option, mark: String) {
        let count = Self.lineCount(option.value)
        guard count > 1 else { return lines.append("\(mark)   \(option.path): \(option.value)") }
        lines.append("\(mark)   \(option.path): \(count) lines")
    }

    /// A text of several lines, only the lines that differ. A text too long for that is only said to be another.
    private mutating func showLines(_ path: String, _ old: String, _ new: String) {
        let before = Self.lines(old)
        let after = Self.lines(new)
        guard before.count + after.count <= 2000 else { return lines.append("~   \(path): another text") }
        lines.append("~   \(path):")
        for change in after.difference(from: before).sorted(by: Self.comesFirst) {
            switch change {
            case .remove(_, let line, _): lines.append("-     \(line)")
            case .insert(_, let line, _): lines.append("+     \(line)")
            }
        }
    }

    private typealias Change = CollectionDifference<Substring>.Change

    private static func comesFirst(_ left: Change, _ right: Change) -> Bool {
        func key(_ change: Change) -> (Int, Int) {
            switch change {
            case .remove(let offset, _, _): (offset, 0)
            case .insert(let offset, _, _): (offset, 1)
            }
        }
        return key(left) < key(right)
    }

    private static func lines(_ text: String) -> [Substring] {
        text.split(separator: "\n", omittingEmptySubsequences: false)
    }

    private static func lineCount(_ text: String) -> Int { lines(text).count }
}

extension Workflows.Comparison {
    /// What applying would do, in a sentence.
    package var outcomeText: String {
        switch outcome {
        case .success(.created): "apply makes the workflow"
        case .success(.changed(let version)) where version == storedVersion:
            "apply changes version \(version), which no execution has taken"
        case .success(.changed(let version)): "apply publishes version \(version) for new executions"
        case .success(.updated): "apply changes no step"
        case .success(.unchanged): "apply changes templates alone"
        case .failure(let error): "apply is refused: \(error)"
        }
    }
}
