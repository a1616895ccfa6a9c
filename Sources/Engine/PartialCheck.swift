import Liquid
import WorkflowModel

/// Whether what a template includes is there: in HTML the partial's HTML, in subject and text its text.
struct PartialCheck {
    /// Partials inside each other.
    static let nestingLimit = 10

    private enum Side: String { case html, text }

    private let find: (String) -> CompiledTemplate?
    /// How many partials stand inside each other under one that was found sound.
    private var heights: [Side: [String: Int]] = [:]

    /// - Parameter find: the partial of that name; nil when there is none.
    init(_ find: @escaping (String) -> CompiledTemplate?) { self.find = find }

    /// - Parameter own: the name of a partial that is looked at itself.
    mutating func problems(of compiled: CompiledTemplate, named own: String? = nil) -> [WorkflowProblem] {
        var problems: [WorkflowProblem] = []
        for template in compiled.parts {
            let side: Side = template.name == compiled.html?.name ? .html : .text
            for mention in template.partials {
                guard let message = objection(to: mention, side, inside: own.map { [$0] } ?? []) else { continue }
                // Rendered Markdown has other places than what its author wrote.
                let place = template.name == "markdown" ? nil : WorkflowProblem.Place(mention)
                problems.append(.init(path: template.name, message: message, place: place))
            }
        }
        return problems
    }

    private mutating func objection(to mention: PartialMention, _ side: Side, inside path: [String]) -> String? {
        guard let name = mention.name else {
            return "include needs the name of a partial in quotes: a mail is kept with the partials it is made of"
        }
        if let start = path.firstIndex(of: name) {
            return "the partials include each other: \((path[start...] + [name]).joined(separator: " → "))"
        }
        if let height = heights[side]?[name] { return path.count + height > Self.nestingLimit ? Self.tooDeep : nil }
        guard path.count < Self.nestingLimit else { return Self.tooDeep }
        let whose = path.isEmpty ? "" : ", which \(path.joined(separator: " → ")) includes"
        guard let compiled = find(name) else { return "there is no partial \"\(name)\"\(whose)" }
        guard let template = side == .html ? compiled.html : compiled.text else {
            return "the partial \"\(name)\"\(whose) has no \(side.rawValue)"
        }
        var height = 0
        for inner in template.partials {
            if let message = objection(to: inner, side, inside: path + [name]) { return message }
            height = max(height, inner.name.flatMap { heights[side]?[$0] } ?? 0)
        }
        heights[side, default: [:]][name] = height + 1
        return nil
    }

    private static let tooDeep = "partials are nested deeper than \(nestingLimit)"
}

extension WorkflowProblem.Place {
    init(_ mention: PartialMention) { self.init(line: mention.line, column: mention.column) }
}

extension TemplateCache {
    /// The current versions of all partials that a template needs, by name; those that are not there are missing, and the
    /// mail will say so.
    func partials(of compiled: CompiledTemplate, find: (String) -> TemplateVersion?) -> [String: TemplateVersion] {
        guard compiled.namesPartials else { return [:] }
        var versions: [String: TemplateVersion] = [:]
        var names = compiled.parts.flatMap(\.partialNames)
        while let name = names.popLast() {
            guard versions[name] == nil, let version = find(name), let partial = try? self.compiled(version) else {
                continue
            }
            versions[name] = version
            names += partial.parts.flatMap(\.partialNames)
        }
        return versions
    }

    /// - Throws: the syntax error of one that does not parse any more.
    func partialSet(_ versions: [String: TemplateVersion]) throws -> PartialSet {
        var set = PartialSet()
        for (name, version) in versions { set.add(try compiled(version), as: name) }
        return set
    }
}
