import ArgumentParser
import Engine
import SQLStore
import WorkflowFiles

extension WorkflowCommand {
    struct Export: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Prints a stored workflow and its templates as a file that applies back unchanged.")

        @OptionGroup var option: ConfigurationOption

        @Option(help: "The project's name.")
        var project = Project.defaultSlug

        @Argument(help: "The workflow's name.")
        var workflow: String

        func run() throws {
            let configuration = try loadConfiguration(option.config)
            let (project, workflow) = (project, workflow)
            let text = try runBlocking {
                let (store, context) = try await Assembly(configuration: configuration, logger: .quiet)
                    .makeEngine(exclusively: false, makingDatabase: false)
                let document = try await Workflows(context: context).export(workflow, project: project)
                try store.close()
                return document.yaml
            }
            print(text, terminator: "")
        }
    }
}
