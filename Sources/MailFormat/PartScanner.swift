import Glibc
import MailModel

/// Cuts a body into its parts (RFC 2046 section 5.1).
///
/// One pass over the lines, with the open multiparts on a stack of limited height: time grows with the size of the body,
/// memory with the number of parts, and both are capped while scanning. GMime's own parser is not used for this: it builds
/// every part before anybody can say that there are too many. A message inside a message stays closed: it is a leaf
/// (`EmbeddedReader` opens it).
struct PartScanner {
    private struct Open {
        var boundary: [UInt8]
        var part: Int
        var childType: ContentType
        /// Whether a line was looked for that is the declared boundary.
        var isSearched = false
    }

    private enum State {
        /// Before the first boundary of a multipart, or after its last: bytes that belong to nobody.
        case between
        case header(start: Int, fields: [HeaderField])
        case body(part: Int, start: Int)
    }

    private let limits: ReadingLimits
    private let end: Int
    private var parts: [MessagePart] = []
    private var open: [Open] = []
    private var state = State.between
    private var decoder: HeaderDecoder
    private var isFull = false
    /// Boundaries of multiparts that another's boundary ended: they may go on behind it.
    private var abandoned: [[UInt8]] = []
    private var guesses = 0

    private init(limits: ReadingLimits, end: Int) {
        self.limits = limits
        self.end = end
        decoder = HeaderDecoder(limits: limits)
    }

    /// The parts of a message; never empty.
    static func scan(headers: [HeaderField], body: [UInt8], limits: ReadingLimits) -> MessageParts {
        let end = min(body.count, limits.bodyBytes)
        var scanner = PartScanner(limits: limits, end: end)
        if body.count > end { scanner.decoder.defects.note(.bodyTruncated) }
        scanner.add(headers, defaultType: .plainText, start: 0)
        if !scanner.open.isEmpty {
            body.withUnsafeBytes { scanner.scanLines(UnsafeRawBufferPointer(rebasing: $0[..<end])) }
        }
        return MessageParts(all: scanner.parts, body: body, defects: scanner.decoder.defects.all)
    }

    /// The parts of a message that lies inside another's body. Their ranges are places in that body too.
    static func scan(
        headers: [HeaderField], body: [UInt8], in range: Range<Int>, limits: ReadingLimits
    ) -> MessageParts {
        let end = min(range.count, limits.bodyBytes)
        let offset = range.lowerBound
        var scanner = PartScanner(limits: limits, end: end)
        scanner.add(headers, defaultType: .plainText, start: 0)
        if !scanner.open.isEmpty {
            body.withUnsafeBytes { scanner.scanLines(UnsafeRawBufferPointer(rebasing: $0[offset..<(offset + end)])) }
        }
        for index in scanner.parts.indices {
            let own = scanner.parts[index].range
            scanner.parts[index].range = (offset + own.lowerBound)..<(offset + own.upperBound)
        }
        return MessageParts(all: scanner.parts, body: body, defects: scanner.decoder.defects.all)
    }

    private mutating func scanLines(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress else { return finish() }
        var start = 0
        while start < bytes.count, !isFull {
            let feed = memchr(base + start, 0x0A, bytes.count - start)
            let next = feed.map { base.distance(to: UnsafeRawPointer($0)) + 1 } ?? bytes.count
            takeLine(UnsafeRawBufferPointer(rebasing: bytes[start..<next]), at: start, next: next, in: bytes)
            start = next
        }
        finish()
    }

    private mutating func takeLine(
        _ line: UnsafeRawBufferPointer, at start: Int, next: Int, in bytes: UnsafeRawBufferPointer
    ) {
        if line.count > 2, line[0] == UInt8(ascii: "-"), line[1] == UInt8(ascii: "-"),
            let (level, isClosing) = match(line)
        {
            return takeBoundary(level: level, isClosing: isClosing, at: start, next: next, in: bytes)
        }
        if case .between = state { return takeUndeclared(line, at: start, next: next, in: bytes) }
        guard case .header(let headerStart, var fields) = state else { return }
        // Emptied first, so that the append below does not copy what the state still holds.
        state = .between
        if PartScanner.isBlank(line) {
            add(fields, defaultType: open.last?.childType ?? .plainText, start: next)
        } else if !PartScanner.isField(line) {
            // The empty line was forgotten, as a message's own may be.
            add(fields, defaultType: open.last?.childType ?? .plainText, start: start)
        } else {
            take(headerLine: line, into: &fields)
            state = .header(start: headerStart, fields: fields)
        }
    }

