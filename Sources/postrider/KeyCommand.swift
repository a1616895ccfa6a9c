import ArgumentParser
import Engine
import WorkflowModel

struct KeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "Handles API keys; a running daemon takes every change at once.",
        subcommands: [Create.self, List.self, Revoke.self, Rotate.self, RotateTokens.self])

    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes a key and prints it; it cannot be shown again.")

        enum Kind: String, ExpressibleByArgument, CaseIterable {
            case `public`, secret
        }

        @OptionGroup var option: ConfigurationOption

        @Option(help: "The project's name.")
        var project = Project.defaultSlug

        @Option(help: "public (pk_…, may only track events) or secret (sk_…, may do what its scopes say).")
        var kind = Kind.secret

        @Option(help: "A name for people.")
        var name = ""

        @Option(
            help: """
                What a secret key may do, separated by commas: \
                \(KeyScope.Subject.allCases.map(\.rawValue).joined(separator: ", ")), each also with :read or :write. \
                Without it everything.
                """)
        var scopes: String?

        func run() throws {
            let (project, kind, name, scopes) = (project, kind, name, scopes)
            try option.withEngine { context in
                print(
                    try await Authentication(context: context).create(
                        kind == .public ? .public : .secret, project: project, name: name,
                        scopes: try scopes.map { try KeyScopes($0) }))
            }
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists a project's keys without their texts, which nobody has.")

        @OptionGroup var option: ConfigurationOption

        @Option(help: "The project's name.")
        var project = Project.defaultSlug

        func run() throws {
            let project = project
            try option.withEngine { context in
                let keys = try await Authentication(context: context).list(project: project)
                print(
                    TextTable(
                        ["ID", "KIND", "NAME", "SCOPES", "CREATED", "LAST USED", "ENDS"],
                        keys.map { record in
                            let key = record.key
                            return [
                                "\(key.id)", key.kind.rawValue, key.name,
                                key.kind == .public ? "track" : key.scopes?.text ?? "everything",
                                "\(record.createdAt)", record.lastUsedAt.map { "\($0)" } ?? "never",
                                key.expiresAt.map { "\($0)" } ?? "-",
                            ]
                        }))
            }
        }
    }

    struct Revoke: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Ends a key at once.")

        @OptionGroup var option: ConfigurationOption

        @Option(help: "The project's name.")
        var project = Project.defaultSlug

        @Argument(help: "The key's id, as `key list` shows it.")
        var id: String

        func run() throws {
            let (project, id) = (project, try KeyCommand.identifier(id))
            try option.withEngine { try await Authentication(context: $0).revoke(id, project: project) }
        }
    }

    struct Rotate: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Gives a key another text and prints it; it cannot be shown again.")

        @OptionGroup var option: ConfigurationOption

        @Option(help: "The project's name.")
        var project = Project.defaultSlug

        @Option(help: "Seconds for which the old text is good as well.")
        var grace: Int64 = 0

        @Argument(help: "The key's id, as `key list` shows it.")
        var id: String

        func validate() throws {
            guard (0...31_536_000).contains(grace) else {
                throw ValidationError("--grace must be a number of seconds from 0 to a year")
            }
        }

        func run() throws {
            let (project, id, grace) = (project, try KeyCommand.identifier(id), grace)
            try option.withEngine { context in
                print(try await Authentication(context: context).rotate(id, project: project, grace: grace))
            }
        }
    }

    struct RotateTokens: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rotate-tokens",
            abstract: "Makes another key for the tokens of links, pixels, pages and addresses in mail.",
            discussion: """
                What earlier keys have signed stays good, up to \(TokenKeyRing.earlierLimit) of them. A running daemon \
                goes on with the key that it has: restart it. Until then it does not know what commands sign \
                (check --canary, doctor).
                """)

        @OptionGroup var option: ConfigurationOption

        @Flag(help: "Nothing that was signed before is good any more: links and pages of mail that has left end.")
        var forget = false

        @Flag(help: "The oldest of the earlier keys may end, where there are as many as can be kept.")
        var dropOldest = false

        func run() throws {
            let (forget, dropOldest) = (forget, dropOldest)
            try option.withEngine { context in
                let earlier = try await TokenKeys(context: context).change(
                    isForgetting: forget, isDropping: dropOldest)
                print(
                    "there is a new key, and \(earlier) earlier are still good; restart the daemon, which takes it then"
                )
            }
        }
    }

    private static func identifier(_ text: String) throws -> Identifier {
        guard let id = Identifier(text) else {
            throw ValidationError("\(text) is no id of a key: `postrider key list` shows them")
        }
        return id
    }
}
