/// Tells which addresses of links may be led on to from an address of ours, and writes them as a header field can carry them.
package enum LinkDestination {
    /// Absolute http and https addresses with a host that every client reads in the same way. Nil for any other: relative
    /// ones, other schemes, names and passwords in front of the host, characters that some clients take for others.
    package static func accepted(_ text: String, limit: Int) -> String? {
        if text.utf8.count <= limit, isPlain(text) { return text }
        guard text.utf8.count <= limit, let end = schemeEnd(text), !text.utf8.contains(UInt8(ascii: "\\")),
            text.unicodeScalars.allSatisfy({ $0.value > 0x1F && !(0x7F...0x9F).contains($0.value) })
        else { return nil }
        let rest = text[end...]
        // By scalars: a mark that follows the slash does not take it away.
        let authority = Substring(rest.unicodeScalars.prefix { $0 != "/" && $0 != "?" && $0 != "#" })
        guard isHost(authority) else { return nil }
        let result = text[..<end] + authority + encoded(rest[authority.endIndex...])
        return result.utf8.count <= limit ? String(result) : nil
    }

    /// A usual scheme and a host in ASCII, and nothing that would have to be written differently.
    private static func isPlain(_ text: String) -> Bool {
        for scheme in ["https://", "http://"] where text.utf8.starts(with: scheme.utf8) {
            let rest = text.utf8.dropFirst(scheme.utf8.count)
            let path = rest.firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") || $0 == UInt8(ascii: "#") }
            return isHost(Substring(rest[..<(path ?? rest.endIndex)]))
                && rest[(path ?? rest.endIndex)...].allSatisfy(isWritten)
        }
        return false
    }

    private static func schemeEnd(_ text: String) -> String.Index? {
        for scheme in ["https://", "http://"] where text.prefix(scheme.count).lowercased() == scheme {
            return text.index(text.startIndex, offsetBy: scheme.count)
        }
        return nil
    }

    /// Host and port in ASCII.
    private static func isHost(_ authority: Substring) -> Bool {
        guard let first = authority.utf8.first, first != UInt8(ascii: ":"), first != UInt8(ascii: ".") else {
            return false
        }
        return authority.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
            case UInt8(ascii: "0")...UInt8(ascii: "9"): true
            case UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: ":"): true
            case UInt8(ascii: "["), UInt8(ascii: "]"): true
            default: false
            }
        }
    }

    /// What no URL may hold as itself, in percent (RFC 3986 section 2.1).
    private static func encoded(_ text: Substring) -> String {
        var result = ""
        for byte in text.utf8 {
            if isWritten(byte) {
                result.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                let digits = String(byte, radix: 16, uppercase: true)
                result += digits.count == 1 ? "%0\(digits)" : "%\(digits)"
            }
        }
        return result
    }

    /// As itself. Carets and backticks belong into no URL, but browsers send them in queries as they are (WHATWG URL
    /// section 1.3), and what is asked for behind the redirect must be what would be asked for without it.
    private static func isWritten(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x21, 0x23...0x3B, 0x3D, 0x3F...0x5B, 0x5D...0x7E: true
        default: false
        }
    }

    // MARK: Addresses of people

    /// Whether the destination holds this mail address, whatever its case, and however much of it is in percent. In an
    /// address that is a parameter of another one it is so twice.
    package static func names(_ address: String, in destination: String) -> Bool {
        guard !address.isEmpty else { return false }
        let wanted = Array(address.lowercased().utf8)
        var text = Array(destination.utf8)
        for _ in 0...percentLevels {
            if Array(String(decoding: text, as: UTF8.self).lowercased().utf8).contains(wanted) { return true }
            guard text.contains(UInt8(ascii: "%")) else { return false }
            text = withoutPercent(text)
        }
        return false
    }

    /// How often an address in percent is put into percent again, at most.
    private static let percentLevels = 3

    /// Whatever is no byte in percent stays.
    private static func withoutPercent(_ text: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        var index = 0
        while index < text.count {
            if text[index] == UInt8(ascii: "%"), index + 2 < text.count, let high = digit(text[index + 1]),
                let low = digit(text[index + 2])
            {
                result.append(high << 4 | low)
                index += 3
            } else {
                result.append(text[index])
                index += 1
            }
        }
        return result
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
