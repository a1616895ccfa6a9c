import Foundation
import JSONValue
import ServerTestKit
import Testing

/// Relays that are not what they should be, with the daemon and what it talks to as processes of their own: no mail is lost, none is
/// given to the wrong one, and none comes twice but where nobody can know.
@Suite(.serialized, .timeLimit(.minutes(4)))
struct BadRelayStories {
    /// What is no reply: of a web server, noise, half a reply, nothing.
    private static let nonsense = [
        "!HTTP/1.1 400 Bad Request\r\n\r\n<html>", "!\u{0}\u{1}\u{1B}[2J\u{7F}\r\n", "!250-2.0.0 half a rep", "!",
    ]

    @Test(arguments: StoryRelay.Point.allCases)
    func nonsenseAtAnyPointLosesNothing(point: StoryRelay.Point) async throws {
        let relay = try StoryRelay()
        let story = try await StorySite(relayPort: relay.port, workflows: [DeliveryLogStories.welcome])
        let daemon = try await story.start()
        relay.answer(at: point, Self.nonsense)
        let address = "ann@customer.example"
        #expect(try await daemon.track("signup", address) == 200)
        try await relay.waitForMessages(to: address)
        try await daemon.waitUntilSettled()
        #expect(relay.messages(to: address).count == 1)
        // Only whoever fell silent after the whole text may have taken it.
        let dark = point == .content ? Self.nonsense.count : 0
        #expect(try await daemon.counter("possible_duplicates") == dark)
        let status = try await daemon.mail(to: address)
        #expect(status?["status"] == "delivered" && status?["attempts"]?.intValue == Int64(Self.nonsense.count + 1))
        #expect(status?["isPossibleDuplicate"] == .bool(dark > 0))
        try await daemon.process.terminate()
        try await story.stop()
    }

