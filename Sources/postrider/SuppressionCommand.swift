import ArgumentParser
import Engine
import Foundation
import Logging
import SQLStore
import WorkflowModel

struct SuppressionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "suppression", abstract: "Handles the addresses that get no more mail.",
        subcommands: [List.self, Add.self, Remove.self, Import.self, Export.self])

    /// The options that all of them have.
    struct Place: ParsableArguments {
        @OptionGroup var option: ConfigurationOption

        @Option(help: "The project's name.")
        var project = Project.defaultSlug

        /// Runs `body` with the list of the project.
        func use(
            makingDatabase: Bool, _ body: @escaping @Sendable (Suppressions, Identifier) async throws -> Void
        ) throws {
            let configuration = try loadConfiguration(option.config)
            let project = project
            try runBlocking {
                let (store, context) = try await Assembly(configuration: configuration, logger: .quiet)
                    .makeEngine(exclusively: false, makingDatabase: makingDatabase)
                guard let found = try await store.read({ try $0.loadCatalog().project(slug: project) }) else {
                    throw CommandFailure("there is no project \(project)")
                }
                try await body(Suppressions(context: context), found.id)
                try store.close()
            }
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Prints address, reason, since when, until when, one a line.")

        @OptionGroup var place: Place

        @Option(help: "bounce, complaint, unsubscribe or manual; all when it is not given.")
        var reason: SuppressionReasonArgument?

        func run() throws {
            let reason = reason?.reason
            try place.use(makingDatabase: false) { suppressions, project in
                try await suppressions.forEach(in: project, reason: reason) { suppression in
                    let end = suppression.expiresAt.map { "\($0)" } ?? "-"
                    print("\(suppression.address)\t\(suppression.reason.rawValue)\t\(suppression.createdAt)\t\(end)")
                }
            }
        }
    }

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Ends all mail to addresses.")

        @OptionGroup var place: Place

        @Argument(help: "The addresses.")
        var addresses: [String]

        @Option(help: "bounce, complaint, unsubscribe or manual.")
        var reason = SuppressionReasonArgument(.manual)

        @Option(help: "Why, for those who look at the list.")
        var note: String?

        func run() throws {
            let additions = try addresses.map { text in
                guard let address = Suppressions.address(text) else {
                    throw ValidationError("\(text) is no mail address")
                }
                return Suppressions.Addition(address: address, reason: reason.reason, note: note)
            }
            try place.use(makingDatabase: true) { suppressions, project in
                _ = try await suppressions.add(additions, to: project)
            }
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lets mail go to an address again.")

        @OptionGroup var place: Place

        @Argument(help: "The address.")
        var address: String

        @Option(help: "Only this reason; all when it is not given.")
        var reason: SuppressionReasonArgument?

        func run() throws {
            let (address, reason) = (address, reason?.reason)
            try place.use(makingDatabase: false) { suppressions, project in
                try await suppressions.remove(address, reason: reason, from: project)
            }
        }
    }
}

extension SuppressionCommand {
    struct Import: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Adds the addresses of a CSV file with a header.",
            discussion: "Columns: email, and where they are there reason, created_at, expires_at, note.")

        @OptionGroup var place: Place

        @Argument(help: "The file.", completion: .file())
        var file: String

        @Option(help: "bounce, complaint, unsubscribe or manual, for rows that name none.")
        var reason = SuppressionReasonArgument(.manual)

        func run() throws {
            let bytes = try Self.bytes(of: file)
            let content = try SuppressionFile.read(bytes, reason: reason.reason)
            guard content.problems.isEmpty else {
                let lines = content.problems.prefix(20).map { "row \($0.row): \($0.message)" }
                let more = content.problems.count > 20 ? ["and \(content.problems.count - 20) more"] : []
                throw CommandFailure(
                    "\(file): nothing was imported\n" + (lines + more).joined(separator: "\n"))
            }
            let additions = content.additions
            try place.use(makingDatabase: true) { suppressions, project in
                _ = try await suppressions.add(additions, to: project)
                print("\(additions.count) imported")
            }
        }

        private static func bytes(of file: String) throws -> [UInt8] {
            let url = URL(filePath: file)
            let size = try? FileManager.default.attributesOfItem(atPath: url.path)[.size] as? Int
            guard let size, let data = try? Data(contentsOf: url) else {
                throw CommandFailure("\(file) cannot be read")
            }
            guard size <= SuppressionFile.sizeLimit else {
                throw CommandFailure("\(file) is larger than \(SuppressionFile.sizeLimit >> 20) MiB: cut it in pieces")
            }
            return [UInt8](data)
        }
    }

    struct Export: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Prints the list as CSV, which `import` reads.")

        @OptionGroup var place: Place

        func run() throws {
            try place.use(makingDatabase: false) { suppressions, project in
                let output = FileHandle.standardOutput
                try output.write(contentsOf: SuppressionFile.header())
                try await suppressions.forEach(in: project) { try output.write(contentsOf: SuppressionFile.row($0)) }
            }
        }
    }
}

/// A reason as the command line takes it.
struct SuppressionReasonArgument: ExpressibleByArgument {
    let reason: Suppression.Reason

    init(_ reason: Suppression.Reason) { self.reason = reason }

    init?(argument: String) {
        guard let reason = Suppression.Reason(rawValue: argument) else { return nil }
        self.reason = reason
    }

    var defaultValueDescription: String { reason.rawValue }
    static var allValueStrings: [String] { Suppression.Reason.allCases.map(\.rawValue) }
}
