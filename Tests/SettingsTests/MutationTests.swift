import Testing

@testable import Settings

/// Splitmix64: the same numbers on every machine, so a failure can be had again.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

@Suite struct MutationTests {
    private static let splinters: [String] = [
        "&a ", "*a", "<<: ", "!!binary ", "? ", ": ", "- ", "[", "]", "{", "}", "\"", "'", "|\n", ">\n", "\t", "\r",
        "\u{0}", "\u{85}",
        "\u{2028}", "\u{E000}", "\u{FEFF}", "é", "👩‍👩‍👧", "\\x", "%YAML 1.1\n", "---\n", "...\n", "port: 1\n", "http:\n",
        "#", "\n\n", "99999999999999999999d",
    ]

    /// Not less than: whatever the text, an answer; and an answer with findings in the right file.
    @Test(arguments: 0..<8 as Range<UInt64>)
    func mutatedSampleNeverTraps(seed: UInt64) {
        var generator = SeededGenerator(state: seed)
        let sample = Array(
            Schema.sampleFile().split(separator: "\n", omittingEmptySubsequences: false).filter { !$0.contains("#") }
                .joined(separator: "\n").unicodeScalars)
        var refused = 0
        for _ in 0..<250 {
            var scalars = sample
            for _ in 0..<Int.random(in: 1...4, using: &generator) { mutate(&scalars, &generator) }
            var text = String.UnicodeScalarView()
            text.append(contentsOf: scalars)
            do {
                _ = try Configuration.parse(String(text))
            } catch {
                refused += 1
                #expect(error.findings.contains { $0.severity == .error })
            }
        }
        #expect(refused > 50)
    }

    private func mutate(_ scalars: inout [Unicode.Scalar], _ generator: inout SeededGenerator) {
        guard let position = scalars.indices.randomElement(using: &generator) else { return }
        let end = min(scalars.count, position + Int.random(in: 1...30, using: &generator))
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: scalars.removeSubrange(position..<end)
        case 1:
            scalars.insert(
                contentsOf: scalars[position..<end], at: scalars.indices.randomElement(using: &generator) ?? 0)
        case 2: scalars[position] = Unicode.Scalar(UInt8.random(in: 0..<128, using: &generator))
        default:
            scalars.insert(
                contentsOf: (Self.splinters.randomElement(using: &generator) ?? "#").unicodeScalars, at: position)
        }
    }
}

@Suite struct GrammarTests {
    @Test(
        arguments: [
            ("0s", 0), ("250ms", 250), ("5s", 5000), ("2m", 120_000), ("4h", 14_400_000), ("7d", 604_800_000),
            ("90s", 90_000),
        ] as [(String, Int64)])
    func durationsReadAndWrite(text: String, milliseconds: Int64) {
        #expect(DurationText.parse(text) == .milliseconds(milliseconds))
        #expect(DurationText.parse(DurationText.text(.milliseconds(milliseconds))) == .milliseconds(milliseconds))
    }

    @Test(arguments: ["", "s", "5", "5 s", "-5s", "1.5h", "5S", "1h30m", "٥s", "9223372036854775807d"])
    func otherTextIsNoDuration(text: String) { #expect(DurationText.parse(text) == nil) }

    @Test(arguments: ["", "B", "5", "5 KiB", "5KB", "5kib", "-1B", "9223372036854775807KiB"])
    func otherTextIsNoSize(text: String) { #expect(ByteSize.parse(text) == nil) }

    @Test(arguments: [
        ("port", "prot", true), ("socket", "sokcet", true), ("port", "host", false), ("x", "y", true), ("", "", false),
    ])
    func nearestNameIsNear(name: String, candidate: String, isNear: Bool) {
        #expect((NearestName.to(name, among: [candidate]) == candidate) == isNear)
    }

    @Test(arguments: ["a@b.example", "A.b+c@sub.b.example", "é@b.example"])
    func mailAddressesAreAccepted(text: String) { #expect(MailboxText.address(text) != nil) }

    @Test(arguments: [
        "", "a", "@b.example", "a@", "a@b@c.example", "a b@c.example", "<a@b.example>", ".a@b.example",
        "a..b@c.example", "a@-b.example", "a@127.0.0.1",
    ])
    func otherTextIsNoMailAddress(text: String) { #expect(MailboxText.address(text) == nil) }
}
