import CGMime

/// The names by which senders call charsets, and what is opened for them.
///
/// Asian mail names the small charset and uses the large one that the sender's program really writes: what contains the named one is
/// opened in its place, as browsers do it (WHATWG Encoding section 4.2).
enum CharsetNames {
    /// What iconv(3) is to be asked for.
    /// - Parameter name: the sender's word, in lower case.
    /// - Returns: nil when nobody here knows it.
    static func opened(_ name: String) -> String? {
        if let other = replaced[name] { return other }
        guard isName(name) else { return nil }
        // iconv_open(3) answers -1 cast to a pointer when it knows no such charset.
        guard let opened = iconv_open("UTF-8", name), Int(bitPattern: opened) != -1 else {
            // Old programs of Microsoft.
            return name.hasPrefix("cp-") ? Self.opened("cp" + name.dropFirst(3)) : nil
        }
        iconv_close(opened)
        return name
    }

    private static let replaced: [String: String] = {
        var names: [String: String] = [:]
        func put(_ charset: String, for others: String...) { for other in others { names[other] = charset } }
        put(
            "GB18030", for: "gb2312", "gb_2312-80", "gb2312-80", "gb2312-0", "gb-2312", "gbk", "x-gbk", "euc-cn",
            "cp936")
        put("CP932", for: "shift_jis", "shift-jis", "sjis", "x-sjis", "ms_kanji", "windows-31j")
        put("EUC-JP-MS", for: "euc-jp", "eucjp", "x-euc-jp", "ujis")
        put(
            "CP949", for: "euc-kr", "euckr", "ks_c_5601-1987", "ks_c_5601-1989", "ks_c_5601", "ksc5601", "ksc_5601",
            "korean",
            "windows-949")
        put("BIG5", for: "big-5", "x-big5", "big5-0", "cn-big5", "x-x-big5")
        // Its control characters are in no mail, and what Windows puts in their place is in much.
        put("WINDOWS-1252", for: "iso-8859-1", "iso8859-1", "iso_8859-1", "latin1", "latin-1", "l1", "cp819", "cp1252")
        put("WINDOWS-1254", for: "iso-8859-9", "iso8859-9", "latin5")
        put("WINDOWS-874", for: "tis-620", "tis620", "iso-8859-11")
        put("KOI8-R", for: "koi8r", "koi-8-r", "koi8")
        put("MACINTOSH", for: "x-mac-roman", "macroman")
        put("UTF-7", for: "unicode-1-1-utf-7")
        put("ISO-8859-8", for: "iso-8859-8-i", "iso-8859-8-e")
        return names
    }()

    /// glibc takes options behind a slash; a stranger gives none. What it passes over (`u(t)f-8` is a name to it, too) would make
    /// endless names of one.
    private static func isName(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= longest && name.utf8.allSatisfy(isNameByte)
    }

