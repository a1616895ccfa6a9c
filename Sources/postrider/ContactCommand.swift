import ArgumentParser
import Engine
import Foundation
import SQLStore
import Settings
import WorkflowModel

struct ContactCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "contact", abstract: "Takes contacts in and out, beside a running daemon.",
        subcommands: [Import.self, Export.self])

    struct Import: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Imports a CSV file (UTF-8) whose first row names the columns; one of them is email.",
            discussion: """
                Rows that cannot be applied are listed and leave nothing; the others are applied. An import that is \
                interrupted is carried on by the daemon.
                """)

        @OptionGroup var option: ConfigurationOption

        @Option(help: "The project's name.")
        var project = Project.defaultSlug

        @Flag(help: "Take numbers, true, false, lists and objects for what they are; otherwise all cells are texts.")
        var typed = false

        @Flag(
            inversion: .prefixedNo,
            help: "Record the events of every change, which start workflows as any others do.")
        var events = true

        @Option(help: "What stands between two cells: comma, semicolon or tab.")
        var separator = "comma"

        @Argument(help: "The file; - is standard input.")
        var file: String

        func run() throws {
            var options = ImportPlan.Options()
            options.isTyped = typed
            options.recordsEvents = events
            guard let separator = ImportPlan.Separator(rawValue: separator) else {
                throw CommandFailure("--separator must be comma, semicolon or tab")
            }
            options.separator = separator
            let configuration = try loadConfiguration(option.config)
            let (project, path, chosen) = (project, file, options)
            let failed = try runBlocking {
                try await Self.takeIn(path, into: project, chosen, configuration: configuration)
            }
            if failed > 0 { throw ExitCode(1) }
        }

        /// - Returns: how many rows could not be applied.
        private static func takeIn(
            _ path: String, into project: String, _ options: ImportPlan.Options, configuration: Configuration
        ) async throws -> Int {
            guard let file = path == "-" ? FileHandle.standardInput : FileHandle(forReadingAtPath: path) else {
                throw CommandFailure("cannot read \(path)")
            }
            let (store, context) = try await Assembly(configuration: configuration, logger: .quiet)
                .makeEngine(exclusively: false)
            let contacts = Contacts(context: context, projectID: try await context.projectID(named: project))
            var upload = try ContactUpload(context: context, projectID: contacts.projectID, options: options)
            do {
                while let piece = try file.read(upToCount: 1 << 20), !piece.isEmpty { try upload.append(Array(piece)) }
            } catch {
                upload.discard()
                throw error
            }
            let begun: ContactJob
            do { begun = try await upload.begin(context) } catch let error as UseCaseError {
                throw CommandFailure("\(path): \(error.problems.map(\.message).joined(separator: "; "))")
            }
            let isTerminal = isatty(STDERR_FILENO) == 1
            let job = try await ContactJobs(context: context, owner: "\(begun.id)").finish(begun.id) { job in
                if isTerminal {
                    FileHandle.standardError.write(Data("\r\(Int(job.progress * 100)) %, \(job.counts.read) rows".utf8))
                }
            }
            if isTerminal { FileHandle.standardError.write(Data("\r\u{1B}[K".utf8)) }
            if job.counts.failed > 0 {
                try await contacts.report(of: job.id) { FileHandle.standardError.write(Data($0)) }
            }
            if let reason = job.reason { throw CommandFailure("the import has failed: \(reason)") }
            if job.status == .cancelled { throw CommandFailure("the import was cancelled") }
            print(
                """
                \(job.counts.read) rows: \(job.counts.created) created, \(job.counts.updated) updated, \
                \(job.counts.unchanged) unchanged, \(job.counts.failed) failed
                """)
            try store.close()
            return job.counts.failed
        }
    }

    struct Export: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Writes all contacts to standard output.",
            discussion: """
                Texts that a spreadsheet would take for formulas have an apostrophe before them, which an import takes \
                away.
                """)

        @OptionGroup var option: ConfigurationOption

        @Option(help: "The project's name.")
        var project = Project.defaultSlug

        @Option(help: "csv or json.")
        var format = "csv"

        @Flag(help: "Write texts as they are, formulas too.")
        var keepFormulas = false

        func run() throws {
            guard let format = ContactExport.Format(rawValue: format) else {
                throw CommandFailure("--format must be csv or json")
            }
            let configuration = try loadConfiguration(option.config)
            let (project, guardsFormulas) = (project, !keepFormulas)
            try runBlocking {
                let (store, context) = try await Assembly(configuration: configuration, logger: .quiet)
                    .makeEngine(exclusively: false, makingDatabase: false)
                let export = ContactExport(
                    context: context, projectID: try await context.projectID(named: project), format: format,
                    guardsFormulas: guardsFormulas)
                try await export.write { try FileHandle.standardOutput.write(contentsOf: Data($0)) }
                try store.close()
            }
        }
    }
}

extension EngineContext {
    /// - Throws: `CommandFailure` when there is none.
    fileprivate func projectID(named slug: String) async throws -> Identifier {
        let projects = try await store.read { try $0.loadCatalog().projects }
        guard let project = projects.first(where: { $0.slug == slug }) else {
            throw CommandFailure(
                "there is no project \(slug); known are \(projects.map(\.slug).joined(separator: ", "))")
        }
        return project.id
    }
}
