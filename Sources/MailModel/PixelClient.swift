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
        return .some(isScanner(bytes) ? "scanner" : nil)
    }

    private static func isScanner(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        bytes.indices.contains { start in
            scannersByFirst[Int(bytes[start] | 0x20)].contains { $0.isIn(bytes, at: start) }
        }
    }

    private static func otherReason(_ userAgent: String) -> String? {
        if userAgent.contains(prefetch.text) && !userAgent.contains(proxy.text) { return "gmail_prefetch" }
        let lowered = userAgent.lowercased()
        return Array(lowered.utf8).withUnsafeBufferPointer { isScanner($0) ? "scanner" : nil }
    }

    /// Which mailbox provider's proxy fetched an image for its reader; nil for none. It fetches when the mail is displayed,
    /// so that somebody has looked, but client and network are the proxy's own.
    /// - Returns: `gmail_proxy` or `yahoo_proxy`.
    package static func imageProxy(userAgent: String) -> String? {
        var text = userAgent
        return text.withUTF8 { bytes -> String? in
            if proxy.isIn(bytes) { return "gmail_proxy" }
            return yahooProxy.isIn(bytes) ? "yahoo_proxy" : nil
        }
    }

    private static let yahooProxy = Word("YahooMailProxy")
    private static let prefetch = Word("Chrome/42.0.2311.135 Safari/537.36 Edge/12.246")
    private static let proxy = Word("GoogleImageProxy")

    /// Words in the User-Agents of crawlers, scanners and command-line clients, in whatever case.
    private static let scanners =
        [
            "crawler", "spider", "scanner", "preview", "curl/", "wget/", "python-", "go-http-client", "java/",
            "barracuda", "proofpoint", "mimecast", "headlesschrome",
        ].map { Word($0, isCaseless: true) }
        // Telephones of that brand say so in every browser.
        + [Word("bot", isCaseless: true, notIn: "cubot")]

    /// By their first byte, which is a lower-case letter.
    private static let scannersByFirst: [[Word]] = {
        var words = [[Word]](repeating: [], count: 256)
        for word in scanners { if let first = word.text.utf8.first { words[Int(first)].append(word) } }
        return words
    }()

    /// An ASCII text that is looked for.
    private struct Word {
        let text: String
        private let bytes: [UInt8]
        /// What stands in front of it in a longer word that means something else; empty for none.
        private let otherStart: [UInt8]
        /// 0x20 where letters of both cases are the same.
        private let folding: UInt8

        /// - Parameters:
        ///   - isCaseless: for a text in lower case.
        ///   - longer: a word that ends with the text and does not count.
        init(_ text: String, isCaseless: Bool = false, notIn longer: String = "") {
            self.text = text
            bytes = Array(text.utf8)
            otherStart = Array(longer.utf8.dropLast(text.utf8.count))
            folding = isCaseless ? 0x20 : 0
        }

        func isIn(_ text: UnsafeBufferPointer<UInt8>) -> Bool { text.indices.contains { isIn(text, at: $0) } }

        func isIn(_ text: UnsafeBufferPointer<UInt8>, at start: Int) -> Bool {
            let isThere = bytes.withUnsafeBufferPointer { word in
                guard text.count - start >= word.count else { return false }
                var length = 0
                while length < word.count, fold(text[start + length]) == word[length] { length += 1 }
                return length == word.count
            }
            return isThere && !isInOther(text, at: start)
        }

        /// Whether what stands there is the end of that longer word, which is a word by itself.
        private func isInOther(_ text: UnsafeBufferPointer<UInt8>, at end: Int) -> Bool {
            let start = end - otherStart.count
            guard !otherStart.isEmpty, start >= 0 else { return false }
            for (index, byte) in otherStart.enumerated() where fold(text[start + index]) != byte { return false }
            return start == 0 || (text[start - 1] | 0x20) &- UInt8(ascii: "a") >= 26
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
        // The zone behind a link-local address names an interface of ours.
        guard let bytes = IPAddress(address.prefix { $0 != "%" })?.bytes else { return "" }
        if bytes.count == 4 { return network(ofFour: bytes[...]) }
        // An IPv4 address that a socket for both kinds shows (RFC 4291 section 2.5.5.2).
        let isMapped = bytes.prefix(10).allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
        if isMapped { return network(ofFour: bytes[12...]) }
        // From the bytes: where `::` stands in the text, its groups are not the address's.
        var groups = stride(from: 0, to: 6, by: 2).map { UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]) }
        while groups.last == 0 { groups.removeLast() }
        return groups.map { String($0, radix: 16) }.joined(separator: ":") + "::/48"
    }

    private static func network(ofFour bytes: ArraySlice<UInt8>) -> String {
        bytes.prefix(3).map { "\($0)" }.joined(separator: ".") + ".0/24"
    }
}
