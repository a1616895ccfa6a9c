/// What a text setting may hold, beyond being text. Control characters are never accepted.
struct TextRule: Sendable {
    /// Completes the sentence "Type: …" of the reference page.
    let name: String
    /// The value in its normal form.
    let normalise: @Sendable (String) throws(Complaint) -> String

    /// `text` in normal form; empty text passes only with `allowsEmpty`.
    func apply(_ text: String, allowsEmpty: Bool) throws(Complaint) -> String {
        if text.isEmpty {
            guard allowsEmpty else { throw Complaint(message: "is empty", mend: "write \(name)") }
            return text
        }
        guard text.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control }) else {
            throw Complaint(message: "holds a control character", mend: "remove it")
        }
        return try normalise(text)
    }
}

extension TextRule {
    static let any = TextRule(name: "text") { text throws(Complaint) in text }

    /// Not checked for existence: the daemon makes some of these files itself.
    static let path = TextRule(name: "path of a file") { text throws(Complaint) in text }

    /// The address of a Unix socket must fit `sockaddr_un.sun_path`, 108 bytes with its NUL (unix(7)).
    static let socketPath = TextRule(name: "path of a Unix socket, at most 107 bytes") { text throws(Complaint) in
        guard text.utf8.count <= 107 else {
            throw Complaint(
                message: "is \(text.utf8.count) bytes long; the kernel takes 107", mend: "choose a shorter path")
        }
        return text
    }

