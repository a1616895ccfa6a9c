import MailModel

/// Recipients and what was said about each, out of a report written for people.
///
/// Every mail system has words of its own for it, but all of them write the address down, mostly at the beginning of a line,
/// and the reason behind it until the next address.
struct PlainReport {
    struct Entry {
        var address: String
        /// What the report says about this recipient alone; empty when it says nothing.
        var said: String
    }

    let text: ReportText
    /// Addresses that are no recipients of ours: the reader of the report and its author.
    private let excluded: Set<String>
    private let addresses: [[AddressScanner.Found]]
    /// The lines that name an address, by its normalized form.
    private let naming: [String: [Int]]
    private var leading: [Entry] = []
    /// By the normalized address. Reports of a thousand recipients ask a thousand times.
    private var saidAbout: [String: String] = [:]
    /// The paragraphs that name an address, by its normalized form.
    private var gathered: [String: String] = [:]
    /// Bytes of paragraphs that may still be put together. A line belongs to one recipient or a few, so a report needs a
    /// part of it; a text that was made for it would give all of itself to each of a thousand.
    private var budget = 512 << 10

    init(_ text: ReportText, excluding excluded: Set<String>) {
        self.text = text
        self.excluded = excluded
        addresses = text.lines.map {
            $0.utf8.contains(UInt8(ascii: "@")) ? AddressScanner.find(in: Array($0.utf8)) : []
        }
        var naming: [String: [Int]] = [:]
        for (line, found) in addresses.enumerated() {
            for address in Set(found.map(\.address.normalized)) { naming[address, default: []].append(line) }
        }
        self.naming = naming
        leading = entries(at: marks(where: isLeading))
        for entry in leading { saidAbout[entry.address.lowercased()] = entry.said }
    }

    /// The recipients by what the lines look like. `known` are those that a header field names; then nobody else is one.
    mutating func entries(known: [MailAddress]) -> [Entry] {
        if !known.isEmpty { return known.prefix(1000).map { entry($0) } }
        if !leading.isEmpty { return leading }
        let announced = marks(where: isAnnounced)
        let replied = marks(where: isReply)
        let isTranscript = Set(replied.map(\.address)).count >= max(1, Set(announced.map(\.address)).count)
        return isTranscript ? entries(of: replied) : entries(at: announced)
    }

    private mutating func entry(_ known: MailAddress) -> Entry {
        let said = saidAbout[known.normalized] ?? ""
        return Entry(address: known.description, said: said.isEmpty ? paragraphs(naming: known.normalized) : said)
    }

    /// What the text says about an address; empty when it does not name it.
    mutating func said(about address: String) -> String {
        let own = paragraphs(naming: address.lowercased())
        guard let said = saidAbout[address.lowercased()] else { return own }
        return own.isEmpty ? said : own + "\n" + said
    }

    private typealias Mark = (line: Int, address: MailAddress)

    /// One entry for each address, with the lines from its mark to the next mark of another.
    private mutating func entries(at marks: [Mark]) -> [Entry] {
        var order: [MailAddress] = []
        var said: [MailAddress: [String]] = [:]
        for (index, mark) in marks.enumerated() {
            if said[mark.address] == nil {
                order.append(mark.address)
                said[mark.address] = []
            }
            let end = marks[(index + 1)...].first { $0.line > mark.line }?.line ?? text.lines.count
            said[mark.address]?.append(contentsOf: text.lines[mark.line..<end])
        }
        return order.prefix(1000).map { address in
            let own = paragraphs(naming: address.normalized)
            let lines = said[address]?.joined(separator: "\n") ?? ""
            let hasReply = SMTPReply.find(in: Array(own.utf8)) != nil
            return Entry(address: address.description, said: hasReply && marks.count > 1 ? own : lines)
        }
    }

    /// In a transcript the reply that names the recipient is the last line about him.
    private func entries(of replies: [Mark]) -> [Entry] {
        var order: [MailAddress] = []
        var said: [MailAddress: String] = [:]
        var start = 0
        for mark in replies {
            // Two recipients of one line share what it says.
            let lines = text.lines[min(start, mark.line)...mark.line].joined(separator: "\n")
            start = mark.line + 1
            if said[mark.address] == nil { order.append(mark.address) }
            said[mark.address, default: ""] += lines + "\n"
        }
        return order.prefix(1000).map { Entry(address: $0.description, said: said[$0] ?? "") }
    }

    /// Lines that name the address, each with what it runs on into.
    private mutating func paragraphs(naming address: String) -> String {
        if let known = gathered[address] { return known }
        var found: [String] = []
        var index = 0
        for line in naming[address] ?? [] where line >= index && budget > 0 {
            index = line
            repeat {
                found.append(text.lines[index])
                budget -= text.lines[index].utf8.count + 1
                index += 1
            } while budget > 0 && index < text.lines.count && !text.lines[index].isEmpty
                && !names(another: address, at: index)
        }
        let all = found.joined(separator: "\n")
        gathered[address] = all
        return all
    }

