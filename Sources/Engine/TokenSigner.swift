import WorkflowModel

/// Makes and checks the opaque tokens that travel in mail: unguessable, bound to their kind, without any address.
///
/// A token is the base64url text of kind, outbox entry id and the first 16 bytes of an HMAC-SHA-256 over both. A token
/// of one kind is therefore none of another. The present key signs; what an earlier one has signed is good as well.
package struct TokenSigner: Sendable {
    package enum Kind: UInt8, Sendable {
        /// The address of an open pixel.
        case open = 1
        /// The header that marks our own submissions.
        case delivery = 2
        /// The address that ends a subscription.
        case unsubscribe = 3
        /// The page where a reader chooses what to get.
        case preferences = 4
        /// A link that was in the mail; it names its destination.
        case click = 5
        /// The reverse path of one mail: what comes there is about that mail.
        case bounce = 6
        /// The address where one mail is answered.
        case reply = 7
        /// A mail that tests whose header fields can be forged.
        case canary = 8
        /// The pixel of mail that tells nothing of its readers; it names a place and no mail.
        case sharedOpen = 9
        /// A link in such mail.
        case sharedClick = 10
    }

    private let keys: TokenKeyRing
    private let cryptography: any Cryptography

    /// Length of every token's text.
    package static let textLength = 44

    /// - Parameter key: the bytes of a `TokenKeyRing`; 32 secret ones are a single key.
    package init(key: [UInt8], cryptography: any Cryptography) {
        self.init(keys: TokenKeyRing(key), cryptography: cryptography)
    }

    package init(keys: TokenKeyRing, cryptography: any Cryptography) {
        self.keys = keys
        self.cryptography = cryptography
    }

    package func token(_ kind: Kind, for entry: Identifier) -> String {
        let body = [kind.rawValue] + entry.bytes
        return Base64URL.encode(body + mac(body))
    }

    /// The entry that a token of this kind names; nil for any other text.
    package func verify(_ token: some StringProtocol, kind: Kind) -> Identifier? {
        guard token.utf8.count == Self.textLength, let bytes = Base64URL.decode(token), bytes.count == 33,
            bytes[0] == kind.rawValue
        else { return nil }
        return isSigned(Array(bytes[..<17]), bytes[17...]) ? Identifier(bytes: bytes[1..<17]) : nil
    }

    // MARK: In addresses

    /// Length of the text of every token that is part of an address: together with a word and a delimiter it must fit into the
    /// 64 bytes of a local part (RFC 5321 section 4.5.3.1.1).
    package static let addressTextLength = 52

    /// A token for the local part of an address: in letters and digits that survive a change of case. The kind is not part
    /// of the text, for the address says it; it is bound all the same.
    package func addressToken(_ kind: Kind, for entry: Identifier) -> String {
        Base32.encode(entry.bytes + mac([kind.rawValue] + entry.bytes))
    }

    /// The entry that a token of this kind names, in upper or lower case; nil for any other text.
    package func verifyAddress(_ token: some StringProtocol, kind: Kind) -> Identifier? {
        guard token.utf8.count == Self.addressTextLength, let bytes = Base32.decode(token), bytes.count == 32 else {
            return nil
        }
        return isSigned([kind.rawValue] + bytes[..<16], bytes[16...]) ? Identifier(bytes: bytes[..<16]) : nil
    }

    // MARK: Links

    /// A token that also carries where its link leads: nobody else can make one that leads elsewhere, and it is good
    /// without the database.
    package func token(forLinkTo destination: String, in entry: Identifier) -> String {
        let body = [Kind.click.rawValue] + entry.bytes + Array(destination.utf8)
        return Base64URL.encode(body + mac(body))
    }

    /// The entry and destination of a link's token; nil for any other text.
    package func verifyLink(_ token: some StringProtocol) -> (entry: Identifier, destination: String)? {
        guard token.utf8.count > Self.textLength, token.utf8.count <= Self.linkTextLimit,
            let bytes = Base64URL.decode(token), bytes.count > 33, bytes[0] == Kind.click.rawValue,
            // Unused bits of the last letter would make several texts of one token.
            Base64URL.encode(bytes) == token
        else { return nil }
        let body = Array(bytes.dropLast(16))
        guard isSigned(body, bytes.suffix(16)), let entry = Identifier(bytes: bytes[1..<17]),
            let destination = String(validating: body[17...], as: UTF8.self)
        else { return nil }
        return (entry, destination)
    }

    // MARK: Mail that tells nothing of its readers

    /// A token that everybody gets who gets such mail from there: it carries the place, and where a link leads, and nothing
    /// else. One and the same for all of them.
    /// - Parameter link: nil for a pixel.
    package func token(for place: SharedPlace, link: String? = nil) -> String {
        let kind = link == nil ? Kind.sharedOpen : .sharedClick
        let version = place.version ?? Identifier(high: 0, low: 0)
        let step = Array(place.step.utf8.prefix(Self.stepLimit))
        let body =
            [kind.rawValue] + place.project.bytes + version.bytes + [UInt8(step.count)] + step
            + Array((link ?? "").utf8)
        return Base64URL.encode(body + mac(body))
    }

    /// The place of a token and where its link leads, nil for a pixel's; nil for any other text.
    package func verifyShared(_ token: some StringProtocol) -> (place: SharedPlace, link: String?)? {
        guard token.utf8.count >= 66, token.utf8.count <= Self.linkTextLimit + (Self.stepLimit + 17) * 4 / 3 + 4,
            let bytes = Base64URL.decode(token), bytes.count >= 50,
            bytes[0] == Kind.sharedOpen.rawValue || bytes[0] == Kind.sharedClick.rawValue,
            Base64URL.encode(bytes) == token
        else { return nil }
        let body = Array(bytes.dropLast(16))
        let stepEnd = 34 + Int(body[33])
        guard stepEnd <= body.count, isSigned(body, bytes.suffix(16)),
            let project = Identifier(bytes: body[1..<17]), let version = Identifier(bytes: body[17..<33]),
            let step = String(validating: body[34..<stepEnd], as: UTF8.self),
            let link = String(validating: body[stepEnd...], as: UTF8.self),
            link.isEmpty == (bytes[0] == Kind.sharedOpen.rawValue)
        else { return nil }
        let isNone = version == Identifier(high: 0, low: 0)
        return (SharedPlace(project: project, version: isNone ? nil : version, step: step), link.isEmpty ? nil : link)
    }

    /// Bytes of a step's key that a token carries; keys are shorter.
    private static let stepLimit = 255
    /// Letters of the longest token of a pixel.
    package static let pixelTextLimit = (50 + stepLimit) * 4 / 3 + 4

    /// Bytes of the longest destination that gets a token.
    package static let destinationLimit = 2000
    private static let linkTextLimit = (destinationLimit + 33) * 4 / 3 + 4

    /// Whether one of our keys has signed it. Each of them is tried whatever the others say.
    private func isSigned(_ body: [UInt8], _ code: ArraySlice<UInt8>) -> Bool {
        var isAny = isEqual(mac(body), code)
        for key in keys.earlier where isEqual(mac(body, by: key), code) { isAny = true }
        return isAny
    }

    /// In constant time: every byte is compared whatever the first difference.
    private func isEqual(_ left: ArraySlice<UInt8>, _ right: ArraySlice<UInt8>) -> Bool {
        var difference: UInt8 = left.count == right.count ? 0 : 1
        for (left, right) in zip(left, right) { difference |= left ^ right }
        return difference == 0
    }

    /// A keyed hash of a text: 32 bytes that say nothing to whoever has not the key. It is kept and compared, so its key
    /// is never another one.
    /// - Parameter purpose: hashes for one purpose are not those for another.
    func fingerprint(_ purpose: String, of text: String) -> [UInt8] {
        // No token begins with a NUL.
        cryptography.authenticationCode(of: [0] + Array("\(purpose):\(text)".utf8), key: keys.fingerprints)
    }

    private func mac(_ body: [UInt8]) -> ArraySlice<UInt8> { mac(body, by: keys.present) }

    private func mac(_ body: [UInt8], by key: [UInt8]) -> ArraySlice<UInt8> {
        cryptography.authenticationCode(of: body, key: key)[..<16]
    }
}

