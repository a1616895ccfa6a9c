import Engine
import Foundation
import JSONValue
import WorkflowModel

/// A workflow on disk: one YAML file, and the template bodies that it names with `htmlFile` and `textFile`.
package struct WorkflowFile: Sendable {
    package let path: String
    package let document: WorkflowDocument
    private let places: YAMLDocument

    private static let sizeLimit = 1 << 20

    /// What is wrong with a file, a line for each thing: `file:line:column: path: what`.
    package struct Failure: Error, CustomStringConvertible {
        package var lines: [String]

        package var description: String { lines.joined(separator: "\n") }
    }

    /// - Throws: `Failure` with every problem and its place.
    package init(reading path: String) throws {
        self.path = path
        do {
            places = try YAMLReader.read(try Self.text(path))
        } catch let error as YAMLReader.Failure {
            throw Failure(lines: ["\(path):\(error.place.line):\(error.place.column): \(error.message)"])
        }
        do {
            document = try WorkflowDocument(try Self.embeddingBodies(in: places, path: path))
        } catch let error as UseCaseError {
            throw Self.failure(error, path: path, places: places)
        }
    }

    /// An error about the document, with its places in this file.
    package func failure(_ error: UseCaseError) -> Failure {
        Self.failure(error, path: path, places: places)
    }

    /// - Throws: `Failure` with every template and every option that is no sound Liquid.
    package func checkTemplates() throws {
        do {
            try Workflows.check(document)
        } catch let error as UseCaseError {
            throw failure(error)
        }
    }

    /// What does no harm and is hardly meant: steps that nothing leads to, branches that lead nowhere.
    package var warnings: [String] {
        lines(document.graph.warnings)
    }

    /// Further remarks about the document, with their places in this file.
    package func lines(_ warnings: [WorkflowProblem]) -> [String] {
        warnings.map { Self.line($0, path: path, places: places, kind: "warning: ") }
    }

    private static func failure(_ error: UseCaseError, path: String, places: YAMLDocument) -> Failure {
        if error.problems.isEmpty { return Failure(lines: ["\(path): \(error)"]) }
        return Failure(lines: error.problems.map { line($0, path: path, places: places, kind: "") })
    }

    private static func line(
        _ problem: WorkflowProblem, path: String, places: YAMLDocument, kind: String
    ) -> String {
        let place = places.place(of: yamlPath(problem.path, in: places.value))
        return "\(path):\(place.line):\(place.column): \(kind)\(problem)"
    }

    /// Transitions (`transitions.a->b`) are written as the `next` of their step.
    private static func yamlPath(_ path: String, in document: JSON) -> String {
        guard path.hasPrefix("transitions."), let arrow = path.firstRange(of: "->") else { return path }
        let from = path[path.index(path.startIndex, offsetBy: 12)..<arrow.lowerBound]
        let to = String(path[arrow.upperBound...])
        guard let branches = document["steps"]?[String(from)]?["next"]?.objectValue,
            let branch = branches.first(where: { $0.1.stringValue == to || $0.1["step"]?.stringValue == to })?.0
        else { return "steps.\(from).next" }
        return "steps.\(from).next.\(branch)"
    }

    // MARK: Reading

    private static func text(_ path: String) throws -> String {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw Failure(lines: ["\(path): cannot be read"])
        }
        guard data.count <= sizeLimit else { throw Failure(lines: ["\(path): is larger than 1 MiB"]) }
        guard let text = String(data: data, encoding: .utf8) else {
            throw Failure(lines: ["\(path): is not UTF-8 text"])
        }
        return text
    }

    /// Every `htmlFile` and `textFile` of a template replaced by `html` and `text` with the file's content.
    private static func embeddingBodies(in yaml: YAMLDocument, path: String) throws -> JSON {
        guard var document = yaml.value.objectValue, let templates = document["templates"]?.objectValue else {
            return yaml.value
        }
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
        var embedded = JSONObject()
        for (slug, value) in templates {
            guard var template = value.objectValue else {
                embedded[slug] = value
                continue
            }
            for body in ["html", "markdown", "text"] {
                guard let name = template["\(body)File"] else { continue }
                let place = yaml.place(of: "templates.\(slug).\(body)File")
                guard let name = name.stringValue, template[body] == nil else {
                    throw Failure(lines: [
                        "\(path):\(place.line):\(place.column): templates.\(slug).\(body)File: must be a file's name, and stands in place of \(body)"
                    ])
                }
                template["\(body)File"] = nil
                template[body] = .string(try text(folder.appendingPathComponent(name).standardizedFileURL.path))
            }
            embedded[slug] = .object(template)
        }
        document["templates"] = .object(embedded)
        return .object(document)
    }
}
