/// Under which name the automatic replies to an address are counted: case and a `+detail` make nobody another person, and
/// neither do the marks that a sender's server puts into his address anew for every mail or day.
enum AutomaticReplyKey {
    static func key(for address: String) -> String {
        let address = AddressText.normal(address)
        guard let at = address.lastIndex(of: "@") else { return address }
        return person(address[..<at]) + String(address[at...])
    }

    /// The domain that its replies are counted under.
    static func domain(of address: String) -> String {
        guard let at = address.lastIndex(of: "@") else { return "" }
        return address[address.index(after: at)...].lowercased()
    }

    private static func person(_ localPart: Substring) -> String {
        // prvs=TAG=name, and prvs=name/TAG as older programs wrote it: the tag signs the day.
        if localPart.hasPrefix("prvs=") {
            let parts = localPart.dropFirst(5).split(separator: "=", maxSplits: 1)
            let name = parts.count == 2 ? parts[1] : (parts.first ?? "").prefix { $0 != "/" }
            if !name.isEmpty { return withoutDetail(name) }
        }
        // SRS0=HASH=TIME=domain=name: a forwarder's address of a person elsewhere; hash and time change.
        if isRewritten(localPart) {
            let parts = localPart.dropFirst(5).split(separator: "=", maxSplits: 2)
            if parts.count == 3 { return "srs=" + parts[2] }
        }
        return withoutDetail(localPart)
    }

    private static func isRewritten(_ localPart: Substring) -> Bool {
        ["srs0=", "srs0+", "srs0-"].contains(where: localPart.hasPrefix)
    }

    private static func withoutDetail(_ name: Substring) -> String {
        let base = name.prefix { $0 != "+" }
        return String(base.isEmpty ? name : base)
    }
}
