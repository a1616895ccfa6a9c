import CLibmilter
import Dispatch
import Foundation
import MailModel
import Synchronization
import Testing

@testable import MilterAdapter

private func wanting(_ local: String...) -> (String) -> Bool {
    { address in local.contains { address.hasPrefix($0 + "@") } }
}

private func session(_ change: (inout MilterConfiguration) -> Void = { _ in }) -> MilterSession {
    var limits = MilterConfiguration(unixSocketPath: "unused")
    change(&limits)
    return MilterSession(limits: limits)
}

extension MilterSession {
    fileprivate mutating func field(_ name: String, _ value: String) {
        Array(value.utf8).withUnsafeBytes { header(name: name, value: $0) }
    }

    fileprivate mutating func chunk(_ bytes: [UInt8]) -> Answer { bytes.withUnsafeBytes { body($0) } }

    /// MAIL, RCPT to a wanted recipient, DATA.
    fileprivate mutating func open() {
        mail("<a@b.example>", authenticatedUser: nil, isDraining: false)
        _ = recipient("<in@c.example>", wants: wanting("in"))
        _ = data()
    }
}

extension MilterSession.End {
    fileprivate var message: ReceivedMessage? { if case .message(let message) = self { message } else { nil } }
    fileprivate var answer: MilterSession.Answer? { if case .answer(let answer) = self { answer } else { nil } }
}

@Suite struct MilterSessionTests {
    @Test func messageCarriesEverythingTheMTASaid() throws {
        var session = session()
        session.connect(clientName: "client.example", clientAddress: "192.0.2.7")
        session.greet("helo.example")
        session.mail("<Ann@Example.org>", authenticatedUser: "ann", isDraining: false)
        #expect(session.recipient("<other@c.example>", wants: wanting("in")) == .continue)
        #expect(session.recipient("<in@c.example>", wants: wanting("in")) == .continue)
        #expect(session.data() == .continue)
        session.field("Subject", " one\n\ttwo")
        #expect(session.chunk([1, 0, 2]) == .continue)
        #expect(session.chunk([3]) == .continue)
        let ended = session.endOfMessage(queueID: "Q1")
        let message = try #require(ended.message)
        #expect(message.queueID == "Q1")
        #expect(message.clientName == "client.example")
        #expect(message.clientAddress == "192.0.2.7")
        #expect(message.helo == "helo.example")
        #expect(message.authenticatedUser == "ann")
        #expect(message.reversePath == "Ann@Example.org")
        #expect(message.recipients == ["other@c.example", "in@c.example"])
        #expect(message.headers == [HeaderField("Subject", " one\n\ttwo")])
        #expect(message.body == [1, 0, 2, 3])
        #expect(!message.isBodyTruncated && !message.areHeadersTruncated)
    }

    @Test func messageNobodyWantsIsAcceptedAndNotCollected() {
        var session = session()
        session.mail("<a@b.example>", authenticatedUser: nil, isDraining: false)
        _ = session.recipient("<x@c.example>", wants: wanting("in"))
        #expect(session.data() == .accept)
        session.field("Subject", " s")
        #expect(session.chunk([1]) == .accept, "for an MTA that had no answer to DATA")
        #expect(session.phase == .idle)
        #expect(session.endOfMessage(queueID: "Q").message == nil)
    }

    @Test func messageNobodyWantsMayEndWithoutABody() {
        var session = session()
        session.mail("<a@b.example>", authenticatedUser: nil, isDraining: false)
        _ = session.recipient("<x@c.example>", wants: wanting("in"))
        _ = session.data()
        #expect(session.endOfMessage(queueID: "Q").message == nil)
        #expect(session.phase == .idle)
    }

    @Test func ourOwnMailIsHandedOverWithItsMarkAndWithoutItsBody() throws {
        var session = session()
        session.connect(clientName: "localhost", clientAddress: "127.0.0.1")
        session.mail("<robot@b.example>", authenticatedUser: nil, isDraining: false)
        _ = session.recipient("<x@c.example>", wants: wanting("in"))
        #expect(session.data() == .accept)
        session.field("Subject", " s")
        session.field("x-postrider-delivery", " TOKEN")
        #expect(session.chunk([1]) == .skip)
        #expect(session.chunk([2]) == .skip, "for an MTA that sends the rest all the same")
        guard case .submission(let submission) = session.endOfMessage(queueID: "Q1") else {
            Issue.record("no submission")
            return
        }
        #expect(submission.marker == " TOKEN" && submission.queueID == "Q1")
        #expect(submission.reversePath == "robot@b.example" && submission.recipients == ["x@c.example"])
        #expect(submission.clientAddress == "127.0.0.1" && submission.isFromHere)
        #expect(session.phase == .idle)
        session.mail("<robot@b.example>", authenticatedUser: nil, isDraining: false)
        _ = session.recipient("<x@c.example>", wants: wanting("in"))
        _ = session.data()
        #expect(session.chunk([1]) == .accept, "the next message has no mark of its own")
    }

