import Glibc
import MailModel

/// The readable side of a message's parts.
struct BodyReader {
    let parts: MessageParts
    let limits: ReadingLimits
    var defects: DefectList

    mutating func read(into result: inout ReadMessage) {
        let selection = TextSelection(parts.all)
        let textual = BodyReader.isTextOnly(parts.all, selection) ? [0] : selection.text
        let decoded = decode(Set(textual).union(selection.html))
        result.textBody = joined(textual.filter { !isHTML($0) }, decoded)
        result.htmlBody = joined(selection.html.filter(isHTML), decoded)
        result.text = readable(textual, decoded)
        var embedded = EmbeddedReader(parts: parts, limits: limits, defects: defects)
        for index in BodyReader.attached(parts.all, selection) {
            var file = attachment(index)
            file.embedded = embedded.message(in: parts.all[index], of: parts)
            result.attachments.append(file)
        }
        defects = embedded.defects
    }

    /// The parts that are attached to a message.
    static func attached(_ parts: [MessagePart]) -> [Int] { attached(parts, TextSelection(parts)) }

    private static func attached(_ parts: [MessagePart], _ selection: TextSelection) -> [Int] {
        isTextOnly(parts, selection) ? [] : selection.attachments
    }

    /// The only content of a mail is read even when its kind of text is a strange one (text/enriched, text/markdown).
    private static func isTextOnly(_ parts: [MessagePart], _ selection: TextSelection) -> Bool {
        parts.count == 1 && selection.attachments == [0] && parts[0].contentType.isText
            && parts[0].disposition != "attachment"
    }

    private func isHTML(_ index: Int) -> Bool { parts.all[index].contentType.essence == "text/html" }

    /// Each part once, however often it is referred to; no more than the limit of bytes in all for each kind.
    private mutating func decode(_ indices: Set<Int>) -> [Int: String] {
        var room = [false: limits.textBytes, true: limits.textBytes]
        var decoded: [Int: String] = [:]
        for index in indices.sorted() {
            let part = parts.all[index]
            var bytes = parts.content(of: part)
            let left = room[isHTML(index)] ?? 0
            if bytes.count > left {
                bytes.removeSubrange(BodyReader.cut(bytes, at: left)...)
                defects.note(.textTruncated)
            }
            room[isHTML(index)] = left - bytes.count
            let text = CharsetDecoder.decode(bytes, charset: part.contentType.charset, defects: &defects)
            decoded[index] = BodyReader.withLineFeeds(text)
        }
        return decoded
    }

    /// A place at or before `limit` that is not inside a UTF-8 character.
    private static func cut(_ bytes: [UInt8], at limit: Int) -> Int {
        var position = max(0, limit)
        while position > 0, position > limit - 3, position < bytes.count, bytes[position] & 0xC0 == 0x80 {
            position -= 1
        }
        return position
    }

    private func joined(_ indices: [Int], _ decoded: [Int: String]) -> String? {
        guard !indices.isEmpty else { return nil }
        return join(indices.map { decoded[$0] ?? "" })
    }

    private func readable(_ indices: [Int], _ decoded: [Int: String]) -> String {
        join(indices.map { isHTML($0) ? PlainText.from(html: decoded[$0] ?? "") : decoded[$0] ?? "" })
    }

    private func join(_ texts: [String]) -> String {
        var result = ""
        for text in texts {
            if !result.isEmpty, result.utf8.last != 0x0A { result += "\n" }
            result += text
        }
        return result
    }

    private func attachment(_ index: Int) -> ReadMessage.Attachment {
        let part = parts.all[index]
        return ReadMessage.Attachment(
            part: index, filename: part.filename, contentType: part.contentType.essence,
            size: part.encoding.decodedSize(parts.raw(part)), disposition: part.disposition,
            isInline: part.disposition == "inline" || part.contentID != nil,
            contentID: part.contentID)
    }

    /// CRLF as one LF; a lone CR, which some programs send, as well.
    static func withLineFeeds(_ text: String) -> String {
        var text = text
        return text.withUTF8 { source in
            guard let start = source.baseAddress, memchr(start, 0x0D, source.count) != nil else { return nil }
            return String(unsafeUninitializedCapacity: source.count) { target in
                guard let room = target.baseAddress else { return 0 }
                return copy(start, source.count, to: room)
            }
        } ?? text
    }

    /// Whole runs between carriage returns, because every line of every mail ends with one.
    /// - Returns: the bytes written, at most as many as there were.
    private static func copy(_ source: UnsafePointer<UInt8>, _ count: Int, to target: UnsafeMutablePointer<UInt8>)
        -> Int
    {
        var position = 0
        var written = 0
        while position < count {
            let found = memchr(source + position, 0x0D, count - position)
            let end = found.map { UnsafeRawPointer(source).distance(to: UnsafeRawPointer($0)) } ?? count
            (target + written).update(from: source + position, count: end - position)
            written += end - position
            guard end < count else { break }
            target[written] = 0x0A
            written += 1
            position = end + 1
            if position < count, source[position] == 0x0A { position += 1 }
        }
        return written
    }
}
