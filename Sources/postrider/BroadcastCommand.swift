import ArgumentParser
import Engine
import Foundation
import Logging
import SQLStore
import WorkflowModel

struct BroadcastCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "broadcast", abstract: "Lists broadcasts, stops them and lets them go on.",
        subcommands: [List.self, Pause.self, Resume.self, Cancel.self])

    /// Which broadcast, and where.
    struct Target: ParsableArguments {
        @OptionGroup var option: ConfigurationOption

        @Option(help: "Slug of the project.")
        var project = Project.defaultSlug

        @Argument(help: "Id of the broadcast.")
        var id: String

        /// Does something with it and prints its state.
        func change(_ body: @escaping @Sendable (Broadcasts, Identifier) async throws -> Broadcast) throws {
            guard let id = Identifier(id) else { throw CommandFailure("\(id) is no id") }
            try BroadcastCommand.use(option, project: project) { broadcasts in
                print(try await body(broadcasts, id).status.rawValue)
            }
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "ls", abstract: "Prints broadcasts, the newest first.",
            discussion: "One a line: id, state, mails in the outbox, mails sent, contacts reached, name.")

        @OptionGroup var option: ConfigurationOption

        @Option(help: "Slug of the project.")
        var project = Project.defaultSlug

        @Option(help: "How many at most.")
        var limit = 50

        func run() throws {
            let limit = max(1, limit)
            try BroadcastCommand.use(option, project: project) { broadcasts in
                for broadcast in try await broadcasts.list(status: nil, limit: limit, offset: 0).rows {
                    let total = try await broadcasts.stats(of: broadcast.id).total
                    print(
                        "\(broadcast.id)\t\(broadcast.status.rawValue)\t\(total.queued)\t\(total[.sent])\t"
                            + "\(total[.recipients])\t\(broadcast.name)")
                }
            }
        }
    }

    struct Pause: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Stops one for a while, within a second.",
            discussion: "What is under way ends. Nothing is lost, and nothing expires while it waits.")

        @OptionGroup var target: Target

        func run() throws { try target.change { broadcasts, id in try await broadcasts.pause(id) } }
    }

    struct Resume: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lets one go on, within some seconds.")

        @OptionGroup var target: Target

        func run() throws { try target.change { broadcasts, id in try await broadcasts.resume(id) } }
    }

    struct Cancel: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Ends one for good, within a second.", discussion: "What is not sent never will be.")

        @OptionGroup var target: Target

        func run() throws { try target.change { broadcasts, id in try await broadcasts.cancel(id) } }
    }

    private static func use(
        _ option: ConfigurationOption, project: String, _ body: @escaping @Sendable (Broadcasts) async throws -> Void
    ) throws {
        let configuration = try loadConfiguration(option.config)
        try runBlocking {
            let (store, context) = try await Assembly(configuration: configuration, logger: .quiet)
                .makeEngine(exclusively: false, makingDatabase: false)
            guard let found = try await store.read({ try $0.loadCatalog().project(slug: project) }) else {
                throw CommandFailure("there is no project \(project)")
            }
            do {
                try await body(Broadcasts(context: context, projectID: found.id))
            } catch let error as UseCaseError {
                throw CommandFailure(error.description)
            }
            try store.close()
        }
    }
}
