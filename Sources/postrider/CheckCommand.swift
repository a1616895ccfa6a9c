import ArgumentParser
import Engine
import Foundation
import Glibc
import Logging
import SMTPAdapter
import ScannerAdapter
import Settings

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Validates the configuration and, with --postfix, Postfix's side of it.",
        discussion: """
            With --canary it also tries whether strangers can forge the verdict fields that are believed: it sends a mail \
            with such fields through that entrance of Postfix as if from --client, and asks the running daemon which of \
            them arrived. Postfix must believe our XCLIENT there (smtpd_authorized_xclient_hosts = 127.0.0.1 on a listener \
            for tests). The mail reaches no mailbox.
            """)

    @OptionGroup var option: ConfigurationOption

    @Option(name: .long, help: "Postfix's configuration directory, for example /etc/postfix.")
    var postfix: String?

    @Flag(help: "Connects to every relay as for a mail, with TLS and login, and sends none.")
    var relays = false

    @Option(name: .long, help: "Host and port of an entrance of Postfix, for example 127.0.0.1:25.")
    var canary: String?

    @Option(name: .long, help: "The address that the canary seems to come from; not one of your own networks.")
    var client = "198.51.100.7"

    @Option(name: .long, help: "Whom the canary is for; the first route's address when left out.")
    var recipient: String?

    @Option(name: .long, help: "Whom the canary is from.")
    var sender = "canary@example.com"

    func validate() throws {
        if let canary, ScannerAddress(canary) == nil { throw ValidationError("--canary takes host:port") }
        for text in [client, recipient ?? "", sender] where text.contains(where: { $0.isWhitespace || $0 == ">" }) {
            throw ValidationError("`\(text)` is no address")
        }
    }

    func run() throws {
        let configuration = try loadConfiguration(option.config)
        _ = try Assembly(configuration: configuration, logger: .quiet).inboundRoutes
        for warning in configuration.warnings { print(warning) }
        print("\(option.config): ok")
        if relays { try checkRelays(configuration) }
        let problems = Self.logFindings(configuration, file: option.config)
        for problem in problems { print(problem) }
        try reportGaps(configuration)
        let findings = postfix.map { PostfixCheck(directory: $0, configuration: configuration).findings() } ?? []
        for finding in findings { print(finding) }
        var isBad = (problems + findings).contains { $0.severity == .error }
        if let canary { isBad = try !runCanary(canary, configuration) || isBad }
        if isBad { throw ExitCode(1) }
    }

    /// Whether the log can be read by whoever asks; to be asked as the daemon's user.
    private static func logFindings(_ configuration: Configuration, file: String) -> [Finding] {
        guard case .file(let path)? = configuration.postfix.log, access(path, R_OK) != 0 else { return [] }
        let reason = String(cString: strerror(errno))
        return [
            Finding(
                .error, file: file, key: "postfix.log", message: "\(path): \(reason)",
                mend:
                    "name the file Postfix logs to (postconf maillog_file; without it /var/log/mail.log), and let this user read it"
            )
        ]
    }

    /// Mail that came in past us is known only to a database that is there.
    private func reportGaps(_ configuration: Configuration) throws {
        guard configuration.postfix.log != nil, FileManager.default.fileExists(atPath: configuration.database.path)
        else { return }
        try option.withEngine { context in
            let count = try await InboundGaps(context: context).openCount()
            guard count > 0 else { return }
            print("\(count) mails for the routes became no event: see `postrider inbound gaps`")
        }
    }

    /// One line for each relay.
    private func checkRelays(_ configuration: Configuration) throws {
        var areAllInOrder = true
        for (rules, smtp) in Assembly(configuration: configuration, logger: .quiet).relays {
            let trouble: String?
            do {
                trouble = try SMTPProbe.run(smtp, logger: .quiet)
            } catch {
                trouble = error.description
            }
            areAllInOrder = areAllInOrder && trouble == nil
            print("relay \(rules.name): \(trouble ?? "ok")")
        }
        if !areAllInOrder { throw ExitCode(1) }
    }
}

struct ConfigurationCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "configuration", abstract: "Prints the commented sample of the configuration, or its reference.")

    @Flag(help: "Print the reference page in Markdown instead.")
    var reference = false

    func run() { print(reference ? Schema.referencePage() : Schema.sampleFile(), terminator: "") }
}
