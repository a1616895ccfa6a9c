import Engine

/// The status and the header fields of an answer, put together from their lines.
struct ResponseHead {
    private(set) var status: Int?
    /// Names in lower case; the values of a repeated field joined with a comma.
    private(set) var fields: [String: String] = [:]
    /// Fields beyond the limit were left out.
    private(set) var isTruncated = false
    /// So many bytes came that the receiver is not listened to any longer.
    private(set) var isEndless = false

    private static let patience = 1 << 20

    private var size = 0
    private var lastName: String?

    /// Takes one line, its end included.
    /// - Returns: whether to read on.
    mutating func take(_ line: some BidirectionalCollection<UInt8>) -> Bool {
        size += line.count
        guard size <= Self.patience else {
            isEndless = true
            return false
        }
        if line.starts(with: "HTTP/".utf8) {
            // Another one follows an interim answer (RFC 9110 section 15.2).
            status = Self.status(of: line)
            fields = [:]
            lastName = nil
        } else if size <= WebhookResponse.headerLimit {
            note(line)
        } else {
            isTruncated = true
        }
        return true
    }

    private static func status(of line: some BidirectionalCollection<UInt8>) -> Int? {
        let words = line.split(separator: 0x20, maxSplits: 2)
        guard words.count > 1 else { return nil }
        return Int(String(decoding: words[1].prefix { $0 > 0x20 }, as: UTF8.self))
    }

    private mutating func note(_ line: some BidirectionalCollection<UInt8>) {
        // Folding is obsolete, and forbidden to servers (RFC 9112 section 5.2); its text belongs to the field before.
        if let first = line.first, first == 0x20 || first == 0x09 {
            let text = Self.text(line)
            if let lastName, !text.isEmpty { fields[lastName] = (fields[lastName].map { $0 + " " } ?? "") + text }
            return
        }
        guard let colon = line.firstIndex(of: 0x3A), colon > line.startIndex else { return }
        let name = Self.text(line[..<colon]).lowercased()
        let value = Self.text(line[line.index(after: colon)...])
        fields[name] = fields[name].map { "\($0), \(value)" } ?? value
        lastName = name
    }

    /// Without blanks around it and control characters in it.
    private static func text(_ bytes: some Collection<UInt8>) -> String {
        var content = Array(bytes.drop { $0 <= 0x20 })
        while let last = content.last, last <= 0x20 { content.removeLast() }
        return String(decoding: content.map { $0 < 0x20 || $0 == 0x7F ? 0x20 : $0 }, as: UTF8.self)
    }
}
