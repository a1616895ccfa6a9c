import JSONValue
import MailModel

/// Asks the system for the servers of a mail domain.
package protocol MailServerLookup: Sendable {
    /// Whether the domain has a server that takes mail: an MX record that is not the null MX (RFC 7505), or without any an
    /// address record (RFC 5321 section 5.1).
    /// - Parameter domain: in ASCII.
    /// - Returns: nil when nobody could say in time.
    func hasMailServer(_ domain: String) async -> Bool?
}

/// Tells what speaks for and against a mail address, without asking anybody but the DNS.
package struct AddressCheck: Sendable {
    package let context: EngineContext

    package init(context: EngineContext) { self.context = context }

    package struct Result: Hashable, Sendable {
        package var email: String
        package var isValid: Bool
        package var isDisposable: Bool
        /// Nil when the DNS was not asked or did not answer.
        package var hasMailServer: Bool?
        package var suggestion: String?
        package var reasons: [String]

        /// As clients read it.
        package var json: JSON {
            var object: JSONObject = [
                "email": .string(email), "valid": .bool(isValid), "isDisposable": .bool(isDisposable),
                "hasMxRecords": hasMailServer.map { .bool($0) } ?? .null,
                "reasons": .array(reasons.map { .string($0) }),
            ]
            object["suggestedEmail"] = suggestion.map { .string($0) }
            return .object(object)
        }
    }

    /// A bare IP address, or what ends like one: no top-level domain is a number (RFC 3696 section 2).
    private static func isNumeric(_ domain: String) -> Bool {
        domain.split(separator: ".").last?.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            ?? false
    }

    /// Never throws: what is no address is the answer.
    package func run(_ text: String) async -> Result {
        var start = text.drop(while: \.isWhitespace)
        while start.last?.isWhitespace == true { start.removeLast() }
        let text = String(start)
        let address: MailAddress
        do { address = try MailAddress(text) } catch {
            return Result(
                email: String(text.prefix(320)), isValid: false, isDisposable: false, hasMailServer: nil,
                suggestion: nil, reasons: ["invalid_syntax: \(error.rawValue)"])
        }
        let domain = address.asciiDomain ?? address.domain.lowercased()
        var result = Result(
            email: address.normalized, isValid: true, isDisposable: DisposableDomains.contains(domain),
            hasMailServer: nil, suggestion: nil, reasons: [])
        if result.isDisposable { result.reasons.append("disposable_domain") }
        if let near = MailProviders.nearest(to: domain) {
            result.suggestion = "\(address.localPart)@\(near)".lowercased()
            result.reasons.append("domain_may_be_misspelled")
        }
        if !domain.contains(".") || domain.hasPrefix("[") || Self.isNumeric(domain) {
            result.isValid = false
            result.reasons.append("domain_not_public")
        } else if let lookup = context.mailServers {
            result.hasMailServer = await lookup.hasMailServer(domain)
            switch result.hasMailServer {
            case false?:
                result.isValid = false
                result.reasons.append("no_mail_server")
            case nil: result.reasons.append("dns_did_not_answer")
            case true?: break
            }
        }
        return result
    }
}

/// The domains that most addresses have, and which of them a misspelled one means.
enum MailProviders {
    private static let domains = [
        "gmail.com", "googlemail.com", "yahoo.com", "hotmail.com", "outlook.com", "live.com", "icloud.com", "aol.com",
        "gmx.de", "gmx.net", "web.de", "t-online.de", "proton.me", "protonmail.com", "yahoo.co.uk", "hotmail.co.uk",
        "hotmail.fr", "orange.fr", "libero.it", "mail.ru", "yandex.ru", "qq.com", "163.com", "fastmail.com",
    ]
    /// Real domains that are near one of them and are none of them.
    private static let others: Set<String> = [
        "mail.com", "email.com", "ymail.com", "gmx.com", "gmx.at", "gmx.ch", "gmx.us", "live.de", "live.nl", "live.fr",
        "live.it",
        "me.com", "mac.com", "yahoo.de", "yahoo.fr", "yahoo.ca", "yahoo.it", "yahoo.es", "yahoo.in", "hotmail.de",
        "hotmail.it",
        "hotmail.es", "outlook.de", "outlook.fr", "outlook.es", "outlook.it", "126.com", "139.com", "aim.com", "aol.de",
        "aol.fr", "yandex.com", "yandex.ua", "web.com", "pm.me", "proton.ch", "mail.de", "bk.ru", "free.fr", "sfr.fr",
    ]

    /// Nil for a provider itself, for a known other one, and for what is near none.
    static func nearest(to domain: String) -> String? {
        guard !domains.contains(domain), !others.contains(domain) else { return nil }
        // Of a short name nearly every other one is two letters away.
        let limit = { (candidate: String) in candidate.utf8.count < 8 ? 1 : 2 }
        return domains.map { (name: $0, distance: distance(domain, $0, atMost: limit($0))) }
            .filter { $0.distance <= limit($0.name) }.min { $0.distance < $1.distance }?.name
    }

    /// Insertions, deletions, replacements and swaps of neighbours (optimal string alignment); `limit` + 1 for more.
    static func distance(_ left: String, _ right: String, atMost limit: Int) -> Int {
        let (a, b) = (Array(left.utf8), Array(right.utf8))
        guard abs(a.count - b.count) <= limit else { return limit + 1 }
        var rows = [Array(0...b.count)]
        for i in 1...max(1, a.count) where i <= a.count {
            var row = [i] + [Int](repeating: 0, count: b.count)
            for j in 1...max(1, b.count) where j <= b.count {
                row[j] = min(rows[i - 1][j] + 1, row[j - 1] + 1, rows[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1))
                if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
                    row[j] = min(row[j], rows[i - 2][j - 2] + 1)
                }
            }
            rows.append(row)
        }
        return min(rows[a.count][b.count], limit + 1)
    }
}

/// Domains whose mailboxes anybody may read and nobody keeps. The best known alone: there are tens of thousands, and they
/// change by the day.
enum DisposableDomains {
    private static let domains: Set<String> = [
        "mailinator.com", "guerrillamail.com", "guerrillamail.net", "guerrillamail.org", "sharklasers.com", "grr.la",
        "10minutemail.com", "10minutemail.net", "tempmail.com", "temp-mail.org", "temp-mail.io", "yopmail.com",
        "yopmail.fr",
        "yopmail.net", "throwawaymail.com", "trashmail.com", "trashmail.de", "trashmail.net", "getnada.com",
        "maildrop.cc",
        "dispostable.com", "fakeinbox.com", "mohmal.com", "mailnesia.com", "mintemail.com", "mytemp.email",
        "tempail.com",
        "spamgourmet.com", "discard.email", "wegwerfmail.de", "emailondeck.com", "moakt.com", "tempr.email",
        "burnermail.io",
        "mailcatch.com", "inboxkitten.com", "33mail.com", "spam4.me", "einrot.com", "byom.de",
    ]

    /// Whether it is one of them, or within one.
    static func contains(_ domain: String) -> Bool {
        var rest = domain.lowercased()[...]
        while true {
            if domains.contains(String(rest)) { return true }
            guard let dot = rest.firstIndex(of: ".") else { return false }
            rest = rest[rest.index(after: dot)...]
        }
    }
}
