import ArgumentParser
import Settings

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Validates the configuration and, with --postfix, Postfix's side of it.")

    @OptionGroup var option: ConfigurationOption

    @Option(name: .long, help: "Postfix's configuration directory, for example /etc/postfix.")
    var postfix: String?

    func run() throws {
        let configuration = try loadConfiguration(option.config)
        for warning in configuration.warnings { print(warning) }
        print("\(option.config): ok")
        guard let postfix else { return }
        let findings = PostfixCheck(directory: postfix, configuration: configuration).findings()
        for finding in findings { print(finding) }
        if findings.contains(where: { $0.severity == .error }) { throw ExitCode(1) }
    }
}

struct ConfigurationCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "configuration", abstract: "Prints the commented sample of the configuration, or its reference.")

    @Flag(help: "Print the reference page in Markdown instead.")
    var reference = false

    func run() { print(reference ? Schema.referencePage() : Schema.sampleFile(), terminator: "") }
}
