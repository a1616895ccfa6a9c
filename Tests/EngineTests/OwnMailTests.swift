import Engine
import EngineTestKit
import JSONValue
import MailModel
import Testing
import WorkflowModel

/// Mail of our own that comes to us from elsewhere: its event says so, and mail about it is no such mail.
@Suite struct OwnMailTests {
    /// A mail of ours as somebody forwards it, but for the fields that the test leaves out.
    private func forwarded(_ stage: ReturnStage, marker: String? = nil, messageID: String? = nil, reversePath: String)
        -> ReceivedMessage
    {
        var headers = [
            HeaderField("From", "robot@example.net"), HeaderField("To", "ann@example.org"),
            HeaderField("Subject", "Hello"), HeaderField("Message-ID", messageID ?? "<copy@example.org>"),
            // The mail stands in a thread of ours, as our answers do.
            HeaderField("In-Reply-To", stage.messageID),
        ]
        if let marker { headers.append(HeaderField("X-Postrider-Delivery", marker)) }
        return ReceivedMessage(
            queueID: "4C1", clientAddress: "198.51.100.7", reversePath: reversePath, recipients: [ReturnStage.inbox],
            headers: headers, body: Array("Hi\r\n".utf8))
    }

    private func received(_ message: ReceivedMessage, _ stage: ReturnStage) async throws -> JSONObject {
        await stage.receive(message)
        let events = try await stage.events("email.received")
        #expect(events.count == 1)
        return try #require(events.first)
    }

    enum Sign: String, CaseIterable {
        case mark = "own_mark"
        case returnPath = "own_return_path"
        case identifier = "own_message_id"
    }

    @Test(arguments: Sign.allCases) func theEventSaysWhatShowsIt(_ sign: Sign) async throws {
        let stage = try await ReturnStage()
        let message = forwarded(
            stage, marker: sign == .mark ? stage.marker : nil,
            messageID: sign == .identifier ? stage.messageID : nil,
            reversePath: sign == .returnPath ? stage.returnPath : "list@example.net")
        let data = try await received(message, stage)
        #expect(data["mailClass"] == "own_mail")
        #expect(data["classEvidence"] == .array([.string(sign.rawValue)]))
        #expect(data["replyRefusal"] != nil)
        // It answers nothing, whatever it refers to.
        #expect(try await stage.events("email.replied").isEmpty)
    }

    /// A mail that is forwarded back to us must not start the same workflow for ever.
    @Test(arguments: [Sign.mark, .returnPath]) func whatComesBackFollowsFromTheMailThatLeft(_ sign: Sign) async throws {
        let stage = try await ReturnStage()
        let rows = Rows(stage.database.path)
        try rows.run("UPDATE outbox SET generation = 3")
        let message = forwarded(
            stage, marker: sign == .mark ? stage.marker : nil,
            reversePath: sign == .returnPath ? stage.returnPath : "list@example.net")
        _ = try await received(message, stage)
        #expect(try rows.run("SELECT generation FROM events WHERE name = 'email.received'") == [["3"]])
    }

    @Test func whatNobodySignedShowsNothing() async throws {
        let stage = try await ReturnStage()
        let message = forwarded(
            stage, marker: String(stage.marker.reversed()), reversePath: "bounce+token@mail.example.com")
        let data = try await received(message, stage)
        #expect(data["mailClass"] == "ordinary" && data["classEvidence"] == nil)
    }

    @Test func aPersonsAnswerIsNotOurs() async throws {
        let stage = try await ReturnStage()
        let message = IncomingText.answer(
            to: ReturnStage.inbox, inReplyTo: stage.messageID,
            text: "Yes.\r\n> X-Postrider-Delivery: \(stage.marker)\r\n",
            extra: [HeaderField("References", stage.messageID)])
        #expect(try await received(message, stage)["mailClass"] == "ordinary")
        #expect(try await stage.events("email.replied").count == 1)
    }

    @Test func anAbsenceAndAReportKeepTheirClass() async throws {
        let stage = try await ReturnStage()
        await stage.receive(
            IncomingText.report(
                to: ReturnStage.inbox, recipients: [IncomingText.failed()],
                header: ["X-Postrider-Delivery: \(stage.marker)", "Message-ID: \(stage.messageID)"]))
        await stage.receive(
            IncomingText.answer(
                to: ReturnStage.inbox, inReplyTo: stage.messageID, subject: "Automatic reply: Hello",
                text: "I am out of the office.\r\n\r\nX-Postrider-Delivery: \(stage.marker)\r\n",
                extra: [HeaderField("Auto-Submitted", "auto-replied")], reversePath: ""))
        let classes = try await stage.events("email.received").compactMap { $0["mailClass"]?.stringValue }
        #expect(Set(classes) == ["delivery_report", "automatic_reply"])
    }
}
