import ArgumentParser
import Foundation
import JSONValue
import WorkflowFiles

/// For `make docs`: the API's description as the source file that the server holds it in.
struct DescribeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "describe", abstract: "Prints the API's description as a source file.", shouldDisplay: false)

    @Argument(help: "The description (YAML).")
    var file: String

    func run() throws {
        let document = try YAMLReader.read(String(contentsOfFile: file, encoding: .utf8))
        print(
            """
            // swift-format-ignore-file
            // Made by `make docs` from Documentation/openapi.yaml; a test compares the two.

            /// The API's description (OpenAPI 3.1) as JSON.
            enum DescriptionText {
                static let json: StaticString = #\"""
            \(Self.lines(document.value))
            \"""#
            }
            """)
    }

    /// A line for each path and each component, so that a change is seen as what it is.
    private static func lines(_ value: JSON, depth: Int = 0) -> String {
        guard let object = value.objectValue, depth < 3, !object.isEmpty else { return JSONWriter.write(value) }
        let members = object.map { "\(JSONWriter.write(.string($0.0))):\(lines($0.1, depth: depth + 1))" }
        return "{\n\(members.joined(separator: ",\n"))\n}"
    }
}
