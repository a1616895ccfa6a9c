/// The address of a webhook, in the strict reading that leaves no two programs of different minds about its host: no
/// user name, no percent sign in the host, no character that somebody might encode, ignore or take for a slash.
package struct WebhookURL: Hashable, Sendable {
    package enum Scheme: String, Hashable, Sendable {
        case http, https
    }

    /// Why a text is no address of a webhook: a sentence without its subject, for the author of the step.
    package struct Objection: Error, Hashable, Sendable, CustomStringConvertible {
        package var description: String

        init(_ description: String) { self.description = description }
    }

    package var scheme: Scheme
    /// In lower case, without a final dot; an IPv6 address without brackets.
    package var host: String
    package var port: Int
    /// Path and query, at least `/`.
    package var target: String

    /// Bytes, more than any server takes.
    package static let lengthLimit = 8192

    package init(_ text: String) throws(Objection) {
        guard text.utf8.count <= Self.lengthLimit else {
            throw Objection("is longer than \(Self.lengthLimit) bytes")
        }
        guard let separator = text.utf8.firstRange(of: "://".utf8),
            let scheme = Scheme(rawValue: text[..<separator.lowerBound].lowercased())
        else { throw Objection("does not begin with https://") }
        let rest = text[separator.upperBound...]
        guard rest.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\\") }) else {
            throw Objection(
                "holds a blank, a control character, a backslash or a letter outside ASCII: "
                    + "use | url_encode in the template")
        }
        let end = rest.utf8.firstIndex { "/?#".utf8.contains($0) } ?? rest.endIndex
        (host, port) = try Self.authority(rest[..<end], scheme: scheme)
        self.scheme = scheme
        // The fragment is for the one who asks, never for the server (RFC 9110 section 4.1).
        let sent = rest[end...].prefix { $0 != "#" }
        target = sent.hasPrefix("/") ? String(sent) : "/" + sent
    }

    /// Host and port, as the bound on calls to one receiver and the list of allowed hosts write it.
    package var authority: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    private static func authority(_ text: Substring, scheme: Scheme) throws(Objection) -> (String, Int) {
        guard !text.contains("@") else { throw Objection("holds a user name: use a header for credentials") }
        var host = text
        var rest: Substring = ""
        if text.hasPrefix("[") {
            guard let close = text.firstIndex(of: "]") else { throw Objection("has an open bracket") }
            host = text[text.index(after: text.startIndex)..<close]
            rest = text[text.index(after: close)...]
            guard host.contains(":"), host.allSatisfy({ $0.isHexDigit || $0 == ":" || $0 == "." }) else {
                throw Objection("has no IPv6 address between its brackets")
            }
        } else {
            if let colon = text.firstIndex(of: ":") { (host, rest) = (text[..<colon], text[colon...]) }
            if host.hasSuffix(".") { host.removeLast() }
            let isName = host.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
            guard isName, !host.isEmpty, host.utf8.count <= 253, !host.hasPrefix("."), !host.hasSuffix("."),
                !host.contains("..")
            else {
                throw Objection("has no host name")
            }
        }
        return (host.lowercased(), try port(rest, scheme: scheme))
    }

    private static func port(_ text: Substring, scheme: Scheme) throws(Objection) -> Int {
        if text.isEmpty { return scheme == .https ? 443 : 80 }
        let digits = text.dropFirst()
        guard text.hasPrefix(":"), digits.utf8.count <= 5, digits.utf8.allSatisfy({ $0 &- UInt8(ascii: "0") < 10 }),
            let port = Int(digits), (1...65_535).contains(port)
        else { throw Objection("has no port from 1 to 65535 after the host") }
        return port
    }
}

extension WebhookURL: CustomStringConvertible {
    /// Put together from the parts that were looked at, so that nothing else reaches the network.
    package var description: String { "\(scheme.rawValue)://\(authority)\(target)" }
}
