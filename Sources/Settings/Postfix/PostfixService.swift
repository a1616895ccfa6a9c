/// One service of master.cf (master(5)).
struct PostfixService: Hashable, Sendable {
    /// `smtp`, `submission`, `127.0.0.1:10025`, …
    let name: String
    /// `inet`, `unix`, `pass`, …
    let type: String
    let isChrooted: Bool
    /// Program name, without a directory.
    let command: String
    /// `-o name=value`, unexpanded.
    let overrides: [String: String]
    let line: Int

    /// As `postconf -P` names it.
    var path: String { "\(name)/\(type)" }

    /// Whether strangers deliver mail here: port 25, or the listener behind postscreen(8).
    var isInbound: Bool {
        guard command == "smtpd" else { return false }
        if type == "pass" { return true }
        return type == "inet" && ["smtp", "25"].contains(name.split(separator: ":").last.map(String.init) ?? name)
    }

    /// All services of the text.
    ///
    /// - Parameter chrootsByDefault: what `-` means in the fifth column: no since Postfix 3.0, unless
    ///   `compatibility_level` is below 1.
    static func all(in text: String, chrootsByDefault: Bool) -> [PostfixService] {
        PostfixText.logicalLines(text).compactMap { logical in
            let fields = PostfixText.tokens(logical.text, isSeparator: \.isWhitespace)
            guard fields.count >= 8 else { return nil }
            return PostfixService(
                name: fields[0], type: fields[1], isChrooted: fields[4] == "-" ? chrootsByDefault : fields[4] == "y",
                command: fields[7].split(separator: "/").last.map(String.init) ?? fields[7],
                overrides: overrides(fields.dropFirst(8)), line: logical.line)
        }
    }

    /// `-o name=value`, `-oname=value` and `-o { name = value }`; the last of several wins.
    private static func overrides(_ arguments: ArraySlice<String>) -> [String: String] {
        var overrides: [String: String] = [:]
        var rest = arguments
        while let argument = rest.popFirst() {
            guard argument.hasPrefix("-o") else { continue }
            let text = argument == "-o" ? rest.popFirst() ?? "" : String(argument.dropFirst(2))
            if let (name, value) = PostfixText.assignment(PostfixText.unbraced(text) ?? text) {
                overrides[name] = value
            }
        }
        return overrides
    }
}