    /// sendmail(1), and what Postfix itself moves from one queue to another.
    @Test(arguments: [("robot@b.example", " TOKEN"), ("<robot@b.example>", String(repeating: "x", count: 201))])
    func whatIsNoSubmissionPasses(reversePath: String, mark: String) {
        var session = session()
        session.mail(reversePath, authenticatedUser: nil, isDraining: false)
        _ = session.recipient("x@c.example", wants: wanting("in"))
        _ = session.data()
        session.field("X-Postrider-Delivery", mark)
        #expect(session.phase == .passing)
        #expect(session.chunk([1]) == .accept)
    }

    @Test func ourOwnMailIsKnownWhileTheServerDrains() {
        var session = session()
        session.mail("<robot@b.example>", authenticatedUser: nil, isDraining: true)
        #expect(session.recipient("<x@c.example>", wants: wanting("in")) == .continue)
        _ = session.data()
        session.field("X-Postrider-Delivery", " TOKEN")
        guard case .submission(let submission) = session.endOfMessage(queueID: "Q1") else {
            Issue.record("no submission")
            return
        }
        #expect(submission.recipients == ["x@c.example"])
    }

    @Test func collectionStartsWithoutDataWhenTheMTASendsNone() {
        var session = session()
        session.mail("<a@b.example>", authenticatedUser: nil, isDraining: false)
        _ = session.recipient("<in@c.example>", wants: wanting("in"))
        session.field("A", " 1")
        #expect(session.endOfMessage(queueID: "Q").message?.headers.count == 1)
    }

    @Test(arguments: ["abort", "mail", "connect", "endOfMessage"])
    func nothingOfOneMessageReachesTheNext(_ ending: String) throws {
        var session = session { $0.bodyLimit = 2 }
        session.open()
        session.field("Secret", " x")
        _ = session.chunk([1, 2, 3])
        switch ending {
        case "abort": session.abort()
        case "mail": session.mail("<late@b.example>", authenticatedUser: "u", isDraining: false)
        case "connect": session.connect(clientName: "n", clientAddress: "a")
        default: _ = session.endOfMessage(queueID: "Q0")
        }
        session.open()
        _ = session.chunk([9])
        let ended = session.endOfMessage(queueID: "Q1")
        let message = try #require(ended.message)
        #expect(message.headers.isEmpty)
        #expect(message.body == [9])
        #expect(!message.isBodyTruncated)
        #expect(message.authenticatedUser == nil)
        #expect(message.recipients == ["in@c.example"])
    }

    @Test(arguments: [
        ("<a@b.example>", "a@b.example"), ("a@b.example", "a@b.example"), ("<>", ""), ("", ""), ("<", "<"),
        ("<@relay.example,@two.example:a@b.example>", "a@b.example"), ("<\"a:b\"@c.example>", "\"a:b\"@c.example"),
        ("<Ünï@b.example>", "Ünï@b.example"), ("<a@b.example", "<a@b.example"),
    ])
    func addressIsWhatStandsInBrackets(_ argument: String, _ address: String) {
        #expect(MilterSession.address(in: argument) == address)
    }

    @Test func bodyIsCutExactlyAtTheLimit() throws {
        var session = session { $0.bodyLimit = 4 }
        session.open()
        #expect(session.chunk([1, 2, 3, 4]) == .continue)
        #expect(session.chunk([5]) == .skip)
        #expect(session.chunk([6]) == .skip)
        let ended = session.endOfMessage(queueID: "Q")
        let message = try #require(ended.message)
        #expect(message.body == [1, 2, 3, 4])
        #expect(message.isBodyTruncated)
    }

    @Test func bodyOfExactlyTheLimitIsWhole() {
        var session = session { $0.bodyLimit = 4 }
        session.open()
        #expect(session.chunk([1, 2, 3, 4]) == .continue)
        #expect(session.endOfMessage(queueID: "Q").message?.isBodyTruncated == false)
    }

    @Test func headersKeepATrueBeginningWhenTheyAreTooMany() throws {
        var session = session { $0.headerCountLimit = 2 }
        session.open()
        for name in ["A", "B", "C"] { session.field(name, " v") }
        let ended = session.endOfMessage(queueID: "Q")
        let message = try #require(ended.message)
        #expect(message.headers.map(\.name) == ["A", "B"])
        #expect(message.areHeadersTruncated)
    }

