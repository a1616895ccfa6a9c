import Foundation
import JSONValue

/// A whole mail site on this machine: Postfix with rspamd as its first milter and the daemon as its second, the daemon's
/// own mail leaving through the same Postfix, and a sink in place of everybody's mailbox.
///
///     client ──SMTP──▸ Postfix ──milter──▸ rspamd
///                         │└────milter──▸ postrider ──SMTP──▸ Postfix
///                         └──SMTP──▸ sink
package final class Site: Sendable {
    /// What a site is made of.
    package struct Plan: Sendable {
        /// The executable under test.
        package var executable: String
        /// Workflow files that are applied before the daemon starts.
        package var workflows: [String] = []
        /// Whether rspamd runs in front; without it there is no verdict.
        package var hasScanner = true
        /// Whether the daemon is told that forged verdict fields are removed, without a scanner too.
        package var isStripped = false
        /// Whether the daemon submits to the sink directly instead of to Postfix.
        package var submitsToSink = false
        package var sink = SMTPSink.Behaviour()
        /// Milter settings in Postfix, for example `default_action=accept`.
        package var milterSettings = "default_action=tempfail"
        /// Lines that are added to the daemon's configuration; whole top-level sections other than those of the site.
        package var configuration = ""
        /// Lines under `milter:` and `smtp:` of the daemon's configuration, indented by two blanks.
        package var milterLines = ""
        /// The same under `verdicts:`.
        package var verdictLines = ""
        package var smtpLines = ""
        /// Directory for the database, when it is not the site's own.
        package var databaseDirectory: String?

        package init(executable: String) { self.executable = executable }
    }

    /// The address whose mail becomes events.
    package static let inbox = "help@test.example"
    /// Where strangers' mail comes from, as Postfix is told with XCLIENT: a documentation address (RFC 5737).
    package static let strangerAddress = "198.51.100.7"

    package let plan: Plan
    package let directory: ServerDirectory
    package let sink: SMTPSink
    package let scanner: PrivateRspamd?
    package let postfix: PrivatePostfix
    package let configurationPath: String
    package let key: String

    /// Starts everything but the daemon.
    package init(_ plan: Plan, in directory: ServerDirectory) async throws {
        self.plan = plan
        self.directory = directory
        sink = try await SMTPSink.start(in: directory, behaviour: plan.sink)
        scanner = plan.hasScanner ? try await PrivateRspamd.start(in: directory) : nil
        let socket = directory.path("milter.sock")
        var configuration = PostfixConfiguration()
        configuration.delivery = .relay(port: sink.port)
        configuration.milters =
            (scanner.map { [$0.milter] } ?? []) + ["{ unix:\(socket), \(plan.milterSettings) }"]
        configuration.internalMilters = ["{ unix:\(socket), default_action=accept }"]
        configuration.parameters["smtpd_authorized_xclient_hosts"] = "127.0.0.0/8"
        postfix = try await PrivatePostfix.start(in: directory, configuration)
        let database = "\(plan.databaseDirectory ?? directory.path)/postrider.db"
        configurationPath = directory.path("postrider.yaml")
        try directory.write(
            "postrider.yaml",
            """
            database:
              path: \(database)
            milter:
              socket: \(socket)
              socket_mode: "0666"
              socket_group: ""
            \(plan.milterLines)
            http:
              port: 0
            smtp:
              port: \(plan.submitsToSink ? sink.port : postfix.port)
            \(plan.smtpLines)
            verdicts:
              rspamd_headers: \(plan.hasScanner)
              stripped_at_border: \(plan.hasScanner || plan.isStripped)
            \(plan.verdictLines)
            routes:
              - recipient: \(Self.inbox)
            \(plan.configuration)
            """)
        let arguments = ["--config", configurationPath]
        if !plan.workflows.isEmpty {
            _ = try await Self.run(plan.executable, ["workflow", "apply"] + arguments + plan.workflows)
        }
        key = try await Self.run(plan.executable, ["key", "create"] + arguments)
    }

    /// Starts the daemon and waits until it is ready.
    package func startDaemon(environment: [String: String?] = [:]) async throws -> RunningDaemon {
        let process = try DaemonProcess(
            plan.executable, ["serve", "--config", configurationPath], environment: environment,
            logPath: directory.path("postrider.log"))
        return try await RunningDaemon(process, key: key)
    }

    /// Sends a mail as a server of the outside world would: Postfix and every milter see `strangerAddress`.
    @discardableResult
    package func receive(
        from sender: String, to recipients: [String] = [inbox], _ text: String
    ) async throws -> SMTPClient.Delivery {
        let client = try await connectStranger()
        defer { client.hangUp() }
        let result = try await client.deliver(from: sender, to: recipients, SMTPClient.wireBytes(text))
        try await client.command("QUIT")
        return result
    }

    /// A session that stands after EHLO.
    package func connectStranger() async throws -> SMTPClient {
        let client = try await SMTPClient(port: postfix.port)
        try await client.greet("mail.sender.example")
        let answer = try await client.command("XCLIENT NAME=mail.sender.example ADDR=\(Self.strangerAddress)")
        guard answer.isPositive else { throw FixtureError(.malformed, "XCLIENT: \(answer)") }
        try await client.command("EHLO mail.sender.example")
        return client
    }

    /// The mails that arrived for an address, oldest first.
    package func mailbox(_ address: String) async throws -> [SunkMessage] {
        try await sink.messages().filter { $0.recipients.contains(address) }
    }

    /// Stops what the site started; the daemon is its starter's.
    package func stop() async throws {
        try await postfix.stop()
        try await scanner?.stop()
        try await sink.stop()
    }

    /// Runs one command of the executable to its end.
    /// - Returns: the last line it printed.
    @discardableResult
    package static func run(_ executable: String, _ arguments: [String]) async throws -> String {
        let process = try DaemonProcess(executable, arguments)
        _ = try await process.waitForExit()
        // The process is gone; this waits until its last words are read, too.
        let status = try await process.terminate()
        guard status == .exited(0) else {
            throw FixtureError(.notStarted, "\(arguments.joined(separator: " ")): \(process.lines.map(\.text))")
        }
        return process.lines.last { $0.stream == .standardOutput }?.text ?? ""
    }
}

