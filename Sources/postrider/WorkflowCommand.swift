import ArgumentParser
import Engine
import Dispatch
import Logging
import SQLStore
import Settings
import WorkflowModel

struct WorkflowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "workflow", abstract: "Handles workflows as files.",
        subcommands: [Validate.self, Apply.self])

    struct Validate: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Checks a workflow file and names all that is wrong with it.")

        @Argument(help: "The workflow file (YAML).")
        var file: String

        func run() throws {
            let document = try WorkflowFile.read(file)
            print("\(file): ok, \(document.graph.steps.count) steps")
        }
    }

    struct Apply: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes a workflow and its templates be as the file says; a running daemon takes it at once.")

        @OptionGroup var option: ConfigurationOption

        @Argument(help: "The workflow files (YAML).")
        var files: [String]

        func run() throws {
            let configuration = try loadConfiguration(option.config)
            let documents = try files.map { ($0, try WorkflowFile.read($0)) }
            try runBlocking {
                let (store, context) = try await Assembly(configuration: configuration, logger: .quiet)
                    .makeEngine(exclusively: false)
                for (file, document) in documents {
                    do {
                        print(
                            "\(file): \(document.slug) \(Self.words(try await Workflows(context: context).apply(document)))"
                        )
                    } catch let error as UseCaseError {
                        throw error.inFile(file)
                    }
                }
                try store.close()
            }
        }

        private static func words(_ applied: Workflows.Applied) -> String {
            switch applied {
            case .created: "created"
            case .changed(let version): "changed, new executions take version \(version)"
            case .updated: "updated"
            case .unchanged: "unchanged"
            }
        }
    }
}

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

extension Logger {
    /// Commands print their results; what the engine would log is for the daemon.
    static var quiet: Logger { Logger(label: "postrider") { _ in SwiftLogNoOpLogHandler() } }
}

/// Runs asynchronous work to its end on behalf of a command; the main thread waits.
func runBlocking(_ body: @escaping @Sendable () async throws -> Void) throws {
    let done = DispatchSemaphore(value: 0)
    let outcome = Outcome()
    Task.detached {
        do { try await body() } catch { outcome.error = error }
        done.signal()
    }
    done.wait()
    if let error = outcome.error { throw CommandFailure("\(error)") }
}

/// `@unchecked`: written before the semaphore is signalled, read after it was waited for.
private final class Outcome: @unchecked Sendable {
    var error: (any Error)?
}
