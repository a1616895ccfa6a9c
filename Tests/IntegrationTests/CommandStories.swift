import JSONValue
import ServerTestKit
import Testing

/// The commands beside a running daemon: what they put in place counts at once, and what is wrong is named.
@Suite(.serialized, .timeLimit(.minutes(1)))
struct CommandStories {
    @Test func aWorkflowAppliedToARunningDaemonTakesTheNextMail() async throws {
        try await BadInputStage.play(workflow: nil) { stage in
            let early = try await stage.site.receive(
                from: "early@sender.example", BadInputStage.mail(from: "early@sender.example"))
            #expect(early.final.code == 250)
            #expect(try await stage.runs().isEmpty)
            let file = try stage.site.directory.write("note.yaml", BadInputStage.noteEveryMail)
            #expect(try await Self.apply(file, stage).text.contains("created"))
            try await stage.expectMailWorks("the mail after it")
            #expect(try await Self.apply(file, stage).text.contains("unchanged"))
            #expect(try await stage.daemon.api("/workflows")["total"]?.intValue == 1)
            let changed = BadInputStage.noteEveryMail.replacingOccurrences("reason: whole", "reason: changed")
            let second = try await Self.apply(try stage.site.directory.write("note.yaml", changed), stage)
            #expect(second.text.contains("version 2"), "\(second.text)")
            try await stage.site.receive(from: "late@sender.example", BadInputStage.mail(from: "late@sender.example"))
            let late = try await stage.runs(of: "late@sender.example")
            #expect(late.compactMap { $0["exitReason"]?.stringValue } == ["changed"])
            #expect(try await stage.runs(of: "early@sender.example").isEmpty, "the past stays")
        }
    }

