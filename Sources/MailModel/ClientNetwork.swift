/// Where a client's IP address belongs, as far as the address itself tells.
package enum ClientNetwork: Hashable, Sendable {
    /// The machine itself; also mail without a client, from sendmail(1).
    case loopback
    /// An address that is routed in no public network (RFC 1918, RFC 3927, RFC 4193, RFC 4291 section 2.5.6).
    case `private`
    case `public`

    /// Reads an address as text; `[…]`, `IPv6:` and an IPv4 address mapped into IPv6 are understood. What cannot be read
    /// counts as private: nobody's claim is trusted for it.
    package init(address: String) {
        let text = Self.bare(address)
        if text.isEmpty || text == "::1" {
            self = .loopback
        } else if text.contains(":") {
            let isPrivate = ["fc", "fd", "fe8", "fe9", "fea", "feb"].contains { text.hasPrefix($0) } || text == "::"
            self = isPrivate ? .private : .public
        } else {
            self = ClientNetwork(dotted: text)
        }
    }

    /// Without brackets, the word `IPv6:` and what maps an IPv4 address into IPv6.
    static func bare(_ address: String) -> String {
        var text = address.lowercased().filter { $0 != "[" && $0 != "]" }
        if text.hasPrefix("ipv6:") { text.removeFirst(5) }
        if text.hasPrefix("::ffff:"), text.contains(".") { text.removeFirst(7) }
        return text
    }

    private init(dotted text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false).compactMap { UInt8($0) }
        guard parts.count == 4 else {
            self = .private
            return
        }
        switch (parts[0], parts[1]) {
        case (127, _): self = .loopback
        case (10, _), (192, 168), (172, 16...31), (169, 254), (0, _): self = .private
        default: self = .public
        }
    }
}
