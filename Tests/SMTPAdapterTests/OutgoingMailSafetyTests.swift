import MailModel
import Testing

@testable import SMTPAdapter

@Suite struct OutgoingMailSafetyTests {
    @Test(arguments: [
        "bob@example.org", "\"bob smith\"@example.org", "\"a>b<\\\"@\"@example.org", "bob+tag=x@[192.0.2.1]",
        "bounce-1.2_3@xn--bcher-kva.example", "bücher@example.org", "δοκιμή@xn--bcher-kva.example",
        "\"jürgen m\"@example.org",
    ])
    func harmlessAddressesPass(address: String) {
        #expect(plainMail(to: address).objection == nil)
    }

    @Test(arguments: [
        ("", "empty"),
        ("bob@example.org\r\nRCPT TO:<eve@example.org>", "control character"),
        ("bob@example.org\n", "control character"),
        ("\"bob\r\n\"@example.org", "control character"),
        ("bob\u{0}@example.org", "control character"),
        ("bob\u{7F}@example.org", "control character"),
        ("bob@example.org> RET=HDRS", "angle bracket"),
        ("<bob@example.org", "angle bracket"),
        ("bob@example.org SIZE=1", "space"),
        ("\"bob@example.org", "open quote"),
        ("\"bob\\\"@example.org", "open quote"),
        ("bob", "no domain"),
        ("bob@", "no domain"),
        ("\"bob@example.org\"", "no domain"),
        ("bob@bücher.example", "xn--"),
        ("bücher@bücher.example", "xn--"),
        ("b\u{fc}\u{a0}x@example.org", "in no address"),
        ("b\u{fc}\u{85}x@example.org", "in no address"),
        ("b\u{fc}\u{2028}x@example.org", "in no address"),
        ("b\u{fc}\u{202e}x@example.org", "in no address"),
        ("b\u{fffd}x@example.org", "in no address"),
        ("b\u{fc}\r\nDATA@example.org", "control character"),
        ("b\u{fc}@example.org> RET=HDRS", "angle bracket"),
        (String(repeating: "b", count: 250) + "@e.org", "longer than"),
    ])
    func addressesThatChangeTheCommandAreRefused(address: String, fault: String) throws {
        let objection = try #require(plainMail(to: address).objection)
        #expect(objection.hasPrefix("The recipient "))
        #expect(objection.contains(fault))
        // The reason may be logged and shown; the peer's text must not be in it.
        #expect(!objection.contains("example.org"))
    }

    @Test func theReversePathIsCheckedTooAndMayBeEmpty() {
        #expect(plainMail(from: "").objection == nil)
        #expect(plainMail(from: "a@b>\r\nDATA").objection?.hasPrefix("The reverse path ") == true)
    }

    @Test(arguments: [
        ("Hello.\r\n", true), ("", true), ("no end", true), ("\n.\r\nMAIL FROM:<>\r\n", false), ("a\rb\r\n", false),
        ("a\r", false), ("a\n", false), ("a\r\r\n", false),
    ])
    func onlyWholeLineEndsMayTravel(body: String, isHarmless: Bool) {
        #expect((plainMail(body).objection == nil) == isHarmless)
    }

    @Test func anInjectedRecipientNeverReachesTheRelay() async throws {
        let server = try ScriptedServer([:])
        let outcome = try await withTransport(port: server.port) {
            await $0.deliver(plainMail(to: "bob@example.org>\r\nRCPT TO:<eve@example.org"))
        }
        #expect(outcome.kind == .refused)
        #expect(server.record.connections == 0)
    }
}
