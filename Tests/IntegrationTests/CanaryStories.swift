import Foundation
import JSONValue
import ServerTestKit
import Testing

/// `postrider check --canary`: whether a stranger's verdict fields arrive, with a real Postfix and rspamd in front.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct CanaryStories {
    private static func check(_ story: StorySite, _ more: [String] = []) async throws -> (
        status: SpawnedProcess.ExitStatus, text: String
    ) {
        let place = "127.0.0.1:\(story.site.postfix.port)"
        let process = try DaemonProcess(
            try BuiltProduct.path(), ["check", "--config", story.site.configurationPath, "--canary", place] + more)
        _ = try await process.waitForExit(deadline: .seconds(60))
        let status = try await process.terminate()
        return (status, process.lines.map(\.text).joined(separator: "\n"))
    }

    @Test func forgeableFieldsAreNamedUntilTheBorderRemovesThem() async throws {
        let story = try await StorySite(
            relayPort: nil, workflows: [.note("email.received", slug: "note")], hasScanner: true,
            verdicts: "  sources: [{source: clamav-headers}]")
        let daemon = try await story.start()
        let open = try await Self.check(story)
        #expect(open.status == .exited(1), "\(open.text)")
        #expect(
            open.text.contains("error: X-Virus-Status of a stranger arrives, and clamav-headers believes it"),
            "\(open.text)")
        #expect(open.text.contains("warning: Received-SPF of a stranger arrives"), "\(open.text)")

        let checks = try story.directory.write(
            "header_checks",
            try String(contentsOfFile: "\(BuiltProduct.packageRoot)/conf/postfix/header_checks", encoding: .utf8))
        try await story.site.postfix.reconfigure { $0.parameters["header_checks"] = "regexp:\(checks)" }
        let closed = try await Self.check(story)
        #expect(closed.status == .exited(0), "\(closed.text)")
        #expect(!closed.text.contains(": error: "), "\(closed.text)")

        // It is nobody's mail.
        try await story.deliver(from: "ann@sender.example", StoryMail.text(from: "ann@sender.example"))
        try await daemon.waitForExecution(of: "note", contact: "ann@sender.example", status: "EXITED")
        #expect(try await daemon.executions(of: "note").count == 1)
        try await eventually("Postfix has nothing left") { try await story.site.postfix.queueIDs().isEmpty }
        #expect(try await story.site.sink.messages().count == 1)
        try await daemon.process.terminate()
        try await story.stop()
    }

    /// Two services of ours write results, and the border knows the name of one.
    private static let services = "  authserv_ids: [mx.example.com, second.example.net]"

    @Test func anAuthservIDThatTheBorderForgetsIsNamed() async throws {
        let story = try await StorySite(
            relayPort: nil, workflows: [.note("email.received", slug: "note")], isStripped: true,
            verdicts: Self.services)
        let daemon = try await story.start()
        let checks = try story.directory.write(
            "header_checks",
            try String(contentsOfFile: "\(BuiltProduct.packageRoot)/conf/postfix/header_checks", encoding: .utf8))
        try await story.site.postfix.reconfigure { $0.parameters["header_checks"] = "regexp:\(checks)" }
        let answer = try await Self.check(story)
        #expect(answer.status == .exited(1), "\(answer.text)")
        #expect(
            answer.text.contains(
                "error: Authentication-Results (second.example.net) of a stranger arrives, and authres believes it"),
            "\(answer.text)")
        #expect(!answer.text.contains("(mx.example.com"), "\(answer.text)")
        try await daemon.process.terminate()
        try await story.stop()
    }

    @Test func withoutXCLIENTTheLineForAnotherMachineIsSaid() async throws {
        let story = try await StorySite(
            relayPort: nil, workflows: [.note("email.received", slug: "note")], isStripped: true,
            verdicts: Self.services)
        let daemon = try await story.start()
        try await story.site.postfix.reconfigure { $0.parameters["smtpd_authorized_xclient_hosts"] = "" }
        let answer = try await Self.check(story)
        #expect(answer.status == .exited(1), "\(answer.text)")
        #expect(answer.text.contains("swaks --server 127.0.0.1:\(story.site.postfix.port)"), "\(answer.text)")
        #expect(answer.text.contains("--to \(Site.inbox)"), "\(answer.text)")
        for service in ["mx.example.com", "second.example.net"] {
            #expect(answer.text.contains("'Authentication-Results: \(service); spf=pass"), "\(answer.text)")
        }
        try await daemon.process.terminate()
        try await story.stop()
    }
}