/// Base 64 with the URL and filename safe alphabet, without padding (RFC 4648 section 5).
package enum Base64URL {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    package static func encode(_ bytes: [UInt8]) -> String {
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count * 4 / 3 + 3)
        var index = 0
        while index < bytes.count {
            let count = min(3, bytes.count - index)
            var group: UInt32 = 0
            for offset in 0..<3 { group = group << 8 | (offset < count ? UInt32(bytes[index + offset]) : 0) }
            for position in 0...count { output.append(alphabet[Int(group >> UInt32(18 - 6 * position) & 63)]) }
            index += 3
        }
        return String(decoding: output, as: UTF8.self)
    }

    /// Nil for characters outside the alphabet and for a length that no bytes encode to.
    package static func decode(_ text: some StringProtocol) -> [UInt8]? {
        var output: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for character in text.utf8 {
            let value: UInt8
            switch character {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = character - UInt8(ascii: "A")
            case UInt8(ascii: "a")...UInt8(ascii: "z"): value = character - UInt8(ascii: "a") + 26
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = character - UInt8(ascii: "0") + 52
            case UInt8(ascii: "-"): value = 62
            case UInt8(ascii: "_"): value = 63
            default: return nil
            }
            bits = bits << 6 | UInt32(value)
            count += 6
            if count >= 8 {
                count -= 8
                output.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return count < 6 ? output : nil
    }
}

/// Base 32 in lower case without padding (RFC 4648 section 6).
package enum Base32 {
    private static let alphabet = Array("abcdefghijklmnopqrstuvwxyz234567".utf8)

    package static func encode(_ bytes: [UInt8]) -> String {
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count * 8 / 5 + 1)
        var bits: UInt32 = 0
        var count: UInt32 = 0
        for byte in bytes {
            bits = bits << 8 | UInt32(byte)
            count += 8
            while count >= 5 {
                count -= 5
                output.append(alphabet[Int(bits >> count & 31)])
            }
        }
        if count > 0 { output.append(alphabet[Int(bits << (5 - count) & 31)]) }
        return String(decoding: output, as: UTF8.self)
    }

    /// Letters of either case. Nil for other characters, and for unused bits that are not zero: no two texts but for their
    /// case are one value.
    package static func decode(_ text: some StringProtocol) -> [UInt8]? {
        var output: [UInt8] = []
        var bits: UInt32 = 0
        var count: UInt32 = 0
        for character in text.utf8 {
            let value: UInt8
            switch character {
            case UInt8(ascii: "a")...UInt8(ascii: "z"): value = character - UInt8(ascii: "a")
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = character - UInt8(ascii: "A")
            case UInt8(ascii: "2")...UInt8(ascii: "7"): value = character - UInt8(ascii: "2") + 26
            default: return nil
            }
            bits = bits << 5 | UInt32(value)
            count += 5
            if count >= 8 {
                count -= 8
                output.append(UInt8(truncatingIfNeeded: bits >> count))
            }
        }
        return count < 5 && bits & (1 << count - 1) == 0 ? output : nil
    }
}
