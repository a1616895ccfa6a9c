extension IPAddress {
    /// Reads `192.0.2.1` or `2001:db8::1` (RFC 4291 section 2.2); nil for anything else, leading zeros of IPv4 and zones of
    /// IPv6 among it.
    package init?(_ text: some StringProtocol) {
        let bytes = text.contains(":") ? Self.sixteen(String(text)) : Self.four(text)
        guard let bytes, let address = IPAddress(bytes: bytes) else { return nil }
        self = address
    }

    /// Whether its first `length` bits are those of `prefix`; false when the two are of different kinds.
    func begins(with prefix: IPAddress, length: Int) -> Bool {
        guard bytes.count == prefix.bytes.count, (0...bytes.count * 8).contains(length) else { return false }
        let whole = length / 8
        guard bytes[..<whole] == prefix.bytes[..<whole] else { return false }
        let rest = length % 8
        return rest == 0 || (bytes[whole] ^ prefix.bytes[whole]) >> UInt8(8 - rest) == 0
    }

    /// The name under which the DNS says whose it is: `1.2.0.192.in-addr.arpa` (RFC 1035 section 3.5, RFC 3596 section 2.5).
    package var reverseName: String {
        if bytes.count == 4 { return bytes.reversed().map { "\($0)" }.joined(separator: ".") + ".in-addr.arpa" }
        return nibbles.reversed().joined(separator: ".") + ".ip6.arpa"
    }

    /// The thirty-two hexadecimal digits of IPv6; eight of IPv4.
    var nibbles: [String] {
        bytes.flatMap { [String($0 >> 4, radix: 16), String($0 & 15, radix: 16)] }
    }

    private static func four(_ text: some StringProtocol) -> [UInt8]? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bytes: [UInt8] = []
        for part in parts {
            guard part.utf8.allSatisfy({ (0x30...0x39).contains($0) }), part == "0" || part.first != "0",
                let byte = UInt8(part)
            else { return nil }
            bytes.append(byte)
        }
        return bytes
    }

    private static func sixteen(_ text: String) -> [UInt8]? {
        let halves = text.split(separator: "::", maxSplits: 2, omittingEmptySubsequences: false)
        // `split` by two colons takes the first two of three for a separator, and leaves one at the beginning of the rest.
        guard (1...2).contains(halves.count), let head = groups(halves[0], isLast: halves.count == 1) else {
            return nil
        }
        guard halves.count == 2 else { return head.count == 16 ? head : nil }
        guard let tail = groups(halves[1], isLast: true), head.count + tail.count <= 14 else { return nil }
        return head + [UInt8](repeating: 0, count: 16 - head.count - tail.count) + tail
    }

    /// Groups of sixteen bits; the last two of an address may be written as IPv4.
    private static func groups(_ text: Substring, isLast: Bool) -> [UInt8]? {
        if text.isEmpty { return [] }
        var bytes: [UInt8] = []
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            if isLast, index == parts.count - 1, part.contains(".") {
                guard let last = four(part) else { return nil }
                bytes += last
                continue
            }
            guard (1...4).contains(part.utf8.count), part.utf8.allSatisfy(isHexDigit),
                let group = UInt16(part, radix: 16)
            else { return nil }
            bytes += [UInt8(group >> 8), UInt8(group & 0xFF)]
        }
        return bytes.count <= 16 ? bytes : nil
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
            UInt8(ascii: "A")...UInt8(ascii: "F"):
            true
        default: false
        }
    }
}

/// A block of IP addresses.
package struct IPNetwork: Hashable, Sendable {
    package let address: IPAddress
    /// Bits that count.
    package let length: Int

    /// Nil when the address has fewer bits.
    package init?(_ address: IPAddress, length: Int) {
        guard (0...address.bytes.count * 8).contains(length) else { return nil }
        self.address = address
        self.length = length
    }

    /// Reads `192.0.2.0/24` or `2001:db8::/32`, or one address; nil for anything else. Bits beyond the length do not
    /// count.
    package init?(text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = parts.first.flatMap({ IPAddress($0) }) else { return nil }
        var length = address.bytes.count * 8
        if parts.count == 2 {
            guard parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(parts[1]) else {
                return nil
            }
            length = number
        }
        self.init(address, length: length)
    }

    package func contains(_ other: IPAddress) -> Bool { other.begins(with: address, length: length) }
}
