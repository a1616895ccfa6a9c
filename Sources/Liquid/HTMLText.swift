/// What the filters know about HTML.
enum HTMLText {
    /// `&`, `<`, `>`, `"` and `'` as character references.
    static func escape(_ text: String, into output: inout OutputBuffer) {
        var text = text
        text.withUTF8 { bytes in
            var start = 0
            while true {
                let position = nextReferenced(in: bytes, from: start)
                output.append(UnsafeBufferPointer(rebasing: bytes[start..<position]))
                guard position < bytes.count else { return }
                output.append(reference(for: bytes[position]) ?? "")
                start = position + 1
            }
        }
    }

    /// The position of the next byte that needs a reference, or the end. Looks at eight bytes at once: most text has few
    /// of them.
    @inline(__always)
    private static func nextReferenced(in bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
        let raw = UnsafeRawBufferPointer(bytes)
        var position = start
        while position + 8 <= raw.count {
            let word = UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: position, as: UInt64.self))
            let quote = word ^ 0x2222_2222_2222_2222
            // `&` and `'` differ in their lowest bit, `<` and `>` in the next one.
            let ampersand = (word | 0x0101_0101_0101_0101) ^ 0x2727_2727_2727_2727
            let bracket = (word | 0x0202_0202_0202_0202) ^ 0x3E3E_3E3E_3E3E_3E3E
            // A byte's top bit is set where it is zero; borrows only reach bytes behind a hit.
            let hits =
                (quote &- 0x0101_0101_0101_0101) & ~quote | (ampersand &- 0x0101_0101_0101_0101) & ~ampersand
                | (bracket &- 0x0101_0101_0101_0101) & ~bracket
            let marks = hits & 0x8080_8080_8080_8080
            if marks != 0 { return position + marks.trailingZeroBitCount / 8 }
            position += 8
        }
        while position < raw.count, !needsReference(raw[position]) { position += 1 }
        return position
    }

    static func escaped(_ text: String) -> String {
        guard text.utf8.contains(where: needsReference) else { return text }
        var output = OutputBuffer(capacity: text.utf8.count + 32)
        escape(text, into: &output)
        return output.text()
    }

    /// Nearly no byte does, and this is asked for every one.
    @inline(__always)
    private static func needsReference(_ byte: UInt8) -> Bool {
        // `"`, `&`, `'`, `<` and `>` are all below 64: one bit each.
        byte < 64 && (0x5000_00C4_0000_0000 as UInt64) >> UInt64(byte) & 1 == 1
    }

    private static func reference(for byte: UInt8) -> String? {
        switch byte {
        case UInt8(ascii: "&"): "&amp;"
        case UInt8(ascii: "<"): "&lt;"
        case UInt8(ascii: ">"): "&gt;"
        case UInt8(ascii: "\""): "&quot;"
        case UInt8(ascii: "'"): "&#39;"
        default: nil
        }
    }

    /// Like `escaped`, but character references stay as they are.
    static func escapedOnce(_ text: String) -> String {
        let bytes = Array(text.utf8)
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count + 32)
        for (position, byte) in bytes.enumerated() {
            if byte == UInt8(ascii: "&"), isReference(bytes, at: position) {
                output.append(byte)
            } else if let reference = reference(for: byte) {
                output.append(contentsOf: reference.utf8)
            } else {
                output.append(byte)
            }
        }
        return String(decoding: output, as: UTF8.self)
    }

    /// `&name;` or `&#123;`. Nothing longer than 32 characters is one, which keeps the search short.
    private static func isReference(_ bytes: [UInt8], at ampersand: Int) -> Bool {
        var position = ampersand + 1
        let isNumber = position < bytes.count && bytes[position] == UInt8(ascii: "#")
        if isNumber { position += 1 }
        let start = position
        while position < bytes.count, position - start < 32,
            isNumber ? bytes[position].isDigit : (bytes[position] | 0x20) &- 0x61 < 26
        {
            position += 1
        }
        return position > start && position < bytes.count && bytes[position] == UInt8(ascii: ";")
    }

    /// Without scripts, styles, comments and tags.
    static func stripped(_ text: String) -> String {
        var bytes = Array(text.utf8)
        // Each kind is searched for its end only as long as there is one, which keeps hostile text linear.
        bytes = removing(
            [("<script", "</script>"), ("<!--", "-->"), ("<style", "</style>")].map {
                (Array($0.utf8), Array($1.utf8))
            },
            from: bytes)
        bytes = removing([([UInt8(ascii: "<")], [UInt8(ascii: ">")])], from: bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func removing(_ pairs: [([UInt8], [UInt8])], from bytes: [UInt8]) -> [UInt8] {
        var pairs = pairs
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count)
        var position = 0
        scan: while position < bytes.count {
            if bytes[position] == UInt8(ascii: "<") {
                for (index, (opening, closing)) in pairs.enumerated() where bytes[position...].starts(with: opening) {
                    if let end = ByteSearch.first(closing, in: bytes, from: position + opening.count) {
                        position = end + closing.count
                        continue scan
                    }
                    pairs.remove(at: index)
                    break
                }
            }
            output.append(bytes[position])
            position += 1
        }
        return output
    }
}