    /// The innermost open multipart whose boundary this line is; blanks may follow it (RFC 2046 section 5.1.1).
    private func match(_ line: UnsafeRawBufferPointer) -> (level: Int, isClosing: Bool)? {
        var length = line.count
        while length > 2, line[length - 1] <= 0x20 { length -= 1 }
        let content = UnsafeRawBufferPointer(rebasing: line[2..<length])
        for level in open.indices.reversed() {
            let boundary = open[level].boundary
            guard content.count == boundary.count || content.count == boundary.count + 2 else { continue }
            guard content.starts(with: boundary) else { continue }
            if content.count == boundary.count { return (level, false) }
            if content[boundary.count] == UInt8(ascii: "-"), content[boundary.count + 1] == UInt8(ascii: "-") {
                return (level, true)
            }
        }
        guard !abandoned.isEmpty, !open.isEmpty else { return nil }
        return abandoned.contains(where: { content.elementsEqual($0) }) ? (open.count - 1, false) : nil
    }

    /// Before the first part: where no line is the declared boundary, a line of dashes in front of a part's header is the
    /// boundary that the sender really wrote.
    private mutating func takeUndeclared(
        _ line: UnsafeRawBufferPointer, at start: Int, next: Int, in bytes: UnsafeRawBufferPointer
    ) {
        guard line.count > 3, line[0] == UInt8(ascii: "-"), line[1] == UInt8(ascii: "-"), let top = open.last,
            parts[top.part].children.isEmpty, !top.isSearched, PartScanner.isContentField(at: next, in: bytes)
        else { return }
        guard guesses < PartScanner.guessLimit else { return }
        guesses += 1
        open[open.count - 1].isSearched = true
        guard !PartScanner.hasLine(top.boundary, from: next, in: bytes) else { return }
        var length = line.count
        while length > 2, line[length - 1] <= 0x20 { length -= 1 }
        decoder.defects.note(.missingBoundary)
        open[open.count - 1].boundary = Array(line[2..<length])
        takeBoundary(level: open.count - 1, isClosing: false, at: start, next: next, in: bytes)
    }

    /// Each costs a pass over the body.
    private static let guessLimit = 8

    private static func isContentField(at position: Int, in bytes: UnsafeRawBufferPointer) -> Bool {
        let name = "content-".utf8
        guard position + name.count < bytes.count else { return false }
        return zip(bytes[position..<(position + name.count)], name).allSatisfy { $0 | 0x20 == $1 | 0x20 }
    }

    /// Whether some line from here on is this boundary.
    private static func hasLine(_ boundary: [UInt8], from start: Int, in bytes: UnsafeRawBufferPointer) -> Bool {
        guard let base = bytes.baseAddress else { return false }
        let wanted = [UInt8(ascii: "-"), UInt8(ascii: "-")] + boundary
        var position = start
        while position < bytes.count {
            let feed = memchr(base + position, 0x0A, bytes.count - position)
            let end = feed.map { base.distance(to: UnsafeRawPointer($0)) } ?? bytes.count
            if end - position >= wanted.count, bytes[position] == wanted[0], bytes[position..<end].starts(with: wanted)
            {
                let rest = bytes[(position + wanted.count)..<end]
                if rest.allSatisfy({ $0 <= 0x20 || $0 == UInt8(ascii: "-") }) { return true }
            }
            position = end + 1
        }
        return false
    }

    private mutating func takeBoundary(
        level: Int, isClosing: Bool, at start: Int, next: Int, in bytes: UnsafeRawBufferPointer
    ) {
        endPart(at: PartScanner.withoutLineEnd(start, in: bytes))
        if level < open.count - 1 {
            decoder.defects.note(.unterminatedMultipart)
            for inner in open[(level + 1)...] {
                close(inner.part, at: start)
                if abandoned.count < 8 { abandoned.append(inner.boundary) }
            }
            open.removeSubrange((level + 1)...)
        }
        if isClosing {
            close(open[level].part, at: next)
            open.removeSubrange(level...)
            state = .between
        } else if parts.count >= limits.parts {
            decoder.defects.note(.tooManyParts)
            isFull = true
            state = .between
        } else {
            state = .header(start: next, fields: [])
        }
    }

