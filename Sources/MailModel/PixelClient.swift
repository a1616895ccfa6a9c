/// Tells from its User-Agent whether the client that fetched a pixel is a machine that fetches pixels unread.
package enum PixelClient {
    /// - Returns: why the fetch says nothing about a reader; nil when it may be a person's.
    ///
    /// Gmail's image proxy fetches at display, so it counts as a person. Its app's prefetch, Apple's Mail Privacy
    /// Protection (a bare `Mozilla/5.0`) and link scanners do not.
    package static func machineReason(userAgent: String) -> String? {
        if userAgent.isEmpty { return "no_user_agent" }
        if userAgent == "Mozilla/5.0" { return "mpp" }
        // Fields are ASCII nearly always, and bytes are compared in a hundredth of the time of characters.
        var text = userAgent
        let known: String?? = text.withUTF8 { bytes in bytes.allSatisfy { $0 < 0x80 } ? reason(bytes) : nil }
        if let known { return known }
        return otherReason(userAgent)
    }

    /// An inner nil: it may be a person's.
    private static func reason(_ bytes: UnsafeBufferPointer<UInt8>) -> String?? {
        if prefetch.isIn(bytes), !proxy.isIn(bytes) { return .some("gmail_prefetch") }
        return .some(scanners.contains { $0.isIn(bytes) } ? "scanner" : nil)
    }

    private static func otherReason(_ userAgent: String) -> String? {
        if userAgent.contains(prefetch.text) && !userAgent.contains(proxy.text) { return "gmail_prefetch" }
        let lowered = userAgent.lowercased()
        return scanners.contains { lowered.contains($0.text) } ? "scanner" : nil
    }

    private static let prefetch = Word("Chrome/42.0.2311.135 Safari/537.36 Edge/12.246")
    private static let proxy = Word("GoogleImageProxy")

    /// Words in the User-Agents of crawlers, scanners and command-line clients, in whatever case.
    private static let scanners = [
        "bot", "crawler", "spider", "scanner", "preview", "curl/", "wget/", "python-", "go-http-client", "java/",
        "barracuda", "proofpoint", "mimecast", "headlesschrome",
    ].map { Word($0, isCaseless: true) }

    /// An ASCII text that is looked for.
    private struct Word {
        let text: String
        private let bytes: [UInt8]
        /// 0x20 where letters of both cases are the same.
        private let folding: UInt8

        /// - Parameter isCaseless: for a text in lower case.
        init(_ text: String, isCaseless: Bool = false) {
            self.text = text
            bytes = Array(text.utf8)
            folding = isCaseless ? 0x20 : 0
        }

        func isIn(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
            bytes.withUnsafeBufferPointer { word in
                guard text.count >= word.count else { return false }
                for start in 0...(text.count - word.count) {
                    var length = 0
                    while length < word.count, fold(text[start + length]) == word[length] { length += 1 }
                    if length == word.count { return true }
                }
                return false
            }
        }

        private func fold(_ byte: UInt8) -> UInt8 {
            (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | folding : byte
        }
    }
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
