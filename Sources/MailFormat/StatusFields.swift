import MailModel

/// The fields of a delivery status (RFC 3464 section 2.1), also where they stand in free text.
///
/// Blocks are separated by empty lines; but many programs forget one, add one, or fold fields without need, so a block is not
/// taken at its word: a recipient begins where a field comes that the last one already has.
struct StatusFields {
    typealias Block = [String: String]

    /// The fields about the mail as a whole.
    private(set) var message: Block = [:]
    private(set) var recipients: [Block] = []

    private static let perRecipient: Set<String> = [
        "final-recipient", "original-recipient", "action", "status", "diagnostic-code", "remote-mta",
        "last-attempt-date", "will-retry-until", "final-log-id", "x-actual-recipient", "x-display-name",
        "smtp-remote-recipient", "x-supplementary-info",
    ]
    private static let perMessage: Set<String> = [
        "reporting-mta", "original-envelope-id", "dsn-gateway", "received-from-mta", "arrival-date",
        "x-postfix-queue-id", "x-postfix-sender", "reporting-ua", "feedback-type", "user-agent", "version",
        "original-mail-from", "original-rcpt-to", "received-date", "source-ip", "reported-domain",
        "authentication-results", "removal-recipient", "x-queue-id",
    ]
    /// What a recipient has once.
    private static let unique: Set<String> = [
        "final-recipient", "action", "status", "x-actual-recipient", "original-recipient",
    ]

    /// Nobody writes to more in one transaction that is worth a report.
    private static let limit = 1000

    /// - Parameter isFree: the lines are a text in which fields may stand; only known ones are taken.
    init(_ text: String, isFree: Bool = false) {
        var current: Block = [:]
        var last: String?
        var hasBreak = false
        for line in text.utf8.prefix(256 << 10).split(separator: 0x0A, omittingEmptySubsequences: false) {
            let isIndented = line.first == 0x20 || line.first == 0x09
            let line = StatusFields.trimmed(line, isFree: isFree)
            guard !line.isEmpty else {
                last = nil
                hasBreak = true
                continue
            }
            if line.first == 0x20 || line.first == 0x09 {
                if let name = last { current[name]?.append(" " + StatusFields.text(line)) }
                continue
            }
            guard let (name, value) = StatusFields.field(line), !isFree || StatusFields.isKnown(name) else {
                // Some programs break a field's line without indenting the next.
                if let name = last, isFree ? isIndented : !hasBreak {
                    current[name]?.append(" " + StatusFields.text(line))
                } else if isFree {
                    last = nil
                }
                continue
            }
            if begins(name, current, hasBreak: hasBreak) {
                take(current)
                current = [:]
            }
            hasBreak = false
            if current[name] == nil { current[name] = value }
            last = name
            if recipients.count >= StatusFields.limit { break }
        }
        take(current)
    }

    /// True when there is something about a recipient.
    var isEmpty: Bool { recipients.isEmpty }

    private func begins(_ name: String, _ current: Block, hasBreak: Bool) -> Bool {
        if StatusFields.unique.contains(name), current[name] != nil { return true }
        guard hasBreak else { return false }
        let isAboutMessage = current.keys.contains { StatusFields.perMessage.contains($0) }
        let isAboutRecipient = current.keys.contains { StatusFields.unique.contains($0) }
        if isAboutMessage, !isAboutRecipient { return true }
        // After an empty line a recipient begins with his address, the rest still belongs to the one before.
        return isAboutRecipient && (name == "final-recipient" || name == "original-recipient")
            && (current["final-recipient"] != nil || current["original-recipient"] != nil)
    }

    private mutating func take(_ block: Block) {
        guard !block.isEmpty else { return }
        let isRecipient =
            block["final-recipient"] != nil || block["original-recipient"] != nil || block["action"] != nil
            || (block["status"] != nil && block["reporting-mta"] == nil) || block["x-actual-recipient"] != nil
        if isRecipient, recipients.count < StatusFields.limit { recipients.append(block) }
        for (name, value) in block
        where message[name] == nil && (!isRecipient || StatusFields.perMessage.contains(name)) {
            message[name] = value
        }
    }

    private static func isKnown(_ name: String) -> Bool { perRecipient.contains(name) || perMessage.contains(name) }

    private static func trimmed(_ line: Substring.UTF8View.SubSequence, isFree: Bool) -> ArraySlice<UInt8> {
        var bytes = Array(line)[...]
        while let last = bytes.last, last <= 0x20 { bytes.removeLast() }
        guard isFree else { return bytes }
        // Quoted or indented fields.
        while let first = bytes.first, first == 0x20 || first == 0x09 || first == UInt8(ascii: ">") {
            bytes.removeFirst()
        }
        return bytes
    }

    private static func field(_ line: ArraySlice<UInt8>) -> (name: String, value: String)? {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon - line.startIndex <= 60 else { return nil }
        let name = String(decoding: line[..<colon], as: UTF8.self).trimmingBlanks().lowercased()
        guard !name.isEmpty, !name.utf8.contains(0x20) else { return nil }
        return (name, text(line[(colon + 1)...]))
    }

    private static func text(_ bytes: ArraySlice<UInt8>) -> String {
        let text = String(
            decoding: bytes.prefix(4096).map { $0 < 0x20 || $0 == 0x7F ? 0x20 : $0 }, as: UTF8.self)
        return text.trimmingBlanks()
    }
}
