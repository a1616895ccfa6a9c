/// Tells from its User-Agent whether the client that fetched a pixel is a machine that fetches pixels unread.
package enum PixelClient {
    /// - Returns: why the fetch says nothing about a reader; nil when it may be a person's.
    ///
    /// Gmail's image proxy fetches at display, so it counts as a person. Its app's prefetch, Apple's Mail Privacy
    /// Protection (a bare `Mozilla/5.0`) and link scanners do not.
    package static func machineReason(userAgent: String) -> String? {
        if userAgent.isEmpty { return "no_user_agent" }
        if userAgent == "Mozilla/5.0" { return "mpp" }
        if userAgent.contains("Chrome/42.0.2311.135 Safari/537.36 Edge/12.246")
            && !userAgent.contains("GoogleImageProxy")
        {
            return "gmail_prefetch"
        }
        let lowered = userAgent.lowercased()
        for name in scanners where lowered.contains(name) { return "scanner" }
        return nil
    }

    /// Words in the User-Agents of crawlers, scanners and command-line clients.
    private static let scanners = [
        "bot", "crawler", "spider", "scanner", "preview", "curl/", "wget/", "python-", "go-http-client", "java/",
        "barracuda", "proofpoint", "mimecast", "headlesschrome",
    ]
}

extension PixelClient {
    /// The network that an address belongs to, in place of the address: the first 24 bits of IPv4, 48 of IPv6, enough to
    /// tell bursts apart and too little to tell people apart. Empty for anything that is no address.
    package static func network(of address: String) -> String {
        if address.contains(":") {
            let mapped = address.lowercased().hasPrefix("::ffff:") && address.contains(".")
            if mapped { return network(of: String(address.dropFirst(7))) }
            let groups = address.split(separator: ":", omittingEmptySubsequences: false).prefix(3)
            guard groups.allSatisfy({ $0.utf8.count <= 4 && $0.allSatisfy(\.isHexDigit) }) else { return "" }
            return groups.joined(separator: ":") + "::/48"
        }
        let parts = address.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4, parts.allSatisfy({ UInt8($0) != nil }) else { return "" }
        return parts.prefix(3).joined(separator: ".") + ".0/24"
    }
}
