import CGMime
import Glibc

/// Bytes of a named charset as text.
///
/// UTF-8, US-ASCII and the Latin charsets are read here; everything else goes through iconv(3). NUL bytes survive.
enum CharsetDecoder {
    /// Kept loaded by `GMimeRuntime`.
    static let usualCharsets = [
        "UTF-16", "UTF-16BE", "UTF-16LE", "UTF-7", "ISO-8859-2", "ISO-8859-5", "ISO-8859-7", "ISO-8859-8",
        "ISO-8859-15", "WINDOWS-1250", "WINDOWS-1251", "WINDOWS-1252", "WINDOWS-1253", "WINDOWS-1254", "WINDOWS-1255",
        "WINDOWS-1256", "WINDOWS-1257", "WINDOWS-874", "KOI8-R", "KOI8-U", "GB18030", "BIG5", "EUC-JP-MS",
        "ISO-2022-JP", "CP932", "CP949", "ISO-2022-KR", "MACINTOSH",
    ]

    /// The text, and what was wrong with it. `charset` is the sender's word; nil or empty means US-ASCII (RFC 2045
    /// section 5.2).
    static func decode(_ bytes: some Collection<UInt8>, charset: String?, defects: inout DefectList) -> String {
        let name = charset.map { $0.lowercased().filter { $0 != " " && $0 != "\"" && $0 != "'" } } ?? ""
        switch name {
        case "", "us-ascii", "ascii", "ansi_x3.4-1968", "utf-8", "utf8", "unicode-1-1-utf-8":
            return decodeUTF8(bytes, isDeclared: name.hasPrefix("u") && name != "us-ascii", defects: &defects)
        case "iso-8859-1", "windows-1252":
            return decodeWindows1252(bytes)
        default:
            guard let charset = CharsetNames.opened(name) else {
                defects.note(.unknownCharset)
                return decodeUTF8(bytes, isDeclared: false, defects: &defects)
            }
            if charset == "WINDOWS-1252" { return decodeWindows1252(bytes) }
            if let text = convert(Array(bytes), from: charset, defects: &defects) { return text }
            defects.note(.unknownCharset)
            return decodeUTF8(bytes, isDeclared: false, defects: &defects)
        }
    }

    /// Text that says ASCII and is not: UTF-8 where it is valid, otherwise the charset of old Windows programs.
    private static func decodeUTF8(
        _ bytes: some Collection<UInt8>, isDeclared: Bool, defects: inout DefectList
    ) -> String {
        if let text = String(validating: bytes, as: UTF8.self) { return text }
        defects.note(.invalidCharacters)
        return isDeclared ? String(decoding: bytes, as: UTF8.self) : decodeWindows1252(bytes)
    }

    /// Windows-1252 for Latin-1 too, as the WHATWG encoding standard has it: its control characters are in no mail, and
    /// what Windows puts in their place is in much.
    private static func decodeWindows1252(_ bytes: some Collection<UInt8>) -> String {
        var result = String.UnicodeScalarView()
        result.reserveCapacity(bytes.count)
        for byte in bytes {
            if byte >= 0x80, byte < 0xA0 {
                result.append(windows1252[Int(byte) - 0x80])
            } else {
                result.append(Unicode.Scalar(byte))
            }
        }
        return String(result)
    }

    /// The bytes 0x80 to 0x9F; the five that mean nothing stay control characters.
    private static let windows1252: [Unicode.Scalar] = [
        "\u{20AC}", "\u{81}", "\u{201A}", "\u{192}", "\u{201E}", "\u{2026}", "\u{2020}", "\u{2021}",
        "\u{2C6}", "\u{2030}", "\u{160}", "\u{2039}", "\u{152}", "\u{8D}", "\u{17D}", "\u{8F}",
        "\u{90}", "\u{2018}", "\u{2019}", "\u{201C}", "\u{201D}", "\u{2022}", "\u{2013}", "\u{2014}",
        "\u{2DC}", "\u{2122}", "\u{161}", "\u{203A}", "\u{153}", "\u{9D}", "\u{17E}", "\u{178}",
    ]

