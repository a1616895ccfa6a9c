import Foundation
import JSONValue
import MailFormat
import MailModel

/// The message corpus beside the project, with another parser's reading of each message.
enum Corpus {
    struct Entry {
        var name: String
        var message: ReceivedMessage
        var reading: JSON
    }

    /// Nil when the corpus is not there.
    static func entries() throws -> [Entry]? {
        guard let root = root(), let walker = FileManager.default.enumerator(atPath: root.path) else { return nil }
        let names = walker.compactMap { $0 as? String }.filter { $0.hasSuffix(".eml") }.sorted()
        return try names.map { name in
            let file = root.appendingPathComponent(name)
            let bytes = [UInt8](try Data(contentsOf: file))
            let reading = [UInt8](try Data(contentsOf: file.deletingPathExtension().appendingPathExtension("json")))
            return Entry(name: name, message: message(bytes), reading: try JSONParser.parse(reading))
        }
    }

    /// A whole message as the milter adapter would hand it over.
    static func message(_ bytes: [UInt8]) -> ReceivedMessage {
        let (headers, body) = MessageReader.split(bytes)
        return ReceivedMessage(headers: headers, body: body)
    }

    private static func root() -> URL? {
        let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let corpora =
            ProcessInfo.processInfo.environment["POSTRIDER_CORPORA"].map { URL(fileURLWithPath: $0) }
            ?? package.deletingLastPathComponent().appendingPathComponent("shared/corpora")
        let mime = corpora.appendingPathComponent("mime")
        return FileManager.default.fileExists(atPath: mime.path) ? mime : nil
    }
}

extension JSON {
    /// The value of a header field of the root part, in the corpus' shape.
    func rootField(_ name: String) -> JSON? {
        guard case .array(let parts)? = self["parts"], let root = parts.first else { return nil }
        return root["headers"]?.arrayValue?.first { $0["name"]?.stringValue == name }?["value"]
    }
}
