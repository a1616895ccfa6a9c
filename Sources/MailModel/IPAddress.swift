/// An IP address as its bytes in network order, and what the registries say about where it leads.
package struct IPAddress: Hashable, Sendable {
    /// Four or sixteen.
    package let bytes: [UInt8]

    /// Nil for any other count.
    package init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 4 || bytes.count == 16 else { return nil }
        self.bytes = Array(bytes)
    }

    /// The IPv4 address that a translator or tunnel would go to, when this is an IPv6 address that carries one.
    package var embedded: IPAddress? {
        for range in Self.carriers where range.contains(self) {
            return IPAddress(bytes: bytes[range.offset...].prefix(4))
        }
        return nil
    }

    /// What keeps a packet to this address out of the public Internet, in words: `loopback`. Nil for an address that
    /// anybody may own. An address that carries another is what that other one is.
    package var reservation: String? {
        if let embedded { return embedded.reservation }
        if let range = Self.reserved.first(where: { $0.contains(self) }) { return range.name }
        // Everything else of IPv6 is not handed out (IANA, IPv6 Global Unicast Address Assignments).
        if bytes.count == 16, bytes[0] & 0xE0 != 0x20 { return "an address that nobody was given" }
        return nil
    }

    /// A block of addresses with one purpose.
    private struct Range {
        var prefix: [UInt8]
        /// Bits that count.
        var length: Int
        var name: String

        func contains(_ address: IPAddress) -> Bool { matches(address.bytes, prefix: prefix, length: length) }
    }

    /// The IANA special-purpose registries (RFC 6890 and its updates), multicast, and the host address of one cloud
    /// that looks public.
    private static let reserved: [Range] = [
        Range(prefix: [0, 0, 0, 0], length: 8, name: "this network"),
        Range(prefix: [10, 0, 0, 0], length: 8, name: "a private network"),
        Range(prefix: [100, 64, 0, 0], length: 10, name: "a provider's shared network"),
        Range(prefix: [127, 0, 0, 0], length: 8, name: "loopback"),
        Range(prefix: [168, 63, 129, 16], length: 32, name: "a cloud's host"),
        Range(prefix: [169, 254, 0, 0], length: 16, name: "link-local"),
        Range(prefix: [172, 16, 0, 0], length: 12, name: "a private network"),
        Range(prefix: [192, 0, 0, 0], length: 24, name: "a protocol's own network"),
        Range(prefix: [192, 0, 2, 0], length: 24, name: "documentation"),
        Range(prefix: [192, 88, 99, 0], length: 24, name: "a 6to4 relay"),
        Range(prefix: [192, 168, 0, 0], length: 16, name: "a private network"),
        Range(prefix: [198, 18, 0, 0], length: 15, name: "a benchmark network"),
        Range(prefix: [198, 51, 100, 0], length: 24, name: "documentation"),
        Range(prefix: [203, 0, 113, 0], length: 24, name: "documentation"),
        Range(prefix: [224, 0, 0, 0], length: 4, name: "multicast"),
        Range(prefix: [240, 0, 0, 0], length: 4, name: "reserved or broadcast"),
        Range(prefix: v6([0x64, 0xFF9B, 1]), length: 48, name: "a local translator"),
        Range(prefix: v6([0x100]), length: 64, name: "a discard-only network"),
        // Teredo, benchmarks, ORCHID and what else protocols keep for themselves.
        Range(prefix: v6([0x2001]), length: 23, name: "a protocol's own network"),
        Range(prefix: v6([0x2001, 0xDB8]), length: 32, name: "documentation"),
        Range(prefix: v6([0x3FFF]), length: 20, name: "documentation"),
        Range(prefix: v6([0xFC00]), length: 7, name: "a private network"),
        Range(prefix: v6([0xFE80]), length: 10, name: "link-local"),
        Range(prefix: v6([0xFEC0]), length: 10, name: "a site's own network"),
        Range(prefix: v6([0xFF00]), length: 8, name: "multicast"),
    ]

    /// IPv6 blocks whose addresses lead to an IPv4 address, and where it stands in them.
    private struct Carrier {
        var prefix: [UInt8]
        var length: Int
        var offset: Int

        func contains(_ address: IPAddress) -> Bool { matches(address.bytes, prefix: prefix, length: length) }
    }

    private static let carriers: [Carrier] = [
        // Mapped and compatible (RFC 4291 section 2.5.5); `::` and `::1` are 0.0.0.0 and 0.0.0.1 then.
        Carrier(prefix: v6([0, 0, 0, 0, 0, 0xFFFF]), length: 96, offset: 12),
        Carrier(prefix: v6([]), length: 96, offset: 12),
        // Translated (RFC 2765 section 2.1).
        Carrier(prefix: v6([0, 0, 0, 0, 0xFFFF]), length: 96, offset: 12),
        // NAT64 (RFC 6052 section 2.1), 6to4 (RFC 3056 section 2).
        Carrier(prefix: v6([0x64, 0xFF9B]), length: 96, offset: 12),
        Carrier(prefix: v6([0x2002]), length: 16, offset: 2),
    ]

    /// The sixteen bytes that begin with these groups.
    private static func v6(_ groups: [UInt16]) -> [UInt8] {
        (0..<8).flatMap { index -> [UInt8] in
            let group = index < groups.count ? groups[index] : 0
            return [UInt8(group >> 8), UInt8(group & 0xFF)]
        }
    }
}

extension IPAddress: CustomStringConvertible {
    /// Four decimal numbers, or eight groups in hexadecimal without abbreviation.
    package var description: String {
        if bytes.count == 4 { return bytes.map { "\($0)" }.joined(separator: ".") }
        return stride(from: 0, to: 16, by: 2).map { String(UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]), radix: 16) }
            .joined(separator: ":")
    }
}

private func matches(_ address: [UInt8], prefix: [UInt8], length: Int) -> Bool {
    guard address.count == prefix.count else { return false }
    let whole = length / 8
    guard address[..<whole] == prefix[..<whole] else { return false }
    let rest = length % 8
    return rest == 0 || (address[whole] ^ prefix[whole]) >> UInt8(8 - rest) == 0
}
