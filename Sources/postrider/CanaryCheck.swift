import Engine
import Foundation
import JSONValue
import MailModel
import ScannerAdapter
import Settings
import WorkflowModel

/// Tries whether a stranger can write the verdict fields that are believed: a mail that bears them comes in through an
/// entrance of Postfix as if from outside, and the daemon says which of them it has seen.
struct CanaryCheck {
    /// Where Postfix listens.
    let entrance: ScannerAddress
    /// The address Postfix shall believe that the client has (XCLIENT).
    let client: String
    let recipient: String
    let sender: String
    let configuration: Configuration
    let context: EngineContext

    /// What became of it.
    enum Outcome {
        /// Names of the fields that arrived, and the authserv-ids of its Authentication-Results among them.
        case arrived(survivors: [String], services: [String], client: String)
        /// Postfix does not let us be a stranger.
        case noXCLIENT(String)
        case refused(String)
        case lost
    }

    /// How long the mail may be under way.
    private static let patience = Duration.seconds(20)

    /// The mail's header fields that a forger would write: of Authentication-Results one for each id that is believed,
    /// because the border may remove those of one and leave another's.
    private func fields(_ token: String) -> [HeaderField] {
        let services = configuration.verdicts.authservIDs
        let others = services.dropFirst().flatMap { service in
            CanaryMail.fields(token: token, service: service).filter { $0.source == AuthenticationVerdicts.name }
        }
        return (CanaryMail.fields(token: token, service: services.first) + others).map(\.field)
    }

    /// Sends the mail and waits for the daemon.
    func run() async throws -> Outcome {
        let id = context.identifiers.make(at: context.clock.now())
        let token = context.tokens.token(.canary, for: id)
        if let outcome = try send(token) { return outcome }
        guard let outcome = try await Self.outcome(of: id, context, within: Self.patience) else { return .lost }
        func list(_ key: String) -> [String] { outcome.detail[key]?.arrayValue?.compactMap(\.stringValue) ?? [] }
        return .arrived(
            survivors: list("survived"), services: list("services"),
            client: outcome.detail["clientAddress"]?.stringValue ?? "")
    }

    /// Waits until the daemon has seen a mail of ours; nil when it has not in that time.
    static func outcome(
        of id: Identifier, _ context: EngineContext, within patience: Duration
    ) async throws -> InboundOutcome? {
        let deadline = ContinuousClock.now + patience
        while ContinuousClock.now < deadline {
            let catalog = try await context.store.read { try $0.loadCatalog() }
            guard let project = catalog.project(slug: Project.defaultSlug) else { break }
            let found = try await context.store.read {
                try $0.inboundOutcomes(in: project.id, before: id.next, limit: 1)
            }
            if let outcome = found.first, outcome.id == id { return outcome }
            try await Task.sleep(for: .milliseconds(100))
        }
        return nil
    }

    /// The first route's address.
    /// - Throws: `CommandFailure` when no route has one.
    static func recipient(_ configuration: Configuration) throws -> String {
        for route in configuration.routes {
            switch route.target {
            case .recipient(let address): return address
            case .domain(let domain): return "canary@\(domain)"
            case .wildcard, .pattern: continue
            }
        }
        throw CommandFailure("no route names an address or a domain: name one with --recipient")
    }

    /// Blocks: the command has nothing else to do meanwhile.
    /// - Returns: nil when the mail was taken.
    private func send(_ token: String) throws -> Outcome? {
        let session = try CanarySession(to: entrance)
        let welcome = try session.answer()
        guard welcome.code == 220 else { return .refused(welcome.text) }
        let greeting = try session.command("EHLO canary.postrider.invalid")
        guard greeting.lines.contains(where: { $0.uppercased().hasPrefix("XCLIENT ") }) else {
            return .noXCLIENT("it does not offer XCLIENT to us")
        }
        let family = client.contains(":") ? "IPV6:" : ""
        let believed = try session.command("XCLIENT NAME=canary.postrider.invalid ADDR=\(family)\(client)")
        guard believed.code < 400 else { return .noXCLIENT(believed.text) }
        _ = try session.command("EHLO canary.postrider.invalid")
        for line in ["MAIL FROM:<\(sender)>", "RCPT TO:<\(recipient)>", "DATA"] {
            let answer = try session.command(line)
            guard answer.code < 400 else { return .refused("\(line): \(answer.text)") }
        }
        let header = [
            "From: <\(sender)>", "To: <\(recipient)>", "Subject: Postrider canary", "Message-ID: <\(token)@canary>",
            "\(CanaryMail.field): \(token)",
        ]
        let lines = header + fields(token).map { "\($0.name): \($0.text)" }
        let answer = try session.command((lines + ["", "A test of Postrider's own.", "."]).joined(separator: "\r\n"))
        _ = try? session.command("QUIT")
        return answer.code == 250 ? nil : .refused(answer.text)
    }

    /// The line that sends such a mail from another machine.
    func swaksLine(server: String) -> String {
        let headers = fields("forged").map { "--add-header '\($0.name): \($0.text)'" }.joined(separator: " ")
        return "swaks --server \(server) --from \(sender) --to \(recipient) \(headers)"
    }

    /// The sources that believe a field, of those the configuration lists.
    static func believers(of name: String, in configuration: Configuration) -> [String] {
        let sources = CanaryMail.fields(token: "", service: "x").filter { $0.field.isNamed(name) }.map(\.source)
        let listed = Set(configuration.verdicts.sources.map(\.kind.rawValue))
        return sources.filter(listed.contains)
    }
}

/// The client's side of one SMTP session.
private final class CanarySession {
    struct Answer {
        var code: Int
        /// Without the codes.
        var lines: [String]
        var text: String { "\(code) \(lines.joined(separator: " "))" }
    }

    private let connection: ScannerConnection

    init(to address: ScannerAddress) throws {
        connection = try ScannerConnection(to: address, deadline: ContinuousClock.now + .seconds(60))
    }

    func command(_ line: String) throws -> Answer {
        try connection.send(Array("\(line)\r\n".utf8))
        return try answer()
    }

    func answer() throws -> Answer {
        var lines: [String] = []
        while true {
            let line = String(decoding: try connection.read(until: 0x0A, limit: 4096), as: UTF8.self)
                .trimmingCharacters(in: .whitespacesAndNewlines)
            guard let code = Int(line.prefix(3)) else { throw CommandFailure("the entrance does not speak SMTP") }
            lines.append(String(line.dropFirst(4)))
            if line.dropFirst(3).first != "-" { return Answer(code: code, lines: lines) }
        }
    }
}
