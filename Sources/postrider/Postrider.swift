import ArgumentParser

/// The command line. Synchronous on purpose: the main thread stays an ordinary thread, which waits for signals (`SignalPipe`).
@main
struct Postrider: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "postrider",
        abstract: "A mail agent beside Postfix: mail in becomes events, events move workflows, workflows send mail.",
        version: "0.1.0",
        subcommands: [
            ServeCommand.self, CheckCommand.self, DoctorCommand.self, WorkflowCommand.self, ProjectCommand.self,
            KeyCommand.self,
            AuditCommand.self, WebhookCommand.self, ContactCommand.self, SuppressionCommand.self,
            OutboxCommand.self, BroadcastCommand.self, InboundCommand.self,
            ConfigurationCommand.self, DescribeCommand.self,
        ])
}

/// The option that every command has.
struct ConfigurationOption: ParsableArguments {
    @Option(name: .long, help: "The configuration file.")
    var config = "/etc/postrider/postrider.yaml"
}