    /// Ends what was running when a boundary or the end came.
    private mutating func endPart(at position: Int) {
        switch state {
        case .between: break
        case .header(_, let fields):
            state = .between
            add(fields, defaultType: open.last?.childType ?? .plainText, start: position)
            endPart(at: position)
        case .body(let part, let start):
            parts[part].range = start..<max(start, position)
            state = .between
        }
    }

    private mutating func close(_ part: Int, at position: Int) {
        parts[part].range = parts[part].range.lowerBound..<max(parts[part].range.lowerBound, position)
    }

    private mutating func finish() {
        endPart(at: end)
        // A part whose header only just ended with the last line may have opened a multipart.
        if !open.isEmpty, !isFull { decoder.defects.note(.unterminatedMultipart) }
        for multipart in open {
            close(multipart.part, at: end)
            // No line is its boundary: what there is, is text, and worth more than nothing.
            if parts[multipart.part].children.isEmpty, !isFull { parts[multipart.part].contentType = .plainText }
        }
        open.removeAll()
    }

    /// A header is complete: makes the part and opens it when it is a multipart.
    private mutating func add(_ fields: [HeaderField], defaultType: ContentType, start: Int) {
        let header = PartHeader(fields, defaultType: defaultType, decoder: &decoder)
        var part = MessagePart(
            headers: fields, contentType: header.contentType, encoding: header.encoding,
            disposition: header.disposition,
            filename: header.filename, contentID: header.contentID, children: [], range: start..<max(start, end),
            depth: open.count)
        let index = parts.count
        if let parent = open.last { parts[parent.part].children.append(index) }
        guard let boundary = boundary(of: &part) else {
            parts.append(part)
            state = .body(part: index, start: start)
            return
        }
        parts.append(part)
        let isDigest = part.contentType.subtype == "digest"
        let childType = isDigest ? ContentType(type: "message", subtype: "rfc822") : .plainText
        open.append(Open(boundary: boundary, part: index, childType: childType))
        state = .between
    }

    /// Nil for a leaf, and for a multipart that cannot be opened, which becomes one.
    private mutating func boundary(of part: inout MessagePart) -> [UInt8]? {
        guard part.isMultipart else { return nil }
        var text = Array((part.contentType.boundary ?? "").utf8)
        while text.last == 0x20 { text.removeLast() }
        if text.isEmpty {
            decoder.defects.note(.missingBoundary)
            part.contentType = .plainText
            return nil
        }
        if open.count >= limits.nesting {
            decoder.defects.note(.nestedTooDeeply)
            part.contentType = ContentType(type: "application", subtype: "octet-stream")
            return nil
        }
        return text
    }

    private mutating func take(headerLine line: UnsafeRawBufferPointer, into fields: inout [HeaderField]) {
        if line[0] == 0x20 || line[0] == 0x09 {
            guard let last = fields.indices.last else { return }
            let room = limits.fieldBytes - fields[last].value.count
            if line.count > room { decoder.defects.note(.headersTruncated) }
            fields[last].value.append(contentsOf: line.prefix(max(0, room)))
            return
        }
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return }
        guard fields.count < limits.headerFields else { return decoder.defects.note(.headersTruncated) }
        let name = String(decoding: line[..<colon], as: UTF8.self).trimmingBlanks()
        fields.append(HeaderField(name: name, value: Array(line[(colon + 1)...].prefix(limits.fieldBytes))))
    }

    /// A field or the continuation of one.
    private static func isField(_ line: UnsafeRawBufferPointer) -> Bool {
        if line[0] == 0x20 || line[0] == 0x09 { return true }
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > 0 else { return false }
        var end = colon
        while end > 0, line[end - 1] == 0x20 || line[end - 1] == 0x09 { end -= 1 }
        return end > 0 && line[..<end].allSatisfy { $0 > 0x20 && $0 < 0x7F }
    }

    private static func isBlank(_ line: UnsafeRawBufferPointer) -> Bool {
        line.count == 1 || (line.count == 2 && line[0] == 0x0D)
    }

    /// The line end before a boundary belongs to the boundary.
    private static func withoutLineEnd(_ position: Int, in bytes: UnsafeRawBufferPointer) -> Int {
        guard position > 0, bytes[position - 1] == 0x0A else { return position }
        return position > 1 && bytes[position - 2] == 0x0D ? position - 2 : position - 1
    }
}
