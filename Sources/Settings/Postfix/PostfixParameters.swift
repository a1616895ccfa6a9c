/// The parameters of main.cf, with `$name` expanded as postconf(5) describes.
///
/// Read from the text and not from postconf(1): that works for any user, in containers that hold only the files, and
/// says in which line a parameter stands. Parameters nobody set have the defaults of Postfix 3.7, as far as they are
/// asked for here.
struct PostfixParameters: Sendable {
    private struct Assignment: Sendable {
        var value: String
        /// nil for an override of master.cf.
        var line: Int?
    }

    private static let defaults = [
        "queue_directory": "/var/spool/postfix", "mail_owner": "postfix", "compatibility_level": "0",
        "milter_default_action": "tempfail", "milter_protocol": "6", "milter_connect_timeout": "30s",
        "milter_command_timeout": "30s", "milter_content_timeout": "300s",
    ]
    /// Far deeper than any real nesting; ends expansions that contain themselves.
    private static let depthLimit = 20
    /// Most names replaced for one value; ends expansions that contain themselves several times.
    private static let nameLimit = 2000

    private var assignments: [String: Assignment] = [:]

    init(_ text: String) {
        for logical in PostfixText.logicalLines(text) {
            guard let (name, value) = PostfixText.assignment(logical.text) else { continue }
            assignments[name] = Assignment(value: value, line: logical.line)
        }
    }

    /// The parameters as a service of master.cf sees them.
    func overridden(by overrides: [String: String]) -> PostfixParameters {
        var copy = self
        for (name, value) in overrides { copy.assignments[name] = Assignment(value: value, line: nil) }
        return copy
    }

    /// The expanded value; empty for a parameter that is not set and has no default here.
    func value(_ name: String) -> String {
        var names = Self.nameLimit
        return PostfixText.trim(expand(raw(name) ?? "", depth: 0, &names))
    }

    /// The value as it was written, without expansion; nil when it is not set.
    func written(_ name: String) -> String? { assignments[name]?.value }

    /// Line of main.cf that decides, nil when none does.
    func line(_ name: String) -> Int? { assignments[name]?.line }

    private func raw(_ name: String) -> String? { assignments[name]?.value ?? Self.defaults[name] }
}

// MARK: Expansion

extension PostfixParameters {
    private func expand(_ text: String, depth: Int, _ names: inout Int) -> String {
        guard depth < Self.depthLimit, text.contains("$") else { return text }
        var result = ""
        var rest = text[...]
        while names > 0, let dollar = rest.firstIndex(of: "$") {
            names -= 1
            result += rest[..<dollar]
            rest = rest[rest.index(after: dollar)...]
            switch rest.first {
            case "$":
                result.append("$")
                rest = rest.dropFirst()
            case "{", "(":
                let body = Self.bracketed(&rest)
                result += evaluate(body, depth: depth + 1, &names)
            default:
                let name = Self.name(in: rest)
                rest = rest.dropFirst(name.count)
                result += name.isEmpty ? "$" : expand(raw(name) ?? "", depth: depth + 1, &names)
            }
        }
        return result + rest
    }

    private static func name(in text: some StringProtocol) -> String {
        String(text.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") })
    }

    /// Takes a bracketed group off the front of `rest` and gives what is inside the outermost pair. Only brackets of
    /// the opening one's kind count.
    private static func bracketed(_ rest: inout Substring) -> String {
        guard let open = rest.popFirst() else { return "" }
        let close: Character = open == "(" ? ")" : "}"
        var depth = 1
        var body = ""
        while let character = rest.popFirst() {
            if character == open { depth += 1 }
            if character == close { depth -= 1 }
            if depth == 0 { break }
            body.append(character)
        }
        return body
    }

    /// `name`, `name?text`, `name:text`, `name?{text}:{text}`, and the same with `{left} == {right}` for the name.
    private func evaluate(_ body: String, depth: Int, _ names: inout Int) -> String {
        if body.hasPrefix("{") { return comparison(body, depth: depth, &names) }
        let name = Self.name(in: body)
        let value = expand(raw(name) ?? "", depth: depth, &names)
        let choice = PostfixText.trim(body.dropFirst(name.count))
        return choice.isEmpty ? value : choose(choice, isTrue: !value.isEmpty, depth: depth, &names)
    }

    private func comparison(_ body: String, depth: Int, _ names: inout Int) -> String {
        var rest = body[...]
        let left = expand(Self.bracketed(&rest), depth: depth, &names)
        let relation = rest.prefix { $0 != "{" }
        rest = rest.dropFirst(relation.count)
        let right = expand(Self.bracketed(&rest), depth: depth, &names)
        let isTrue = Self.compare(left, PostfixText.trim(relation), right)
        return choose(PostfixText.trim(rest), isTrue: isTrue, depth: depth, &names)
    }

    /// Numbers compare as numbers, everything else as text (postconf(5)).
    private static func compare(_ left: String, _ relation: String, _ right: String) -> Bool {
        let order: Int
        if let left = Int(left), let right = Int(right) {
            order = left == right ? 0 : left < right ? -1 : 1
        } else {
            order = left == right ? 0 : left < right ? -1 : 1
        }
        switch relation {
        case "==": return order == 0
        case "!=": return order != 0
        case "<": return order < 0
        case "<=": return order <= 0
        case ">": return order > 0
        case ">=": return order >= 0
        default: return false
        }
    }

    private func choose(_ choice: String, isTrue: Bool, depth: Int, _ names: inout Int) -> String {
        var rest = choice[...]
        var texts: [Character: String] = [:]
        while let mark = rest.popFirst() {
            guard mark == "?" || mark == ":" else { continue }
            while rest.first?.isWhitespace == true { rest = rest.dropFirst() }
            guard rest.first == "{" else {
                texts[mark] = String(rest)
                break
            }
            texts[mark] = PostfixText.trim(Self.bracketed(&rest))
        }
        return expand(texts[isTrue ? "?" : ":"] ?? "", depth: depth, &names)
    }
}
