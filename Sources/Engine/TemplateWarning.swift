import Liquid
import WorkflowModel

/// A variable that nothing in the project has: perhaps a slip of the pen, perhaps only early.
package struct TemplateWarning: Hashable, Sendable {
    /// `subject`, `html`, `markdown` or `text`.
    package var part: String
    /// Nil where the place would say nothing to the author.
    package var place: WorkflowProblem.Place?
    package var variable: String
    package var message: String
    /// The known name that is nearest, when one is near.
    package var suggestion: String?
}

/// Compares what templates mention with what is known.
struct VariableCheck {
    /// Names by the root they stand under: `contact`, `data`, `event`, `workflow`, `execution`.
    private var known: [String: Set<String>] = [:]
    /// What a bare name is looked up in.
    private var bare: Set<String> = Set(["email", "id"] + MailLinks.variables)
    private static let limit = 50

    init(_ fields: [WorkflowFields.Field]) {
        for field in fields {
            guard let dot = field.name.firstIndex(of: ".") else { continue }
            let root = String(field.name[..<dot])
            let name = String(field.name[field.name.index(after: dot)...])
            known[root, default: []].insert(name)
            if root == "data" { known["contact", default: []].insert(name) }
            if root == "data" || root == "event" { bare.insert(name) }
        }
        known["contact", default: []].insert("data")
        // The event that started the execution has the same fields as any.
        known["trigger"] = known["event"]
    }

    /// - Parameter isPartial: bare names in a partial are what its callers give it.
    func warnings(about template: CompiledTemplate, isPartial: Bool) -> [TemplateWarning] {
        let all = template.parts.flatMap { part in
            part.variables.compactMap { warning(about: $0, in: part.name, isPartial: isPartial) }
        }
        return Array(all.prefix(Self.limit))
    }

    private func warning(about mention: VariableMention, in part: String, isPartial: Bool) -> TemplateWarning? {
        var path = mention.path
        let names: Set<String>
        let prefix: String
        // `contact.data.plan` is `data.plan`.
        if path.starts(with: ["contact", "data"]), path.count > 2 { path.removeFirst() }
        switch path[0] {
        case "context", "steps": return nil
        case "contact", "data", "event", "trigger", "workflow", "execution":
            guard path.count > 1 else { return nil }
            names = known[path[0]] ?? []
            prefix = path.removeFirst() + "."
        default:
            if isPartial { return nil }
            names = bare
            prefix = ""
        }
        // A key may hold dots itself.
        guard !names.contains(path[0]), !names.contains(path.joined(separator: ".")) else { return nil }
        let place = part == "markdown" ? nil : WorkflowProblem.Place(line: mention.line, column: mention.column)
        let nearest = Self.nearest(to: path[0], in: names).map { prefix + $0 }
        return TemplateWarning(
            part: part, place: place, variable: mention.name,
            message: "no contact and no event of this project has \(prefix)\(path[0])"
                + (nearest.map { "; did you mean \($0)?" } ?? ""),
            suggestion: nearest)
    }

    /// The name with the fewest letters to change, a third of them at most; the first of equals by the alphabet.
    private static func nearest(to name: String, in names: Set<String>) -> String? {
        let wanted = Array(name.lowercased().utf8.prefix(64))
        let limit = max(1, wanted.count / 3)
        return names.compactMap { candidate -> (distance: Int, name: String)? in
            let letters = Array(candidate.lowercased().utf8.prefix(64))
            guard abs(letters.count - wanted.count) <= limit else { return nil }
            let distance = distance(wanted, letters)
            return distance <= limit ? (distance, candidate) : nil
        }.min { ($0.distance, $0.name) < ($1.distance, $1.name) }?.name
    }

    /// Insertions, deletions, changes and swaps of neighbours (Damerau 1964).
    private static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
        var before: [Int] = []
        var last = Array(0...b.count)
        for row in a.indices {
            var current = [row + 1]
            for column in b.indices {
                var cost = min(last[column + 1] + 1, current[column] + 1, last[column] + (a[row] == b[column] ? 0 : 1))
                if row > 0, column > 0, a[row] == b[column - 1], a[row - 1] == b[column] {
                    cost = min(cost, before[column - 1] + 1)
                }
                current.append(cost)
            }
            (before, last) = (last, current)
        }
        return last[b.count]
    }
}