    @Test func aRelayThatHangsAfterDATAIsLeftAndTheMailTriedAgain() async throws {
        let relay = try StoryRelay()
        let story = try await StorySite(relayPort: relay.port, workflows: [DeliveryLogStories.welcome])
        let daemon = try await story.site.startDaemon(environment: [
            "POSTRIDER_SMTP_PORT": "\(relay.port)", "POSTRIDER_SMTP_REPLY_TIMEOUT": "5s",
        ])
        for point in [StoryRelay.Point.data, .content] {
            let address = "\(point)@customer.example"
            relay.hold(at: point)
            #expect(try await daemon.track("signup", address) == 200)
            try await relay.waitUntilHeld()
            let start = daemon.process.lines.count
            let line = try await daemon.process.waitForLine(containing: "mail pending", from: start).text
            #expect(line.contains("no answer in time"), "\(line)")
            relay.release()
            try await relay.waitForMessages(to: address)
            try await daemon.waitUntilSettled()
            // One that gets the whole text and falls silent may take it all the same: then it has the same mail twice.
            let mails = relay.messages(to: address)
            #expect(mails.count <= (point == .content ? 2 : 1) && Set(mails.map(\.messageID)).count == 1)
        }
        #expect(
            try await daemon.counter("possible_duplicates") == 1,
            "it had no text at the first, and all of it at the second")
        try await daemon.process.terminate()
        try await story.stop()
    }

    // MARK: Who it is

    @Test func mailGoesToARealPostfixWithTheRightCertificateAlone() async throws {
        guard FileManager.default.isExecutableFile(atPath: "/usr/bin/openssl") else {
            print("skipped: no story with certificates: openssl is not installed")
            return
        }
        let story = try await StorySite(relayPort: nil, workflows: [DeliveryLogStories.welcome])
        let place = story.directory
        for (name, holder) in [("right", "IP:127.0.0.1"), ("stranger", "DNS:other.example")] {
            try await Self.certify(name, for: holder, in: place)
        }
        try await Self.authority("nobody", in: place)
        let address = "ann@customer.example"
        var isFirst = true
        // The names do not fit; nobody we know has signed; no TLS at all.
        for (certificate, authority) in [("stranger", "stranger"), ("right", "nobody"), (nil, "right")] {
            try await story.site.postfix.reconfigure { Self.present(certificate, in: place.path, &$0) }
            let daemon = try await Self.start(story, authority: authority)
            if isFirst { #expect(try await daemon.track("signup", address) == 200) }
            isFirst = false
            let line = try await daemon.process.waitForLine(containing: "mail pending").text
            #expect(line.contains(certificate == nil ? "STARTTLS" : "certificate"), "\(line)")
            #expect(try await daemon.counter("possible_duplicates") == 0)
            try await daemon.process.terminate()
        }
        #expect(try await story.site.mailbox(address).isEmpty)
        try await story.site.postfix.reconfigure { Self.present("right", in: place.path, &$0) }
        let daemon = try await Self.start(story, authority: "right")
        try await daemon.waitUntilSettled()
        try await eventually("the mail arrives") { try await !story.site.mailbox(address).isEmpty }
        let mails = try await story.site.mailbox(address)
        #expect(mails.count == 1 && mails.first?.text.contains("(using TLSv1.") == true, "it came encrypted")
        try await daemon.process.terminate()
        try await story.stop()
    }

    @Test func mailIsNeverSentWithoutTheLoginThatIsConfigured() async throws {
        let story = try await StorySite(relayPort: nil, workflows: [DeliveryLogStories.welcome])
        let secret = try story.directory.write("password", "geheim-4711\n")
        let daemon = try await story.site.startDaemon(environment: [
            "POSTRIDER_SMTP_PORT": "\(story.relayPort)", "POSTRIDER_SMTP_USERNAME": "postrider",
            "POSTRIDER_SMTP_PASSWORD_FILE": secret,
        ])
        let address = "ann@customer.example"
        #expect(try await daemon.track("signup", address) == 200)
        let line = try await daemon.process.waitForLine(containing: "mail pending").text
        #expect(line.contains("offers no AUTH"), "\(line)")
        #expect(!daemon.process.lines.contains { $0.text.contains("geheim") })
        try await daemon.process.terminate()
        #expect(try await story.site.postfix.queueIDs().isEmpty)
        let second = try await story.start()
        try await second.waitUntilSettled()
        try await eventually("the mail arrives") { try await story.site.mailbox(address).count == 1 }
        try await second.process.terminate()
        try await story.stop()
    }

    // MARK: Certificates

    private static func start(_ story: StorySite, authority: String) async throws -> RunningDaemon {
        try await story.site.startDaemon(environment: [
            "POSTRIDER_SMTP_PORT": "\(story.relayPort)", "POSTRIDER_SMTP_TLS": "required",
            "POSTRIDER_SMTP_CA_FILE": story.directory.path("\(authority)-ca.pem"),
        ])
    }

    private static func present(_ name: String?, in place: String, _ configuration: inout PostfixConfiguration) {
        configuration.parameters["smtpd_tls_security_level"] = name == nil ? "none" : "may"
        configuration.parameters["smtpd_tls_chain_files"] = name.map { "\(place)/\($0)-key.pem, \(place)/\($0).pem" }
        configuration.parameters["smtpd_tls_received_header"] = "yes"
    }

    private static func authority(_ name: String, in place: ServerDirectory) async throws {
        try await openssl([
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
            "/CN=Authority \(name)", "-keyout", place.path("\(name)-ca-key.pem"), "-out", place.path("\(name)-ca.pem"),
        ])
    }

    /// A certificate that an authority of that name has signed.
    private static func certify(_ name: String, for holder: String, in place: ServerDirectory) async throws {
        try await authority(name, in: place)
        let request = place.path("\(name).csr")
        try await openssl([
            "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=mx",
            "-keyout", place.path("\(name)-key.pem"), "-out", request,
        ])
        let names = try place.write("\(name).ext", "subjectAltName=\(holder)\n")
        try await openssl([
            "x509", "-req", "-in", request, "-CA", place.path("\(name)-ca.pem"), "-CAkey",
            place.path("\(name)-ca-key.pem"), "-CAcreateserial", "-days", "2", "-extfile", names, "-out",
            place.path("\(name).pem"),
        ])
    }

    private static func openssl(_ words: [String]) async throws {
        let result = try await Privilege.run(["/usr/bin/openssl"] + words)
        guard result.succeeded else { throw FixtureError(.malformed, "openssl: \(result.output)") }
    }
}
