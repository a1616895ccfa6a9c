import Foundation
import JSONValue
import ServerTestKit
import Testing

/// Workflows as files, as an administrator handles them: checked, compared, put in place, taken out again, tried.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct WorkflowFileStories {
    private static let examples = [
        "inbound-auto-reply", "re-engagement", "webhook-fan-out", "welcome-series",
    ].map { "conf/examples/\($0).yaml" }

    @Test func everyExampleIsSound() async throws {
        let result = try await BadInputCommand.run(["workflow", "validate"] + Self.examples)
        #expect(result.status == .exited(0), "\(result.text)")
        #expect(result.lines.count == Self.examples.count && result.lines.allSatisfy { $0.contains(": ok, ") })
    }

    @Test func anExampleIsComparedAppliedAndExportedWithoutLoss() async throws {
        let directory = try ServerDirectory.temporary()
        let configuration = ["--config", try BadInputConfiguration(in: directory).write()]
        for example in Self.examples {
            let before = try await BadInputCommand.run(["workflow", "diff"] + configuration + [example])
            #expect(before.status == .exited(1), "\(before.text)")
            #expect(before.text.contains("--- nothing") && before.text.contains("apply makes the workflow"))
            let applied = try await BadInputCommand.run(["workflow", "apply"] + configuration + [example])
            #expect(applied.status == .exited(0) && applied.text.contains(" created"), "\(applied.text)")
            let after = try await BadInputCommand.run(["workflow", "diff"] + configuration + [example])
            #expect(after.status == .exited(0) && after.lines.isEmpty, "\(after.text)")
            let slug = example.split(separator: "/")[2].dropLast(5)
            let export = try await BadInputCommand.run(["workflow", "export"] + configuration + [String(slug)])
            #expect(export.status == .exited(0))
            #expect(export.text.contains("workflow: \(slug)") && export.text.contains("templates:"))
        }
        // Empty lines are lost on the way through a command's lines, and mean something inside a text.
        let whole = try await Privilege.run(
            [try BuiltProduct.path(), "workflow", "export"] + configuration + ["welcome-series"], deadline: .seconds(3))
        let file = try directory.write("exported.yaml", whole.output)
        let again = try await BadInputCommand.run(["workflow", "apply"] + configuration + [file])
        #expect(again.text.contains("unchanged"), "\(again.text)")
        let unknown = try await BadInputCommand.run(["workflow", "export"] + configuration + ["nothing"])
        #expect(unknown.status == .exited(1) && unknown.text.contains("known are inbound-auto-reply, re-engagement"))
        try await directory.remove()
    }

    @Test func runsUnderWayFinishOnTheirVersionWhileNewOnesTakeTheNew() async throws {
        try await BadInputStage.play(workflow: Self.waiting) { stage in
            let configuration = ["--config", stage.site.configurationPath]
            _ = try await stage.daemon.track("start", "old@example.org")
            let text = Self.waiting.split(separator: "reason: first", omittingEmptySubsequences: false).joined(
                separator: "reason: second")
            let file = try stage.site.directory.write("second.yaml", text)
            let difference = try await BadInputCommand.run(["workflow", "diff"] + configuration + [file])
            #expect(difference.status == .exited(1))
            #expect(difference.lines.contains("--- waiting, version 1"))
            #expect(difference.lines.contains("-   config.reason: first"), "\(difference.text)")
            #expect(difference.lines.contains("+   config.reason: second"))
            #expect(difference.text.contains("apply is refused") && difference.text.contains("1 execution under way"))
            let refusal = try await BadInputCommand.run(["workflow", "apply"] + configuration + [file])
            #expect(refusal.status == .exited(1) && refusal.text.contains("--as-new-version"), "\(refusal.text)")
            let applied = try await BadInputCommand.run(
                ["workflow", "apply", "--as-new-version"] + configuration + [file])
            #expect(applied.text.contains("new executions take version 2"), "\(applied.text)")
            _ = try await stage.daemon.track("start", "new@example.org")
            for email in ["old@example.org", "new@example.org"] { _ = try await stage.daemon.track("go", email) }
            #expect(try await stage.runs(of: "old@example.org").map { $0["exitReason"]?.stringValue } == ["first"])
            #expect(try await stage.runs(of: "new@example.org").map { $0["exitReason"]?.stringValue } == ["second"])
        }
    }

    @Test func aSimulationNeedsNothingButTheFile() async throws {
        let result = try await BadInputCommand.run([
            "workflow", "simulate", "conf/examples/re-engagement.yaml", "--start", "2026-03-01T08:00:00Z", "--event",
            "email.opened@+2d",
        ])
        #expect(result.status == .exited(0), "\(result.text)")
        #expect(result.text.contains("2026-03-03 08:00:00Z  +2d       * email.opened ends the wait at opened"))
        #expect(result.lines.contains("EXITED (engaged) after 2d"))
    }

    @Test func aSimulationAsJSONHasTheMails() async throws {
        let result = try await BadInputCommand.run([
            "workflow", "simulate", "conf/examples/webhook-fan-out.yaml", "--json", "--contact", "bob@example.org",
            "--trigger", #"{"orderId": "A-17", "items": [{"name": "Tea <b>", "price": "4.00"}]}"#, "--webhook",
            #"crm=[{"status": 503}, {"status": 201}]"#,
        ])
        let json = try JSONParser.parse(result.lines.joined())
        #expect(json["status"] == "COMPLETED" && json["end"] == "final")
        let mail = try #require(json["mails"]?.arrayValue?.first)
        #expect(mail["subject"] == "Your receipt for order A-17" && mail["recipient"] == "bob@example.org")
        #expect(mail["html"]?.stringValue?.contains("Tea &lt;b&gt;") == true)
        #expect(json["webhooks"]?.arrayValue?.first?["attempts"]?.arrayValue?.map { $0["status"] } == [503, 201])
    }

    /// With an installation to look into, its templates are taken, and what is stored stays as it was.
    @Test func aSimulationOverAnInstallationTakesItsTemplatesAndStoresNothing() async throws {
        let directory = try ServerDirectory.temporary()
        let configuration = ["--config", try BadInputConfiguration(in: directory).write()]
        let applied = try await BadInputCommand.run(
            ["workflow", "apply"] + configuration + ["conf/examples/welcome-series.yaml"])
        #expect(applied.status == .exited(0), "\(applied.text)")
        func exported(_ name: String) async throws -> String {
            try await BadInputCommand.run(["workflow", "export"] + configuration + [name]).text
        }
        let before = try await exported("welcome-series")
        let file = try directory.write(
            "other.yaml",
            """
            workflow: other
            trigger:
              event: ordered
            steps:
              ordered: {type: TRIGGER, next: mail}
              mail: {type: SEND_EMAIL, config: {template: welcome}}
            """)
        let result = try await BadInputCommand.run(["workflow", "simulate", "--json"] + configuration + [file])
        #expect(result.status == .exited(0), "\(result.text)")
        let json = try JSONParser.parse(result.lines.filter { $0.hasPrefix("{") }.joined())
        #expect(json["status"] == "COMPLETED" && json["mails"]?.arrayValue?.count == 1)
        #expect(try await exported("other").contains("there is no workflow other; known are welcome-series"))
        #expect(try await exported("welcome-series") == before)
        try await directory.remove()
    }

    @Test(arguments: [
        (["diff", "conf/examples/welcome-series.yaml"], "--- nothing"),
        (["export", "welcome-series"], "there is no database at "),
        (["simulate", "conf/examples/welcome-series.yaml"], "there is no database at "),
    ])
    func aCommandThatLooksMakesNoDatabase(arguments: [String], text: String) async throws {
        let directory = try ServerDirectory.temporary()
        let configuration = try directory.write(
            "postrider.yaml",
            """
            database:
              path: \(directory.path("none.db"))
            """)
        let result = try await BadInputCommand.run(["workflow"] + arguments + ["--config", configuration])
        #expect(result.status != .exited(0))
        #expect(result.text.contains(text), "\(result.text)")
        #expect(!FileManager.default.fileExists(atPath: directory.path("none.db")))
        try await directory.remove()
    }

    @Test(
        arguments: [
            (["--event", "opened"], "must be NAME@TIME"), (["--event", "opened@soon"], "events.0.at"),
            (["--context", "{"], "--context: is no JSON"), (["--webhook", "crm"], "STEP=STATUS"),
            (["--webhook", "nowhere=200"], "webhooks.nowhere: there is no such step"),
            (["--contact", "nobody"], "contact.email"), (["--horizon=-1d"], "horizon"),
        ])
    func aWrongOptionIsNamed(_ options: [String], _ part: String) async throws {
        let result = try await BadInputCommand.run(
            ["workflow", "simulate", "conf/examples/welcome-series.yaml"] + options.map { $0 })
        #expect(result.status == .exited(1))
        #expect(result.text.contains(part), "\(result.text)")
    }

    @Test func aFaultIsSaidWithFileLineAndColumnOnStandardError() async throws {
        let directory = try ServerDirectory.temporary()
        let text = Self.waiting.split(separator: "eventName: go").joined(separator: "eventName: 5")
        let file = try directory.write("broken.yaml", text)
        for command in ["validate", "simulate"] {
            let result = try await BadInputCommand.run(["workflow", command, file])
            #expect(result.status == .exited(1))
            #expect(
                result.lines.contains { $0.hasPrefix("\(file):14:7: steps.wait.config.eventName: ") }, "\(result.text)")
        }
        let configuration = try BadInputConfiguration(in: directory).write()
        let difference = try await BadInputCommand.run(["workflow", "diff", "--config", configuration, file])
        #expect(difference.status == .exited(2))
        try await directory.remove()
    }

    private static let waiting = """
        workflow: waiting
        name: Waiting
        enabled: true
        trigger:
          event: start
        steps:
          start:
            type: TRIGGER
            next: wait

          wait:
            type: WAIT_FOR_EVENT
            config:
              eventName: go
            next: end

          end:
            type: EXIT
            config:
              reason: first
        """
}