    static let group = TextRule(name: "name of a group") { text throws(Complaint) in
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x3A && $0 < 0x7F }) else {
            throw Complaint(message: "`\(text)` is no name of a group", mend: "write a name of /etc/group")
        }
        return text
    }

    static let mode = TextRule(name: "octal mode in quotes") { text throws(Complaint) in
        guard text.count >= 3, let mode = UInt32(text, radix: 8), mode <= 0o777 else {
            throw Complaint(
                message: "`\(text)` is no octal mode", mend: "write four octal digits in quotes, for example \"0660\"")
        }
        return text
    }

    /// Delimiter and token follow the local part, and all of it has 64 bytes (RFC 5321 section 4.5.3.1.1).
    static let tokenAddress = TextRule(name: "mail address, at most 11 bytes before the @") { text throws(Complaint) in
        let address = try mailAddress.normalise(text)
        let localPart = address.utf8.prefix { $0 != UInt8(ascii: "@") }
        let isPlain = localPart.allSatisfy { byte in
            byte &- UInt8(ascii: "0") < 10 || (byte | 0x20) &- UInt8(ascii: "a") < 26
                || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "_")
        }
        guard localPart.count <= 11, isPlain else {
            throw Complaint(
                message: "`\(text)` leaves no room for a token",
                mend: "take at most 11 letters, digits, dots and underscores before the @, like bounce@example.com")
        }
        return address
    }

    static let delimiter = TextRule(name: "one of + - = #") { text throws(Complaint) in
        guard ["+", "-", "=", "#"].contains(text) else {
            throw Complaint(message: "`\(text)` is no delimiter", mend: "write one of + - = #, in quotes")
        }
        return text
    }

    static let domain = TextRule(name: "domain name") { text throws(Complaint) in
        guard Hostname.isDomain(text) else {
            throw Complaint(message: "`\(text)` is no domain name", mend: "write a name like example.com")
        }
        return text.lowercased()
    }

    static let host = TextRule(name: "host name or IP address") { text throws(Complaint) in
        guard Hostname.isDomain(text) || Hostname.isAddress(text) else {
            throw Complaint(
                message: "`\(text)` is no host", mend: "write a host name, an IPv4 or an IPv6 address, without a port")
        }
        return text.lowercased()
    }

    static let address = TextRule(name: "IP address") { text throws(Complaint) in
        guard Hostname.isAddress(text) || text.lowercased() == "localhost" else {
            throw Complaint(
                message: "`\(text)` is no IP address", mend: "write an address of this machine, for example 127.0.0.1")
        }
        return text.lowercased()
    }

    static let network = TextRule(name: "IP address, or network like 192.0.2.0/24") { text throws(Complaint) in
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map { String($0) }
        let bits = Hostname.isIPv4(parts[0]) ? 32 : 128
        let isDigits = parts.count == 2 && parts[1].utf8.allSatisfy { (0x30...0x39).contains($0) }
        let isLength = isDigits && Int(parts[1]).map { $0 <= bits } == true
        // Clients with an address of IPv4 are known by it, however a socket for both kinds shows it.
        guard !parts[0].hasPrefix("::ffff:") && !parts[0].hasPrefix("::FFFF:") else {
            throw Complaint(
                message: "`\(text)` is an IPv4 network in a mapping",
                mend: "write it as IPv4, for example 192.0.2.0/24")
        }
        guard Hostname.isAddress(parts[0]), parts.count == 1 || isLength else {
            throw Complaint(
                message: "`\(text)` is no IP address and no network",
                mend: "write for example 192.0.2.0/24 or 2001:db8::/32")
        }
        return text.lowercased()
    }

    /// IPv4 alone: the resolver's calls take no other where they are told whom to ask.
    static let nameServer = TextRule(name: "IPv4 address, or address:port") { text throws(Complaint) in
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard Hostname.isIPv4(String(parts[0])),
            parts.count == 1 || parts.count == 2 && UInt16(parts[1]).map({ $0 > 0 }) == true
        else {
            throw Complaint(
                message: "`\(text)` is no IPv4 address, with or without a port",
                mend: "write for example 127.0.0.1 or 127.0.0.1:5353")
        }
        return text
    }

    static let hostPort = TextRule(name: "host:port") { text throws(Complaint) in
        guard HostPort(text) != nil else {
            throw Complaint(
                message: "`\(text)` is no host and port", mend: "write for example 127.0.0.1:8471 or [::1]:8471")
        }
        return text
    }

    static let hostMaybePort = TextRule(name: "host or host:port") { text throws(Complaint) in
        if Hostname.isDomain(text) || Hostname.isAddress(text) { return text.lowercased() }
        guard let pair = HostPort(text), pair.port > 0 else {
            throw Complaint(
                message: "`\(text)` is no host, with or without a port",
                mend: "write for example hooks.example.com, 127.0.0.1:8080, ::1 or [::1]:8080")
        }
        return pair.description
    }

    static let mailAddress = TextRule(name: "mail address") { text throws(Complaint) in
        guard let address = MailboxText.address(text) else {
            throw Complaint(
                message: "`\(text)` is no mail address", mend: "write local-part@domain without a display name")
        }
        return address
    }

    static let mailbox = TextRule(name: "mail address, with or without a display name") { text throws(Complaint) in
        guard MailboxText.isMailbox(text) else {
            throw Complaint(
                message: "`\(text)` is no mailbox", mend: "write local-part@domain or Name <local-part@domain>")
        }
        return text
    }

    static let fieldName = TextRule(name: "name of a header field") { text throws(Complaint) in
        let isName = text.utf8.count <= 76 && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x3A }
        guard isName else {
            throw Complaint(
                message: "`\(text)` is no name of a header field", mend: "write a name like X-Autoreply, without colon")
        }
        return text
    }

    static let number = TextRule(name: "decimal number") { text throws(Complaint) in
        guard let number = Double(text), number.isFinite else {
            throw Complaint(message: "`\(text)` is no number", mend: "write for example 3.5")
        }
        return text
    }

    static let scannerAddress = TextRule(name: "host:port or path of a Unix socket") { text throws(Complaint) in
        if text.hasPrefix("/") { return try socketPath.normalise(text) }
        guard let pair = HostPort(text), pair.port > 0 else {
            throw Complaint(
                message: "`\(text)` is neither host and port nor a path",
                mend: "write for example 127.0.0.1:11333 or /run/clamav/clamd.ctl")
        }
        return pair.description
    }

    static let verdictCondition = TextRule(name: "verdict=VALUE") { text throws(Complaint) in
        let parts = text.split(separator: "=", omittingEmptySubsequences: false)
        let checks = ["spam", "virus", "spf", "dkim", "dmarc"]
        let verdicts = ["PASS", "FAIL", "GRAY", "PROCESSING_FAILED", "DISABLED"]
        guard parts.count == 2, checks.contains(parts[0].lowercased()), verdicts.contains(parts[1].uppercased()) else {
            throw Complaint(
                message: "`\(text)` is no verdict",
                mend: "write one of \(checks.joined(separator: ", ")), =, and one of "
                    + verdicts.joined(separator: ", "))
        }
        return "\(parts[0].lowercased())=\(parts[1].uppercased())"
    }

    /// One of a closed list, which must be written.
    static func oneOf(_ names: [String]) -> TextRule {
        TextRule(name: names.dropLast().joined(separator: ", ") + " or " + (names.last ?? "")) {
            text throws(Complaint) in
            if names.contains(text) { return text }
            let mend = NearestName.to(text, among: names).map { "did you mean \($0)?" }
            throw Complaint(
                message: "`\(text)` is none of the choices", mend: mend ?? "write \(names.joined(separator: ", "))")
        }
    }

    static let url = TextRule(name: "http or https URL") { text throws(Complaint) in
        guard let url = Hostname.baseURL(text) else {
            throw Complaint(
                message: "`\(text)` is no base URL", mend: "write scheme and host, for example https://mail.example.com"
            )
        }
        return url
    }
}

/// Mail addresses as an administrator writes them. The mail rooms parse what strangers write.
enum MailboxText {
    /// The address with its domain in lower case; nil when it is none. Quoted local parts are not accepted here.
    static func address(_ text: String) -> String? {
        guard let at = text.lastIndex(of: "@"), text.utf8.count <= 254 else { return nil }
        let local = text[..<at]
        let domain = String(text[text.index(after: at)...])
        let forbidden: Set<Character> = ["<", ">", "(", ")", "[", "]", ",", ";", ":", "\\", "\"", "@"]
        guard !local.isEmpty, local.utf8.count <= 64,
            !local.contains(where: { $0.isWhitespace || forbidden.contains($0) }),
            !local.hasPrefix("."), !local.hasSuffix("."), !local.contains(".."), Hostname.isDomain(domain)
        else { return nil }
        return "\(local)@\(domain.lowercased())"
    }

    static func isMailbox(_ text: String) -> Bool {
        guard text.hasSuffix(">"), let open = text.lastIndex(of: "<") else { return address(text) != nil }
        return address(String(text[text.index(after: open)...].dropLast())) != nil
    }
}
