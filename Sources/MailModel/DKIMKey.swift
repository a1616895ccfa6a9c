/// The public key of a DKIM selector as the DNS has it (RFC 6376 section 3.6.1).
package struct DKIMKey: Hashable, Sendable {
    /// What the key is good for.
    package enum Kind: Hashable, Sendable {
        /// Bits of the modulus.
        case rsa(bits: Int)
        /// RFC 8463.
        case ed25519
        /// `p` is empty: the key was withdrawn.
        case revoked
    }

    package let kind: Kind
    /// `t=y`: receivers are asked to treat the mail as if it were not signed.
    package let isTesting: Bool
    /// `t=s`: `i=` of a signature must name the very domain of `d=`.
    package let isStrict: Bool
    /// The hash algorithms that signatures may use, in lower case; nil for all.
    package let hashes: [String]?
    /// The services it is for, in lower case; nil for all.
    package let services: [String]?

    /// - Throws: when receivers cannot use it.
    package init(_ text: String) throws(MalformedRecord) {
        let tags = try TagList(text)
        if let version = tags["v"] {
            guard version == "DKIM1" else { throw MalformedRecord("`v` is `\(TagList.shown(version))`, not `DKIM1`") }
            guard tags.tags.first?.name == "v" else { throw MalformedRecord("`v=DKIM1` must stand first") }
        }
        let flags = tags.list("t") ?? []
        isTesting = flags.contains("y")
        isStrict = flags.contains("s")
        hashes = tags.list("h")?.map { $0.lowercased() }
        services = tags.list("s")?.map { $0.lowercased() }
        guard let key = tags["p"] else { throw MalformedRecord("`p`, the key itself, is missing") }
        kind = try Self.kind(tags["k"] ?? "rsa", key: key)
    }

    private static func kind(_ name: String, key: String) throws(MalformedRecord) -> Kind {
        guard ["rsa", "ed25519"].contains(name) else {
            throw MalformedRecord("`k` is `\(TagList.shown(name))`; there are `rsa` and `ed25519`")
        }
        if key.isEmpty { return .revoked }
        guard let bytes = StrictBase64.decode(key) else { throw MalformedRecord("`p` is not Base64") }
        if name == "ed25519" {
            guard bytes.count == 32 else { throw MalformedRecord("`p` is no ed25519 key: it has \(bytes.count) bytes") }
            return .ed25519
        }
        guard let bits = RSAPublicKey.bits(bytes) else { throw MalformedRecord("`p` is no RSA key") }
        return .rsa(bits: bits)
    }
}

/// Reads how long an RSA key is (RFC 8017 appendix A.1.1, in X.509's wrapping or without).
enum RSAPublicKey {
    /// Nil for what is no key.
    static func bits(_ bytes: [UInt8]) -> Int? {
        var outer = DERReader(bytes[...])
        guard var inner = outer.next(0x30).map(DERReader.init), outer.isAtEnd else { return nil }
        if let algorithm = inner.next(0x30) {
            var reader = DERReader(algorithm)
            guard reader.next(0x06).map(Array.init) == rsaEncryption, let key = inner.next(0x03), key.first == 0 else {
                return nil
            }
            var wrapped = DERReader(key.dropFirst())
            guard let sequence = wrapped.next(0x30) else { return nil }
            inner = DERReader(sequence)
        }
        guard let modulus = inner.next(0x02), let exponent = inner.next(0x02), !exponent.isEmpty else { return nil }
        let digits = modulus.drop { $0 == 0 }
        guard let first = digits.first, modulus.first.map({ $0 < 0x80 }) == true else { return nil }
        return digits.count * 8 - first.leadingZeroBitCount
    }

    /// 1.2.840.113549.1.1.1
    private static let rsaEncryption: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01]
}

/// One value after the other of ASN.1's distinguished encoding, of those with short tags.
private struct DERReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    var isAtEnd: Bool { rest.isEmpty }

    /// The content of the next value when it has that tag; nothing is taken otherwise.
    mutating func next(_ tag: UInt8) -> ArraySlice<UInt8>? {
        guard rest.first == tag, let form = rest.dropFirst().first else { return nil }
        var content = rest.dropFirst(2)
        var length = Int(form)
        if form >= 0x80 {
            let count = Int(form & 0x7F)
            guard (1...3).contains(count), content.count >= count else { return nil }
            length = content.prefix(count).reduce(0) { $0 << 8 | Int($1) }
            content = content.dropFirst(count)
        }
        guard content.count >= length else { return nil }
        rest = content.dropFirst(length)
        return content.prefix(length)
    }
}

/// Base64 as a key or signature has it: blanks may stand anywhere, and nothing else that is no digit.
enum StrictBase64 {
    /// Nil for what is none, bits behind the end among it.
    static func decode(_ text: String) -> [UInt8]? {
        var result: [UInt8] = []
        var quantum: UInt32 = 0
        var digits = 0
        var padding = 0
        for byte in text.utf8 where !TagList.isBlank(byte) {
            if byte == UInt8(ascii: "=") {
                padding += 1
                continue
            }
            guard padding == 0, let value = value(byte) else { return nil }
            quantum = quantum << 6 | UInt32(value)
            digits += 1
            guard digits == 4 else { continue }
            result += [UInt8(truncatingIfNeeded: quantum >> 16), UInt8(truncatingIfNeeded: quantum >> 8)]
            result.append(UInt8(truncatingIfNeeded: quantum))
            quantum = 0
            digits = 0
        }
        switch (digits, padding) {
        case (0, 0): return result
        case (2, 2) where quantum & 0xF == 0: return result + [UInt8(quantum >> 4)]
        case (3, 1) where quantum & 0x3 == 0: return result + [UInt8(quantum >> 10), UInt8(quantum >> 2 & 0xFF)]
        default: return nil
        }
    }

    private static func value(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): byte - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0") + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}
