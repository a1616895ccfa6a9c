import MailModel

/// Writes header fields: folded, in ASCII but for addresses that have no such form, one line end at the end of each and nowhere
/// else.
struct HeaderWriter {
    private(set) var bytes: [UInt8] = []
    /// An address outside ASCII was written (RFC 6532).
    private(set) var hasUTF8 = false

    /// - Parameter capacity: bytes to expect.
    init(capacity: Int = 128) { bytes.reserveCapacity(capacity) }

    /// Where lines are folded (RFC 5322 section 2.1.1), and where they must end.
    private static let comfortable = 78
    private static let longest = 998

    /// Words that hold no blank and need no encoding.
    mutating func words(_ name: String, _ words: [String]) {
        var column = name.utf8.count + 1
        bytes.append(contentsOf: name.utf8)
        bytes.append(UInt8(ascii: ":"))
        for (index, word) in words.enumerated() {
            let length = word.utf8.count
            if column + 1 + length > HeaderWriter.comfortable, index > 0 || column + 1 + length > HeaderWriter.longest {
                bytes.append(contentsOf: [0x0D, 0x0A])
                column = 0
            }
            bytes.append(0x20)
            bytes.append(contentsOf: word.utf8)
            column += 1 + length
        }
        bytes.append(contentsOf: [0x0D, 0x0A])
    }

    /// The same, for a value that may be missing.
    mutating func words(
        _ name: String, _ words: [String], orThrow code: CompositionError.Code
    ) throws(CompositionError) {
        guard !words.isEmpty else { throw CompositionError(code, field: name) }
        self.words(name, words)
    }

    /// Free text, as in Subject: encoded words where it is not plain.
    mutating func text(_ name: String, _ text: String) {
        let clean = HeaderWriter.cleaned(text)
        let plain = HeaderWriter.words(of: clean)
        let isPlain = EncodedWord.isPlain(clean) && plain.allSatisfy { $0.utf8.count <= 900 }
        words(name, isPlain ? plain : EncodedWord.encode(clean, firstColumn: name.utf8.count + 2))
    }

    /// A value that may have a grammar of its own: encoded only where it is not ASCII, so that addresses and URLs stay whole.
    mutating func value(_ name: String, _ text: String) throws(CompositionError) {
        let clean = HeaderWriter.cleaned(text)
        guard clean.utf8.allSatisfy({ $0 < 0x80 }) else { return self.text(name, clean) }
        if !clean.isEmpty, name.utf8.count + 2 + clean.utf8.count <= HeaderWriter.comfortable {
            return words(name, [clean])
        }
        let plain = HeaderWriter.words(of: clean)
        guard plain.allSatisfy({ $0.utf8.count <= HeaderWriter.longest - 1 }) else {
            throw CompositionError(.fieldTooLong, field: name)
        }
        words(name, plain)
    }

    /// Names and addresses, separated by commas.
    mutating func mailboxes(_ name: String, _ mailboxes: [Mailbox]) throws(CompositionError) {
        var words: [String] = []
        for (index, mailbox) in mailboxes.enumerated() {
            guard let address = mailbox.address.smtpForm else {
                throw CompositionError(.unwritableAddress, field: name)
            }
            if mailbox.address.requiresSMTPUTF8 { hasUTF8 = true }
            let comma = index + 1 < mailboxes.count ? "," : ""
            let display = HeaderWriter.cleaned(mailbox.name ?? "")
            if display.isEmpty {
                words += [address + comma]
            } else {
                words += HeaderWriter.phrase(display, firstColumn: name.utf8.count + 2)
                words += ["<\(address)>" + comma]
            }
        }
        self.words(name, words)
    }

    /// A display name: bare words, a quoted string or encoded words (RFC 5322 section 3.2.5, RFC 2047 section 5).
    private static func phrase(_ name: String, firstColumn: Int) -> [String] {
        guard EncodedWord.isPlain(name), name.utf8.count <= 60 else {
            return EncodedWord.encode(name, firstColumn: firstColumn)
        }
        if name.utf8.allSatisfy(isAtomOrBlank) { return words(of: name) }
        var quoted = "\""
        for scalar in name.unicodeScalars {
            if scalar == "\"" || scalar == "\\" { quoted += "\\" }
            quoted.unicodeScalars.append(scalar)
        }
        return [quoted + "\""]
    }

    private static func isAtomOrBlank(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"), 0x20, UInt8(ascii: "-"), UInt8(ascii: "'"), UInt8(ascii: "_"): true
        default: false
        }
    }

    private static func words(of text: String) -> [String] {
        text.utf8.split(separator: 0x20).map { String(Substring($0)) }
    }

    /// No control character, no run of blanks, none at the ends: what a header line can say without ambiguity.
    static func cleaned(_ text: String) -> String {
        if isClean(text) { return text }
        var result = String.UnicodeScalarView()
        var isBlankPending = false
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0...0x20, 0x7F...0x9F, 0x2028, 0x2029: isBlankPending = true
            default:
                if isBlankPending, !result.isEmpty { result.append(" ") }
                isBlankPending = false
                result.append(scalar)
            }
        }
        return String(result)
    }

    /// ASCII that `cleaned` would not change; most values are.
    private static func isClean(_ text: String) -> Bool {
        var wasBlank = true
        for byte in text.utf8 {
            guard byte >= 0x20, byte < 0x7F, byte != 0x20 || !wasBlank else { return false }
            wasBlank = byte == 0x20
        }
        return !wasBlank || text.isEmpty
    }
}
