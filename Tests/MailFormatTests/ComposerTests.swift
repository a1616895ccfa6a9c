import Foundation
import MailFormat
import MailModel
import Testing

struct ComposerTests {
    /// The exact bytes of five mails, so that a change of the wire format is a change somebody made on purpose.
    @Test(arguments: ["plain", "alternative", "reply", "files", "plain-files", "international"])
    func wireFormatIsAsRecorded(
        name: String
    ) throws {
        let bytes = try MessageComposer.compose(golden(name))
        WireFormat.expectLegal(bytes, isASCII: name != "international")
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("Golden/\(name).eml")
        if ProcessInfo.processInfo.environment["POSTRIDER_RECORD_GOLDEN"] != nil { try Data(bytes).write(to: file) }
        let recorded = [UInt8](try Data(contentsOf: file))
        #expect(String(decoding: bytes, as: UTF8.self) == String(decoding: recorded, as: UTF8.self))
    }

    private func golden(_ name: String) -> MailDraft {
        switch name {
        case "plain": return Drafts.plain()
        case "alternative": return Drafts.alternative()
        case "files":
            var draft = Drafts.alternative()
            draft.files = [
                AttachedFile(
                    filename: "logo.png", contentType: "image/png", contentID: "logo", bytes: Array(0..<100)),
                AttachedFile(
                    filename: "Rechnung für \"Müller\".pdf", contentType: "application/pdf", bytes: [37, 80, 68, 70]),
                AttachedFile(
                    filename: "said \"so\\\".eml", contentType: "message/rfc822", bytes: Array("From: a\n".utf8)),
            ]
            return draft
        case "international":
            var draft = Drafts.plain(subject: "Γειά", text: "Καλημέρα.\n")
            draft.from = Drafts.mailbox("πώληση@bücher.example", name: "Κατάστημα")
            draft.to = [Drafts.mailbox("δοκιμή@example.org", name: "Ann"), Drafts.mailbox("bob@bücher.example")]
            draft.replyTo = [Drafts.mailbox("\"jürgen m\"@example.org")]
            return draft
        case "plain-files":
            var draft = Drafts.plain()
            draft.files = [
                AttachedFile(
                    filename: String(repeating: "ü", count: 40) + "\r\nX: y.csv",
                    contentType: "text/csv; charset=utf-8", bytes: [])
            ]
            return draft
        default:
            var draft = Drafts.plain(
                subject: "Auto: Re: =?weird?= words", text: "We have got your mail.\n.dot\nFrom us\n")
            draft.from.name = "Müller, Söhne & Co."
            draft.to = [
                Drafts.mailbox("ann@example.net", name: "Ann \"A\" Example"), Drafts.mailbox("bob@bücher.example"),
            ]
            draft.replyTo = [Drafts.mailbox("reply+token@example.org")]
            draft.inReplyTo = "q2@example.net"
            draft.references = ["q1@example.net", "q2@example.net"]
            draft.extraHeaders = [
                HeaderField("Auto-Submitted", "auto-replied"),
                HeaderField("List-Unsubscribe", "<https://example.org/u/" + String(repeating: "t", count: 80) + ">"),
            ]
            return draft
        }
    }

