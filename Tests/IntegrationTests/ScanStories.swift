import Foundation
import JSONValue
import ServerTestKit
import Testing

/// Scanners that are asked: real ones, after the mail was accepted.
@Suite(.serialized, .timeLimit(.minutes(3)))
struct ScanStories {
    private static let note = StoryWorkflow.note("email.received", slug: "note")

    private static func settings(_ sources: [String], deadline: String = "60s") -> String {
        // The site's own section has no sources, and a section stands once: these go in as its lines.
        "  deadline: \(deadline)\n  sources:\n" + sources.map { "    - {\($0)}\n" }.joined()
    }

    private static func site(
        _ sources: [String], deadline: String = "60s", routes: [String] = [], in directory: ServerDirectory? = nil
    ) async throws -> StorySite {
        try await StorySite(
            relayPort: nil, workflows: [note], routes: routes, verdicts: settings(sources, deadline: deadline),
            in: directory)
    }

    @Test(.enabled(if: PrivateClamd.isInstalled, "clamd is missing: apt-get install clamav-daemon"))
    func clamdFindsWhatItKnows() async throws {
        let directory = try ServerDirectory.temporary()
        let clamd = try await PrivateClamd.start(in: directory)
        let story = try await Self.site(["source: clamd, address: \(clamd.socket)"], in: directory)
        let daemon = try await story.start()
        let infected = StoryMail.text(from: "eve@sender.example", body: "See \(PrivateClamd.virus) there.")
        try await story.deliver(from: "eve@sender.example", infected)
        try await story.deliver(from: "ann@sender.example", StoryMail.text(from: "ann@sender.example"))
        let found = try await daemon.received(from: "eve@sender.example")
        #expect(found["virusVerdict"] == "FAIL" && found["spamVerdict"] == "DISABLED")
        let source = found["verdictSources"]?.arrayValue?.first
        #expect(source?["source"] == "clamd")
        #expect(source?["value"]?.stringValue?.hasPrefix(PrivateClamd.virusName) == true, "\(found)")
        #expect(try await daemon.received(from: "ann@sender.example")["virusVerdict"] == "PASS")
        try await daemon.process.terminate()
        try await clamd.stop()
        try await story.stop()
    }

    @Test(.enabled(if: PrivateSpamd.isInstalled, "spamd is missing: apt-get install spamd"))
    func spamdCountsItsPoints() async throws {
        let directory = try ServerDirectory.temporary()
        let spamd = try await PrivateSpamd.start(in: directory)
        let story = try await Self.site(["source: spamd, address: \"\(spamd.address)\""], in: directory)
        let daemon = try await story.start()
        let spam = StoryMail.text(from: "eve@sender.example", fields: [PrivateSpamd.spamField])
        try await story.deliver(from: "eve@sender.example", spam)
        try await story.deliver(from: "ann@sender.example", StoryMail.text(from: "ann@sender.example"))
        let found = try await daemon.received(from: "eve@sender.example")
        #expect(found["spamVerdict"] == "FAIL" && found["spamScore"] == 10 && found["spamThreshold"] == 5, "\(found)")
        #expect(try await daemon.received(from: "ann@sender.example")["spamVerdict"] == "PASS")
        try await daemon.process.terminate()
        try await spamd.stop()
        try await story.stop()
    }

    @Test func rspamdIsAskedOverHTTPWithTheEnvelope() async throws {
        let directory = try ServerDirectory.temporary()
        let port = try freePort()
        var configuration = PrivateRspamd.Configuration()
        configuration.text = "worker \"normal\" { bind_socket = \"127.0.0.1:\(port)\"; count = 1; }"
        let rspamd = try await PrivateRspamd.start(in: directory, configuration)
        let story = try await Self.site(["source: rspamd-http, address: \"127.0.0.1:\(port)\""], in: directory)
        let daemon = try await story.start()
        let spam = StoryMail.text(from: "eve@sender.example", fields: ["\(PrivateRspamd.scoreField): 7.5"])
        try await story.deliver(from: "eve@sender.example", spam)
        try await story.deliver(from: "ann@sender.example", StoryMail.text(from: "ann@sender.example"))
        let found = try await daemon.received(from: "eve@sender.example")
        #expect(found["spamVerdict"] == "FAIL" && found["spamAction"] == "add header", "\(found)")
        #expect(found["spamScore"] == 7.5)
        #expect(try await daemon.received(from: "ann@sender.example")["spamVerdict"] == "PASS")
        let seen = rspamd.logLines().joined(separator: "\n")
        #expect(seen.contains(Site.strangerAddress), "rspamd was not told the client")
        try await daemon.process.terminate()
        try await rspamd.stop()
        try await story.stop()
    }

    /// The mail has its 250, no scanner is there, the daemon dies; the next daemon and the scanner come later.
    @Test(.enabled(if: PrivateClamd.isInstalled, "clamd is missing: apt-get install clamav-daemon"))
    func acceptedMailWaitsForItsScannerThroughARestart() async throws {
        let directory = try ServerDirectory.temporary()
        let socket = directory.path("clamd/s")
        let story = try await Self.site(["source: clamd, address: \(socket)"], deadline: "1h", in: directory)
        let first = try await story.start()
        let delivery = try await story.site.receive(
            from: "ann@sender.example", StoryMail.text(from: "ann@sender.example"))
        #expect(delivery.final.code == 250, "\(delivery.final)")
        try await first.process.waitForLine(containing: "scanner did not answer")
        #expect(try await first.executions(of: "note").isEmpty)
        try await first.process.kill()
        let second = try await story.start()
        let retry = try await story.site.receive(from: "ann@sender.example", StoryMail.text(from: "ann@sender.example"))
        #expect(retry.final.code == 250)
        try await second.process.waitForLine(containing: "scanner did not answer")
        let clamd = try await PrivateClamd.start(in: directory)
        #expect(try await second.received(from: "ann@sender.example")["virusVerdict"] == "PASS")
        try await eventually("both copies are in the mailbox") { try await story.site.mailbox(Site.inbox).count >= 1 }
        #expect(try await second.executions(of: "note").count <= 2)
        try await second.process.terminate()
        try await clamd.stop()
        try await story.stop()
    }

    /// It takes connections and says nothing.
    @Test func aScannerThatHangsIsWaitedForUntilTheDeadline() async throws {
        let directory = try ServerDirectory.temporary()
        // Connections are made, and nothing is said.
        let silent = try LoopbackServer()
        let story = try await Self.site(
            ["source: spamd, address: \"127.0.0.1:\(silent.port)\", timeout: 1s"], deadline: "3s", in: directory)
        let daemon = try await story.start()
        let start = ContinuousClock.now
        try await story.deliver(from: "ann@sender.example", StoryMail.text(from: "ann@sender.example"))
        #expect(ContinuousClock.now - start < .seconds(20), "nobody waits for a scanner in the session")
        let event = try await daemon.received(from: "ann@sender.example")
        #expect(event["spamVerdict"] == "PROCESSING_FAILED", "\(event)")
        silent.stop()
        try await daemon.process.terminate()
        try await story.stop()
    }
}

extension RunningDaemon {
    /// The data of the newest `email.received` of a sender, when it is there.
    func received(from sender: String) async throws -> JSON {
        try await eventualValue("the event of \(sender)", deadline: .seconds(30)) {
            let events = try await api("/events?eventName=email.received&limit=100")["data"]?.arrayValue ?? []
            return events.first { $0["data"]?["from"]?.stringValue == sender }?["data"]
        }
    }
}
