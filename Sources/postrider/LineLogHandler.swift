import Glibc
import JSONValue
import Logging
import Settings
import WorkflowModel

/// Writes one line an event to standard error: text for people and the journal, or JSON for collectors.
struct LineLogHandler: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level = .info
    private let format: LogFormat

    private init(level: Logger.Level, format: LogFormat) {
        logLevel = level
        self.format = format
    }

    static func makeLogger(level: LogLevel, format: LogFormat) -> Logger {
        let level = Logger.Level(rawValue: level.rawValue) ?? .info
        return Logger(label: "postrider") { _ in LineLogHandler(level: level, format: format) }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let own = event.metadata ?? [:]
        let all = (metadata.isEmpty ? own : metadata.merging(own) { $1 }).sorted { $0.key < $1.key }
        var line = ""
        switch format {
        case .text:
            line.reserveCapacity(256)
            line += SystemClock().now().description
            line += " "
            line += event.level.rawValue
            line += " "
            line += Self.oneLine(event.message.description)
            for (key, value) in all {
                line += " "
                line += key
                line += "="
                line += Self.quoted(value.description)
            }
        case .json:
            var object: JSONObject = [
                "time": .string("\(SystemClock().now())"), "level": .string(event.level.rawValue),
                "message": .string("\(event.message)"),
            ]
            for (key, value) in all where object[key] == nil { object[key] = .string("\(value)") }
            line = JSONWriter.write(.object(object))
        }
        // One write, so that lines of different threads do not mix.
        line += "\n"
        line.withUTF8 { _ = Glibc.write(2, $0.baseAddress, $0.count) }
    }

    /// Values come from strangers' mail; they must not make lines of their own.
    private static func oneLine(_ text: String) -> String {
        text.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" }
            ? String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 0x20 ? " " : $0 })) : text
    }

    private static func quoted(_ text: String) -> String {
        let isPlain = !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 != UInt8(ascii: "\"") && $0 != 0x7F }
        return isPlain ? text : JSONWriter.write(.string(text))
    }
}
