import MailModel

/// Header and body of a whole message in one array.
enum HeaderSplitter {
    /// The fields up to the first empty line, and what follows it. A line that is no field and no continuation ends the
    /// header as well, as if the empty line had been forgotten.
    static func split(_ bytes: [UInt8], limits: ReadingLimits) -> (headers: [HeaderField], body: [UInt8]) {
        let (fields, end) = header(of: bytes[...], limits: limits)
        return (fields, Array(bytes[end...]))
    }

    /// The fields alone, and the place where the body begins.
    static func header(of bytes: ArraySlice<UInt8>, limits: ReadingLimits) -> (fields: [HeaderField], end: Int) {
        var fields: [HeaderField] = []
        var start = bytes.startIndex
        // Whether the field that a line may continue is one of those.
        var isKept = true
        while start < bytes.endIndex {
            let feed = bytes[start...].firstIndex(of: 0x0A) ?? bytes.endIndex
            let next = min(feed + 1, bytes.endIndex)
            var line = bytes[start..<feed]
            if line.last == 0x0D { line = line.dropLast() }
            if line.isEmpty { return (fields, next) }
            if line.first == 0x20 || line.first == 0x09 {
                if isKept { append(line, to: &fields, limit: limits.fieldBytes) }
            } else if let colon = line.firstIndex(of: UInt8(ascii: ":")), isName(line[..<colon]) {
                isKept = fields.count < limits.headerFields
                if isKept { fields.append(field(line, colon: colon)) }
            } else if !isMailboxMarker(line, isFirst: start == bytes.startIndex) {
                return (fields, start)
            }
            start = next
        }
        return (fields, bytes.endIndex)
    }

    private static func field(_ line: ArraySlice<UInt8>, colon: Int) -> HeaderField {
        let name = String(decoding: line[..<colon], as: UTF8.self).trimmingBlanks()
        return HeaderField(name: name, value: Array(line[(colon + 1)...]))
    }

    private static func append(_ line: ArraySlice<UInt8>, to fields: inout [HeaderField], limit: Int) {
        guard let last = fields.indices.last, fields[last].value.count < limit else { return }
        fields[last].value.append(0x0A)
        fields[last].value.append(contentsOf: line)
    }

    /// `From ` before the header is a mailbox file's, not the message's.
    private static func isMailboxMarker(_ line: ArraySlice<UInt8>, isFirst: Bool) -> Bool {
        isFirst && line.starts(with: Array("From ".utf8))
    }

    /// Printable, and no blank but at the end (RFC 5322 section 4.5 allows that one in old mail).
    private static func isName(_ bytes: ArraySlice<UInt8>) -> Bool {
        guard let end = bytes.lastIndex(where: { $0 != 0x20 && $0 != 0x09 }) else { return false }
        return bytes[...end].allSatisfy { $0 > 0x20 && $0 < 0x7F }
    }
}
