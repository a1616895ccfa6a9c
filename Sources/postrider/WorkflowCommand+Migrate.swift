import ArgumentParser
import Engine
import SQLStore

extension WorkflowCommand {
    struct Migrate: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Has executions of earlier versions go on by the current one; without --no-dry-run only says what that would do.",
            discussion: """
                Each goes on from the step of the same name, and pauses that have begun keep their time. Refused when an \
                execution stands on a step that is gone, or could come to a step again that has sent mail or called a \
                webhook for it.
                """)

        @OptionGroup var option: ConfigurationOption

        @Option(help: "The project's name.")
        var project = Project.defaultSlug

        @Flag(inversion: .prefixedNo, help: "Change nothing.")
        var dryRun = true

        @Argument(help: "The workflow's name.")
        var workflow: String

        func run() throws {
            let configuration = try loadConfiguration(option.config)
            let (project, workflow, dryRun) = (project, workflow, dryRun)
            let hasObstacles = try runBlocking { () -> Bool in
                let (store, context) = try await Assembly(configuration: configuration, logger: .quiet)
                    .makeEngine(exclusively: false, makingDatabase: false)
                let done = try await Executions(context: context).migrate(workflow, dryRun: dryRun, project: project)
                try store.close()
                for line in Self.lines(done, workflow) { print(line) }
                for obstacle in done.obstacles {
                    complain("\(obstacle.execution): \(obstacle.step.map { "\($0): " } ?? "")\(obstacle.reason)")
                }
                return done.obstacleCount > 0
            }
            if hasObstacles { throw ExitCode(1) }
        }

        private static func lines(_ done: Executions.Migration, _ workflow: String) -> [String] {
            let verb = done.isDryRun ? "would go on" : "go on"
            return [
                "\(workflow): \(done.moved) executions \(verb) by version \(done.version), \(done.current) do already"
            ]
                + done.steps.sorted { $0.key < $1.key }.map { "  \($0.value) at \($0.key)" }
        }
    }
}