    /// Only the addresses of people are outside ASCII, and only such a mail needs servers that take that (RFC 6532).
    @Test func anAddressOutsideASCIIIsWrittenInItsLetters() throws {
        let (bytes, hasUTF8Header) = try MessageComposer.composition(of: golden("international"))
        #expect(hasUTF8Header)
        let read = MessageReader.read(Corpus.message(bytes))
        #expect(read.from == Mailbox(name: "Κατάστημα", address: Drafts.address("πώληση@xn--bcher-kva.example")))
        #expect(
            read.to == [
                Mailbox(name: "Ann", address: Drafts.address("δοκιμή@example.org")),
                Mailbox(address: Drafts.address("bob@xn--bcher-kva.example")),
            ])
        let lines = String(decoding: bytes, as: UTF8.self).components(separatedBy: "\r\n")
        #expect(
            lines.filter { !$0.utf8.allSatisfy { $0 < 0x80 } } == [
                " <πώληση@xn--bcher-kva.example>",
                "To: Ann <δοκιμή@example.org>, bob@xn--bcher-kva.example",
                "Reply-To: \"jürgen m\"@example.org",
            ])
        for name in ["plain", "alternative", "reply", "files"] {
            #expect(try !MessageComposer.composition(of: golden(name)).hasUTF8Header)
        }
    }

    @Test func noAddressEndsItsField() throws {
        // What could is no address to begin with.
        for text in ["é\r\nBcc: x@example.org", "é\u{85}@example.org", "é\u{2028}@example.org", "é x@example.org"] {
            #expect(MailAddress.parse(received: text) == nil, "\(text)")
        }
    }

    @Test func filesAreReadBack() throws {
        for name in ["files", "plain-files"] {
            let draft = golden(name)
            let read = MessageReader.read(Corpus.message(try MessageComposer.compose(draft)))
            let names = draft.files.map { $0.filename.replacing("\r\n", with: " ") }
            #expect(Set(read.attachments.compactMap(\.filename)) == Set(names))
            #expect(read.defects.isEmpty, "\(read.defects)")
        }
    }

    @Test(arguments: [
        ("text", nil as String?), ("text/plain\r\nX: y", nil), ("te xt/plain", nil), ("text/plain; a=\"b\"", nil),
        ("text/plain; a", nil), ("text/plain", "<a>"), ("text/plain", "a b"), ("text/plain", ""), ("text/plain", "é"),
    ])
    func aFileThatCannotBeWrittenIsRefused(type: String, id: String?) throws {
        var draft = Drafts.plain()
        draft.files = [AttachedFile(filename: "a", contentType: type, contentID: id, bytes: [])]
        let error = #expect(throws: CompositionError.self) { try MessageComposer.compose(draft) }
        #expect(error?.code == .invalidFile)
    }

    @Test func missingTextIsDerivedFromHTML() throws {
        var draft = Drafts.plain()
        draft.text = nil
        draft.html = "<h1>Hi</h1><p>See <a href=\"https://example.org/x\">this</a></p>"
        let read = MessageReader.read(Corpus.message(try MessageComposer.compose(draft)))
        #expect(read.textBody == "Hi\n\nSee this (https://example.org/x)\n")
        #expect(read.htmlBody == draft.html.map { $0 + "\n" } || read.htmlBody == draft.html)
    }

    @Test func linesFoldAtSeventyEight() throws {
        var draft = Drafts.plain(subject: String(repeating: "word ", count: 60))
        draft.references = (0..<20).map { "reference-number-\($0)@mail.example.org" }
        let text = String(decoding: try MessageComposer.compose(draft), as: UTF8.self)
        #expect(text.components(separatedBy: "\r\n").allSatisfy { $0.utf8.count <= 78 })
    }

    @Test func referencesKeepFirstAndNewest() {
        let many = (0..<50).map { "r\($0)@x.example" }
        let trimmed = MessageComposer.trimmed(references: many)
        #expect(trimmed.count == 20)
        #expect(trimmed.first == "r0@x.example")
        #expect(trimmed.last == "r49@x.example")
        #expect(trimmed[1] == "r31@x.example")
    }

    @Test func strangersIdsThatAreNoneAreLeftOut() throws {
        var draft = Drafts.plain()
        draft.inReplyTo = "a@b>\r\nBcc: x@y"
        draft.references = ["ok@x.example", "bad id@x", "x\r\ny@z", "é@x"]
        let message = Corpus.message(try MessageComposer.compose(draft))
        #expect(message.header("In-Reply-To") == nil)
        #expect(message.header("References") == "<ok@x.example>")
    }

    @Test func refusalsNameTheirField() {
        func code(_ change: (inout MailDraft) -> Void) -> CompositionError.Code? {
            var draft = Drafts.alternative()
            change(&draft)
            do throws(CompositionError) {
                _ = try MessageComposer.compose(draft)
                return nil
            } catch { return error.code }
        }
        #expect(code { $0.messageID = "no id" } == .invalidMessageID)
        #expect(code { $0.boundary = "a b" } == .invalidBoundary)
        #expect(code { $0.boundary = "" } == .invalidBoundary)
        #expect(code { $0.date = .max } == .invalidDate)
        #expect(code { $0.date = .min } == .invalidDate)
        #expect(code { $0.extraHeaders = [HeaderField("Bad Name", "x")] } == .invalidFieldName)
        #expect(code { $0.extraHeaders = [HeaderField("X:\r\nBcc", "x")] } == .invalidFieldName)
        #expect(code { $0.extraHeaders = [HeaderField("bcc", "x")] } == .reservedField)
        #expect(code { $0.extraHeaders = [HeaderField("Content-Type", "x")] } == .reservedField)
        #expect(code { $0.extraHeaders = [HeaderField("X-Long", String(repeating: "x", count: 998))] } == .fieldTooLong)
        #expect(code { $0.extraHeaders = [HeaderField("X-Long", String(repeating: "x", count: 997))] } == nil)
        #expect(code { $0.from = Drafts.mailbox("\"a<b\"@example.org") } == .unwritableAddress)
        #expect(code { $0.to = [Drafts.mailbox("\"j>ürgen\"@example.org")] } == .unwritableAddress)
        #expect(code { $0.to = [Drafts.mailbox("jürgen@example.org")] } == nil)
    }

    @Test(arguments: [
        (0, "Thu, 01 Jan 1970 00:00:00 +0000"), (951_825_599_999_999, "Tue, 29 Feb 2000 11:59:59 +0000"),
        (-1, "Wed, 31 Dec 1969 23:59:59 +0000"), (1_709_251_199_000_000, "Thu, 29 Feb 2024 23:59:59 +0000"),
        (253_402_300_799_000_000, "Fri, 31 Dec 9999 23:59:59 +0000"),
        (-2_208_988_800_000_000, "Mon, 01 Jan 1900 00:00:00 +0000"),
    ])
    func datesAreWritten(microseconds: Int64, text: String) { #expect(MailDate.format(microseconds) == text) }

    @Test func datesComeBackOverTheYears() throws {
        var draft = Drafts.plain()
        for day in stride(from: Int64(1), to: 60_000, by: 61) {
            draft.date = (day * 86_400 + 3723) * 1_000_000
            #expect(MessageReader.read(Corpus.message(try MessageComposer.compose(draft))).date == draft.date)
        }
    }
}
