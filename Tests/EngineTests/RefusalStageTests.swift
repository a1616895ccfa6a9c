import Engine
import EngineTestKit
import JSONValue
import MailModel
import Testing
import WorkflowModel

/// A refusal says something about the address only where the other side knew it.
@Suite struct RefusalStageTests {
    private static let rows: [(BounceClassifier.Stage?, Int, String?, String, Bounce.Kind)] = [
        (.mailFrom, 550, "5.1.0", "Address rejected", .configuration),
        (.mailFrom, 550, "5.1.1", "User unknown", .configuration),
        (.mailFrom, 550, "5.1.6", "Mailbox has moved", .configuration),
        (.mailFrom, 550, "5.2.1", "Mailbox disabled", .configuration),
        (.mailFrom, 553, "5.1.8", "Sender address rejected: Domain not found", .configuration),
        (.mailFrom, 552, "5.3.4", "Message too big", .configuration),
        (.mailFrom, 554, nil, "no", .configuration),
        (.mailFrom, 550, "5.1.2", "Host not found", .configuration),
        (.helo, 550, "5.1.1", "User unknown", .policy),
        (.connection, 421, "4.3.2", "Busy", .configuration),
        (.connection, 421, "4.7.0", "Too many connections from your host", .policy),
        (.mailFrom, 450, "4.7.1", "Rate limit exceeded", .policy),
        (.recipient, 450, "4.7.1", "Rate limit exceeded", .transient),
        (.recipient, 550, "5.1.1", "User unknown", .permanent), (nil, 550, "5.1.1", "User unknown", .permanent),
        (.recipient, 552, "5.2.2", "Mailbox full", .transient),
        (.data, 550, "5.1.1", "User unknown", .policy), (.data, 554, "5.7.1", "Message contains spam", .policy),
    ]

    @Test(arguments: rows)
    func whatIsAnsweredDecidesWhomItIsAbout(
        stage: BounceClassifier.Stage?, code: Int, status: String?, text: String, kind: Bounce.Kind
    ) {
        let reply = Reply(code: code, enhancedCode: status, text: text, stage: stage)
        let bounce = Bounce(reply, isExpired: reply.isTemporary)
        #expect(bounce.kind == kind, "\(bounce.reason)")
        #expect(bounce.kind == .permanent || bounce.reason.kind != .address)
    }

    @Test(arguments: [("5.1.0", "Address rejected"), ("5.1.1", "User unknown")])
    func aRefusalOfTheSenderSuppressesNobody(status: String, text: String) async throws {
        let stage = try await ReturnStage(
            steps: ["mail": ["type": "SEND_EMAIL", "config": ["template": "hello"]]])
        let transport = ScriptedTransport()
        transport.answer([
            .rejected(reply: Reply(code: 550, enhancedCode: status, text: text, stage: .mailFrom))
        ])
        try await stage.engine.track("signed_up", "ben@example.org")
        try await stage.engine.runDispatch(transport)
        let data = try #require(try await stage.events("email.bounced").first)
        #expect(data["bounceType"] == "configuration" && data["reason"] == "sender_refused")
        #expect(try await stage.reasons("ben@example.org").isEmpty)
    }
}