    private func names(another address: String, at line: Int) -> Bool {
        addresses[line].contains { $0.address.normalized != address && isCandidate($0.address) }
    }

    // MARK: What a line looks like

    private func marks(where test: (Int, AddressScanner.Found) -> Bool) -> [Mark] {
        var marks: [Mark] = []
        for line in text.lines.indices {
            for found in addresses[line] where isCandidate(found.address) && test(line, found) {
                marks.append((line, found.address))
                // `kitty <kitty@example.org>, cat@example.org`: several to a line only where nothing else stands there.
                if !isList(line) { break }
            }
        }
        return marks
    }

    private func isCandidate(_ address: MailAddress) -> Bool {
        if excluded.contains(address.normalized) { return false }
        let local = address.localPart.lowercased()
        return local != "postmaster" && local != "mailer-daemon"
    }

    /// The address stands first in its line, behind nothing but signs.
    private func isLeading(_ line: Int, _ found: AddressScanner.Found) -> Bool {
        let bytes = Array(text.lines[line].utf8)
        let before = bytes[..<found.range.lowerBound]
        let signs = Set("*-•>|\"'<[(. \t".utf8)
        if !before.allSatisfy({ signs.contains($0) }) { return isListed(before, line) }
        if before.starts(with: ">>>".utf8), !before.dropFirst(3).allSatisfy({ $0 == 0x20 }) { return false }
        let after = bytes[found.range.upperBound...]
        guard let next = after.first(where: { $0 > 0x20 }) else { return true }
        if next >= 0x80 { return false }
        // A sentence that happens to wrap at the address goes on in small letters.
        let isSentence = (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(next) && !found.isBracketed
        return !isSentence || after.starts(with: Array(" on ".utf8)) || SMTPReply.find(in: Array(after)) != nil
    }

    /// `Recipient: <a@b.example>`, `To: a@b.example`, `Failed address: a@b.example`: a field of the report.
    private func isListed(_ before: ArraySlice<UInt8>, _ line: Int) -> Bool {
        var label = before[...]
        while let last = label.last, last <= 0x20 || last == UInt8(ascii: "<") || last == UInt8(ascii: "\"") {
            label.removeLast()
        }
        guard label.last == UInt8(ascii: ":") else { return false }
        let words = String(decoding: label.dropLast(), as: UTF8.self).lowercased()
            .split { $0 == " " || $0 == "\t" || $0 == "-" || $0 == "*" || $0 == "_" }
        guard let last = words.last, words.count <= 5 else { return false }
        let isRecipient = [
            "recipient", "recipients", "recipient(s)", "address", "rcpt", "addressee", "mailbox", "user",
        ].contains(last)
        return isRecipient && !words.contains { ["sender", "from", "reply", "return", "our"].contains($0) }
    }

    private static let announcements: Phrases = [
        "deliver", "recipient", "failed", "failure", "rcpt", "could not be sent", "undeliver", "mailbox is full",
        "returned", "bounced", "not reach", "unable to send", "send mail to",
    ]

    /// A sentence that says that the mail to this address did not arrive.
    private func isAnnounced(_ line: Int, _ found: AddressScanner.Found) -> Bool {
        let before = String(decoding: Array(text.lines[line].utf8)[..<found.range.lowerBound], as: UTF8.self)
            .lowercased()
        let previous = line > 0 ? text.lowered[line - 1] : ""
        if before.hasSuffix("from ") || before.hasSuffix("from: ") || before.hasSuffix("contact ")
            || before.hasSuffix("from <")
        {
            return false
        }
        if before.hasPrefix(">>>") || before.hasPrefix("<<<") || before.contains("sender")
            || before.contains("mail from") || before.contains("report")
        {
            return false
        }
        return Self.announcements.isFound(in: before)
            || (before.utf8.count < 24 && Self.announcements.isFound(in: previous))
    }

    /// `550 <a@b.example>... User unknown`.
    private func isReply(_ line: Int, _ found: AddressScanner.Found) -> Bool {
        let before = Array(text.lines[line].utf8)[..<found.range.lowerBound]
        guard let reply = SMTPReply.find(in: Array(before)) else { return false }
        return found.range.lowerBound - reply.start < 60
    }

    private func isList(_ line: Int) -> Bool {
        let bytes = Array(text.lines[line].utf8)
        guard addresses[line].count > 1, let first = addresses[line].first, let last = addresses[line].last else {
            return false
        }
        let between = bytes[first.range.lowerBound..<last.range.upperBound].count
        let named = addresses[line].reduce(0) { $0 + $1.range.count }
        return between - named <= 3 * addresses[line].count
    }
}
