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
        case .base64: Base64.decode(bytes)
        case .uuencode: run(GMIME_CONTENT_ENCODING_UUENCODE, TransferEncoding.withoutBegin(bytes))
        }
    }

    /// How many bytes `decode` would give.
    func decodedSize(_ bytes: ArraySlice<UInt8>) -> Int {
        if case .identity = self { return bytes.count }
        return decode(bytes).count
    }

    /// What follows the line `begin 644 name`, which GMime takes for data.
    private static func withoutBegin(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var start = bytes.startIndex
        while start < bytes.endIndex {
            let end = bytes[start...].firstIndex(of: 0x0A) ?? bytes.endIndex
            if bytes[start..<end].starts(with: Array("begin ".utf8)) { return bytes[min(end + 1, bytes.endIndex)...] }
            start = min(end + 1, bytes.endIndex)
        }
        return bytes
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