    @Test func aChangeUnderWaitingRunsIsRefusedWithTheirNumber() async throws {
        try await BadInputStage.play(workflow: Self.waitForever) { stage in
            for sender in ["ann@sender.example", "bob@sender.example"] {
                try await stage.site.receive(from: sender, BadInputStage.mail(from: sender))
            }
            let waiting = try await stage.runs().filter { $0["status"]?.stringValue == "WAITING" }
            #expect(waiting.count == 2)
            let changed = Self.waitForever.replacingOccurrences("reason: came", "reason: other")
            let file = try stage.site.directory.write("changed.yaml", changed)
            let refusal = try await Self.apply(file, stage)
            #expect(refusal.status == .exited(1))
            #expect(
                refusal.text.contains("\(file): ") && refusal.text.contains("2 executions under way"), "\(refusal.text)"
            )
            #expect(try await stage.daemon.api("/workflows")["data"]?.arrayValue?.first?["version"]?.intValue == 1)
            let renamed = try stage.site.directory.write(
                "renamed.yaml", Self.waitForever.replacingOccurrences("name: Wait", "name: Wait for long"))
            #expect(try await Self.apply(renamed, stage).text.contains("updated"), "a name may change at any time")
        }
    }

    @Test func aNewKeyWorksAtOnceAndAsItsKind() async throws {
        try await BadInputStage.play { stage in
            let made = try await BadInputCommand.run(["key", "create", "--config", stage.site.configurationPath])
            let key = try #require(made.lines.last)
            #expect(made.status == .exited(0) && made.lines.count == 1 && key.hasPrefix("sk_"))
            #expect(try await Self.status("/workflows", key, stage) == 200)
            let open = try await BadInputCommand.run(
                ["key", "create", "--kind", "public", "--config", stage.site.configurationPath])
            let publicKey = try #require(open.lines.last)
            #expect(publicKey.hasPrefix("pk_"))
            #expect(try await Self.status("/workflows", publicKey, stage) == 401)
            #expect(try await Self.status("/workflows", key + "x", stage) == 401)
            let unknown = try await BadInputCommand.run(
                ["key", "create", "--project", "nowhere", "--config", stage.site.configurationPath])
            #expect(unknown.status == .exited(1))
            #expect(unknown.text.contains("no project nowhere"), "\(unknown.text)")
        }
    }

    @Test func projectsAndKeysAreMadeChangedAndEndedBesideTheDaemon() async throws {
        try await BadInputStage.play { stage in
            func run(_ words: [String]) async throws -> BadInputCommand {
                try await BadInputCommand.run(words + ["--config", stage.site.configurationPath])
            }
            let made = try await run(["project", "create", "news", "--name", "The news", "--timezone", "Europe/Berlin"])
            #expect(made.status == .exited(0) && made.text.contains("news: created"), "\(made.text)")
            #expect(try await run(["project", "create", "news"]).status == .exited(1))
            #expect(try await run(["project", "timezone", "news", "Mars/Olympus"]).status == .exited(1))
            #expect(try await run(["project", "list"]).text.contains("Europe/Berlin"))
            let created = try await run(
                ["key", "create", "--project", "news", "--name", "Reader", "--scopes", "workflows:read"])
            let key = try #require(created.lines.last)
            #expect(try await Self.status("/workflows", key, stage) == 200)
            #expect(try await Self.status("/audit", key, stage) == 403)
            let listed = try await run(["key", "list", "--project", "news"])
            let id = try #require(listed.lines.last?.split(separator: " ").first.map { String($0) })
            #expect(listed.text.contains("Reader") && listed.text.contains("workflows:read"), "\(listed.text)")
            #expect(!listed.text.contains(key))
            let rotated = try #require(try await run(["key", "rotate", id, "--project", "news"]).lines.last)
            #expect(try await Self.status("/workflows", key, stage) == 401)
            #expect(try await Self.status("/workflows", rotated, stage) == 200)
            #expect(try await run(["key", "revoke", id, "--project", "news"]).status == .exited(0))
            #expect(try await Self.status("/workflows", rotated, stage) == 401)
            #expect(try await run(["key", "revoke", id, "--project", "news"]).status == .exited(1))
            let audit = try await run(["audit", "--project", "news"]).text
            for action in ["project.created", "key.created", "key.rotated", "key.revoked"] {
                #expect(audit.contains(action), "\(audit)")
            }
            let everywhere = try await run(["audit", "--installation"])
            #expect(everywhere.status == .exited(0) && !everywhere.text.contains("key."), "\(everywhere.text)")
        }
    }

    @Test(arguments: brokenFiles.map(\.name))
    func aBrokenWorkflowFileNamesAllThatIsWrong(file name: String) async throws {
        let broken = try #require(Self.brokenFiles.first { $0.name == name })
        let directory = try ServerDirectory.temporary()
        let file = try directory.write("broken.yaml", broken.text)
        let configuration = try BadInputConfiguration(in: directory).write()
        for words in [["validate", file], ["apply", "--config", configuration, file]] {
            let refusal = try await BadInputCommand.run(["workflow"] + words)
            #expect(refusal.status == .exited(1), "\(refusal.text)")
            #expect(refusal.text.contains(file), "\(refusal.text)")
            for word in broken.words { #expect(refusal.text.contains(word), "\(word) in: \(refusal.text)") }
        }
        try await directory.remove()
    }

    @Test func aMissingWorkflowFileIsNamed() async throws {
        let refusal = try await BadInputCommand.run(["workflow", "validate", "/nonexistent/flow.yaml"])
        #expect(refusal.status == .exited(1))
        #expect(refusal.text.contains("/nonexistent/flow.yaml: cannot be read"))
    }

    // MARK: Files

    private static let waitForever = """
        workflow: wait
        name: Wait
        project: default
        enabled: true
        trigger:
          event: email.received
        steps:
          start:
            type: TRIGGER
            next: wait
          wait:
            type: WAIT_FOR_EVENT
            config:
              eventName: never.comes
            next:
              event: done
          done:
            type: EXIT
            config:
              reason: came
        """

    private static let brokenFiles: [(name: String, text: String, words: [String])] = [
        ("empty", "", ["empty"]),
        ("no YAML", "steps: [", ["YAML"]),
        ("anchors", waitForever.replacingOccurrences("name: Wait", "name: &a Wait"), ["anchors are not supported"]),
        (
            "types",
            waitForever.replacingOccurrences("type: EXIT", "type: LEAVE").replacingOccurrences(
                "type: TRIGGER", "type: GO"),
            ["steps.done.type", "steps.start.type", "must be one of"]
        ),
        (
            "targets",
            waitForever.replacingOccurrences("event: done", "event: nowhere")
                .replacingOccurrences("next: wait", "next: wayt"),
            ["there is no step nowhere", "there is no step wayt"]
        ),
        (
            "alias bomb", "a0: &a0 [x, x]\n" + (1...60).map { "a\($0): &a\($0) [*a\($0 - 1), *a\($0 - 1)]\n" }.joined(),
            ["anchors"]
        ),
        ("unknown key", waitForever + "\ncolour: blue", ["colour"]),
        (
            "unknown configuration",
            waitForever.replacingOccurrences("eventName: never.comes", "eventNam: never.comes"),
            ["steps.wait.config", "eventNam"]
        ),
        ("second key", waitForever + "\nname: Again", ["name"]),
        ("wrong type", waitForever.replacingOccurrences("enabled: true", "enabled: perhaps"), ["enabled"]),
    ]

    // MARK: Acts

    private static func apply(_ file: String, _ stage: BadInputStage) async throws -> BadInputCommand {
        try await BadInputCommand.run(["workflow", "apply", "--config", stage.site.configurationPath, file])
    }

    private static func status(_ path: String, _ key: String, _ stage: BadInputStage) async throws -> Int {
        try await stage.daemon.http.get(path, fields: [("Authorization", "Bearer \(key)")]).status
    }
}

extension String {
    fileprivate func replacingOccurrences(_ part: String, _ other: String) -> String {
        split(separator: part, omittingEmptySubsequences: false).joined(separator: other)
    }
}
