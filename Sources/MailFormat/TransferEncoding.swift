import CGMime
import MailModel

/// Content-Transfer-Encoding (RFC 2045 section 6).
package enum TransferEncoding: Hashable, Sendable {
    /// 7bit, 8bit, binary, or none named.
    case identity
    case quotedPrintable
    case base64
    /// Not standard, still met.
    case uuencode

    /// Nil when the name is unknown.
    init?(name: String) {
        switch AutomaticMail.token(of: name) {
        case "", "7bit", "8bit", "binary", "7-bit", "8-bit": self = .identity
        case "quoted-printable": self = .quotedPrintable
        case "base64": self = .base64
        case "uuencode", "x-uuencode", "x-uue", "uue": self = .uuencode
        default: return nil
        }
    }

    /// The bytes behind the encoding; decoders skip what they do not know.
    func decode(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        switch self {
        case .identity: Array(bytes)
        case .quotedPrintable: run(GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE, bytes)
        case .base64: run(GMIME_CONTENT_ENCODING_BASE64, bytes)
        case .uuencode: run(GMIME_CONTENT_ENCODING_UUENCODE, bytes)
        }
    }

    /// How many bytes `decode` would give, without giving them where that can be counted.
    func decodedSize(_ bytes: ArraySlice<UInt8>) -> Int {
        switch self {
        case .identity: return bytes.count
        case .base64:
            var digits = 0
            for byte in bytes where TransferEncoding.isBase64[Int(byte)] { digits += 1 }
            return digits * 3 / 4
        case .quotedPrintable, .uuencode: return decode(bytes).count
        }
    }

    private static let isBase64: [Bool] = (0...255).map { byte in
        switch UInt8(byte) {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "/"): true
        default: false
        }
    }

    private func run(_ encoding: GMimeContentEncoding, _ bytes: ArraySlice<UInt8>) -> [UInt8] {
        guard !bytes.isEmpty else { return [] }
        var state = GMimeEncoding()
        g_mime_encoding_init_decode(&state, encoding)
        let room = g_mime_encoding_outlen(&state, bytes.count) + 16
        return [UInt8](unsafeUninitializedCapacity: room) { target, count in
            bytes.withUnsafeBytes { source in
                let from = source.baseAddress?.assumingMemoryBound(to: CChar.self)
                let into = target.baseAddress.map { UnsafeMutableRawPointer($0).assumingMemoryBound(to: CChar.self) }
                count = g_mime_encoding_flush(&state, from, source.count, into)
            }
        }
    }
}
