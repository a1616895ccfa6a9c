import MailModel

/// Puts SMTP replies together from their lines (RFC 5321 section 4.2.1).
///
/// A line counts as libcurl counts it (lib/smtp.c, smtp_endofresp): three digits, then a hyphen for "more follows", a
/// blank or nothing for "this was the last". Everything else is skipped, as libcurl skips it.
struct ReplyReader {
    enum Step: Equatable {
        case needsMore
        /// A whole reply, and its lines' texts as sent, which is how EHLO lists its extensions.
        case complete(Reply, lines: [String])
        /// More than any server has to say; the connection is of no use.
        case tooLong
    }

    /// A hundred times the 512 bytes of a reply line (RFC 5321 section 4.5.3.1.5) is beyond every honest reply.
    static let sizeLimit = 51_200

    private var lines: [String] = []
    private var size = 0

    mutating func take(_ line: some BidirectionalCollection<UInt8>) -> Step {
        var content = line[...]
        while let last = content.last, last == 0x0D || last == 0x0A { content.removeLast() }
        size += content.count + 1
        if size > Self.sizeLimit { return .tooLong }
        guard let code = replyCode(content.prefix(3)) else { return .needsMore }
        let rest = content.dropFirst(3)
        guard let mark = rest.first else { return finish(code: code, text: "") }
        let text = printable(rest.dropFirst())
        switch mark {
        case 0x20: return finish(code: code, text: text)
        case 0x2D: lines.append(text)
        default: break
        }
        return .needsMore
    }

    private mutating func finish(code: Int, text: String) -> Step {
        let all = lines + [text]
        lines = []
        size = 0
        return .complete(Reply(code: code, lines: all), lines: all)
    }
}

extension Reply {
    /// A reply from the texts of its lines. An enhanced code (RFC 2034 section 4) stands on every line; it is taken
    /// from the first that has one and cut from all that repeat it.
    init(code: Int, lines: [String]) {
        let enhanced = lines.lazy.compactMap(enhancedPrefix).first
        if lines.count == 1, let line = lines.first {
            // Bytes: the code is ASCII, and so are blanks.
            let text = line.utf8.dropFirst(enhanced?.utf8.count ?? 0).drop { enhanced != nil && $0 == 0x20 }
            self.init(code: code, enhancedCode: enhanced, text: enhanced == nil ? line : String(Substring(text)))
            return
        }
        let texts = lines.map { line -> Substring in
            guard let enhanced, line.hasPrefix(enhanced) else { return line[...] }
            return line.dropFirst(enhanced.count).drop { $0 == " " }
        }
        self.init(
            code: code, enhancedCode: enhanced,
            text: texts.filter { !$0.isEmpty }.joined(separator: " "))
    }

    /// The relay's name for the message it took: "queued as X" of Postfix and others, "id=X" of Exim.
    var queueID: String? {
        for mark in ["queued as ", "id="] {
            guard let start = text.range(of: mark) else { continue }
            let token = text[start...].prefix { $0 != " " && $0 != ";" && $0 != ")" }
            if !token.isEmpty { return String(token) }
        }
        return nil
    }
}

extension String {
    /// Where the text after the first `mark` starts, ASCII case ignored.
    fileprivate func range(of mark: String) -> String.Index? {
        let wanted = Array(mark.utf8)
        var start = utf8.startIndex
        while start < utf8.endIndex {
            let candidate = utf8[start...].prefix(wanted.count)
            if candidate.elementsEqual(wanted, by: { lowercase($0) == $1 }) { return candidate.endIndex }
            utf8.formIndex(after: &start)
        }
        return nil
    }
}

private func lowercase(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }

/// The number of three digits; nil when they are not.
private func replyCode(_ digits: some Collection<UInt8>) -> Int? {
    guard digits.count == 3, digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
    return digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
}

/// `class.subject.detail` at the start of a line (RFC 3463 section 2).
private func enhancedPrefix(_ line: String) -> String? {
    var parts = 0
    var digits = 0
    var length = 0
    for byte in line.utf8 {
        switch byte {
        case 0x30...0x39:
            digits += 1
            if digits > (parts == 0 ? 1 : 3) || (length == 0 && byte != 0x32 && byte != 0x34 && byte != 0x35) {
                return nil
            }
        case UInt8(ascii: ".") where digits > 0 && parts < 2:
            parts += 1
            digits = 0
        case 0x20: return parts == 2 && digits > 0 ? String(line.utf8.prefix(length)) : nil
        default: return nil
        }
        length += 1
    }
    return parts == 2 && digits > 0 ? line : nil
}

/// Text that is safe in a log line or a page: no control characters, no broken UTF-8.
private func printable(_ bytes: some Collection<UInt8>) -> String {
    if bytes.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) { return String(decoding: bytes, as: UTF8.self) }
    var text = ""
    for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
        let isControl = scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
        text.unicodeScalars.append(isControl ? " " : scalar)
    }
    return text
}
