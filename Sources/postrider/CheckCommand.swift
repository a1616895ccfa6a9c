import ArgumentParser
import Engine
import Logging
import SMTPAdapter
import Settings

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Validates the configuration and, with --postfix, Postfix's side of it.")

    @OptionGroup var option: ConfigurationOption

    @Option(name: .long, help: "Postfix's configuration directory, for example /etc/postfix.")
    var postfix: String?

    @Flag(help: "Connects to every relay as for a mail, with TLS and login, and sends none.")
    var relays = false

    func run() throws {
        let configuration = try loadConfiguration(option.config)
        for warning in configuration.warnings { print(warning) }
        print("\(option.config): ok")
        if relays { try checkRelays(configuration) }
        guard let postfix else { return }
        let findings = PostfixCheck(directory: postfix, configuration: configuration).findings()
        for finding in findings { print(finding) }
        if findings.contains(where: { $0.severity == .error }) { throw ExitCode(1) }
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
