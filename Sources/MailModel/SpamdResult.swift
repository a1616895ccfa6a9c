/// The value of X-Spamd-Result: `default: False [1.20 / 15.00]; SYMBOL(0.10)[option]; …`.
///
/// `True` means that the action is "reject", not that the mail is spam, and the second number is the points from which
/// rspamd rejects (rspamd, `milter_headers` module).
package struct SpamdResult: Hashable, Sendable {
    /// The word `True`: the action is "reject".
    package var isRejected: Bool
    /// Points; nil when they cannot be read.
    package var score: Double?
    /// Points from which rspamd rejects; nil when they cannot be read.
    package var threshold: Double?
    /// Names in order of appearance.
    package var symbols: [String]

    /// Nil when the text has not that shape.
    package init?(_ text: String) {
        var sections = text.split(separator: ";", omittingEmptySubsequences: true).makeIterator()
        guard let head = sections.next(), let colon = head.firstIndex(of: ":") else { return nil }
        let rest = head[head.index(after: colon)...].drop { $0 == " " }
        let word = rest.prefix { $0 != " " && $0 != "[" }.lowercased()
        guard word == "true" || word == "false" else { return nil }
        isRejected = word == "true"
        (score, threshold) = SpamdResult.numbers(in: rest)
        symbols = []
        while let section = sections.next() {
            // Options may hold semicolons; what follows one is no name in capitals with points behind it.
            let name = section.drop { $0 == " " }.prefix { $0 != "(" && $0 != "[" && $0 != " " }
            if !name.isEmpty, name.utf8.allSatisfy(SpamdResult.isSymbolByte) { symbols.append(String(name)) }
        }
    }

    private static func numbers(in text: Substring) -> (Double?, Double?) {
        guard let open = text.firstIndex(of: "["), let close = text[open...].firstIndex(of: "]") else {
            return (nil, nil)
        }
        let parts = text[text.index(after: open)..<close].split(separator: "/").map { $0.filter { $0 != " " } }
        guard parts.count == 2 else { return (nil, nil) }
        return (finite(parts[0]), finite(parts[1]))
    }

    private static func finite(_ text: String) -> Double? { Double(text).flatMap { $0.isFinite ? $0 : nil } }

    private static func isSymbolByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"): true
        default: false
        }
    }
}
