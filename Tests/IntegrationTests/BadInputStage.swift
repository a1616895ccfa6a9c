import Foundation
import JSONValue
import ServerTestKit
import Testing

/// A site with its daemon for the length of one story: without scanner, with a workflow that only notes what came, and
/// with the daemon's orderly end as the last thing asked of every story.
struct BadInputStage: Sendable {
    /// Starts a run for every mail and ends it at once; the reason says whether all of the mail was kept.
    static let noteEveryMail = """
        workflow: note-every-mail
        name: Note every mail
        project: default
        enabled: true
        allowReentry: true
        trigger:
          event: email.received
        steps:
          received:
            type: TRIGGER
            next: shortened
          shortened:
            type: CONDITION
            config:
              field: event.isBodyTruncated
              operator: equals
              value: true
            next:
              yes: shortened-mail
              no: whole-mail
          shortened-mail:
            type: EXIT
            config:
              reason: shortened
          whole-mail:
            type: EXIT
            config:
              reason: whole
        """

    /// Answers every mail that may be answered.
    static let answerEveryMail = """
        workflow: answer-every-mail
        name: Answer every mail
        project: default
        enabled: true
        allowReentry: true
        trigger:
          event: email.received
        steps:
          received:
            type: TRIGGER
            next: answer
          answer:
            type: SEND_EMAIL
            config:
              template: answer
            next: done
          done:
            type: EXIT
            config:
              reason: answered
        templates:
          answer:
            type: TRANSACTIONAL
            subject: "Auto: {{ event.subject }}"
            text: |
              Thank you.
        """

    let site: Site
    let daemon: RunningDaemon

    /// Builds the site, plays the story, and ends everything whatever happened.
    ///
    /// - Parameters:
    ///   - workflow: the text of the one workflow file; nil for none.
    ///   - prepare: changes the plan, with the directory that everything lives in.
    static func play(
        workflow: String? = noteEveryMail,
        prepare: (inout Site.Plan, ServerDirectory) async throws -> Void = { _, _ in },
        _ story: (BadInputStage) async throws -> Void
    ) async throws {
        let directory = try ServerDirectory.temporary()
        var plan = Site.Plan(executable: try BuiltProduct.path())
        plan.hasScanner = false
        if let workflow { plan.workflows = [try directory.write("workflow.yaml", workflow)] }
        try await prepare(&plan, directory)
        let site = try await Site(plan, in: directory)
        do {
            let stage = BadInputStage(site: site, daemon: try await site.startDaemon())
            do {
                try await story(stage)
                // A story may end it in order; it must not die.
                #expect([nil, .exited(0)].contains(stage.daemon.process.exitStatus))
            } catch {
                _ = try? await stage.daemon.process.kill()
                let log = stage.daemon.process.lines.suffix(20).map(\.text).joined(separator: "\n")
                throw FixtureError(.malformed, "\(error)\nthe daemon's log ends with:\n\(log)")
            }
            #expect(try await stage.daemon.process.terminate() == .exited(0))
        } catch {
            try? await site.stop()
            throw error
        }
        try await site.stop()
        try await directory.remove()
    }

    // MARK: Looking

    /// All runs of all workflows, without their steps, newest first.
    func runs() async throws -> [JSON] {
        var all: [JSON] = []
        for workflow in try await daemon.api("/workflows")["data"]?.arrayValue ?? [] {
            let path = "/workflows/\(workflow["id"]?.stringValue ?? "")/executions?pageSize=100&page="
            var page = 1
            while let rows = try await daemon.api(path + "\(page)")["data"]?.arrayValue, !rows.isEmpty {
                all += rows
                page += 1
            }
        }
        return all
    }

    /// The runs that a sender's mail started.
    func runs(of sender: String) async throws -> [JSON] {
        try await runs().filter { $0["contact"]?["email"]?.stringValue == sender }
    }

    /// How many mails became events, by the daemon's own log.
    func recordedMails(queueID: String? = nil) -> Int {
        daemon.process.lines.count { line in
            guard line.text.contains(" mail received "), line.text.contains(" event=") else { return false }
            return queueID.map { line.text.contains("queueId=\($0) ") } ?? true
        }
    }

    /// A mail of a sender nobody has written from before, taken by Postfix and noted exactly once: the proof that the
    /// daemon still works.
    func expectMailWorks(_ comment: Comment, _ location: SourceLocation = #_sourceLocation) async throws {
        let sender = "alive-\(UInt32.random(in: 0 ... .max))@sender.example"
        let delivery = try await site.receive(from: sender, Self.mail(from: sender))
        #expect(delivery.final.code == 250, comment, sourceLocation: location)
        #expect(try await runs(of: sender).count == 1, comment, sourceLocation: location)
    }

    /// An ordinary mail with a Message-ID of its own.
    static func mail(from sender: String, subject: String = "Hello", _ body: String = "Are you there?") -> String {
        """
        From: \(sender)
        To: \(Site.inbox)
        Subject: \(subject)
        Message-ID: <\(UInt64.random(in: 0 ... .max))@sender.example>

        \(body)

        """
    }
}

/// One command of the executable, run to its end.
struct BadInputCommand: Sendable {
    /// What it ended with.
    let status: SpawnedProcess.ExitStatus
    /// Everything it printed, on either stream.
    let lines: [String]

    var text: String { lines.joined(separator: "\n") }

    /// - Throws: `FixtureError` `timedOut` when it takes longer than three seconds, which no refusal may.
    static func run(_ arguments: [String], deadline: Duration = .seconds(3)) async throws -> BadInputCommand {
        let result = try await Privilege.run([try BuiltProduct.path()] + arguments, deadline: deadline)
        return BadInputCommand(status: result.status, lines: result.output.split(separator: "\n").map(String.init))
    }
}
