/// Pieces shared by main.cf and master.cf (postconf(5), master(5)) and the lists inside them.
enum PostfixText {
    /// One logical line: its text with continuations joined, and the number of its first physical line.
    struct LogicalLine: Equatable {
        var text: String
        var line: Int
    }

    /// Joins continuations: a line that begins with white space continues the one before. Empty lines and lines whose
    /// first mark is `#` are left out and do not end a logical line.
    static func logicalLines(_ text: String) -> [LogicalLine] {
        var lines: [LogicalLine] = []
        for (index, physical) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated()
        {
            let trimmed = trim(physical)
            guard !trimmed.isEmpty, !trimmed.hasPrefix("#") else { continue }
            if physical.first?.isWhitespace == true, !lines.isEmpty {
                lines[lines.count - 1].text += " " + trimmed
            } else {
                lines.append(LogicalLine(text: trimmed, line: index + 1))
            }
        }
        return lines
    }

    /// Splits at the separators, except inside braces. Braces that never close keep the rest together.
    static func tokens(_ text: String, isSeparator: (Character) -> Bool) -> [String] {
        var tokens: [String] = []
        var token = ""
        var depth = 0
        for character in text {
            if depth == 0, isSeparator(character) {
                if !token.isEmpty { tokens.append(token) }
                token = ""
                continue
            }
            if character == "{" { depth += 1 }
            if character == "}" { depth = max(0, depth - 1) }
            token.append(character)
        }
        return token.isEmpty ? tokens : tokens + [token]
    }

    /// Splits a list at commas and white space.
    static func list(_ text: String) -> [String] { tokens(text) { $0 == "," || $0.isWhitespace } }

    /// The text between the outermost braces, trimmed; nil when `text` is not in braces.
    static func unbraced(_ text: String) -> String? {
        guard text.hasPrefix("{"), text.hasSuffix("}"), text.count >= 2 else { return nil }
        return trim(text.dropFirst().dropLast())
    }

    /// A list item without blanks between its parts: `{ a, { b = c } }` becomes `{a,{b=c}}`.
    static func withoutBlanks(_ item: String) -> String {
        guard let inside = unbraced(item) else { return item }
        if let (name, value) = assignment(inside), list(name).count == 1 { return "{\(name)=\(value)}" }
        return "{\(list(inside).map(withoutBlanks).joined(separator: ","))}"
    }

    /// `name = value`, both trimmed; nil without `=` or without a name.
    static func assignment(_ text: String) -> (name: String, value: String)? {
        guard let equals = text.firstIndex(of: "=") else { return nil }
        let name = trim(text[..<equals])
        return name.isEmpty ? nil : (name, trim(text[text.index(after: equals)...]))
    }

    /// Seconds of a time value; the milter timeouts count in seconds when no unit is given (postconf(5)).
    static func seconds(_ text: String) -> Int? {
        let units: [Character: Int] = ["s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800]
        if let number = Int(text) { return number }
        guard let last = text.last, let unit = units[last], let number = Int(text.dropLast()) else { return nil }
        let (seconds, overflow) = number.multipliedReportingOverflow(by: unit)
        return overflow ? nil : seconds
    }

    static func trim(_ text: some StringProtocol) -> String {
        var rest = text[...]
        while rest.first?.isWhitespace == true { rest = rest.dropFirst() }
        while rest.last?.isWhitespace == true { rest = rest.dropLast() }
        return String(rest)
    }
}
