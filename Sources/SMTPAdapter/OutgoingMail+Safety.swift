import Glibc
import MailModel

extension OutgoingMail {
    /// Why this mail must not go on the wire as it is; nil when nothing speaks against it.
    ///
    /// Addresses go into commands and the message into DATA as given: a line end in an address is a second
    /// command, and a lone LF before a dot ends the message early at some servers ("SMTP smuggling").
    var objection: String? {
        if let fault = pathFault(reversePath, mayBeEmpty: true) { return "The reverse path \(fault)." }
        if let fault = pathFault(recipient, mayBeEmpty: false) { return "The recipient \(fault)." }
        if hasBareLineEnd(bytes) { return "The message has a CR or LF that is no CRLF." }
        return nil
    }
}

/// What is wrong with an address as the argument of MAIL FROM or RCPT TO (RFC 5321 section 4.1.2), as far as it could
/// change the command's meaning or is no form in which addresses travel.
private func pathFault(_ path: String, mayBeEmpty: Bool) -> String? {
    if path.isEmpty { return mayBeEmpty ? nil : "is empty" }
    // 256 with the brackets: RFC 5321 section 4.5.3.1.3.
    if path.utf8.count > 254 { return "is longer than 254 bytes" }
    var isQuoted = false
    var isEscaped = false
    var domainStart: String.UTF8View.Index?
    var lastForeign: String.UTF8View.Index?
    for index in path.utf8.indices {
        let byte = path.utf8[index]
        if byte >= 0x80 { lastForeign = index }
        if byte < 0x20 || byte == 0x7F { return "has a control character" }
        if isEscaped {
            isEscaped = false
            continue
        }
        switch byte {
        case 0x5C where isQuoted: isEscaped = true
        case 0x22: isQuoted.toggle()
        case 0x20 where !isQuoted: return "has a space outside quotes"
        case 0x3C where !isQuoted, 0x3E where !isQuoted: return "has an angle bracket outside quotes"
        case 0x40 where !isQuoted: domainStart = path.utf8.index(after: index)
        default: break
        }
    }
    if isQuoted { return "has an open quote" }
    guard let domainStart, domainStart < path.utf8.endIndex else { return "has no domain" }
    guard let lastForeign else { return nil }
    if lastForeign >= domainStart { return "has a domain in another script; write it as xn-- labels" }
    // What ends a line, hides text or is a blank to some, in more than one byte.
    return MailAddress.isSafeForSMTP(path) ? nil : "has a character that is in no address"
}

/// Whether a CR or LF stands alone. By lines, because it runs for every message.
private func hasBareLineEnd(_ bytes: [UInt8]) -> Bool {
    bytes.withUnsafeBytes { bytes in
        guard let base = bytes.baseAddress else { return false }
        var position = 0
        while position < bytes.count {
            let rest = bytes.count - position
            let feed = memchr(base + position, 0x0A, rest)
            let carriage = memchr(base + position, 0x0D, rest)
            guard let feed, let carriage else { return feed != nil || carriage != nil }
            guard feed == carriage + 1 else { return true }
            position = UnsafeRawPointer(feed) - base + 1
        }
        return false
    }
}
