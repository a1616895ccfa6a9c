/// Why the text of a DNS record or of a signature is none.
package struct MalformedRecord: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong, as half a sentence: `` `p` is missing``.
    package let description: String

    init(_ description: String) { self.description = description }
}

/// `name=value` pairs with semicolons between them, as DKIM and DMARC write them (RFC 6376 section 3.2).
struct TagList {
    /// In their order, without the blanks around names and values.
    let tags: [(name: String, value: String)]

    /// - Throws: for a tag without `=`, a name that is none, and a name that comes twice.
    init(_ text: String) throws(MalformedRecord) {
        var tags: [(name: String, value: String)] = []
        for part in text.utf8.split(separator: UInt8(ascii: ";")) {
            let tag = Self.trimmed(part)
            // Nothing between two semicolons is nobody's tag; checkers pass over it.
            if tag.isEmpty { continue }
            guard let equals = tag.firstIndex(of: UInt8(ascii: "=")) else {
                throw MalformedRecord("`\(Self.shown(tag))` has no `=`")
            }
            let name = Self.text(Self.trimmed(tag[..<equals]))
            guard Self.isName(name) else { throw MalformedRecord("`\(Self.shown(tag))` has no name") }
            guard !tags.contains(where: { $0.name == name }) else { throw MalformedRecord("`\(name)` stands twice") }
            tags.append((name, Self.text(Self.trimmed(tag[tag.index(after: equals)...]))))
        }
        self.tags = tags
    }

    /// Nil when there is no such tag; names are told apart by case.
    subscript(name: String) -> String? { tags.first { $0.name == name }?.value }

    /// The parts of a list with colons, without blanks and empty parts.
    func list(_ name: String) -> [String]? {
        self[name].map { value in
            value.utf8.split(separator: UInt8(ascii: ":")).map { Self.text(Self.trimmed($0)) }.filter { !$0.isEmpty }
        }
    }

    private static func isName(_ name: String) -> Bool {
        guard let first = name.utf8.first, isLetter(first) else { return false }
        return name.utf8.allSatisfy { isLetter($0) || (0x30...0x39).contains($0) || $0 == UInt8(ascii: "_") }
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
    }

    static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0D || byte == 0x0A }

    private static func trimmed(_ bytes: Substring.UTF8View) -> Substring.UTF8View {
        let rest = bytes.drop(while: isBlank)
        guard let last = rest.lastIndex(where: { !isBlank($0) }) else { return rest[rest.endIndex...] }
        return rest[...last]
    }

    private static func text(_ bytes: Substring.UTF8View) -> String { String(decoding: bytes, as: UTF8.self) }

    /// For sentences: printable and short.
    private static func shown(_ bytes: Substring.UTF8View) -> String { Self.shown(text(bytes)) }

    /// For sentences: printable and short, whatever somebody has put into his records.
    static func shown(_ text: some StringProtocol) -> String {
        let printable = text.unicodeScalars.prefix(60).map { scalar -> String in
            let isPlain = scalar.value >= 0x20 && !(0x7F...0x9F).contains(scalar.value) && !isInvisible(scalar)
            return isPlain ? String(scalar) : "?"
        }
        return printable.joined() + (text.unicodeScalars.count > 60 ? "…" : "")
    }

    private static func isInvisible(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned: true
        default: false
        }
    }
}
