import MailModel

/// A mail as it left, read the way tests want it: header lines unfolded, soft line breaks of quoted-printable gone.
struct SentMail {
    let text: String

    init(_ mail: OutgoingMail) {
        text = String(decoding: mail.bytes, as: UTF8.self).replacing("=\r\n", with: "")
    }

    func field(_ name: String) -> String? {
        let head = text.prefix(upTo: text.firstRange(of: "\r\n\r\n")?.lowerBound ?? text.endIndex)
        let lines = head.replacing("\r\n ", with: " ").split(separator: "\r\n")
        return lines.first { $0.hasPrefix("\(name): ") }.map { line in
            String(line.dropFirst(name.count + 2)).replacing("  ", with: " ").drop { $0 == " " }.description
        }
    }

    /// The tokens of all addresses `/KIND/…`, in order.
    func tokens(_ kind: String) -> [String] {
        text.ranges(of: "/\(kind)/").map { range in
            String(
                text[range.upperBound...].prefix { character in
                    character.isASCII
                        && (character.isLetter || character.isNumber || character == "-" || character == "_")
                })
        }
    }
}
