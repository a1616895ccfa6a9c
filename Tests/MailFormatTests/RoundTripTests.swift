import MailFormat
import MailModel
import Testing

/// What is composed is read back as it was meant, whatever the values are.
struct RoundTripTests {
    /// A small generator with a fixed seed: the same values in every run (SplitMix64).
    struct Random {
        private var state: UInt64

        init(seed: UInt64) { state = seed }

        mutating func next(_ bound: Int) -> Int {
            state &+= 0x9E37_79B9_7F4A_7C15
            var value = state
            value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
            value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
            return Int((value ^ (value >> 31)) % UInt64(bound))
        }

        mutating func text(_ alphabet: [String], upTo length: Int) -> String {
            (0..<next(length)).map { _ in alphabet[next(alphabet.count)] }.joined()
        }
    }

    private static let lineAlphabet = [
        "a", "b", "Z", "0", " ", "  ", "é", "ß", "漢", "😀", "e\u{301}", "=", "?", "=?", "?=", "=?utf-8?q?x?=", "_", "\"",
        "\\",
        "(", ")", "<", ">", ",", ";", ":", "@", ".", "\r\n", "\n", "\r", "\0", "\t", "\u{85}", "\u{2028}", "Bcc: x@y",
        String(repeating: "w", count: 90), String(repeating: "漢", count: 40),
    ]

    private static let bodyAlphabet =
        lineAlphabet + [
            "\n.", "\n..", "\nFrom ", "\n--=_b1", "\n--=_b1--", " \n", "\t\n", String(repeating: "long ", count: 300),
        ]

    @Test(arguments: 0..<150) func anyDraftComesBack(seed: Int) throws {
        var random = Random(seed: UInt64(seed))
        var draft = Drafts.plain(subject: random.text(Self.lineAlphabet, upTo: 40))
        draft.from.name = random.text(Self.lineAlphabet, upTo: 20)
        draft.to = (0...random.next(4)).map {
            Drafts.mailbox("user\($0)@example.net", name: random.text(Self.lineAlphabet, upTo: 8))
        }
        draft.text = random.text(Self.bodyAlphabet, upTo: 60)
        if random.next(2) == 0 { draft.html = "<p>" + random.text(Self.bodyAlphabet, upTo: 60) }
        draft.references = (0..<random.next(30)).map { "r\($0)@example.org" }
        draft.inReplyTo = draft.references.last
        draft.extraHeaders = [HeaderField("X-Any", random.text(Self.lineAlphabet, upTo: 20))]

        let bytes = try MessageComposer.compose(draft)
        WireFormat.expectLegal(bytes)
        let message = Corpus.message(bytes)
        let read = MessageReader.read(message)
        #expect(read.defects.isEmpty)
        #expect(read.subject == oneLine(draft.subject))
        #expect(read.from?.name ?? "" == oneLine(draft.from.name ?? ""))
        #expect(read.from?.address == draft.from.address)
        #expect(read.to.map(\.address) == draft.to.map(\.address))
        #expect(read.to.map { $0.name ?? "" } == draft.to.map { oneLine($0.name ?? "") })
        #expect(read.textBody.map(lines) == lines(draft.text ?? ""))
        #expect(read.htmlBody.map(lines) == draft.html.map(lines))
        #expect(read.date == draft.date)
        #expect(read.messageID == draft.messageID)
        #expect(read.inReplyTo == (draft.inReplyTo.map { [$0] } ?? []))
        #expect(read.references == MessageComposer.trimmed(references: draft.references))
        #expect(message.headers.map(\.name).filter { $0 == "Bcc" }.isEmpty)
        #expect(message.headers.count(where: { $0.isNamed("X-Any") }) == 1)
    }

    /// As a header line holds it: control characters are blanks, blanks do not repeat.
    private func oneLine(_ text: String) -> String {
        let scalars = text.unicodeScalars.map { scalar -> Unicode.Scalar in
            let isControl = scalar.value <= 0x20 || (0x7F...0x9F).contains(scalar.value) || scalar.value == 0x2028
            return isControl ? " " : scalar
        }
        return String(String.UnicodeScalarView(scalars)).split(separator: " ").joined(separator: " ")
    }

    /// As a body holds it: one kind of line end, and one at the end.
    private func lines(_ text: String) -> [UInt8] {
        var bytes: [UInt8] = []
        var isAfterReturn = false
        for byte in text.utf8 {
            if byte != 0x0A || !isAfterReturn { bytes.append(byte == 0x0D ? 0x0A : byte) }
            isAfterReturn = byte == 0x0D
        }
        while bytes.last == 0x0A { bytes.removeLast() }
        return bytes
    }
}

/// What every composed mail must be, whatever is in it.
enum WireFormat {
    static func expectLegal(
        _ bytes: [UInt8], isASCII: Bool = true, _ location: SourceLocation = #_sourceLocation
    ) {
        #expect(bytes.allSatisfy { ($0 < 0x80 || !isASCII) && $0 != 0 }, "not 7-bit", sourceLocation: location)
        var column = 0
        var longest = 0
        var previous: UInt8 = 0
        var bare = 0
        for byte in bytes {
            if byte == 0x0A, previous != 0x0D { bare += 1 }
            if previous == 0x0D, byte != 0x0A { bare += 1 }
            column = byte == 0x0A ? 0 : column + 1
            longest = max(longest, column)
            previous = byte
        }
        #expect(bare == 0, "bare CR or LF", sourceLocation: location)
        // The CR counts above, and not in the limit of 998.
        #expect(longest <= 999, "long line", sourceLocation: location)
        #expect(bytes.suffix(2) == [0x0D, 0x0A], sourceLocation: location)
    }
}