    @Test func headerThatDoesNotFitClosesTheHeader() throws {
        var session = session { $0.headerBytesLimit = 10 }
        session.open()
        session.field("A", " 123")
        session.field("B", " 123456789")
        session.field("C", "")
        let ended = session.endOfMessage(queueID: "Q")
        let message = try #require(ended.message)
        #expect(message.headers.map(\.name) == ["A"])
        #expect(message.areHeadersTruncated)
    }

    @Test func wantedRecipientBeyondTheLimitIsSentAgainLater() {
        var session = session { $0.recipientLimit = 1 }
        session.mail("<a@b.example>", authenticatedUser: nil, isDraining: false)
        #expect(session.recipient("<in@c.example>", wants: wanting("in")) == .continue)
        #expect(session.recipient("<other@c.example>", wants: wanting("in")) == .continue)
        #expect(session.recipient("<in@d.example>", wants: wanting("in")) == .tempfail(MilterSession.tooManyRecipients))
        _ = session.data()
        #expect(session.endOfMessage(queueID: "Q").message?.recipients == ["in@c.example"])
    }

    /// The MTA did not want to hear of single recipients.
    @Test(arguments: ["data", "body", "end"])
    func messageIsRefusedForARecipientThatCouldNotBe(_ phase: String) {
        var session = session { $0.recipientLimit = 1 }
        session.mail("<a@b.example>", authenticatedUser: nil, isDraining: false)
        for name in ["in@c.example", "in@d.example"] {
            #expect(session.recipient("<\(name)>", isAnswered: false, wants: wanting("in")) == .continue)
        }
        let refusal = MilterSession.Answer.tempfail(MilterSession.tooManyRecipients)
        #expect(session.data() == refusal)
        if phase == "body" { #expect(session.chunk([1]) == refusal) }
        if phase == "end" { #expect(session.endOfMessage(queueID: "Q").answer == refusal) }
        session.open()
        #expect(session.endOfMessage(queueID: "Q").message != nil, "the next message is another one")
    }

    @Test func recipientOfLocalMailIsNeverRefused() {
        var session = session { $0.recipientLimit = 1 }
        session.connect(clientName: "localhost", clientAddress: "127.0.0.1")
        session.mail("a@b.example", authenticatedUser: nil, isDraining: false)
        #expect(session.recipient("in@c.example", wants: wanting("in")) == .continue)
        #expect(session.recipient("in@d.example", wants: wanting("in")) == .continue)
        _ = session.data()
        #expect(session.endOfMessage(queueID: "Q").message?.recipients == ["in@c.example", "in@d.example"])
    }

    @Test(arguments: [
        (
            "<a@b.example>", MilterConfiguration.Fallback.tempfail,
            MilterSession.Answer.tempfail(MilterSession.shuttingDown)
        ),
        ("<a@b.example>", .accept, .continue),
    ])
    func wantedRecipientGetsTheFallbackDuringShutdown(
        _ sender: String, _ fallback: MilterConfiguration.Fallback, _ answer: MilterSession.Answer
    ) {
        var session = session { $0.fallback = fallback }
        session.mail(sender, authenticatedUser: nil, isDraining: true)
        #expect(session.recipient("<in@c.example>", wants: wanting("in")) == answer)
        #expect(session.data() == .accept, "what is not refused goes on unread")
    }

    /// Nobody would send a bounce of Postfix's own a second time, or hear that it is refused.
    @Test(arguments: ["", "a@b.example"])
    func mailOfTheMTAItselfIsCollectedDuringShutdown(sender: String) {
        var session = session()
        session.mail(sender, authenticatedUser: nil, isDraining: true)
        #expect(session.recipient("in@c.example", wants: wanting("in")) == .continue)
        #expect(session.data() == .continue)
        #expect(session.endOfMessage(queueID: "Q").message?.recipients == ["in@c.example"])
    }

    @Test func recipientNobodyWantsIsNotRefusedDuringShutdown() {
        var session = session()
        session.mail("<a@b.example>", authenticatedUser: nil, isDraining: true)
        #expect(session.recipient("<x@c.example>", wants: wanting("in")) == .continue)
        #expect(session.data() == .accept)
    }

    @Test func shutdownEndsWithTheMessageItMet() {
        var session = session()
        session.mail("<a@b.example>", authenticatedUser: nil, isDraining: true)
        session.abort()
        session.open()
        #expect(session.endOfMessage(queueID: "Q").message != nil)
    }
}

@Suite struct ReplyLineTests {
    @Test(
        arguments: [
            (Reply(code: 451, enhancedCode: "4.7.1", text: "Later"), "451", "4.7.1", "Later"),
            (Reply(code: 550, enhancedCode: "5.7.1", text: "No"), "451", nil, "No"),
            (Reply(code: 451, enhancedCode: "5.7.1", text: "x"), "451", nil, "x"),
            (Reply(code: 451, enhancedCode: "4.7", text: "x"), "451", nil, "x"),
            (Reply(code: 451, enhancedCode: "4.1234.1", text: "x"), "451", nil, "x"),
            (Reply(code: 451, enhancedCode: "4..1", text: "a\r\nb\u{0}cé"), "451", nil, "a  bc?"),
            (Reply(code: 450, text: "100% of %d"), "450", nil, "100%% of %%d"),
            (Reply(code: 9, text: ""), "451", nil, "Mail filter problem"),
        ] as [(Reply, String, String?, String)])
    func temporaryReplyIsAlwaysOneLibmilterTakes(
        _ reply: Reply, _ code: String, _ enhancedCode: String?, _ text: String
    ) {
        let line = ReplyLine.temporary(reply)
        #expect(line.code == code)
        #expect(line.enhancedCode == enhancedCode)
        #expect(line.text == text)
    }

    @Test func permanentReplyKeepsItsClass() {
        #expect(ReplyLine.permanent(Reply(code: 554, enhancedCode: "5.7.1", text: "No")).code == "554")
        #expect(ReplyLine.permanent(Reply(code: 451, text: "No")).code == "550")
    }

    @Test func textIsCutToOneReplyLine() {
        #expect(ReplyLine.permanent(Reply(code: 550, text: String(repeating: "x", count: 900))).text.utf8.count == 400)
    }
}

@Suite struct MilterNegotiationTests {
    @Test func recipientsAreAnsweredOnlyWhereOneMayBeTooMany() {
        for answers in [true, false] {
            let negotiation = MilterNegotiation(
                offeredActions: 0, offeredSteps: 0x1F_FFFF, allowsQuarantine: false, answersRecipients: answers)
            #expect(negotiation.has(SMFIP_NR_RCPT) == !answers)
        }
        var configuration = MilterConfiguration(unixSocketPath: "unused")
        #expect(!configuration.answersRecipients, "Postfix has the same limit")
        configuration.recipientLimit = 999
        #expect(configuration.answersRecipients)
    }

    @Test func nothingIsAskedThatWasNotOffered() {
        #expect(
            MilterNegotiation(offeredActions: 0, offeredSteps: 0, allowsQuarantine: true, answersRecipients: true)
                == MilterNegotiation(
                    offeredActions: 0, offeredSteps: 0, allowsQuarantine: false, answersRecipients: false))
        let none = MilterNegotiation(
            offeredActions: 0, offeredSteps: 0, allowsQuarantine: true, answersRecipients: true)
        #expect(none.actions == 0 && none.steps == 0)
    }

    @Test func quarantineIsAskedForOnlyWhenConfigured() {
        let all = (actions: UInt(0x1FF), steps: UInt(0x1F_FFFF))
        let without = MilterNegotiation(
            offeredActions: all.actions, offeredSteps: all.steps, allowsQuarantine: false,
            answersRecipients: true)
        let with = MilterNegotiation(
            offeredActions: all.actions, offeredSteps: all.steps, allowsQuarantine: true, answersRecipients: true)
        #expect(!without.mayQuarantine)
        #expect(with.mayQuarantine)
        #expect(without.actions == 0)
        #expect(with.actions == 0x20)
    }
}

@Suite final class AwaitedVerdictTests: Sendable {
    private let given = Mutex<[Verdict]>([])

    private func awaited() -> AwaitedVerdict {
        AwaitedVerdict(queueID: "4Q1") { [self] verdict in given.withLock { $0.append(verdict) } }
    }

    @Test func firstVerdictIsTheAnswer() {
        let awaited = awaited()
        #expect(!awaited.isOver)
        #expect(awaited.settle(.discard))
        #expect(!awaited.settle(.continue))
        #expect(awaited.isOver)
        #expect(given.withLock { $0 } == [.discard])
    }

    @Test func whoWaitsIsToldWhetherItCame() {
        let early = awaited()
        _ = early.settle(.continue)
        #expect(early.wait(.zero))
        #expect(!awaited().wait(.zero))
        let late = awaited()
        Thread.detachNewThread { _ = late.settle(.continue) }
        #expect(late.wait(.seconds(60)))
    }

    /// Of a commit and a deadline at the same moment one answers.
    @Test func oneOfManyAnswers() {
        for _ in 0..<50 {
            let awaited = awaited()
            let before = given.withLock(\.count)
            DispatchQueue.concurrentPerform(iterations: 4) { number in
                _ = awaited.settle(number == 0 ? .discard : .continue)
            }
            #expect(given.withLock(\.count) == before + 1)
        }
    }
}
