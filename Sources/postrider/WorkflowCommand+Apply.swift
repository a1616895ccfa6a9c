import ArgumentParser
import Engine
import SQLStore
import WorkflowFiles

extension WorkflowCommand {
    struct Apply: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes workflows and their templates be as the files say; a running daemon takes them at once.",
            discussion: """
                Applying a file again changes nothing. Changed steps are refused while executions are under way that they \
                would break; with --as-new-version those finish on their version, and new ones take the new one.
                """)

        @OptionGroup var option: ConfigurationOption

        @Flag(help: "Publish changed steps as a version beside the one that executions under way keep.")
        var asNewVersion = false

        @Argument(help: "The workflow files (YAML).")
        var files: [String]

        func run() throws {
            let configuration = try loadConfiguration(option.config)
            let files = try WorkflowCommand.read(files)
            let asNewVersion = asNewVersion
            let complaint = try runBlocking { () -> String? in
                let (store, context) = try await Assembly(configuration: configuration, logger: .quiet)
                    .makeEngine(exclusively: false)
                for file in files {
                    do {
                        let applied = try await Workflows(context: context)
                            .apply(file.document, asNewVersion: asNewVersion)
                        let unheard = try await Workflows(context: context).readerWarnings(of: file.document)
                        for warning in file.warnings + file.lines(unheard) { complain(warning) }
                        print("\(file.path): \(file.document.slug) \(Self.words(applied))")
                    } catch let error as UseCaseError {
                        try store.close()
                        return "\(file.failure(error))"
                    }
                }
                try store.close()
                return nil
            }
            guard let complaint else { return }
            complain(complaint)
            throw ExitCode(1)
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
