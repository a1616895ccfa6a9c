/// A domain name of an SPF record, with places that each mail fills in (RFC 7208 section 7).
package struct SPFName: Hashable, Sendable {
    /// What fills the places.
    package struct Mail: Hashable, Sendable {
        /// The reverse path's local part; `postmaster` when there is none.
        package var localPart: String
        /// The reverse path's domain.
        package var senderDomain: String
        /// The domain whose record is read.
        package var domain: String
        package var address: IPAddress
        /// The name in the client's EHLO.
        package var greeting: String

        package init(
            localPart: String = "postmaster", senderDomain: String, domain: String, address: IPAddress,
            greeting: String
        ) {
            self.localPart = localPart
            self.senderDomain = senderDomain
            self.domain = domain
            self.address = address
            self.greeting = greeting
        }
    }

    private enum Part: Hashable, Sendable {
        case literal(String)
        case macro(letter: Character, labels: Int?, isReversed: Bool, delimiters: String, isEscaped: Bool)
    }

    private let parts: [Part]
    /// As it stands in the record.
    package let text: String

    /// Whether it is the same for every mail.
    package var isLiteral: Bool {
        parts.allSatisfy { if case .literal = $0 { true } else { false } }
    }

    /// - Parameter isText: an unknown modifier's value, which need not be a domain.
    init(_ text: String, isText: Bool = false) throws(MalformedRecord) {
        var parts: [Part] = []
        var literal = ""
        var rest = Substring(text)
        while let character = rest.popFirst() {
            guard character == "%" else {
                literal.append(character)
                continue
            }
            switch rest.popFirst() {
            case "%": literal.append("%")
            case "_": literal.append(" ")
            case "-": literal.append("%20")
            case "{":
                guard let end = rest.firstIndex(of: "}") else { throw MalformedRecord("a `%{` is not closed") }
                if !literal.isEmpty { parts.append(.literal(literal)) }
                literal = ""
                parts.append(try Self.macro(rest[..<end]))
                rest = rest[rest.index(after: end)...]
            default: throw MalformedRecord("a `%` is followed by nothing that it may mean")
            }
        }
        if !literal.isEmpty { parts.append(.literal(literal)) }
        self.parts = parts
        self.text = text
        guard isText || Self.endsLikeADomain(parts) else { throw MalformedRecord("it names no domain") }
    }

    private static func macro(_ text: Substring) throws(MalformedRecord) -> Part {
        guard let letter = text.first, let lowered = letter.lowercased().first, "slodiphcrtv".contains(lowered) else {
            throw MalformedRecord("there is no macro `%{\(TagList.shown(text))}`")
        }
        var rest = text.dropFirst()
        let digits = rest.prefix { ("0"..."9").contains($0) }
        rest = rest.dropFirst(digits.count)
        let isReversed = rest.first == "r" || rest.first == "R"
        if isReversed { rest.removeFirst() }
        let labels = digits.isEmpty ? nil : Int(digits)
        guard digits.isEmpty || (labels ?? 0) > 0, rest.allSatisfy({ ".-+,/_=".contains($0) }) else {
            throw MalformedRecord("there is no macro `%{\(TagList.shown(text))}`")
        }
        return .macro(
            letter: lowered, labels: labels, isReversed: isReversed, delimiters: rest.isEmpty ? "." : String(rest),
            isEscaped: letter.isUppercase)
    }

    /// A macro, or a dot and a label that is no number (section 7.1).
    private static func endsLikeADomain(_ parts: [Part]) -> Bool {
        guard case .literal(var text)? = parts.last else { return !parts.isEmpty }
        if text.last == "." { text.removeLast() }
        guard let dot = text.lastIndex(of: ".") else { return false }
        let label = text[text.index(after: dot)...]
        return !label.isEmpty && label.first != "-" && label.last != "-"
            && label.utf8.allSatisfy { (0x30...0x39).contains($0) || $0 == 0x2D || (0x61...0x7A).contains($0 | 0x20) }
            && !label.utf8.allSatisfy { (0x30...0x39).contains($0) }
    }

    /// The name for one mail, at most 253 bytes: labels are left out at the front until it fits (section 7.3).
    package func filled(for mail: Mail) -> String {
        var name = ""
        for part in parts {
            switch part {
            case .literal(let text): name += text
            case .macro(let letter, let labels, let isReversed, let delimiters, let isEscaped):
                var pieces = Self.value(letter, mail).split(
                    omittingEmptySubsequences: false, whereSeparator: { delimiters.contains($0) })
                if isReversed { pieces.reverse() }
                if let labels { pieces = pieces.suffix(labels) }
                let value = pieces.joined(separator: ".")
                name += isEscaped ? Self.escaped(value) : value
            }
        }
        if name.last == "." { name.removeLast() }
        while name.utf8.count > 253 {
            guard let dot = name.firstIndex(of: ".") else { return String(name.suffix(63)) }
            name = String(name[name.index(after: dot)...])
        }
        return name
    }

    private static func value(_ letter: Character, _ mail: Mail) -> String {
        switch letter {
        case "s": "\(mail.localPart)@\(mail.senderDomain)"
        case "l": mail.localPart
        case "o": mail.senderDomain
        case "d": mail.domain
        case "i":
            mail.address.bytes.count == 4 ? "\(mail.address)" : mail.address.nibbles.joined(separator: ".")
        case "c": "\(mail.address)"
        case "h": mail.greeting
        case "v": mail.address.bytes.count == 4 ? "in-addr" : "ip6"
        // The validated name costs more than it is worth, and may be left unknown (section 7.3).
        default: "unknown"
        }
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                result.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                result += digits.count == 1 ? "%0\(digits)" : "%\(digits)"
            }
        }
        return result
    }
}
