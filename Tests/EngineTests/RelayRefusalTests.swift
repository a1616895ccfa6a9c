import Engine
import EngineTestKit
import JSONValue
import MailModel
import Testing
import WorkflowModel

/// What the relay says while it takes a mail goes through the same door.
@Suite struct RelayRefusalTests {
    private func stage(_ configure: (inout EngineConfiguration) -> Void = { _ in }) async throws -> ReturnStage {
        try await ReturnStage(
            steps: ["mail": ["type": "SEND_EMAIL", "config": ["template": "hello"]]], configure: configure)
    }

    private func send(_ stage: ReturnStage, _ outcomes: [DeliveryOutcome]) async throws {
        let transport = ScriptedTransport()
        transport.answer(outcomes)
        try await stage.engine.track("signed_up", "ben@example.org")
        try await stage.engine.runDispatch(transport)
    }

    @Test func aDeadAddressIsSuppressedAtOnceAndTheEventSaysSo() async throws {
        let stage = try await stage()
        try await send(stage, [.rejected(reply: Reply(code: 550, enhancedCode: "5.1.1", text: "User unknown"))])
        let data = try #require(try await stage.events("email.bounced").first)
        #expect(data["bounceType"] == "permanent" && data["source"] == "relay" && data["isSuppressed"] == true)
        #expect(data["to"] == "ben@example.org" && data["reply"] == "550 5.1.1 User unknown")
        #expect(try await stage.reasons("ben@example.org") == ["bounce"])
    }

    @Test func aDeferralCountsWhenTheMailIsGivenUp() async throws {
        let stage = try await stage { ($0.firstRetry, $0.maximalLifetime) = (60, 100) }
        let full = DeliveryOutcome.deferred(reply: Reply(code: 452, enhancedCode: "4.2.2", text: "Mailbox full"))
        try await send(stage, [full])
        #expect(try await stage.engine.counter("bounces_transient") == 0)
        stage.engine.clock.advance(seconds: 1000)
        let transport = ScriptedTransport()
        transport.answer([full])
        try await stage.engine.runDispatch(transport)
        #expect(try await stage.engine.counter("bounces_transient") == 1)
        let data = try #require(try await stage.events("email.failed").first)
        #expect(data["bounceType"] == "transient" && data["softBounces"] == 1 && data["isExpired"] == true)
    }

    /// A limit that stood until the mail was given up counts as a full mailbox does.
    @Test func aLimitCountsWhenTheMailIsGivenUp() async throws {
        let stage = try await stage { ($0.firstRetry, $0.maximalLifetime) = (60, 30) }
        try await send(
            stage,
            [
                .deferred(
                    reply: Reply(
                        code: 450, enhancedCode: "4.7.1", text: "Rate limit exceeded", stage: .recipient))
            ])
        let data = try #require(try await stage.events("email.failed").first)
        #expect(data["bounceType"] == "transient" && data["reason"] == "rate_limited" && data["softBounces"] == 1)
        #expect(try await stage.engine.counter("bounces_policy") == 0)
    }

    @Test func aRefusalOfTheContentSuppressesNobody() async throws {
        let stage = try await stage()
        try await send(
            stage, [.rejected(reply: Reply(code: 554, enhancedCode: "5.7.1", text: "Message contains spam"))])
        #expect(try await stage.events("email.bounced").first?["bounceType"] == "policy")
        #expect(try await stage.reasons("ben@example.org").isEmpty)
    }
}
