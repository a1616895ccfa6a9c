import ArgumentParser
import Engine
import Foundation
import SQLStore
import Settings
import WorkflowFiles

extension WorkflowCommand {
    struct Diff: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Says how workflow files differ from what is stored, and what apply would do.",
            discussion: "Ends with 0 when nothing differs, 1 when something does, 2 when a file cannot be compared.")

        @OptionGroup var option: ConfigurationOption

        @Flag(help: "Say what apply --as-new-version would do.")
        var asNewVersion = false

        @Argument(help: "The workflow files (YAML).")
        var files: [String]

        func run() throws {
            let configuration = try loadConfiguration(option.config)
            let files = try WorkflowCommand.read(files, status: 2)
            let asNewVersion = asNewVersion
            let status = try runBlocking { () -> Int32 in
                // Where there is no database yet, nothing is stored, and looking makes none.
                guard FileManager.default.fileExists(atPath: configuration.database.path) else {
                    return try await Assembly.withScratchEngine(project: Project.defaultSlug) { context in
                        try await Self.compare(files, asNewVersion: asNewVersion, context)
                    }
                }
                let (store, context) = try await Assembly(configuration: configuration, logger: .quiet)
                    .makeEngine(exclusively: false)
                defer { try? store.close() }
                return try await Self.compare(files, asNewVersion: asNewVersion, context)
            }
            if status != 0 { throw ExitCode(status) }
        }

        /// - Returns: the status to end with.
        private static func compare(
            _ files: [WorkflowFile], asNewVersion: Bool, _ context: EngineContext
        ) async throws -> Int32 {
            var status: Int32 = 0
            for file in files {
                do {
                    let comparison = try await Workflows(context: context)
                        .compare(file.document, asNewVersion: asNewVersion)
                    if show(comparison, file) { status = max(status, 1) }
                } catch let error as UseCaseError {
                    complain("\(file.failure(error))")
                    status = 2
                }
            }
            return status
        }

        /// - Returns: whether there is a difference.
        private static func show(_ comparison: Workflows.Comparison, _ file: WorkflowFile) -> Bool {
            let difference = WorkflowDifference(from: comparison.stored, to: file.document)
            guard comparison.stored == nil || !difference.isEmpty else { return false }
            let slug = file.document.slug
            print("--- \(comparison.stored == nil ? "nothing" : "\(slug), version \(comparison.storedVersion)")")
            print("+++ \(file.path)")
            for line in difference.lines { print(line) }
            print("\n\(comparison.outcomeText)")
            return true
        }
    }
}
