import CGMime
import MailModel

/// Header values as what they mean, by way of GMime.
struct HeaderDecoder {
    let limits: ReadingLimits
    var defects = DefectList()

    init(limits: ReadingLimits) { self.limits = limits }

    /// Encoded words decoded (RFC 2047), bytes in no charset guessed; no control character is left.
    mutating func text(_ field: HeaderField) -> String {
        let bytes = unfolded(field)
        if let plain = HeaderDecoder.plainText(bytes) { return plain }
        return HeaderDecoder.withCString(EncodedWordRepair.joined(CharsetNames.tamed(bytes))) { pointer in
            HeaderDecoder.take(g_mime_utils_header_decode_text(GMimeRuntime.options, pointer)) ?? ""
        }
    }

    /// The mailboxes of a list, members of groups included, in order.
    mutating func mailboxes(_ field: HeaderField) -> [Mailbox] {
        let bytes = withoutDeepGroups(unfolded(field))
        if let mailbox = HeaderDecoder.plainMailbox(bytes) { return [mailbox] }
        let list = HeaderDecoder.withCString(EncodedWordRepair.joined(CharsetNames.tamed(bytes))) {
            internet_address_list_parse(GMimeRuntime.options, $0)
        }
        guard let list else {
            if bytes.contains(where: { $0 != 0x20 }) { defects.note(.invalidAddress) }
            return []
        }
        defer { g_object_unref(list) }
        var found: [Mailbox] = []
        collect(list, into: &found)
        return found
    }

    /// Microseconds UTC; nil, and a defect, when the field is no date (RFC 5322 section 3.3).
    mutating func date(_ field: HeaderField) -> Int64? {
        let bytes = unfolded(field)
        let date = HeaderDecoder.withCString(bytes) { g_mime_utils_header_decode_date($0) }
        guard let date else {
            defects.note(.invalidDate)
            return nil
        }
        defer { g_date_time_unref(date) }
        return Int64(g_date_time_to_unix(date)) * 1_000_000 + Int64(g_date_time_get_microsecond(date))
    }

    /// Message ids of a field, as they stand between the brackets.
    mutating func identifiers(_ field: HeaderField) -> [String] {
        MessageIdentifiers.parse(String(decoding: unfolded(field), as: UTF8.self))
    }

