import ArgumentParser
import Engine
import SQLStore

struct ProjectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "project", abstract: "Handles projects: everything else belongs to exactly one.",
        subcommands: [Create.self, List.self, Rename.self, Timezone.self, Tracking.self])

    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Makes a project.")

        @OptionGroup var option: ConfigurationOption

        @Option(help: "Its name for people; without it the name that commands use.")
        var name: String?

        @Option(help: "The time zone of its schedules and windows, for example Europe/Berlin.")
        var timezone = "UTC"

        @Argument(help: "Its name in commands and files: lower-case letters, digits, - and _.")
        var project: String

        func run() throws {
            let (project, name, timezone) = (project, name, timezone)
            try option.withEngine { context in
                let made = try await Projects(context: context).create(project, name: name, timezone: timezone)
                print("\(made.slug): created, \(made.id)")
            }
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists the projects.")

        @OptionGroup var option: ConfigurationOption

        func run() throws {
            try option.withEngine { context in
                let projects = try await Projects(context: context).list()
                print(
                    TextTable(
                        ["PROJECT", "NAME", "TIMEZONE", "ID"],
                        projects.map {
                            [$0.slug, $0.name, $0.timezone, "\($0.id)"]
                        }))
            }
        }
    }

    struct Rename: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Gives a project another name for people.")

        @OptionGroup var option: ConfigurationOption

        @Argument(help: "The project.")
        var project: String

        @Argument(help: "Its new name for people.")
        var name: String

        func run() throws {
            let (project, name) = (project, name)
            try option.withEngine { try await Projects(context: $0).rename(project, to: name) }
        }
    }

    struct Timezone: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Sets a project's time zone; schedules that go by it are planned anew.")

        @OptionGroup var option: ConfigurationOption

        @Argument(help: "The project.")
        var project: String

        @Argument(help: "An IANA name, for example Europe/Berlin.")
        var timezone: String

        func run() throws {
            let (project, timezone) = (project, timezone)
            try option.withEngine { context in
                let count = try await Projects(context: context).setTimezone(project, to: timezone)
                print("\(project): \(timezone), \(count) \(count == 1 ? "schedule" : "schedules") planned anew")
            }
        }
    }
}

extension ProjectCommand {
    struct Tracking: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Sets what is recorded of a project's readers, or shows it.",
            discussion: """
                on: who and when, as events. anonymous: how often a template's mails of one step were looked at, and nothing \
                of anybody. off: nothing. default: as the configuration says, which is the most there can be.
                """)

        @OptionGroup var option: ConfigurationOption

        @Option(help: "off, anonymous, on or default.")
        var opens: String?

        @Option(help: "off, anonymous, on or default.")
        var clicks: String?

        @Argument(help: "The project.")
        var project: String

        func validate() throws {
            for (name, value) in [("opens", opens), ("clicks", clicks)] {
                guard let value, value != "default", TrackingMode(rawValue: value) == nil else { continue }
                throw ValidationError("--\(name) must be off, anonymous, on or default")
            }
        }

        private static func mode(_ text: String?) -> TrackingMode?? {
            text.map { TrackingMode(rawValue: $0) }
        }

        func run() throws {
            let (project, opens, clicks) = (project, Self.mode(opens), Self.mode(clicks))
            try option.withEngine { context in
                let tracking = try await Projects(context: context).setTracking(project, opens: opens, clicks: clicks)
                let words = [("opens", tracking.opens), ("clicks", tracking.clicks)].map {
                    "\($0.0) \($0.1?.rawValue ?? "default")"
                }
                print("\(project): \(words.joined(separator: ", "))")
            }
        }
    }
}

extension ConfigurationOption {
    /// Runs a command's work on the configured database, beside a running daemon.
    func withEngine(_ body: @escaping @Sendable (EngineContext) async throws -> Void) throws {
        let configuration = try loadConfiguration(config)
        try runBlocking {
            let (store, context) = try await Assembly(configuration: configuration, logger: .quiet)
                .makeEngine(exclusively: false)
            do {
                try await body(context)
            } catch {
                try store.close()
                throw error
            }
            try store.close()
        }
    }
}

/// Rows under a headline, in columns.
struct TextTable: CustomStringConvertible {
    private let rows: [[String]]

    init(_ headline: [String], _ rows: [[String]]) { self.rows = [headline] + rows }

    var description: String {
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            row.indices.map { column in
                column == row.count - 1
                    ? row[column] : row[column] + String(repeating: " ", count: widths[column] - row[column].count)
            }.joined(separator: "  ")
        }.joined(separator: "\n")
    }
}
