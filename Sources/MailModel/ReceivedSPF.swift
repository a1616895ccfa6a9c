/// The Received-SPF field of a policy server in front (RFC 7208 section 9.1). Postfix puts it first, so only the first one
/// may be believed.
package enum ReceivedSPF {
    /// The name of this source in the configuration.
    package static let name = "received-spf-first"

    /// The SPF verdict; DISABLED without a field, and for one about another client: that is an earlier hop's.
    package static func verdicts(of message: ReceivedMessage) -> ScanVerdicts {
        var verdicts = ScanVerdicts()
        guard let field = message.header("Received-SPF") else { return verdicts }
        if let client = clientAddress(in: field), !isSame(client, message.clientAddress) { return verdicts }
        let result = field.prefix { $0.isASCII && $0.isLetter }.lowercased()
        verdicts.add(
            VerdictFinding(
                .spf, source: name, verdict: AuthenticationVerdicts.verdict(ofSPF: result), value: result))
        return verdicts
    }

    /// The value of `client-ip=`; comments may hold anything, so only what follows them counts.
    private static func clientAddress(in field: String) -> String? {
        var plain = ""
        var depth = 0
        for character in field {
            if character == "(" { depth += 1 }
            if depth == 0 { plain.append(character) }
            if character == ")", depth > 0 { depth -= 1 }
        }
        for part in plain.split(whereSeparator: { $0 == ";" || $0 == " " }) where part.hasPrefix("client-ip=") {
            return String(part.dropFirst("client-ip=".count))
        }
        return nil
    }

    private static func isSame(_ left: String, _ right: String) -> Bool {
        let (left, right) = (plain(left), plain(right))
        return left == right || (IPv6Text.bytes(left) ?? [0]) == (IPv6Text.bytes(right) ?? [1])
    }

    private static func plain(_ address: String) -> String {
        var text = address.lowercased().filter { $0 != "\"" && $0 != "[" && $0 != "]" }
        if text.hasPrefix("ipv6:") { text.removeFirst(5) }
        return text.hasPrefix("::ffff:") && text.contains(".") ? String(text.dropFirst(7)) : text
    }
}

/// An IPv6 address as text (RFC 4291 section 2.2).
enum IPv6Text {
    /// Its sixteen bytes; nil for anything else, an address with an IPv4 part included.
    static func bytes(_ text: String) -> [UInt8]? {
        guard text.contains(":"), !text.contains(".") else { return nil }
        let halves = text.components(separatedByPair: ":")
        guard halves.count <= 2 else { return nil }
        let groups = halves.map { $0.isEmpty ? [] : $0.split(separator: ":", omittingEmptySubsequences: false) }
        let count = groups.reduce(0) { $0 + $1.count }
        guard halves.count == 2 ? count < 8 : count == 8 else { return nil }
        var numbers: [UInt16] = []
        for (index, half) in groups.enumerated() {
            if index == 1 { numbers += [UInt16](repeating: 0, count: 8 - count) }
            for group in half {
                guard group.utf8.count <= 4, let number = UInt16(group, radix: 16) else { return nil }
                numbers.append(number)
            }
        }
        return numbers.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] }
    }
}

extension String {
    /// The pieces between every two of that character in a row.
    fileprivate func components(separatedByPair character: Character) -> [Substring] {
        var pieces: [Substring] = []
        var start = startIndex
        var index = startIndex
        while index < endIndex {
            let next = self.index(after: index)
            if self[index] == character, next < endIndex, self[next] == character {
                pieces.append(self[start..<index])
                start = self.index(after: next)
                index = start
            } else {
                index = next
            }
        }
        return pieces + [self[start...]]
    }
}
