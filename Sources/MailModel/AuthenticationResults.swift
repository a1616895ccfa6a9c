/// One Authentication-Results field (RFC 8601 section 2.2): who checked, and what each check said.
package struct AuthenticationResults: Hashable, Sendable {
    /// One `method=result` with its properties.
    package struct Check: Hashable, Sendable {
        /// In lower case, without a version: `spf`, `dkim`, `dmarc`.
        package var method: String
        /// In lower case: `pass`, `fail`, `none`.
        package var result: String
        /// `ptype.property` and `reason`, names in lower case, in order.
        package var properties: [Property]
        /// What stood in comments beside it, without the outer brackets: checkers put a domain's policy there.
        package var comment: String

        /// The first property of that name, for example `header.d`.
        package func property(_ name: String) -> String? { properties.first { $0.name == name }?.value }
    }

    /// A name and its value, unquoted.
    package struct Property: Hashable, Sendable {
        /// In lower case: `header.d`, `smtp.mailfrom`, `reason`.
        package var name: String
        /// Without quotes; the case is kept.
        package var value: String
    }

    /// The authentication service's name in lower case; nobody vouches for it but the administrator.
    package var authservID: String
    /// Empty when the field says `none`.
    package var checks: [Check]

    /// Nil when the text has not even a name. Comments may stand anywhere and nest; quoted values may hold semicolons.
    package init?(_ text: String) {
        var sections = AuthenticationResults.sections(of: text)
        guard !sections.isEmpty, let first = sections.removeFirst().tokens.first else { return nil }
        guard first != "=", !first.isEmpty else { return nil }
        authservID = first.lowercased()
        checks = sections.compactMap(AuthenticationResults.check)
    }

    /// Tokens `method = result name = value …`; a method may bear `/version`.
    private static func check(_ section: Section) -> Check? {
        let tokens = section.tokens
        guard tokens.count >= 3, tokens[1] == "=" else { return nil }
        let method = tokens[0].lowercased().split(separator: "/").first.map(String.init) ?? ""
        guard !method.isEmpty else { return nil }
        var properties: [Property] = []
        var index = 3
        while index + 2 < tokens.count {
            if tokens[index + 1] == "=" {
                properties.append(Property(name: tokens[index].lowercased(), value: tokens[index + 2]))
                index += 3
            } else {
                index += 1
            }
        }
        let comment = String(decoding: section.comment, as: UTF8.self)
        return Check(method: method, result: tokens[2].lowercased(), properties: properties, comment: comment)
    }

    /// Words and `=` signs between two semicolons, quotes resolved, and beside them what stood in comments.
    private struct Section {
        var tokens: [String] = []
        var comment: [UInt8] = []
    }

    private static func sections(of text: String) -> [Section] {
        var cutter = Cutter()
        for byte in text.utf8 { cutter.take(byte) }
        return cutter.finish()
    }

    private struct Cutter {
        private var sections = [Section()]
        private var word: [UInt8] = []
        private var hasWord = false
        private var depth = 0
        private var isQuoted = false
        private var isEscaped = false

        mutating func take(_ byte: UInt8) {
            if isEscaped {
                isEscaped = false
                if depth == 0 { word.append(byte) } else { comment(byte) }
            } else if byte == UInt8(ascii: "\\"), isQuoted || depth > 0 {
                isEscaped = true
            } else if depth > 0 {
                if byte == UInt8(ascii: "(") { depth += 1 }
                if byte == UInt8(ascii: ")") { depth -= 1 }
                comment(depth > 0 ? byte : 0x20)
            } else if isQuoted {
                if byte == UInt8(ascii: "\"") { isQuoted = false } else { word.append(byte) }
            } else {
                takePlain(byte)
            }
        }

        private mutating func takePlain(_ byte: UInt8) {
            switch byte {
            case UInt8(ascii: "("):
                endWord()
                depth = 1
            case UInt8(ascii: "\""):
                isQuoted = true
                hasWord = true
            case UInt8(ascii: ";"):
                endWord()
                sections.append(Section())
            case UInt8(ascii: "="):
                // Only the first `=` of a word is the sign; the rest belongs to the value (base64 ends with it).
                if !hasWord, sections[sections.count - 1].tokens.last == "=" {
                    word.append(byte)
                    hasWord = true
                } else if hasWord, sections[sections.count - 1].tokens.last == "=" {
                    word.append(byte)
                } else {
                    endWord()
                    sections[sections.count - 1].tokens.append("=")
                }
            case 0...0x20: endWord()
            default:
                word.append(byte)
                hasWord = true
            }
        }

        private mutating func endWord() {
            if hasWord { sections[sections.count - 1].tokens.append(String(decoding: word, as: UTF8.self)) }
            word.removeAll(keepingCapacity: true)
            hasWord = false
        }

        private mutating func comment(_ byte: UInt8) { sections[sections.count - 1].comment.append(byte) }

        mutating func finish() -> [Section] {
            endWord()
            return sections
        }
    }
}
