import Foundation
import Glibc
import JSONValue
import ServerTestKit

/// A site whose outgoing mail goes to a ``StoryRelay``, and whose daemon may die and come back.
final class StorySite: Sendable {
    let directory: ServerDirectory
    let site: Site
    /// The port that the daemon submits to.
    let relayPort: UInt16

    /// Starts everything but the daemon.
    ///
    /// - Parameters:
    ///   - relayPort: where the daemon submits; nil submits to the site's own Postfix.
    ///   - example: a workflow file of the project to apply as well, by its path in the package.
    ///   - isStripped: verdict fields are believed without a scanner too.
    ///   - settings: further sections of the daemon's configuration, whole lines.
    ///   - routes: recipients whose mail becomes events, beside the site's inbox: `recipient: ADDRESS` or `domain: NAME`.
    ///   - hasScanner: rspamd in front, declared trusted; without it there are no verdicts.
    ///   - verdicts: further lines of the section `verdicts`, indented by two blanks.
    ///   - milter: the same of the section `milter`.
    ///   - milterSettings: of the daemon's milter in Postfix.
    ///   - directory: where servers of the story's own live already.
    ///   - databaseDirectory: where the database lies, when not beside the configuration.
    init(
        relayPort: UInt16?, workflows: [StoryWorkflow] = [.answerAndWait], example: String? = nil,
        routes: [String] = [], hasScanner: Bool = false, isStripped: Bool = false, settings: String = "",
        verdicts: String = "", in directory: ServerDirectory? = nil, milter: String = "",
        milterSettings: String? = nil, databaseDirectory: String? = nil
    ) async throws {
        let directory = try directory ?? ServerDirectory.temporary()
        self.directory = directory
        var plan = Site.Plan(executable: try BuiltProduct.path())
        plan.hasScanner = hasScanner
        plan.isStripped = isStripped
        plan.verdictLines = verdicts
        plan.milterLines = milter
        plan.databaseDirectory = databaseDirectory
        if let milterSettings { plan.milterSettings = milterSettings }
        plan.workflows = try workflows.map { try directory.write("\($0.slug).yaml", $0.text) }
        if let example { plan.workflows.append("\(BuiltProduct.packageRoot)/\(example)") }
        plan.smtpLines = "  first_retry: 1s\n  max_retry: 1s"
        plan.configuration =
            routes.map { "  - \($0)\n" }.joined() + "tracking:\n  prefetch_window: 0s\n\(settings)"
        site = try await Site(plan, in: directory)
        self.relayPort = relayPort ?? site.postfix.port
    }

    /// A site whose daemon answers that sender, and whose relay keeps the answer under way at that point.
    static func holding(
        _ point: StoryRelay.Point, answering sender: String
    ) async throws -> (relay: StoryRelay, story: StorySite, daemon: RunningDaemon) {
        let relay = try StoryRelay()
        let story = try await StorySite(relayPort: relay.port)
        let daemon = try await story.start()
        relay.hold(at: point)
        try await story.deliver(from: sender, StoryMail.text(from: sender))
        try await relay.waitUntilHeld()
        return (relay, story, daemon)
    }

    /// Starts the daemon.
    /// - Parameter other: where it submits this time.
    func start(relayPort other: UInt16? = nil) async throws -> RunningDaemon {
        try await site.startDaemon(environment: ["POSTRIDER_SMTP_PORT": "\(other ?? relayPort)"])
    }

    /// Stops the servers and removes their files; to be called when all went well. Otherwise they go with their objects.
    func stop() async throws {
        try await site.stop()
        try await directory.remove()
    }

    /// Sends a mail as a stranger, as often as it takes: at once again after a refusal for now or a lost connection.
    ///
    /// - Returns: how many attempts it took.
    /// - Throws: `FixtureError.malformed` when the mail is refused for good.
    @discardableResult
    func deliver(from sender: String, to recipients: [String] = [Site.inbox], _ text: String) async throws -> Int {
        var attempts = 0
        try await eventually("the mail of \(sender) is taken", deadline: .seconds(60), every: .milliseconds(100)) {
            attempts += 1
            guard let delivery = try? await site.receive(from: sender, to: recipients, text) else { return false }
            // With every recipient refused for now, the DATA after them is refused for good; that is no judgement.
            if delivery.recipients.contains(where: { (400..<500).contains($0.code) }) { return false }
            let reply = delivery.final
            guard reply.code < 500 else { throw FixtureError(.malformed, "\(sender): \(reply)") }
            return reply.isPositive
        }
        return attempts
    }
}

extension RunningDaemon {
    /// The executions of one workflow, newest first, without their steps.
    func executions(of slug: String) async throws -> [JSON] {
        let workflows = try await api("/workflows")["data"]?.arrayValue ?? []
        guard let id = workflows.first(where: { $0["slug"]?.stringValue == slug })?["id"]?.stringValue else {
            throw FixtureError(.malformed, "there is no workflow \(slug)")
        }
        return try await api("/workflows/\(id)/executions?pageSize=100")["data"]?.arrayValue ?? []
    }

    /// The executions of one workflow for one contact.
    func executions(of slug: String = "answer", contact: String) async throws -> [JSON] {
        try await executions(of: slug).filter { $0["contact"]?["email"]?.stringValue == contact }
    }

    /// A counter of `/healthz`; 0 when it never counted.
    func counter(_ name: String) async throws -> Int {
        Int(try await health()["counters"]?[name]?.intValue ?? 0)
    }

    /// Waits until no mail is in the outbox: nothing will be sent any more without a new cause.
    func waitUntilSettled(deadline: Duration = .seconds(25)) async throws {
        try await eventually("the outbox is empty", deadline: deadline) {
            let outbox = try await health()["outbox"]
            return outbox?["pending"]?.intValue == 0 && outbox?["claimed"]?.intValue == 0
        }
    }

    /// Waits until the only execution of a contact has this status, and returns it.
    @discardableResult
    func waitForExecution(
        of slug: String = "answer", contact: String, status: String, deadline: Duration = .seconds(20)
    ) async throws -> JSON {
        try await eventualValue("the execution of \(contact) is \(status)", deadline: deadline) {
            try await executions(of: slug, contact: contact).first { $0["status"]?.stringValue == status }
        }
    }

    /// Fetches a pixel as a reader's program does.
    func fetchPixel(_ path: String) async throws -> HTTPAnswer {
        try await http.get(path, fields: [("User-Agent", StoryMail.browser)])
    }
}
