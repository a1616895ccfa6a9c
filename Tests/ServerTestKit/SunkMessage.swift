import Foundation

/// One mail as smtp-sink(1) received it, read from its dump file ("DUMP FILE FORMAT" in the manual page).
package struct SunkMessage: Sendable, Equatable {
    /// The reverse path without brackets; empty for the null sender.
    package let reversePath: String
    /// The recipients without brackets, in order.
    package let recipients: [String]
    /// The arguments of MAIL and of each RCPT as sent, with their ESMTP parameters.
    package let mailArguments: String
    /// See ``mailArguments``.
    package let recipientArguments: [String]
    /// The argument of HELO or EHLO.
    package let helo: String
    /// The address of the client.
    package let clientAddress: String
    /// The message with CRLF line ends, dots unstuffed. The dump holds bare line feeds only, so a bare LF in the
    /// message cannot be told from a line end.
    package let bytes: [UInt8]

    /// The message as text with LF line ends; what is not UTF-8 is replaced.
    package var text: String { String(decoding: bytes.filter { $0 != 0x0d }, as: UTF8.self) }

    /// The header fields in order, unfolded by removing the line ends only (RFC 5322 §2.2.3), leading blank removed.
    package var headerFields: [(name: String, value: String)] {
        var fields: [(name: String, value: String)] = []
        for line in header.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.first == " " || line.first == "\t" {
                guard let last = fields.popLast() else { continue }
                fields.append((last.name, last.value + line))
            } else if let colon = line.firstIndex(of: ":") {
                let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
                fields.append((String(line[..<colon]), String(value)))
            }
        }
        return fields
    }

    /// The values of all fields of that name, in any case, top first.
    package func values(of name: String) -> [String] {
        headerFields.filter { $0.name.lowercased() == name.lowercased() }.map(\.value)
    }

    /// Everything after the first empty line, with LF line ends.
    package var body: String {
        guard let range = text.range(of: "\n\n") else { return "" }
        return String(text[range.upperBound...])
    }

    private var header: Substring {
        let text = self.text
        return text.range(of: "\n\n").map { text[..<$0.lowerBound] } ?? text[...]
    }

    /// Reads a dump file; nil when it is not complete.
    init?(dump: [UInt8]) {
        var facts: [String: [String]] = [:]
        var position = dump.startIndex
        // The sink's own fields end with its three-line Received.
        while let end = dump[position...].firstIndex(of: 0x0a) {
            let line = String(decoding: dump[position..<end], as: UTF8.self)
            guard !line.hasPrefix("Received: ") else { break }
            guard let colon = line.firstIndex(of: ":") else { return nil }
            facts[String(line[..<colon]), default: []].append(String(line[line.index(after: colon)...].dropFirst()))
            position = end + 1
        }
        for _ in 0..<3 {
            guard let end = dump[position...].firstIndex(of: 0x0a) else { return nil }
            position = end + 1
        }
        // The empty line at the end is the sink's; without it the mail is still under way.
        guard let mail = facts["X-Mail-Args"]?.first, dump.count > position, dump.last == 0x0a else { return nil }
        mailArguments = mail
        recipientArguments = facts["X-Rcpt-Args"] ?? []
        reversePath = Self.path(mail)
        recipients = recipientArguments.map(Self.path)
        helo = facts["X-Helo-Args"]?.first ?? ""
        clientAddress = facts["X-Client-Addr"]?.first ?? ""
        bytes = dump[position...].dropLast().reduce(into: []) { result, byte in
            if byte == 0x0a { result.append(0x0d) }
            result.append(byte)
        }
    }

    /// What stands between the brackets of a path argument; a quoted local part may hold brackets itself.
    private static func path(_ argument: String) -> String {
        guard let start = argument.firstIndex(of: "<") else {
            return String(argument.prefix { $0 != " " })
        }
        var quoted = false
        var result = ""
        for character in argument[argument.index(after: start)...] {
            if character == "\"" { quoted.toggle() }
            if character == ">" && !quoted { break }
            result.append(character)
        }
        return result
    }
}
