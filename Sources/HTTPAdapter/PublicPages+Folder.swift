import Engine
import Foundation
import JSONValue

extension PublicPages {
    /// Reads the pages of a folder: `layout.html`, one file for each page, and `texts/LANGUAGE.json`.
    /// - Throws: `PageFolderError` that names the file.
    package static func read(folder: String) throws -> PublicPages {
        let root = URL(filePath: folder, directoryHint: .isDirectory)
        let pages = try Name.allCases.reduce(into: [Name: String]()) { pages, name in
            pages[name] = try text(root.appending(path: "\(name.rawValue).html"))
        }
        let textFolder = root.appending(path: "texts")
        let files = (try? FileManager.default.contentsOfDirectory(atPath: textFolder.path)) ?? []
        let texts = try files.filter { $0.hasSuffix(".json") }.reduce(into: [String: JSONObject]()) { texts, file in
            texts[String(file.dropLast(5)).lowercased()] = try object(textFolder.appending(path: file))
        }
        do {
            return try PublicPages(
                Sources(layout: try text(root.appending(path: "layout.html")), pages: pages, texts: texts))
        } catch let failure as Failure {
            throw PageFolderError(description: "\(folder): \(failure)")
        }
    }

    private static func text(_ file: URL) throws -> String {
        do { return try String(contentsOf: file, encoding: .utf8) } catch {
            throw PageFolderError(description: "\(file.path) cannot be read as UTF-8 text")
        }
    }

    private static func object(_ file: URL) throws -> JSONObject {
        guard let object = (try? JSONParser.parse(try text(file)))?.objectValue else {
            throw PageFolderError(description: "\(file.path) is no JSON object")
        }
        return object
    }
}

/// Why a folder holds no pages.
package struct PageFolderError: Error, CustomStringConvertible {
    package let description: String
}
