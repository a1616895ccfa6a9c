import Glibc

/// Names and numbers of hosts, as far as a configuration has to tell them apart. Nothing is looked up.
enum Hostname {
    /// Labels of letters, digits, `-` and `_`, each at most 63 bytes, 253 in all (RFC 1035 section 2.3.4). Letters
    /// beyond ASCII are accepted. A name whose last label is a number is an address or a slip (RFC 3696 section 2).
    static func isDomain(_ text: String) -> Bool {
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        guard text.utf8.count <= 253, let last = labels.last, !last.allSatisfy(\.isNumber) else { return false }
        return labels.allSatisfy { label in
            !label.isEmpty && label.utf8.count <= 63 && !label.hasPrefix("-") && !label.hasSuffix("-")
                && label.allSatisfy { $0.isLetter || $0.isNumber || $0 == "-" || $0 == "_" }
        }
    }

    /// An IPv4 address in four parts or an IPv6 address without brackets and zone (inet_pton(3)).
    static func isAddress(_ text: String) -> Bool { isIPv4(text) || isIPv6(text) }

    static func isIPv4(_ text: String) -> Bool {
        var address = in_addr()
        return inet_pton(AF_INET, text, &address) == 1
    }

    static func isIPv6(_ text: String) -> Bool {
        var address = in6_addr()
        return inet_pton(AF_INET6, text, &address) == 1
    }

    /// Whether only programs of this machine reach it: 127/8, ::1 and `localhost`.
    static func isLoopback(_ text: String) -> Bool {
        let name = text.lowercased()
        return name == "localhost" || name == "::1" || (isIPv4(name) && name.hasPrefix("127."))
    }

    /// The base URL without a closing slash; nil when it has no http scheme, no host, or a user, query or fragment.
    static func baseURL(_ text: String) -> String? {
        guard let scheme = ["http://", "https://"].first(where: { text.lowercased().hasPrefix($0) }) else { return nil }
        var rest = text.dropFirst(scheme.count)
        guard !rest.contains(where: { $0.isWhitespace || "?#@<>\"\\".contains($0) }) else { return nil }
        while rest.hasSuffix("/") { rest = rest.dropLast() }
        let authority = String(rest.prefix { $0 != "/" })
        let isHost = isDomain(authority) || isIPv4(authority) || isBracketed(authority) || HostPort(authority) != nil
        return isHost ? scheme + rest : nil
    }

    private static func isBracketed(_ text: String) -> Bool {
        text.hasPrefix("[") && text.hasSuffix("]") && isIPv6(String(text.dropFirst().dropLast()))
    }
}

/// A host and a TCP port.
package struct HostPort: Hashable, Sendable, CustomStringConvertible {
    /// Name or address, without brackets.
    package var host: String
    /// 0 to 65535; 0 asks the system for any free one.
    package var port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// Reads `host:port`, `127.0.0.1:port` or `[::1]:port`; nil for anything else.
    package init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return nil
        }
        let name = text[..<colon]
        if name.hasPrefix("["), name.hasSuffix("]") {
            host = String(name.dropFirst().dropLast()).lowercased()
            guard Hostname.isIPv6(host) else { return nil }
        } else {
            host = name.lowercased()
            guard Hostname.isDomain(host) || Hostname.isIPv4(host) else { return nil }
        }
        self.port = Int(port)
    }

    /// The form `init(_:)` reads, and URLs need.
    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
