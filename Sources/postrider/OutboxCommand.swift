import ArgumentParser
import Engine
import Foundation
import Logging
import SQLStore
import WorkflowModel

struct OutboxCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "outbox", abstract: "Stops outgoing mail, lets it go on, and shows how it stands.",
        subcommands: [Pause.self, Resume.self, ResumeReplies.self, Status.self])

    /// What a pause is for.
    struct Part: ParsableArguments {
        @OptionGroup var option: ConfigurationOption

        @Option(help: "Only the mail of this project.")
        var project: String?

        @Option(help: "Only what goes over the relay of this name.")
        var relay: String?

        @Option(help: "Only mail to addresses of this domain.")
        var domain: String?

        @Flag(help: "Mail of all projects.")
        var all = false

        func validate() throws {
            if relay != nil, domain != nil { throw ValidationError("--relay and --domain are two pauses") }
            if all, project != nil { throw ValidationError("--all is every project: leave out --project") }
            if !all, project == nil, relay == nil, domain == nil {
                throw ValidationError("say what: --project, --relay, --domain or --all")
            }
        }

        var object: OutboxPause.Object {
            if let relay { return .relay(relay) }
            if let domain { return .domain(domain) }
            return .everything
        }

        /// Runs `body` for the project, nil for all.
        func use(_ body: @escaping @Sendable (OutboxControl, Identifier?) async throws -> Void) throws {
            let configuration = try loadConfiguration(option.config)
            let project = project
            try runBlocking {
                let (store, context) = try await Assembly(configuration: configuration, logger: .quiet)
                    .makeEngine(exclusively: false, makingDatabase: false)
                var id: Identifier?
                if let project {
                    guard let found = try await store.read({ try $0.loadCatalog().project(slug: project) }) else {
                        throw CommandFailure("there is no project \(project)")
                    }
                    id = found.id
                }
                do {
                    try await body(OutboxControl(context: context), id)
                } catch let error as UseCaseError {
                    throw CommandFailure(error.description)
                }
                try store.close()
            }
        }
    }

    struct Pause: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Holds mail back, within a second and until it is resumed, restarts included.",
            discussion: "What is under way ends. Nothing is lost, and nothing expires while it waits.")

        @OptionGroup var part: Part

        @Option(help: "Why, for those who look at the status.")
        var note: String?

        func run() throws {
            let (object, note) = (part.object, note)
            try part.use { control, project in try await control.pause(object, in: project, note: note) }
        }
    }

    struct Resume: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Ends a pause, within a second.")

        @OptionGroup var part: Part

        func run() throws {
            let object = part.object
            try part.use { control, project in try await control.resume(object, in: project) }
        }
    }

    struct ResumeReplies: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "resume-replies", abstract: "Ends a stop of all automatic replies before its time.",
            discussion:
                "They are stopped when there are more than auto_replies.per_hour. Find out why first: the hour is "
                + "counted anew, and those that waited when it began stay dropped.")

        @OptionGroup var option: ConfigurationOption

        func run() throws {
            let configuration = try loadConfiguration(option.config)
            try runBlocking {
                let (store, context) = try await Assembly(configuration: configuration, logger: .quiet)
                    .makeEngine(exclusively: false, makingDatabase: false)
                do {
                    try await OutboxControl(context: context).resumeReplies(for: nil)
                } catch let error as UseCaseError {
                    throw CommandFailure(error.description)
                }
                try store.close()
            }
        }
    }

    struct Status: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Prints what is paused and what waits, one a line.",
            discussion: "How the relays are is a matter of the running daemon: see /healthz and GET /outbox.")

        @OptionGroup var option: ConfigurationOption

        @Option(help: "Only this project.")
        var project: String?

        func run() throws {
            let configuration = try loadConfiguration(option.config)
            let project = project
            try runBlocking {
                let (store, context) = try await Assembly(configuration: configuration, logger: .quiet)
                    .makeEngine(exclusively: false, makingDatabase: false)
                let slugs = try await store.read { try $0.projectSlugs() }
                let id = project.flatMap { slug in slugs.first { $0.value == slug }?.key }
                if let project, id == nil { throw CommandFailure("there is no project \(project)") }
                let status = try await OutboxControl(context: context).status(in: id)
                func name(_ id: Identifier?) -> String { id.map { slugs[$0] ?? "\($0)" } ?? "all projects" }
                for pause in status.pauses {
                    let what =
                        pause.object.kind == .everything ? "mail" : "\(pause.object.kind.rawValue) \(pause.object.name)"
                    print(
                        "paused\t\(name(pause.projectID))\t\(what)\t\(pause.pausedAt)\t\(pause.note ?? "-")")
                }
                if let stop = status.replyStop {
                    print("stopped\tall projects\tautomatic replies\t\(stop.openedAt)\t\(stop.until)")
                }
                for queue in status.queues {
                    let count =
                        queue.pending < OutboxControl.countLimit ? "\(queue.pending)" : "\(queue.pending) or more"
                    print(
                        "pending\t\(name(queue.queue.project))\t\(queue.queue.isBulk ? "bulk" : "direct")\t\(count)\t"
                            + (queue.firstDueAt.map { "\($0)" } ?? "-"))
                }
                try store.close()
            }
        }
    }
}
