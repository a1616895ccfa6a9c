import ArgumentParser
import Engine
import Foundation
import WorkflowFiles
import WorkflowModel

struct WorkflowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "workflow", abstract: "Handles workflows as files.",
        subcommands: [Validate.self, Diff.self, Apply.self, Export.self, Simulate.self, Migrate.self])

    struct Validate: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Checks workflow files and names all that is wrong with them; needs no database.")

        @Argument(help: "The workflow files (YAML).")
        var files: [String]

        func run() throws {
            var isSound = true
            for path in files {
                do {
                    let file = try WorkflowFile(reading: path)
                    try file.checkTemplates()
                    for warning in file.warnings { complain(warning) }
                    print("\(path): ok, \(file.document.graph.steps.count) steps")
                } catch {
                    isSound = false
                    complain("\(error)")
                }
            }
            if !isSound { throw ExitCode(1) }
        }
    }

    /// Reads files; all that is wrong with any of them is said before the command ends.
    /// - Parameter status: what it ends with then.
    static func read(_ paths: [String], status: Int32 = 1) throws -> [WorkflowFile] {
        var files: [WorkflowFile] = []
        for path in paths {
            do {
                files.append(try WorkflowFile(reading: path))
            } catch {
                complain("\(error)")
            }
        }
        guard files.count == paths.count else { throw ExitCode(status) }
        return files
    }
}

/// A line on standard error, as editors and scripts expect complaints.
func complain(_ line: String) { FileHandle.standardError.write(Data("\(line)\n".utf8)) }
