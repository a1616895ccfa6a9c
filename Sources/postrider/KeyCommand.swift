import ArgumentParser
import Engine
import SQLStore

struct KeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "Handles API keys.", subcommands: [Create.self])

    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes a key and prints it; it cannot be shown again.")

        enum Kind: String, ExpressibleByArgument, CaseIterable {
            case `public`, secret
        }

        @OptionGroup var option: ConfigurationOption

        @Option(help: "The project's name.")
        var project = Project.defaultSlug

        @Option(help: "public (pk_…, may only track events) or secret (sk_…, may do everything).")
        var kind = Kind.secret

        func run() throws {
            let configuration = try loadConfiguration(option.config)
            let (project, kind) = (project, kind)
            try runBlocking {
                let (store, context) = try await Assembly(configuration: configuration, logger: .quiet)
                    .makeEngine(exclusively: false)
                print(
                    try await Authentication(context: context).create(
                        kind == .public ? .public : .secret, project: project))
                try store.close()
            }
        }
    }
}
