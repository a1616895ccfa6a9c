import ArgumentParser
import Engine
import Logging
import SQLStore
import Settings

struct WebhookCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "webhook", abstract: "Handles outgoing webhooks.",
        subcommands: [Secret.self, List.self, Test.self, Resume.self])

    struct Secret: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Prints the secret that a project's webhooks are signed with (Standard Webhooks).")

        @OptionGroup var option: ConfigurationOption

        @Option(help: "The project's name.")
        var project = Project.defaultSlug

        @Flag(help: "Make a new secret first; the old one signs beside it for 24 hours.")
        var rotate = false

        func run() throws {
            let configuration = try loadConfiguration(option.config)
            let (project, rotate) = (project, rotate)
            try runBlocking {
                let (store, context) = try await Assembly(configuration: configuration, logger: .quiet)
                    .makeEngine(exclusively: false)
                let secrets = WebhookSecrets(context: context)
                let secret =
                    rotate ? try await secrets.rotate(project: project) : try await secrets.show(project: project)
                print(secret.text)
                try store.close()
            }
        }
    }
}