    /// Nil when nobody here knows the charset.
    private static func convert(_ bytes: [UInt8], from charset: String, defects: inout DefectList) -> String? {
        guard GMimeRuntime.options != nil, let converter = Converter(charset: charset) else { return nil }
        let (text, isValid) = converter.convert(bytes)
        if !isValid { defects.note(.invalidCharacters) }
        return text
    }
}

/// One open conversion to UTF-8.
private final class Converter {
    private let descriptor: iconv_t
    private let width: Width

    /// How many bytes make what is skipped where no character begins: a part of one would put all that follows out of step.
    private enum Width {
        case fixed(Int)
        /// Two after an escape sequence that says so (RFC 1468, RFC 1922): `ESC $`, and none in ASCII.
        case escaped
    }

    init?(charset: String) {
        // iconv_open(3) answers -1 cast to a pointer when it knows no such charset.
        guard let opened = iconv_open("UTF-8", charset), Int(bitPattern: opened) != -1 else { return nil }
        descriptor = opened
        let name = charset.uppercased()
        width =
            name.hasPrefix("UTF-16") || name.hasPrefix("UCS-2") || name.hasPrefix("UNICODE")
            ? .fixed(2)
            : name.hasPrefix("UTF-32") || name.hasPrefix("UCS-4")
                ? .fixed(4)
                : name.hasPrefix("ISO-2022-") ? .escaped : .fixed(1)
    }

    /// How far the last escape sequence is looked for: each line ends in ASCII.
    private static let longestLine = 1000

    /// - Parameter position: where the conversion stopped.
    private func skip(_ bytes: [UInt8], at position: Int) -> Int {
        switch width {
        case .fixed(let count): return count
        case .escaped:
            let before = bytes[max(0, position - Self.longestLine)..<position]
            guard bytes[position] != 0x1B, let escape = before.lastIndex(of: 0x1B), escape + 1 < position else {
                return 1
            }
            return bytes[escape + 1] == UInt8(ascii: "$") ? 2 : 1
        }
    }

    deinit { iconv_close(descriptor) }

    /// The text; false when bytes had to be replaced.
    func convert(_ bytes: [UInt8]) -> (text: String, isValid: Bool) {
        var input = bytes
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count + bytes.count / 2 + 16)
        var isValid = true
        var chunk = [UInt8](repeating: 0, count: min(max(bytes.count * 2, 64), 64 << 10))
        input.withUnsafeMutableBytes { source in
            var position = source.baseAddress?.assumingMemoryBound(to: CChar.self)
            var left = source.count
            while left > 0 {
                let before = left
                let (written, failure) = step(&position, &left, into: &chunk)
                output.append(contentsOf: chunk[..<written])
                if failure == 0 { break }
                if failure == E2BIG, written > 0 || left < before { continue }
                // No character of the charset begins here, or the last one is cut off.
                isValid = false
                output.append(contentsOf: [0xEF, 0xBF, 0xBD])
                let skipped = min(left, skip(bytes, at: bytes.count - left))
                position = position?.advanced(by: skipped)
                left -= skipped
            }
        }
        let written = flush(into: &chunk)
        output.append(contentsOf: chunk[..<written])
        return (String(decoding: output, as: UTF8.self), isValid)
    }

    /// Bytes written, and errno where iconv(3) stopped before the end; read at once, before anything else sets it.
    private func step(
        _ position: inout UnsafeMutablePointer<CChar>?, _ left: inout Int, into chunk: inout [UInt8]
    ) -> (written: Int, failure: Int32) {
        chunk.withUnsafeMutableBytes { target in
            var end = target.baseAddress?.assumingMemoryBound(to: CChar.self)
            var room = target.count
            let result = iconv(descriptor, &position, &left, &end, &room)
            let failure = result == -1 ? errno : 0
            return (target.count - room, failure)
        }
    }

    /// Ends a charset with shift states.
    private func flush(into chunk: inout [UInt8]) -> Int {
        chunk.withUnsafeMutableBytes { target in
            var end = target.baseAddress?.assumingMemoryBound(to: CChar.self)
            var room = target.count
            _ = iconv(descriptor, nil, nil, &end, &room)
            return target.count - room
        }
    }
}
