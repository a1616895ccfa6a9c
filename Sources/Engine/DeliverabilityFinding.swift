import JSONValue

/// One remark about how a domain's mail stands with its receivers: what is wrong or right, and what to put where.
package struct DeliverabilityFinding: Hashable, Sendable {
    /// How much it weighs.
    package enum Severity: String, Hashable, Sendable, CaseIterable {
        /// Looked at and found in order.
        case ok
        /// Works, and probably not as well as it could.
        case warning
        /// Mail is refused, or lands with the spam.
        case error
    }

    /// What it is about.
    package enum Subject: String, Hashable, Sendable, CaseIterable {
        case mx, spf, dkim, dmarc, ptr
        /// The fields by which mail programs offer to unsubscribe, and whether the signature covers them.
        case unsubscribe
        /// The mail that was looked at.
        case mail
    }

    /// A record of the DNS, ready to be added.
    package struct Record: Hashable, Sendable {
        /// Without the dot at the end.
        package var name: String
        package var type: String
        /// As in a zone file, but a TXT record's text without quotes.
        package var value: String

        package init(_ name: String, _ type: String, _ value: String) {
            self.name = name
            self.type = type
            self.value = value
        }

        /// As in a zone file: `example.com. IN TXT "v=spf1 -all"`. Texts over 255 bytes in several strings.
        package var line: String { "\(name). IN \(type) \(type == "TXT" ? Self.quoted(value) : value)" }

        private static func quoted(_ text: String) -> String {
            var pieces: [String] = []
            var rest = Array(text.utf8)[...]
            repeat {
                let piece = String(decoding: rest.prefix(255), as: UTF8.self)
                let escaped = piece.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
                pieces.append("\"\(escaped)\"")
                rest = rest.dropFirst(255)
            } while !rest.isEmpty
            return pieces.joined(separator: " ")
        }
    }

    package var severity: Severity
    package var subject: Subject
    /// One sentence without the mend.
    package var message: String
    /// What to do beside the record, or how; a line of a configuration where there is one. May be empty.
    package var mend: String
    /// What to add, or to put in the place of what is there.
    package var record: Record?

    package init(
        _ severity: Severity, _ subject: Subject, _ message: String, mend: String = "", record: Record? = nil
    ) {
        self.severity = severity
        self.subject = subject
        self.message = message
        self.mend = mend
        self.record = record
    }

    /// As scripts read it.
    package var json: JSON {
        var object: JSONObject = [
            "severity": .string(severity.rawValue), "check": .string(subject.rawValue), "message": .string(message),
            "mend": .string(mend),
        ]
        object["record"] = record.map {
            ["name": .string($0.name), "type": .string($0.type), "value": .string($0.value), "line": .string($0.line)]
        }
        return .object(object)
    }
}
