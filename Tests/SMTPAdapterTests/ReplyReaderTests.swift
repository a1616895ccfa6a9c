import MailModel
import Testing

@testable import SMTPAdapter

@Suite struct ReplyReaderTests {
    private func read(_ lines: [String]) -> ReplyReader.Step {
        var reader = ReplyReader()
        var step = ReplyReader.Step.needsMore
        for line in lines { step = reader.take(Array((line + "\r\n").utf8)) }
        return step
    }

    private func reply(_ lines: String...) -> Reply? {
        if case .complete(let reply, _) = read(lines) { reply } else { nil }
    }

    @Test func lastLineEndsTheReply() {
        #expect(read(["550-5.1.1 No such"]) == .needsMore)
        #expect(
            reply("550-5.1.1 No such", "550 5.1.1 user")
                == Reply(code: 550, enhancedCode: "5.1.1", text: "No such user"))
    }

    @Test func threeDigitsAloneAreAReply() {
        #expect(reply("250") == Reply(code: 250, text: ""))
    }

    @Test func linesWithoutACodeAreSkipped() {
        #expect(reply("hello", "", "25", "250x", "250 ok") == Reply(code: 250, text: "ok"))
    }

    @Test func theNextReplyStartsAfresh() {
        var reader = ReplyReader()
        _ = reader.take(Array("250-one\r\n".utf8))
        _ = reader.take(Array("250 two\r\n".utf8))
        #expect(reader.take(Array("354 go\n".utf8)) == .complete(Reply(code: 354, text: "go"), lines: ["go"]))
    }

    @Test(
        arguments: [
            ("250 2.0.0 Ok", "2.0.0", "Ok"),
            ("450 4.7.255 wait", "4.7.255", "wait"),
            ("550 5.1.1", "5.1.1", ""),
            ("550 3.1.1 odd class", nil, "3.1.1 odd class"),
            ("550 5.1 short", nil, "5.1 short"),
            ("550 5.1.1234 long", nil, "5.1.1234 long"),
            ("550 5.1.x letters", nil, "5.1.x letters"),
            ("550 No 5.1.1 here", nil, "No 5.1.1 here"),
        ] as [(String, String?, String)])
    func enhancedCodeStandsAtTheStart(line: String, enhanced: String?, text: String) {
        let reply = reply(line)
        #expect(reply?.enhancedCode == enhanced)
        #expect(reply?.text == text)
    }

    @Test func controlCharactersAndBrokenUTF8DoNotReachTheText() {
        var reader = ReplyReader()
        let line = Array("550 a\u{1B}[31m".utf8) + [0xFF] + Array("\u{85}b\r\n".utf8)
        #expect(reader.take(line) == .complete(Reply(code: 550, text: "a [31m\u{FFFD} b"), lines: ["a [31m\u{FFFD} b"]))
    }

    @Test func aReplyWithoutEndIsCutOff() {
        var reader = ReplyReader()
        let line = Array("250-\(String(repeating: "x", count: 500))\r\n".utf8)
        let steps = (0..<200).map { _ in reader.take(line) }
        #expect(steps.first == .needsMore)
        #expect(steps.last == .tooLong)
    }

    @Test(
        arguments: [
            ("2.0.0 Ok: queued as 4Z3xYk1Q", "4Z3xYk1Q"),
            ("OK, Queued As <a@b>; thanks", "<a@b>"),
            ("OK id=1tXyZ-000abc-2d", "1tXyZ-000abc-2d"),
            ("2.0.0 Ok", nil),
            ("queued as ", nil),
        ] as [(String, String?)])
    func queueIDIsWhatTheRelaySays(text: String, id: String?) {
        #expect(Reply(code: 250, text: text).queueID == id)
    }
}
