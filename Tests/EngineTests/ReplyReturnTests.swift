import Engine
import EngineTestKit
import JSONValue
import MailModel
import Testing
import WorkflowModel

/// Answers to mails of ours: whose they are, and what they bring about.
@Suite struct ReplyReturnTests {
    private func execution(_ stage: ReturnStage) async throws -> ExecutionListing {
        try #require(try await stage.engine.executions().first)
    }

    @Test(arguments: [true, false])
    func aReplyEndsTheSequenceThatItAnswers(byAddress: Bool) async throws {
        let stage = try await ReturnStage()
        await stage.receive(
            IncomingText.answer(
                to: byAddress ? stage.replyAddress : ReturnStage.inbox, inReplyTo: byAddress ? nil : stage.messageID,
                extra: [HeaderField("Cc", "x@example.org")]))
        let data = try #require(try await stage.events("email.replied").first)
        #expect(data["strippedText"] == "Yes please." && data["subject"] == "Re: Hello")
        #expect(data["from"] == "ann@example.org" && data["isFromRecipient"] == true && data["automatic"] == false)
        #expect(data["emailId"] == .string("\(stage.entry)") && data["replyMessageId"] == "a1@example.org")
        #expect(data["stepId"] == "mail" && data["matchedBy"] == (byAddress ? "reply_address" : "message_id"))
        let execution = try await execution(stage)
        #expect(data["executionId"] == .string("\(execution.id)"))
        #expect(execution.status == .exited && execution.exitReason == "answered")
        // A mail to a routed address is an event of its own too, and says which mail it answers.
        let received = try await stage.events("email.received")
        #expect(received.count == (byAddress ? 0 : 1))
        if !byAddress { #expect(received[0]["emailId"] == .string("\(stage.entry)")) }
        stage.engine.clock.advance(seconds: 4 * 86_400)
        try await stage.engine.runTimers()
        #expect(try await stage.leaving().isEmpty)
    }

    @Test func referencesCountWhereInReplyToIsAnother() async throws {
        let stage = try await ReturnStage()
        await stage.receive(
            IncomingText.answer(
                to: ReturnStage.inbox, inReplyTo: "<other@example.org>",
                extra: [HeaderField("References", "\(stage.messageID) <other@example.org>")]))
        #expect(try await stage.events("email.replied").count == 1)
    }

    @Test func theSameReplyTwiceOrToSeveralIsOne() async throws {
        let stage = try await ReturnStage()
        var both = IncomingText.answer(to: ReturnStage.inbox, inReplyTo: stage.messageID)
        both.recipients.append(stage.replyAddress)
        await stage.receive(both)
        await stage.receive(both)
        // The sender's server may split it.
        var alone = both
        alone.recipients = [stage.replyAddress]
        await stage.receive(alone)
        #expect(try await stage.events("email.replied").count == 1)
        #expect(try await stage.events("email.received").count == 1)
    }

    /// Spam in a thread of ours stops nothing where its route refuses it, though the mail as a whole goes on to others.
    @Test(arguments: [InboundRoutes.SpamMode.none, .mark, .quarantine, .fail])
    func aReplyThatItsRouteRefusesAnswersNothing(_ mode: InboundRoutes.SpamMode) async throws {
        let stage = try await ReturnStage()
        var configuration = Intake.Configuration()
        configuration.routes = InboundRoutes([
            InboundStage.route(ReturnStage.inbox) { $0.spamMode = mode }
        ])
        configuration.sources = PassiveSources([.rspamd(RspamdHeaders())])
        let intake = Intake(context: stage.engine.context, configuration: configuration)
        var spam = IncomingText.answer(
            to: ReturnStage.inbox, inReplyTo: stage.messageID, extra: [HeaderField("X-Rspamd-Action", " reject")])
        spam.recipients.append("friend@else.example")
        let verdict = await withCheckedContinuation { continuation in
            intake.receive(spam) { continuation.resume(returning: $0) }
        }
        #expect(verdict == .continue)
        let acts = mode == .none || mode == .mark
        #expect(try await stage.events("email.replied").count == (acts ? 1 : 0))
        #expect(try await execution(stage).status == (acts ? .exited : .waiting))
    }

    @Test func aThirdPersonsReplyNamesHim() async throws {
        let stage = try await ReturnStage()
        await stage.receive(
            IncomingText.answer(to: ReturnStage.inbox, from: "boss@example.org", inReplyTo: stage.messageID))
        let data = try #require(try await stage.events("email.replied").first)
        #expect(data["from"] == "boss@example.org" && data["isFromRecipient"] == false)
        #expect(data["to"] == "ann@example.org")
        #expect(try await execution(stage).exitReason == "answered")
    }

    @Test(arguments: [true, false])
    func whoeverOfUsWritesInTheThreadAnswersNothing(isAuthenticated: Bool) async throws {
        let stage = try await ReturnStage { $0.ownAddresses = ["support@example.com"] }
        var message = IncomingText.answer(
            to: ReturnStage.inbox, from: isAuthenticated ? "colleague@example.com" : "support@example.com",
            inReplyTo: stage.messageID)
        if isAuthenticated { message.authenticatedUser = "colleague" }
        await stage.receive(message)
        #expect(try await stage.events("email.replied").isEmpty)
        #expect(try await execution(stage).status == .waiting)
    }

    enum Guess: CaseIterable {
        case sameDomain, neighbour, otherDomain, noIdentifier
    }

    @Test(arguments: Guess.allCases)
    func aGuessedMessageIDIsNoReply(_ guess: Guess) async throws {
        let stage = try await ReturnStage()
        let id: String =
            switch guess {
            case .sameDomain: "\(Identifier(high: stage.entry.high, low: 1))@example.com"
            case .neighbour: "\(Identifier(high: stage.entry.high, low: stage.entry.low &+ 1))@example.com"
            case .otherDomain: "\(stage.entry)@evil.example"
            case .noIdentifier: "robot@example.com"
            }
        await stage.receive(IncomingText.answer(to: ReturnStage.inbox, inReplyTo: "<\(id)>"))
        #expect(try await stage.events("email.replied").isEmpty)
        #expect(try await execution(stage).status == .waiting)
        #expect(try await stage.events("email.received").count == 1)
    }

    @Test func anAddressWithAForgedTokenIsNoReply() async throws {
        let stage = try await ReturnStage()
        let token = stage.engine.context.tokens.addressToken(.bounce, for: stage.entry)
        await stage.receive(IncomingText.answer(to: "reply+\(token)@mail.example.com"))
        #expect(try await stage.events("email.replied").isEmpty)
        #expect(try await execution(stage).status == .waiting)
    }

    @Test func whatAMailingListSendsIsNoReply() async throws {
        let stage = try await ReturnStage()
        await stage.receive(
            IncomingText.answer(
                to: ReturnStage.inbox, inReplyTo: stage.messageID,
                extra: [HeaderField("List-Id", "<talk.example.org>"), HeaderField("Precedence", "list")]))
        #expect(try await stage.events("email.replied").isEmpty)
        #expect(try await stage.events("email.received").first?["mailClass"] == "mailing_list")
    }

    @Test func aReplyToAnErasedContactsMailIsMailAndNoReply() async throws {
        let stage = try await ReturnStage()
        let contact = try #require(try await stage.engine.contact())
        try await stage.engine.contacts.delete(contact.id)
        await stage.receive(
            IncomingText.answer(to: ReturnStage.inbox, from: "boss@example.org", inReplyTo: stage.messageID))
        #expect(try await stage.events("email.replied").isEmpty)
        #expect(try await stage.engine.contact() == nil)
        #expect(try await stage.events("email.received").count == 1)
    }

    @Test func anotherRunsReplyDoesNotEndAWaitForItsOwn() async throws {
        let stage = try await ReturnStage()
        try await stage.engine.apply(document(slug: "second", steps: ReturnStage.steps))
        try await stage.engine.track("signed_up")
        let second = try #require(try await stage.leaving().first)
        let id = try #require(SentMail(second).field("Message-ID"))
        await stage.receive(IncomingText.answer(to: ReturnStage.inbox, inReplyTo: id))
        #expect(try await stage.engine.executions("second").map(\.exitReason) == ["answered"])
        #expect(try await execution(stage).status == .waiting)
    }

    // MARK: Automatic replies

    private func absence(_ stage: ReturnStage, until: String = "20 January 2026", to address: String? = nil)
        -> ReceivedMessage
    {
        IncomingText.answer(
            to: address ?? ReturnStage.inbox, inReplyTo: stage.messageID, subject: "Automatic reply: Hello",
            text: "I am out of the office until \(until).\r\n",
            extra: [HeaderField("Auto-Submitted", "auto-replied")], reversePath: "")
    }

    @Test(arguments: [false, true])
    func anAbsenceIsNoReplyAndSaysUntilWhen(atReturnPath: Bool) async throws {
        let stage = try await ReturnStage()
        let verdict = await stage.receive(absence(stage, to: atReturnPath ? stage.returnPath : nil))
        #expect(verdict == (atReturnPath ? .discard : .continue))
        let data = try #require(try await stage.events("email.auto_replied").first)
        #expect(data["replyKind"] == "out_of_office" && data["automatic"] == true)
        #expect(data["returnDate"] == "2026-01-20" && data["until"] == "2026-01-20T00:00:00.000Z")
        #expect(data["emailId"] == .string("\(stage.entry)"))
        #expect(try await stage.events("email.replied").isEmpty)
        #expect(try await execution(stage).status == .waiting)
        let received = try await stage.events("email.received")
        #expect(received.count == (atReturnPath ? 0 : 1))
        if !atReturnPath { #expect(received[0]["automatic"] == true && received[0]["replyKind"] == "out_of_office") }
    }

    @Test func untilIsTheMorningWhereTheProjectIs() async throws {
        let stage = try await ReturnStage()
        _ = try await Projects(context: stage.engine.context).setTimezone("default", to: "Europe/Berlin")
        await stage.receive(absence(stage))
        #expect(try await stage.events("email.auto_replied").first?["until"] == "2026-01-19T23:00:00.000Z")
    }

    @Test func aDayThatHasBegunIsNoUntil() async throws {
        let stage = try await ReturnStage()
        await stage.receive(absence(stage, until: "2 January 2024"))
        let data = try #require(try await stage.events("email.auto_replied").first)
        #expect(data["until"] == nil)
    }
}
