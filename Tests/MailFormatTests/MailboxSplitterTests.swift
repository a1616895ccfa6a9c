import MailFormat
import Testing

@Suite struct MailboxSplitterTests {
    /// The messages of a file that comes in pieces of that size.
    private func split(
        _ text: String, _ quoting: MailboxSplitter.Quoting = .mboxrd, limit: Int = 1 << 20, piece: Int = 7
    ) -> [MailboxSplitter.Message] {
        var splitter = MailboxSplitter(quoting: quoting, limit: limit)
        var messages: [MailboxSplitter.Message] = []
        let bytes = Array(text.utf8)
        var start = 0
        while start < bytes.count {
            let end = min(bytes.count, start + piece)
            bytes[start..<end].withUnsafeBytes { chunk in splitter.feed(chunk) { messages.append($0) } }
            start = end
        }
        if let last = splitter.finish() { messages.append(last) }
        return messages
    }

    private func texts(_ messages: [MailboxSplitter.Message]) -> [String] {
        messages.map { String(decoding: $0.bytes, as: UTF8.self) }
    }

    private static let mailbox = """
        From ann@example.org Mon Jan  5 09:00:00 2026
        Subject: one

        >From the start
        >>From the start

        From nowhere in particular.

        From MAILER-DAEMON Mon Jan  5 09:00:01 2026
        Subject: two

        Body

        """

    @Test(arguments: [1, 2, 7, 64, 4096])
    func messagesAreTheSameHoweverTheFileComesIn(_ piece: Int) {
        let messages = split(Self.mailbox, piece: piece)
        #expect(messages.map(\.sender) == ["ann@example.org", ""])
        #expect(
            texts(messages) == [
                "Subject: one\r\n\r\nFrom the start\r\n>From the start\r\n\r\nFrom nowhere in particular.\r\n",
                "Subject: two\r\n\r\nBody\r\n",
            ])
        #expect(messages.map(\.offset) == [0, 123])
    }

    @Test func olderQuotingTakesOneMarkFromOneAlone() {
        let first = texts(split(Self.mailbox, .mboxo)).first
        #expect(first?.contains("\r\n\r\nFrom the start\r\n>>From the start\r\n") == true)
    }

    @Test func fileOfOneMessageIsLeftAsItIs() {
        let messages = split("Subject: x\r\n\r\n>From a\n\nFrom ann Mon 09:00\n", .message)
        #expect(texts(messages) == ["Subject: x\r\n\r\n>From a\r\n\r\nFrom ann Mon 09:00\r\n"])
        #expect(messages.first?.sender == "" && messages.first?.isTruncated == false)
    }

    @Test func beginningNeedsAnEmptyLineBeforeItAndATime() {
        let text = "From a@b Mon 9:00:00 2026\nA: 1\n\nx\nFrom a@b Mon 9:00:00 2026\n\nFrom a@b on Monday\n"
        #expect(split(text).count == 1)
        #expect(split(text + "\nFrom - Mon 9:00 2026\nA: 2\n").count == 2)
    }

    @Test func messageBeyondTheLimitIsCutAndTheNextIsWhole() {
        let long = String(repeating: "0123456789\n", count: 1000)
        let text = "From a@b Mon 9:00\nA: 1\n\n\(long)\nFrom a@b Mon 9:01\nA: 2\n\nBody\n"
        let messages = split(text, limit: 100)
        #expect(messages.map(\.isTruncated) == [true, false])
        #expect(messages.map(\.bytes.count) == [100, 14])
        // One line without an end is bounded too.
        let line = split("From a@b Mon 9:00\nA: 1\n\n" + String(repeating: "x", count: 5000), limit: 100)
        #expect(line.map(\.bytes.count) == [100] && line[0].isTruncated)
    }

    @Test(arguments: ["", "\n", "\n\n\n"])
    func nothingIsNoMessage(_ text: String) { #expect(split(text).isEmpty) }

    @Test func endWithinALineIsTheEndOfTheMessage() {
        #expect(texts(split("From a@b Mon 9:00\nA: 1\n\nBody")) == ["A: 1\r\n\r\nBody\r\n"])
        #expect(texts(split("From a@b Mon 9:00\nA: 1\n\nBody\n\nFrom a@b Mon 9:01")) == ["A: 1\r\n\r\nBody\r\n"])
    }

    /// Whatever comes in, nothing is kept beyond the limit and the pieces do not matter.
    @Test func anyBytesAreTheSameInAnyPieces() {
        var state: UInt64 = 7
        func random(_ count: UInt64) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % count)
        }
        let words = ["From ", "a@b ", "9:00", "\n", "\r\n", "\n\n", ">", ">From ", "x", "\u{0}", "é"]
        for _ in 0..<300 {
            let text = (0..<random(60)).map { _ in words[random(UInt64(words.count))] }.joined()
            let whole = split(text, limit: 50, piece: 10_000)
            #expect(whole == split(text, limit: 50, piece: 1 + random(9)))
            #expect(whole.allSatisfy { $0.bytes.count <= 50 })
        }
    }
}
