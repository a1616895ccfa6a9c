/// The addr-specs inside an address field (From, To, Cc; RFC 5322 section 3.4), without display names.
///
/// For comparing only: rules ask whether an address is mentioned. It never fails; what is no address is left out. One
/// pass, so its time grows with the length of the field and nothing else.
package enum HeaderAddresses {
    /// Every address of the field, in order.
    package static func parse(_ text: String) -> [MailAddress] {
        var scanner = Scanner()
        for byte in text.utf8 { scanner.take(byte) }
        scanner.finishElement()
        return scanner.found
    }

    private struct Scanner {
        var found: [MailAddress] = []
        private var plain: [UInt8] = []
        private var angle: [UInt8] = []
        private var hasAngle = false
        private var isInAngle = false
        private var isQuoted = false
        private var isEscaped = false
        private var commentDepth = 0

        mutating func take(_ byte: UInt8) {
            if isEscaped {
                isEscaped = false
                if commentDepth == 0 { keep(byte) }
                return
            }
            if byte == UInt8(ascii: "\\"), isQuoted || commentDepth > 0 {
                isEscaped = true
                if commentDepth == 0 { keep(byte) }
                return
            }
            if commentDepth > 0 { return takeInComment(byte) }
            if byte == UInt8(ascii: "\"") {
                isQuoted.toggle()
                return keep(byte)
            }
            if isQuoted { return keep(byte) }
            takeStructure(byte)
        }

        private mutating func takeInComment(_ byte: UInt8) {
            if byte == UInt8(ascii: "(") { commentDepth += 1 }
            if byte == UInt8(ascii: ")") { commentDepth -= 1 }
        }

        private mutating func takeStructure(_ byte: UInt8) {
            switch byte {
            case UInt8(ascii: "("): commentDepth += 1
            case UInt8(ascii: "<"):
                isInAngle = true
                hasAngle = true
                angle.removeAll(keepingCapacity: true)
            case UInt8(ascii: ">"): isInAngle = false
            // A comma inside angle brackets closes a source route (RFC 5322 section 4.4), not an address.
            case UInt8(ascii: ",") where isInAngle: angle.removeAll(keepingCapacity: true)
            case UInt8(ascii: ","), UInt8(ascii: ";"): finishElement()
            // The name of a group, or the route in front of an address.
            case UInt8(ascii: ":") where isInAngle && !angle.contains(UInt8(ascii: "[")):
                angle.removeAll(keepingCapacity: true)
            case UInt8(ascii: ":") where !isInAngle && !plain.contains(UInt8(ascii: "[")):
                plain.removeAll(keepingCapacity: true)
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"), UInt8(ascii: "\n"): break
            default: keep(byte)
            }
        }

        private mutating func keep(_ byte: UInt8) {
            // Longer than an address can be: no use, so do not grow with what a stranger sends.
            if isInAngle {
                if angle.count < 512 { angle.append(byte) }
            } else if plain.count < 512 {
                plain.append(byte)
            }
        }

        mutating func finishElement() {
            let bytes = hasAngle ? angle : plain
            if !bytes.isEmpty, let address = MailAddress.parse(received: String(decoding: bytes, as: UTF8.self)) {
                found.append(address)
            }
            plain.removeAll(keepingCapacity: true)
            angle.removeAll(keepingCapacity: true)
            hasAngle = false
            isInAngle = false
            isQuoted = false
        }
    }
}
