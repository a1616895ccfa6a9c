import Engine
import ServerTestKit
import Testing
import WebhookAdapter

@Suite(.timeLimit(.minutes(5))) struct CertificateTests {
    @Test func rightCertificateIsBelieved() async throws {
        let caller = try await Caller()
        #expect(try await caller.call("/status/200").response?.status == 200)
        #expect(try await caller.call("/status/200", host: "localhost").response?.status == 200)
    }

    @Test(arguments: [WebhookReceiver.Listener.wrongName, .expired, .selfSigned])
    func wrongCertificateIsRefusedForGoodAndHearsNothing(listener: WebhookReceiver.Listener) async throws {
        let caller = try await Caller()
        let outcome = try await caller.call("/status/200", at: listener)
        #expect(outcome.isTemporary == false, "\(outcome)")
        #expect(outcome.reason.contains("certificate"), "\(outcome)")
        #expect(try await caller.arrived().isEmpty)
    }

    @Test func certificateOfAnAuthorityThatTheSystemDoesNotKnowIsRefused() async throws {
        var caller = try await Caller()
        caller.caFile = nil
        let outcome = try await caller.call("/status/200")
        #expect(outcome.isTemporary == false && outcome.reason.contains("certificate"), "\(outcome)")
        #expect(try await caller.arrived().isEmpty)
    }

    @Test func receiverThatSpeaksNoTLSIsAFailure() async throws {
        var caller = try await Caller()
        // Each waits for the other to say something it understands.
        caller.timeout = .milliseconds(700)
        let webhook = try caller.webhook("https://127.0.0.1:\(caller.receiver.port(.plain))/status/200")
        let outcome = try await caller.withTransport { await $0.call(webhook) }
        #expect(outcome.response == nil, "\(outcome)")
        #expect(try await caller.arrived().isEmpty)
    }

    @Test func listedHostMayBeCalledInClear() async throws {
        let caller = try await Caller()
        #expect(try await caller.call("/status/200", at: .plain).response?.status == 200)
    }

    @Test func missingAuthorityFileIsRefusedAtOnceWithItsName() async throws {
        var caller = try await Caller()
        caller.caFile = "/nonexistent/ca.pem"
        let error = await #expect(throws: WebhookTransportError.self) { try await caller.call("/status/200") }
        #expect(error?.description.contains("/nonexistent/ca.pem") == true)
    }
}
