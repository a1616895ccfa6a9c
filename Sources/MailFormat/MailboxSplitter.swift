/// Cuts a mailbox file into messages while it is read: the file may be of any size, what is kept is one message.
///
/// A line that begins with `From `, says a time of day and follows an empty line or nothing at all begins a message (RFC
/// 4155). Lines come out with CRLF, whatever they had.
package struct MailboxSplitter: Sendable {
    /// How lines of a message that look like the beginning of another were written.
    package enum Quoting: Sendable {
        /// `>` before `From ` after any number of `>`: one is taken away.
        case mboxrd
        /// `>` before `From `: one is taken away where there is exactly one.
        case mboxo
        /// The file is one message, and nothing in it was changed.
        case message
    }

    /// One message of the file.
    package struct Message: Hashable, Sendable {
        /// Where it begins in the file, in bytes.
        package var offset: Int
        /// Who sent it by the line that begins it; empty where that names nobody.
        package var sender: String
        /// Header and body.
        package var bytes: [UInt8]
        /// There was more than the limit; the rest is not in `bytes`.
        package var isTruncated: Bool
    }

    private let quoting: Quoting
    private let limit: Int
    private var message: Message?
    /// The line under way, as far as it is in no chunk any more.
    private var rest: [UInt8] = []
    /// The line under way was longer than anybody needs; what follows of it is dropped.
    private var isOverlong = false
    private var offset = 0
    private var lineStart = 0
    private var isAfterEmptyLine = true

    /// - Parameter limit: bytes kept of one message.
    package init(quoting: Quoting, limit: Int) {
        self.quoting = quoting
        self.limit = limit
    }

    /// Takes the next bytes of the file.
    /// - Parameter take: gets each message that has ended.
    package mutating func feed(_ chunk: UnsafeRawBufferPointer, _ take: (Message) -> Void) {
        var start = 0
        while start < chunk.count {
            let tail = UnsafeRawBufferPointer(rebasing: chunk[start...])
            guard let end = Self.lineEnd(in: tail) else {
                keep(tail)
                offset += tail.count
                return
            }
            let line = UnsafeRawBufferPointer(rebasing: tail[..<end])
            if rest.isEmpty && !isOverlong {
                endLine(line, take)
            } else {
                keep(line)
                let whole = rest
                rest = []
                isOverlong = false
                whole.withUnsafeBytes { endLine($0, take) }
            }
            start += end + 1
            offset += end + 1
            lineStart = offset
        }
    }

    /// The file has ended.
    /// - Returns: the last message; nil when there was none.
    package mutating func finish() -> Message? {
        if !rest.isEmpty || isOverlong {
            let whole = rest
            rest = []
            var last: Message?
            whole.withUnsafeBytes { endLine($0) { last = $0 } }
            // A file that ends within the line that begins a message: what came before it comes first, what it begins is nothing.
            if let last {
                message = nil
                return last
            }
        }
        defer { message = nil }
        return message.map(closed)
    }

    private mutating func keep(_ bytes: UnsafeRawBufferPointer) {
        // A line may be as long as its message, and one that begins a message has its own length.
        let room = max(limit, 1000) + 64 - rest.count
        rest.append(contentsOf: bytes.prefix(max(0, room)))
        if bytes.count > room { isOverlong = true }
    }

    private static func lineEnd(in bytes: UnsafeRawBufferPointer) -> Int? {
        bytes.firstIndex(of: 0x0A)
    }

    /// A line, without its LF.
    private mutating func endLine(_ given: UnsafeRawBufferPointer, _ take: (Message) -> Void) {
        var line = given
        if line.last == 0x0D { line = UnsafeRawBufferPointer(rebasing: line.dropLast()) }
        if isAfterEmptyLine, quoting != .message, let sender = Self.sender(line) {
            let ended = message
            message = Message(offset: lineStart, sender: sender, bytes: [], isTruncated: false)
            isAfterEmptyLine = false
            if let ended { take(closed(ended)) }
            return
        }
        isAfterEmptyLine = line.isEmpty
        if message == nil {
            // Empty lines before the first message are nobody's.
            if line.isEmpty { return }
            message = Message(offset: lineStart, sender: "", bytes: [], isTruncated: false)
        }
        append(isQuoted(line) ? UnsafeRawBufferPointer(rebasing: line.dropFirst()) : line)
    }

    private mutating func append(_ line: UnsafeRawBufferPointer) {
        guard let count = message?.bytes.count, message?.isTruncated == false else { return }
        let room = limit - count
        guard line.count + 2 <= room else {
            message?.bytes.append(contentsOf: line.prefix(max(0, room)))
            message?.isTruncated = true
            return
        }
        message?.bytes.append(contentsOf: line)
        message?.bytes.append(contentsOf: [0x0D, 0x0A])
    }

    /// The empty line before the next beginning is the file's, not the message's.
    private func closed(_ message: Message) -> Message {
        var message = message
        if quoting != .message, !message.isTruncated, message.bytes.suffix(4) == [0x0D, 0x0A, 0x0D, 0x0A] {
            message.bytes.removeLast(2)
        }
        return message
    }

    private func isQuoted(_ line: UnsafeRawBufferPointer) -> Bool {
        guard quoting != .message, line.first == UInt8(ascii: ">") else { return false }
        let count = line.prefix { $0 == UInt8(ascii: ">") }.count
        guard quoting == .mboxrd || count == 1 else { return false }
        return line.dropFirst(count).starts(with: Self.beginning)
    }

    private static let beginning = Array("From ".utf8)

    /// Who a line that begins a message names; nil for any other line.
    private static func sender(_ line: UnsafeRawBufferPointer) -> String? {
        guard line.first == beginning[0], line.count > 5, line.count < 1000, line.starts(with: beginning) else {
            return nil
        }
        let words = line.dropFirst(5).split(separator: 0x20)
        guard let name = words.first, words.dropFirst().contains(where: isTime) else { return nil }
        let text = String(decoding: name, as: UTF8.self)
        return text == "-" || text == "MAILER-DAEMON" ? "" : text
    }

    /// `hh:mm` or `hh:mm:ss`.
    private static func isTime(_ word: Slice<UnsafeRawBufferPointer>) -> Bool {
        let parts = word.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        return (2...3).contains(parts.count)
            && parts.allSatisfy { part in
                (1...2).contains(part.count) && part.allSatisfy { $0 &- UInt8(ascii: "0") < 10 }
            }
    }
}
