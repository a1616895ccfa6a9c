import Engine
import Foundation
import JSONValue
import WorkflowModel

/// A workflow on disk: one YAML file, and the template bodies that it names with `htmlFile` and `textFile`.
enum WorkflowFile {
    private static let sizeLimit = 1 << 20

    /// - Throws: `CommandFailure` with every problem and its place.
    static func read(_ path: String) throws -> WorkflowDocument {
        do {
            let json = try YAMLReader.read(try text(path))
            return try WorkflowDocument(try embeddingBodies(in: json, path: path))
        } catch let error as UseCaseError {
            throw error.inFile(path)
        } catch let error as CommandFailure {
            throw error
        } catch {
            throw CommandFailure("\(path): \(error)")
        }
    }

    private static func text(_ path: String) throws -> String {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw CommandFailure("\(path): cannot be read")
        }
        guard data.count <= sizeLimit else { throw CommandFailure("\(path): is larger than 1 MiB") }
        guard let text = String(data: data, encoding: .utf8) else { throw CommandFailure("\(path): is not UTF-8 text") }
        return text
    }

    /// Every `htmlFile` and `textFile` of a template replaced by `html` and `text` with the file's content.
    private static func embeddingBodies(in json: JSON, path: String) throws -> JSON {
        guard var document = json.objectValue, let templates = document["templates"]?.objectValue else { return json }
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
        var embedded = JSONObject()
        for (slug, value) in templates {
            guard var template = value.objectValue else {
                embedded[slug] = value
                continue
            }
            for body in ["html", "text"] {
                guard let name = template["\(body)File"] else { continue }
                guard let name = name.stringValue, template[body] == nil else {
                    throw CommandFailure(
                        "\(path): templates.\(slug).\(body)File: must be a file's name, and stands in place of \(body)")
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

extension UseCaseError {
    /// With the file before every line, as editors expect it.
    func inFile(_ path: String) -> CommandFailure {
        CommandFailure(([description] + problems.map(\.description)).map { "\(path): \($0)" }.joined(separator: "\n"))
    }
}