    private static let longest = 40

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: ":"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."): true
        default: false
        }
    }

    // MARK: In header fields

    /// What a name becomes that nobody here knows.
    private static let unknown = Array("x-unknown".utf8)

    /// The same header value with names of charsets that GMime may be asked for: it keeps every name that it ever met, known or not,
    /// for as long as the process lives (GMime 3.2, `g_mime_charset_iconv_name`), and a stranger can think of very many.
    /// - Parameter hasParameters: it is a field whose parameters may name charsets, too (RFC 2231). Its comments are left out: they
    ///   may stand everywhere, and say nothing.
    static func tamed(_ bytes: [UInt8], hasParameters: Bool = false) -> [UInt8] {
        guard bytes.contains(UInt8(ascii: "=")) else { return bytes }
        let bytes = hasParameters ? withoutComments(bytes) : bytes
        var result: [UInt8] = []
        var copied = 0
        var index = 0
        // No apostrophe is before that place.
        var searched = 0
        let lastEnd = end(ofLastWordIn: bytes)
        while index < bytes.count {
            guard
                let name = word(in: bytes, at: index, before: lastEnd)
                    ?? (hasParameters ? parameter(in: bytes, at: index, &searched) : nil)
            else {
                index += 1
                continue
            }
            if let other = replacement(of: bytes[name]) {
                result.append(contentsOf: bytes[copied..<name.lowerBound])
                result.append(contentsOf: other)
                copied = name.upperBound
            }
            index = name.upperBound
        }
        guard copied > 0 else { return bytes }
        result.append(contentsOf: bytes[copied...])
        return result
    }

    /// Where the last `?=` stands.
    private static func end(ofLastWordIn bytes: [UInt8]) -> Int {
        bytes.indices.dropFirst().last { bytes[$0] == UInt8(ascii: "=") && bytes[$0 - 1] == UInt8(ascii: "?") } ?? 0
    }

    /// Comments of a field in parentheses (RFC 5322 section 3.2.2) made blanks, where it may name a charset.
    private static func withoutComments(_ bytes: [UInt8]) -> [UInt8] {
        guard bytes.contains(UInt8(ascii: "(")), bytes.contains(UInt8(ascii: "*")) else { return bytes }
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var (depth, isQuoted, isEscaped) = (0, false, false)
        for byte in bytes {
            let isSpecial = !isEscaped
            isEscaped = isSpecial && (isQuoted || depth > 0) && byte == UInt8(ascii: "\\")
            if isSpecial, depth == 0, byte == UInt8(ascii: "\"") { isQuoted.toggle() }
            if isSpecial, !isQuoted, byte == UInt8(ascii: "(") {
                if depth == 0 { result.append(0x20) }
                depth += 1
            } else if isSpecial, depth > 0, byte == UInt8(ascii: ")") {
                depth -= 1
            } else if depth == 0 {
                result.append(byte)
            }
        }
        return result
    }

    /// Nil for one that may stay.
    private static func replacement(of written: ArraySlice<UInt8>) -> [UInt8]? {
        let name = String(decoding: written, as: UTF8.self).lowercased()
        guard !isUsual(name) else { return nil }
        guard let opened = opened(name) else { return unknown }
        return opened == name ? nil : Array(opened.utf8)
    }

    /// Nearly all mail; nothing is opened to know it.
    private static func isUsual(_ name: String) -> Bool {
        switch name {
        case "utf-8", "us-ascii", "windows-1252", "iso-8859-15", "iso-8859-2", "windows-1251", "koi8-r": true
        default: false
        }
    }

    /// The charset of an encoded word that begins there (RFC 2047 section 2), without a language behind it (RFC 2231 section 5). GMime
    /// takes whatever stands before the next question mark.
    private static func word(in bytes: [UInt8], at index: Int, before lastEnd: Int) -> Range<Int>? {
        guard bytes[index] == UInt8(ascii: "="), index + 1 < lastEnd, bytes[index + 1] == UInt8(ascii: "?") else {
            return nil
        }
        guard let end = bytes[(index + 2)...].firstIndex(of: UInt8(ascii: "?")), end + 2 < lastEnd,
            bytes[end + 2] == UInt8(ascii: "?")
        else { return nil }
        let encoding = bytes[end + 1] | 0x20
        guard encoding == UInt8(ascii: "b") || encoding == UInt8(ascii: "q") else { return nil }
        return name(in: bytes, (index + 2)..<end)
    }

    /// The charset of a parameter's value whose `*=` begins there (RFC 2231 section 4).
    /// - Parameter searched: how far there is no apostrophe; nobody looks twice, so that the time grows with the length alone.
    private static func parameter(in bytes: [UInt8], at index: Int, _ searched: inout Int) -> Range<Int>? {
        guard bytes[index] == UInt8(ascii: "*"), index >= searched else { return nil }
        func skipBlanks(_ start: Int) -> Int { bytes[start...].firstIndex { $0 > 0x20 } ?? bytes.count }
        var start = skipBlanks(index + 1)
        guard start < bytes.count, bytes[start] == UInt8(ascii: "=") else { return nil }
        start = skipBlanks(start + 1)
        if start < bytes.count, bytes[start] == UInt8(ascii: "\"") { start += 1 }
        let end = apostrophe(in: bytes, from: start)
        guard end < bytes.count, bytes[end] == UInt8(ascii: "'") else {
            searched = end
            return nil
        }
        return name(in: bytes, start..<end)
    }

    /// The place of the next one, or of whatever ends the value before: a blank, a semicolon, the end.
    private static func apostrophe(in bytes: [UInt8], from start: Int) -> Int {
        bytes[start...].firstIndex { $0 == UInt8(ascii: "'") || $0 <= 0x20 || $0 == UInt8(ascii: ";") } ?? bytes.count
    }

    /// Without what follows an asterisk; nil for none.
    private static func name(in bytes: [UInt8], _ piece: Range<Int>) -> Range<Int>? {
        let end = bytes[piece].firstIndex(of: UInt8(ascii: "*")) ?? piece.upperBound
        return end > piece.lowerBound ? piece.lowerBound..<end : nil
    }
}
