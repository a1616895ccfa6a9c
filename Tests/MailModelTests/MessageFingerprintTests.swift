import MailModel
import Testing

struct MessageFingerprintTests {
    private static let original = ReceivedMessage(
        queueID: "A1", clientAddress: "203.0.113.9", reversePath: "ann@example.net",
        recipients: ["a@x.example", "b@x.example"],
        headers: [
            HeaderField("Received", "from one"), HeaderField("Message-ID", "<1@example.net>"),
            HeaderField("Date", "today"),
            HeaderField("Subject", "s"),
        ],
        body: Array("body".utf8))

    private func changed(_ change: (inout ReceivedMessage) -> Void) -> Bool {
        var copy = Self.original
        change(&copy)
        return MessageFingerprint.input(for: copy) != MessageFingerprint.input(for: Self.original)
    }

    @Test func aRetryIsTheSameMail() {
        #expect(!changed { $0.queueID = "B2" })
        #expect(!changed { $0.clientAddress = "203.0.113.10" })
        #expect(!changed { $0.recipients = ["B@x.example", "a@x.example", "a@x.example"] })
        #expect(!changed { $0.reversePath = "Ann@Example.net" })
        #expect(!changed { $0.headers[0] = HeaderField("Received", "from two") })
        // Postfix writes a missing Date anew at every retry.
        #expect(!changed { $0.headers[2] = HeaderField("Date", "tomorrow") })
    }

    @Test func anotherMailIsAnother() {
        #expect(changed { $0.body.append(0x20) })
        #expect(changed { $0.isBodyTruncated = true })
        #expect(changed { $0.recipients = ["a@x.example"] })
        #expect(changed { $0.reversePath = "" })
        #expect(changed { $0.headers[1] = HeaderField("Message-ID", "<2@example.net>") })
        #expect(changed { $0.headers.remove(at: 1) })
    }

    @Test func dateTellsMailsWithoutAMessageIDApart() {
        func mail(_ date: String) -> ReceivedMessage {
            ReceivedMessage(reversePath: "a", recipients: ["b"], headers: [HeaderField("Date", date)])
        }
        #expect(MessageFingerprint.input(for: mail("today")) != MessageFingerprint.input(for: mail("tomorrow")))
    }

    /// Text that moves from one piece into the next must not give the same bytes.
    @Test func piecesDoNotRunIntoEachOther() {
        let one = ReceivedMessage(reversePath: "a", recipients: ["b\n1:c"])
        let two = ReceivedMessage(reversePath: "a", recipients: ["b", "c"])
        #expect(MessageFingerprint.input(for: one) != MessageFingerprint.input(for: two))
    }

    @Test func oneRecipientHasAKeyOfItsOwn() {
        let all = MessageFingerprint.input(for: Self.original)
        let one = MessageFingerprint.input(for: Self.original, recipients: ["a@x.example"])
        #expect(all != one)
        #expect(one == MessageFingerprint.input(for: Self.original, recipients: ["A@X.example"]))
    }
}