    /// One line without NUL, capped, blanks at both ends removed.
    mutating func unfolded(_ field: HeaderField) -> [UInt8] {
        var source = field.value[...]
        if source.count > limits.fieldBytes {
            source = source.prefix(limits.fieldBytes)
            defects.note(.headersTruncated)
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(source.count)
        for byte in source {
            switch byte {
            case 0: defects.note(.nulInHeader)
            case 0x0D, 0x0A: break
            case 0x09: bytes.append(0x20)
            default: bytes.append(byte)
            }
        }
        let start = bytes.firstIndex { $0 != 0x20 } ?? bytes.endIndex
        let end = bytes.lastIndex { $0 != 0x20 }.map { $0 + 1 } ?? bytes.endIndex
        return start == 0 && end == bytes.count ? bytes : Array(bytes[min(start, end)..<end])
    }

    /// One mailbox of the usual forms `a@b.example`, `<a@b.example>` and `Words <a@b.example>`, in ASCII without quotes,
    /// comments or encoded words: nothing for GMime to decide.
    private static func plainMailbox(_ bytes: [UInt8]) -> Mailbox? {
        guard bytes.allSatisfy(isPlainPhrase) else { return nil }
        guard let open = bytes.firstIndex(of: UInt8(ascii: "<")) else {
            return bytes.contains(UInt8(ascii: ">")) ? nil : mailbox(name: nil, bytes[...])
        }
        guard bytes.firstIndex(of: UInt8(ascii: ">")) == bytes.count - 1 else { return nil }
        let name = bytes[..<open]
        let address = bytes[(open + 1)..<(bytes.count - 1)]
        guard !address.contains(UInt8(ascii: "<")),
            !name.contains(where: { $0 == UInt8(ascii: "@") || $0 == UInt8(ascii: ".") })
        else {
            return nil
        }
        if name.isEmpty { return mailbox(name: nil, address) }
        guard name.last == 0x20 else { return nil }
        let words = String(decoding: name, as: UTF8.self).trimmingBlanks()
        return mailbox(name: words, address)
    }

    private static func mailbox(name: String?, _ address: ArraySlice<UInt8>) -> Mailbox? {
        MailAddress.parse(received: String(decoding: address, as: UTF8.self)).map { Mailbox(name: name, address: $0) }
    }

    /// What the usual names and addresses are made of.
    private static func isPlainPhrase(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: " "), UInt8(ascii: "-"), UInt8(ascii: "_"): true
        case UInt8(ascii: "."), UInt8(ascii: "+"), UInt8(ascii: "@"), UInt8(ascii: "<"), UInt8(ascii: ">"): true
        default: false
        }
    }

    /// Colons beyond the limit become blanks. GMime opens a group inside a group by recursion, once for every colon, and a
    /// field of nothing else ends the stack of the thread.
    private mutating func withoutDeepGroups(_ bytes: [UInt8]) -> [UInt8] {
        let colon = UInt8(ascii: ":")
        guard bytes.count(where: { $0 == colon }) > HeaderDecoder.groupLimit else { return bytes }
        defects.note(.invalidAddress)
        var result = bytes
        var seen = 0
        for index in result.indices where result[index] == colon {
            seen += 1
            if seen > HeaderDecoder.groupLimit { result[index] = 0x20 }
        }
        return result
    }

    private static let groupLimit = 64

    private mutating func collect(_ list: UnsafeMutablePointer<InternetAddressList>, into found: inout [Mailbox]) {
        var pending = [list]
        while let next = pending.popLast() {
            for index in 0..<internet_address_list_length(next) {
                guard let address = internet_address_list_get_address(next, index) else { continue }
                guard found.count < limits.addresses else { return defects.note(.tooManyAddresses) }
                if let members = postrider_gmime_group_members(address) {
                    pending.append(members)
                } else if let mailbox = HeaderDecoder.mailbox(address) {
                    found.append(mailbox)
                } else {
                    defects.note(.invalidAddress)
                }
            }
        }
    }

    private static func mailbox(_ address: UnsafeMutablePointer<InternetAddress>) -> Mailbox? {
        guard let text = postrider_gmime_mailbox_address(address) else { return nil }
        guard let parsed = MailAddress.parse(received: String(cString: text)) else { return nil }
        let name = internet_address_get_name(address).map { withoutControls(String(cString: $0)) } ?? ""
        return Mailbox(name: name.isEmpty ? nil : name, address: parsed)
    }

    /// ASCII without encoded words needs no decoder.
    private static func plainText(_ bytes: [UInt8]) -> String? {
        var previous: UInt8 = 0
        for byte in bytes {
            guard byte >= 0x20, byte < 0x7F, previous != UInt8(ascii: "=") || byte != UInt8(ascii: "?") else {
                return nil
            }
            previous = byte
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    static func withCString<R>(_ bytes: [UInt8], _ body: (UnsafePointer<CChar>?) -> R) -> R {
        var terminated = bytes
        terminated.append(0)
        return terminated.withUnsafeBytes { body($0.baseAddress?.assumingMemoryBound(to: CChar.self)) }
    }

    /// A string that GMime gave away, freed here (+1 by GMime, -1 here).
    private static func take(_ pointer: UnsafeMutablePointer<CChar>?) -> String? {
        guard let pointer else { return nil }
        defer { g_free(pointer) }
        return withoutControls(String(cString: pointer))
    }

    /// An encoded word may hold line ends and other control characters; no reader of a subject or name expects them.
    static func withoutControls(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isControl) else { return text.trimmingBlanks() }
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars { result.append(isControl(scalar) ? " " : scalar) }
        return String(result).trimmingBlanks()
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0...0x1F, 0x7F...0x9F, 0x2028, 0x2029: true
        default: false
        }
    }
}

extension String {
    /// Without spaces at both ends.
    func trimmingBlanks() -> String {
        guard utf8.first == 0x20 || utf8.last == 0x20 else { return self }
        let start = drop { $0 == " " }
        guard let end = start.lastIndex(where: { $0 != " " }) else { return "" }
        return String(start[...end])
    }
}
