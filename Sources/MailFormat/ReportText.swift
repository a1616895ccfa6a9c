import MailModel

/// The lines that a report is written in, without the mail that it returns.
struct ReportText {
    /// Without blanks at the end.
    private(set) var lines: [String] = []
    /// The same in lower case.
    private(set) var lowered: [String] = []
    /// What follows the report in the same text: the returned mail, or its header.
    private(set) var returned: [UInt8]?

    /// More is no report of anything.
    private static let byteLimit = 128 << 10
    private static let lineLimit = 2000

    /// - Parameter text: LF line ends.
    init(_ text: String) {
        let bytes = Array(text.utf8.prefix(ReportText.byteLimit))
        var starts: [Int] = []
        var position = 0
        while position < bytes.count, lines.count < ReportText.lineLimit {
            let end = bytes[position...].firstIndex(of: 0x0A) ?? bytes.count
            var stop = end
            while stop > position, bytes[stop - 1] <= 0x20 { stop -= 1 }
            lines.append(String(decoding: bytes[position..<min(stop, position + 2000)], as: UTF8.self))
            starts.append(position)
            position = end + 1
        }
        lowered = lines.map { $0.lowercased() }
        guard let cut = ReturnedMail.start(lines: lines, lowered: lowered) else { return }
        if cut.header < starts.count { returned = Array(bytes[starts[cut.header]...]) }
        lines.removeSubrange(cut.report...)
        lowered.removeSubrange(cut.report...)
    }

    /// All lines as one text.
    var whole: String { lines.joined(separator: "\n") }
}

/// Where a report ends and the mail that it returns begins.
enum ReturnedMail {
    /// The first line that is no report any more, and the first of the returned header.
    static func start(lines: [String], lowered: [String]) -> (report: Int, header: Int)? {
        for index in lines.indices {
            if isSeparator(lowered[index]) {
                let header = (index + 1..<lines.count).first { !lines[$0].isEmpty } ?? lines.count
                return (index, header)
            }
            if isHeader(at: index, lowered) { return (index, index) }
        }
        return nil
    }

    private static let separators: Phrases = [
        "original message", "copy of the message", "copy of my message", "copy of your message", "unsent message",
        "message headers follow",
        "original message follows", "header of the original", "headers of the original", "original mail",
        "returned message", "undelivered message follows",
        "message text follows", "message header follow", "headers follow", "text of the message follows",
        "message returned below", "original header",
        "bounced e-mail", "bounced message", "first lines of the message", "beginning of the message",
        "the message follows", "your message follows", "original-nachricht", "message d'origine", "text of original",
        "begin of original", "start of original", "below this line", "copy of message", "message contents",
        "message header", "body of message generated",
    ]

    /// `--- Below this line is a copy of the message.`: a line of its own with dashes around it or a word about what follows.
    private static func isSeparator(_ line: String) -> Bool {
        guard line.utf8.count <= 120, let first = line.utf8.first(where: { $0 > 0x20 }) else { return false }
        let isRuled =
            first == UInt8(ascii: "-") || first == UInt8(ascii: "=") || first == UInt8(ascii: "*")
            || first == UInt8(ascii: "#")
        let isAnnounced =
            line.hasSuffix("follow.") || line.hasSuffix("follows") || line.hasSuffix("follow")
            || line.hasSuffix("follows.") || line.hasSuffix("follows:")
            || line.hasSuffix("follow:") || line.hasSuffix("header:") || line.hasSuffix("headers:")
        if line == "original message:" || line == "original mail:" { return true }
        guard isRuled || isAnnounced else { return false }
        // Postfix and others announce it in the sentence that opens the report.
        guard isRuled || line.utf8.count <= 60 else { return false }
        return separators.isFound(in: line)
    }

    private static let names: Set<String> = [
        "received", "return-path", "message-id", "date", "from", "to", "cc", "subject", "mime-version", "content-type",
        "content-transfer-encoding", "dkim-signature", "domainkey-signature", "delivered-to", "sender", "reply-to",
        "references", "in-reply-to", "user-agent", "importance", "list-unsubscribe", "x-mailer", "x-priority",
        "authentication-results", "received-spf", "arc-seal", "x-received", "x-originating-ip",
    ]

    /// Fields that a report does not write about the mail.
    private static let transport: Set<String> = [
        "received", "return-path", "message-id", "mime-version", "dkim-signature", "domainkey-signature",
        "delivered-to", "arc-seal", "x-received", "x-mailer", "content-type", "user-agent",
    ]

    /// Three or more fields of a mail's header in the next lines, at least one of which only a mail has.
    private static func isHeader(at index: Int, _ lowered: [String]) -> Bool {
        guard let first = name(lowered[index]) else { return false }
        var seen: Set<String> = [first]
        var hasTransport = transport.contains(first)
        var next = index + 1
        while next < lowered.count, next < index + 24 {
            let line = lowered[next]
            next += 1
            if line.isEmpty { break }
            if line.utf8.first == 0x20 || line.utf8.first == 0x09 { continue }
            guard let colon = line.utf8.firstIndex(of: UInt8(ascii: ":")), colon != line.startIndex else { break }
            let name = String(line[..<colon])
            if name.contains(" ") { break }
            if names.contains(name) { seen.insert(name) }
            if transport.contains(name) { hasTransport = true }
            if seen.count >= 3, hasTransport { return true }
        }
        return false
    }

    private static func name(_ line: String) -> String? {
        guard let colon = line.utf8.firstIndex(of: UInt8(ascii: ":")) else { return nil }
        let name = String(line[..<colon])
        return names.contains(name) ? name : nil
    }
}
