/// The form of the Message-IDs that we give: the id of an outbox entry (a UUID of version 7 in lower case) at a domain of ours.
package enum OwnMessageID {
    private static let hyphens = [8, 13, 18, 23]

    /// Whether an id, without angle brackets, has the form of ours. Anybody can write one: it is enough to be careful, and not
    /// enough to believe.
    /// - Parameter domains: lower case.
    package static func matches(_ identifier: String, domains: Set<String>) -> Bool {
        guard let at = identifier.utf8.firstIndex(of: UInt8(ascii: "@")),
            identifier.utf8.distance(from: identifier.startIndex, to: at) == 36
        else { return false }
        let name = Array(identifier.utf8[..<at])
        guard name[14] == UInt8(ascii: "7"), hyphens.allSatisfy({ name[$0] == UInt8(ascii: "-") }) else { return false }
        for (index, byte) in name.enumerated() where !hyphens.contains(index) {
            let isDigit = byte &- UInt8(ascii: "0") < 10 || byte &- UInt8(ascii: "a") < 6
            if !isDigit { return false }
        }
        return domains.contains(identifier[identifier.utf8.index(after: at)...].lowercased())
    }
}
