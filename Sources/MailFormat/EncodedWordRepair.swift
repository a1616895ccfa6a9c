/// Adjacent base64 encoded words of one charset made one (RFC 2047 section 6.2).
///
/// GMime decodes a run of such words as one stream and stops at the padding of the first, so the rest of a subject or name
/// would be lost: most senders pad every word. Joined, it also reads characters that a sender cut in two.
enum EncodedWordRepair {
    private struct Word {
        var prefix: ArraySlice<UInt8>
        var payload: ArraySlice<UInt8>
        var end: Int
    }

    /// The same header value with such runs joined. One pass.
    static func joined(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var index = 0
        while index < bytes.count {
            guard bytes[index] == UInt8(ascii: "="), let first = word(in: bytes, at: index) else {
                result.append(bytes[index])
                index += 1
                continue
            }
            var content = TransferEncoding.base64.decode(first.payload)
            index = first.end
            while let next = follower(in: bytes, at: index, of: first) {
                content.append(contentsOf: TransferEncoding.base64.decode(next.payload))
                index = next.end
            }
            result.append(contentsOf: first.prefix)
            result.append(contentsOf: Base64.encode(content).utf8)
            result.append(contentsOf: "?=".utf8)
        }
        return result
    }

    /// The next word of the run, with nothing but blanks in front.
    private static func follower(in bytes: [UInt8], at index: Int, of first: Word) -> Word? {
        var start = index
        while start < bytes.count, bytes[start] == 0x20 { start += 1 }
        guard start < bytes.count, bytes[start] == UInt8(ascii: "="), let next = word(in: bytes, at: start) else {
            return nil
        }
        return next.prefix.elementsEqual(first.prefix, by: { $0 | 0x20 == $1 | 0x20 }) ? next : nil
    }

    /// `=?charset?B?payload?=`. The pieces are short (RFC 2047 section 2 allows 75 bytes in all), longer ones are common, and a
    /// piece that never ends must not be searched for again and again: so each has a limit.
    private static func word(in bytes: [UInt8], at start: Int) -> Word? {
        guard start + 1 < bytes.count, bytes[start + 1] == UInt8(ascii: "?") else { return nil }
        guard let charset = piece(in: bytes, from: start + 2, limit: 60), charset > start + 2 else { return nil }
        guard charset + 2 < bytes.count, bytes[charset + 1] | 0x20 == UInt8(ascii: "b"),
            bytes[charset + 2] == UInt8(ascii: "?")
        else { return nil }
        let payload = charset + 3
        guard let end = piece(in: bytes, from: payload, limit: 8192), end + 1 < bytes.count else { return nil }
        guard bytes[end + 1] == UInt8(ascii: "=") else { return nil }
        return Word(prefix: bytes[start..<payload], payload: bytes[payload..<end], end: end + 2)
    }

    /// The place of the `?` that ends a piece without blanks.
    private static func piece(in bytes: [UInt8], from start: Int, limit: Int) -> Int? {
        var index = start
        while index < bytes.count, index - start <= limit, bytes[index] > 0x20 {
            if bytes[index] == UInt8(ascii: "?") { return index }
            index += 1
        }
        return nil
    }
}
