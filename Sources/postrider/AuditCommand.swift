import ArgumentParser
import Engine
import JSONValue

struct AuditCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Shows who changed what in a project or in the whole installation, the newest first.")

    @OptionGroup var option: ConfigurationOption

    @Option(help: "The project's name.")
    var project = Project.defaultSlug

    @Flag(help: "Changes that concern no single project: pauses of all mail, gaps that were closed.")
    var installation = false

    @Option(help: "How many changes to show.")
    var limit = 50

    @Option(help: "One action (key.revoked), or all of a noun (key.).")
    var action: String?

    @Option(help: "Only changes of this id or name.")
    var target: String?

    @Flag(help: "One JSON object for each change.")
    var json = false

    func validate() throws {
        guard (1...10_000).contains(limit) else { throw ValidationError("--limit must be from 1 to 10000") }
    }

    func run() throws {
        let (limit, action, target, json) = (limit, action, target, json)
        let project = installation ? nil : project
        try option.withEngine { context in
            let projects = try await Projects(context: context).list()
            let known = projects.first { $0.slug == project }
            if let project, known == nil { throw CommandFailure("there is no project \(project)") }
            let page = try await AuditLog(context: context).page(
                AuditSelection(projectID: known?.id, action: action, target: target, limit: limit))
            if json {
                for record in page.records { print(JSONWriter.write(record.json)) }
                return
            }
            print(
                TextTable(
                    ["AT", "WHO", "WHAT", "TARGET", "DETAILS"],
                    page.records.map {
                        [
                            "\($0.at)", "\($0.actor.kind) \($0.actor.name)", $0.action, $0.target,
                            $0.details.isEmpty ? "" : JSONWriter.write(.object($0.details)),
                        ]
                    }))
            if page.hasMore { print("there is more: --limit") }
        }
    }
}
