/// Message ids as In-Reply-To, References and Message-ID carry them (RFC 5322 section 3.6.4).
package enum MessageIdentifiers {
    /// What stands between angle brackets, in order, blanks inside removed; a field without any bracket yields its first
    /// word, because old programs leave them out. Ids longer than a line may be (998 bytes) are left out.
    package static func parse(_ text: String) -> [String] {
        var found: [String] = []
        var current: [UInt8]?
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "<"): current = []
            case UInt8(ascii: ">"):
                if let bytes = current, !bytes.isEmpty, bytes.count <= 996 {
                    found.append(String(decoding: bytes, as: UTF8.self))
                }
                current = nil
            case 0...0x20, 0x7F: break
            default: current?.append(byte)
            }
        }
        if found.isEmpty, !text.utf8.contains(UInt8(ascii: "<")), let word = firstWord(of: text) { return [word] }
        return found
    }

    private static func firstWord(of text: String) -> String? {
        let word = text.utf8.split(whereSeparator: { $0 <= 0x20 || $0 == 0x7F }).first
        guard let word, word.count <= 996, word.contains(UInt8(ascii: "@")) else { return nil }
        // Bytes: before a combining mark a bracket is another character.
        return String(decoding: word.filter { $0 != UInt8(ascii: ">") }, as: UTF8.self)
    }
}