/// The daemon of a site while it runs, with its API.
package struct RunningDaemon: Sendable {
    package let process: DaemonProcess
    package let http: HTTPClient
    package let key: String

    /// Waits until the daemon is ready.
    package init(_ process: DaemonProcess, key: String) async throws {
        let line = try await process.waitForLine(containing: "http is listening")
        guard let port = line.text.split(separator: "port=").last.flatMap({ UInt16($0) }) else {
            throw FixtureError(.malformed, "no port in: \(line.text)")
        }
        try await process.waitForLine(containing: "notice ready")
        self.process = process
        http = HTTPClient(port: port)
        self.key = key
    }

    /// GET with the secret key; throws for any status but 200.
    package func api(_ path: String) async throws -> JSON {
        let answer = try await http.get(path, fields: [("Authorization", "Bearer \(key)")])
        guard answer.status == 200 else {
            throw FixtureError(.malformed, "GET \(path): \(answer.status) \(answer.text)")
        }
        return try JSONParser.parse(answer.body)
    }

    /// All executions of the only workflow, oldest first, with their steps.
    package func executions() async throws -> [JSON] {
        guard let workflow = try await api("/workflows")["data"]?.arrayValue?.first?["id"]?.stringValue else {
            return []
        }
        let listed = try await api("/workflows/\(workflow)/executions?pageSize=100")["data"]?.arrayValue ?? []
        var details: [JSON] = []
        for execution in listed.reversed() {
            guard let id = execution["id"]?.stringValue else { continue }
            details.append(try await api("/workflows/\(workflow)/executions/\(id)"))
        }
        return details
    }

    /// The durable counters and gauges.
    package func health() async throws -> JSON { try await api("/healthz") }

    package func track(_ event: String, _ email: String, data: JSON = [:]) async throws -> Int {
        let body: JSON = ["event": .string(event), "email": .string(email), "data": data]
        return try await http.post(
            "/v1/track", fields: [("Authorization", "Bearer \(key)"), ("Content-Type", "application/json")],
            JSONWriter.bytes(body)
        ).status
    }
}

extension JSON {
    /// The output of an execution's step; nil when it has not been reached.
    package func output(ofStep step: String) -> JSON? {
        self["stepExecutions"]?.arrayValue?.last { $0["step"]?["id"]?.stringValue == step }?["output"]
    }
}
