/// Reads lines of Postfix's log: what syslog, rsyslog and postlogd(8) write into a file.
///
/// Understood are the traditional form (`Nov 26 18:35:37 host postfix/smtp[12]: …`), the same with an RFC 3339 time, and
/// RFC 5424, each with its priority in front or without. Everything that is not about one mail is nil: other programs,
/// connections, warnings. Whatever stands in a line, no reading of it fails.
package enum MailLogReader {
    /// Bytes of text that are kept of a reply.
    static let replyLimit = 998

    /// - Parameter line: without its end.
    package static func record(in line: ArraySlice<UInt8>) -> MailLogRecord? {
        var scanner = LogScanner(line)
        scanner.skipPriority()
        guard let moment = scanner.moment() else { return nil }
        guard scanner.word() != nil, let tag = scanner.word() else { return nil }
        if tag.last == UInt8(ascii: ":") {
            return record(tag: tag.dropLast(), text: scanner.rest, moment: moment)
        }
        // RFC 5424 section 6: process id, message id, structured data, text.
        guard scanner.word() != nil, scanner.word() != nil, scanner.skipStructuredData() else { return nil }
        return record(tag: tag, text: scanner.rest, moment: moment)
    }

    /// The same for a source that has tag and text apart, as the journal has.
    ///
    /// - Parameter tag: `postfix/smtp`, with the process id in brackets or without.
    package static func record(
        tag: ArraySlice<UInt8>, text: ArraySlice<UInt8>, moment: MailLogRecord.Moment
    ) -> MailLogRecord? {
        // A tag without a service is not Postfix's: its programs all have one (postconf(5), syslog_name).
        let name = tag.prefix { $0 != UInt8(ascii: "[") }
        guard let slash = name.firstIndex(of: UInt8(ascii: "/")),
            let last = name.lastIndex(of: UInt8(ascii: "/")), slash > name.startIndex, last < name.endIndex - 1
        else { return nil }
        var scanner = LogScanner(text)
        guard let id = scanner.word(), id.last == UInt8(ascii: ":"), isQueueID(id.dropLast()) else { return nil }
        let program = LogScanner.text(name[(last + 1)...])
        guard let fact = fact(program, scanner.rest) else { return nil }
        return MailLogRecord(
            moment: moment, instance: LogScanner.text(name[..<slash]), program: program,
            queueID: LogScanner.text(id.dropLast()), fact: fact)
    }

    // MARK: Queue ids

    /// A short id is hexadecimal, a long one has digits and consonants (postconf(5), enable_long_queue_ids). Words that stand
    /// in the place of one (`warning`, `NOQUEUE`) have other letters.
    static func isQueueID(_ text: ArraySlice<UInt8>) -> Bool {
        guard (5...32).contains(text.count) else { return false }
        return text.allSatisfy(isHexadecimal) || text.allSatisfy { isQueueIDByte($0) && !isVowel($0) }
    }

    static func isQueueIDByte(_ byte: UInt8) -> Bool {
        byte &- UInt8(ascii: "0") < 10 || (byte | 0x20) &- UInt8(ascii: "a") < 26
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        byte &- UInt8(ascii: "0") < 10 || byte &- UInt8(ascii: "A") < 6
    }

    private static func isVowel(_ byte: UInt8) -> Bool {
        switch byte | 0x20 {
        case UInt8(ascii: "a"), UInt8(ascii: "e"), UInt8(ascii: "i"), UInt8(ascii: "o"), UInt8(ascii: "u"): true
        default: false
        }
    }

    // MARK: Facts

    private static func fact(_ program: String, _ text: ArraySlice<UInt8>) -> MailLogRecord.Fact? {
        var scanner = LogScanner(text)
        if scanner.take("to=<") { return outcome(&scanner).map { .outcome($0) } }
        switch program {
        case "smtpd": return scanner.take("client=") ? client(&scanner).map { .client($0) } : nil
        case "pickup": return scanner.take("uid=") ? .pickedUp : nil
        case "cleanup": return cleanup(&scanner)
        case "qmgr", "oqmgr": return queueManager(&scanner)
        case "postsuper": return scanner.isExactly("removed") ? .removed : nil
        case "bounce", "defer", "trace":
            guard scanner.take("sender "), scanner.skip(past: " notification: ") else { return nil }
            return isQueueID(scanner.rest) ? .notified(queueID: LogScanner.text(scanner.rest)) : nil
        default: return nil
        }
    }

    private static func client(_ scanner: inout LogScanner) -> MailLogRecord.Client? {
        let peer = scanner.field()
        guard let open = peer.lastIndex(of: UInt8(ascii: "[")),
            let close = peer[open...].firstIndex(of: UInt8(ascii: "]"))
        else { return nil }
        var client = MailLogRecord.Client(
            name: LogScanner.text(peer[..<open]), address: LogScanner.text(peer[(open + 1)..<close]))
        while !scanner.rest.isEmpty {
            var field = LogScanner(scanner.field())
            if field.take("sasl_username=") { client.login = LogScanner.text(field.rest) }
        }
        return client
    }

    private static func cleanup(_ scanner: inout LogScanner) -> MailLogRecord.Fact? {
        if scanner.take("message-id=") {
            var id = scanner.rest
            if id.first == UInt8(ascii: "<"), id.last == UInt8(ascii: ">") { id = id.dropFirst().dropLast() }
            return .messageID(LogScanner.text(id.prefix(replyLimit)))
        }
        for action in ["milter-reject", "milter-discard", "milter-hold", "reject", "discard", "hold"] {
            guard scanner.take("\(action): ") else { continue }
            return .filtered(action: action, text: LogScanner.text(scanner.rest.prefix(replyLimit)))
        }
        return nil
    }

    private static func queueManager(_ scanner: inout LogScanner) -> MailLogRecord.Fact? {
        if scanner.isExactly("removed") { return .removed }
        guard scanner.take("from=<"), let sender = scanner.address() else { return nil }
        if scanner.take(", status=expired") || scanner.take(", status=force-expired") { return .expired }
        return scanner.take(", size=") ? .queued(sender: LogScanner.text(sender)) : nil
    }

    /// What follows `to=<`.
    private static func outcome(_ scanner: inout LogScanner) -> MailLogRecord.Outcome? {
        guard let recipient = scanner.address() else { return nil }
        var original: ArraySlice<UInt8>?
        if scanner.take(", orig_to=<") {
            guard let address = scanner.address() else { return nil }
            original = address
        }
        guard scanner.take(", ") else { return nil }
        var (relay, code): (ArraySlice<UInt8>, ArraySlice<UInt8>?) = ([], nil)
        // The status is the last field, and the one in front of a text that the other side chose.
        while !scanner.take("status=") {
            guard !scanner.rest.isEmpty else { return nil }
            var field = LogScanner(scanner.field())
            if field.take("relay=") { relay = field.rest } else if field.take("dsn=") { code = field.rest }
        }
        guard let word = scanner.word(), let status = MailLogRecord.Outcome.Status(rawValue: LogScanner.text(word))
        else {
            return nil
        }
        var reply = scanner.rest
        if reply.first == UInt8(ascii: "("), reply.last == UInt8(ascii: ")") { reply = reply.dropFirst().dropLast() }
        return MailLogRecord.Outcome(
            status: status, recipient: LogScanner.text(recipient), originalRecipient: original.map(LogScanner.text),
            relay: LogScanner.text(relay.prefix(255)), enhancedCode: code.flatMap(enhancedCode),
            reply: LogScanner.text(reply.prefix(replyLimit)))
    }

    private static func enhancedCode(_ text: ArraySlice<UInt8>) -> String? {
        let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        let isCode =
            parts.count == 3
            && parts.allSatisfy { (1...3).contains($0.count) && $0.allSatisfy { $0 &- UInt8(ascii: "0") < 10 } }
        return isCode ? LogScanner.text(text) : nil
    }
}

/// Goes through one line from left to right. What stands further right is the less to be trusted: texts of other servers
/// close the line.
private struct LogScanner {
    private(set) var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    /// As text, control characters and ends of lines replaced.
    static func text(_ bytes: ArraySlice<UInt8>) -> String {
        let text = String(decoding: bytes.map { $0 < 0x20 || $0 == 0x7F ? UInt8(ascii: "?") : $0 }, as: UTF8.self)
        guard bytes.contains(where: { $0 >= 0x80 }) else { return text }
        let scalars = text.unicodeScalars.map { scalar -> Unicode.Scalar in
            (0x80...0x9F).contains(scalar.value) || scalar.value == 0x2028 || scalar.value == 0x2029 ? "?" : scalar
        }
        return String(String.UnicodeScalarView(scalars))
    }

    /// - Returns: false when it does not begin so; nothing is taken then.
    mutating func take(_ text: String) -> Bool {
        guard rest.starts(with: text.utf8) else { return false }
        rest = rest.dropFirst(text.utf8.count)
        return true
    }

    func isExactly(_ text: String) -> Bool { rest.elementsEqual(text.utf8) }

    /// What stands before the next blank, or before the end; nil when that is nothing.
    mutating func word() -> ArraySlice<UInt8>? {
        let end = rest.firstIndex(of: 0x20) ?? rest.endIndex
        guard end > rest.startIndex else { return nil }
        defer { rest = rest[end...].drop { $0 == 0x20 } }
        return rest[..<end]
    }

    /// What stands before the next comma with a blank, or before the end.
    mutating func field() -> ArraySlice<UInt8> {
        var end = rest.startIndex
        while end < rest.endIndex, rest[end] != UInt8(ascii: ",") || !(end + 1 < rest.endIndex && rest[end + 1] == 0x20)
        {
            end += 1
        }
        defer { rest = rest[end...].dropFirst(2) }
        return rest[..<end]
    }

    mutating func skip(past text: String) -> Bool {
        let wanted = Array(text.utf8)
        while !rest.isEmpty {
            if rest.starts(with: wanted) {
                rest = rest.dropFirst(wanted.count)
                return true
            }
            rest = rest.dropFirst()
        }
        return false
    }

    /// An address up to its `>`. A quoted local part may hold one (RFC 5321 section 4.1.2), so quotes are followed.
    mutating func address() -> ArraySlice<UInt8>? {
        var position = rest.startIndex
        var isQuoted = false
        while position < rest.endIndex {
            switch rest[position] {
            case UInt8(ascii: "\\") where isQuoted: position += 1
            case UInt8(ascii: "\""): isQuoted.toggle()
            case UInt8(ascii: ">") where !isQuoted:
                defer { rest = rest[(position + 1)...] }
                return rest[..<position]
            default: break
            }
            position += 1
        }
        return nil
    }

    /// `<22>` (RFC 5424 section 6.2.1).
    mutating func skipPriority() {
        guard rest.first == UInt8(ascii: "<"), let end = rest.prefix(5).firstIndex(of: UInt8(ascii: ">")) else {
            return
        }
        rest = rest[(end + 1)...]
    }

    /// `-`, or elements in brackets whose values are in quotes (RFC 5424 section 6.3).
    mutating func skipStructuredData() -> Bool {
        if !take("-") {
            guard rest.first == UInt8(ascii: "["), skipElements() else { return false }
        }
        rest = rest.drop { $0 == 0x20 }
        if rest.starts(with: [0xEF, 0xBB, 0xBF]) { rest = rest.dropFirst(3) }
        return true
    }

    private mutating func skipElements() -> Bool {
        var isQuoted = false
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\\") where isQuoted: rest = rest.dropFirst()
            case UInt8(ascii: "\""): isQuoted.toggle()
            case UInt8(ascii: "]") where !isQuoted && rest.first != UInt8(ascii: "["): return true
            default: break
            }
        }
        return false
    }

    // MARK: Times

    mutating func moment() -> MailLogRecord.Moment? {
        // Some write a version in front where the priority is left out (RFC 5424 section 6.2.2).
        if rest.starts(with: "1 ".utf8) { rest = rest.dropFirst(2) }
        guard let first = rest.first else { return nil }
        return first &- UInt8(ascii: "0") < 10 ? instant() : localTime()
    }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    private mutating func localTime() -> MailLogRecord.Moment? {
        guard let name = word(), let month = Self.months.firstIndex(where: { name.elementsEqual($0.utf8) }),
            let dayText = word(), let day = Self.number(dayText, digits: 1...2), (1...31).contains(day),
            let clock = word(), let time = Self.clock(clock), time.rest.isEmpty
        else { return nil }
        return .local(month: month + 1, day: day, hour: time.hour, minute: time.minute, second: time.second)
    }

    /// RFC 3339, with the offset's colon or without.
    private mutating func instant() -> MailLogRecord.Moment? {
        guard let text = word(), text.count >= 20 else { return nil }
        let start = text.startIndex
        guard let year = Self.number(text[start..<(start + 4)], digits: 4...4), text[start + 4] == UInt8(ascii: "-"),
            let month = Self.number(text[(start + 5)..<(start + 7)], digits: 2...2), (1...12).contains(month),
            let day = Self.number(text[(start + 8)..<(start + 10)], digits: 2...2), (1...31).contains(day),
            text[start + 10] == UInt8(ascii: "T"), let time = Self.clock(text[(start + 11)...])
        else { return nil }
        var rest = time.rest
        var micros: Int64 = 0
        if rest.first == UInt8(ascii: ".") {
            rest = rest.dropFirst()
            let digits = rest.prefix { $0 &- UInt8(ascii: "0") < 10 }
            guard !digits.isEmpty else { return nil }
            for place in 0..<6 {
                let position = digits.startIndex + place
                micros = micros * 10 + (position < digits.endIndex ? Int64(digits[position] - UInt8(ascii: "0")) : 0)
            }
            rest = rest[digits.endIndex...]
        }
        guard let offset = Self.offset(rest) else { return nil }
        let days = Self.days(year: year, month: month, day: day)
        let seconds = days * 86_400 + Int64(time.hour * 3600 + time.minute * 60 + time.second) - offset
        return .instant(seconds * 1_000_000 + micros)
    }

    private static func offset(_ text: ArraySlice<UInt8>) -> Int64? {
        guard let sign = text.first else { return nil }
        if sign == UInt8(ascii: "Z"), text.count == 1 { return 0 }
        let digits = text.dropFirst().filter { $0 != UInt8(ascii: ":") }[...]
        guard sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-"), digits.count == 4,
            let number = number(digits, digits: 4...4)
        else { return nil }
        let seconds = Int64(number / 100 * 3600 + number % 100 * 60)
        return sign == UInt8(ascii: "-") ? -seconds : seconds
    }

    /// `HH:MM:SS` and what follows it.
    private static func clock(
        _ text: ArraySlice<UInt8>
    ) -> (hour: Int, minute: Int, second: Int, rest: ArraySlice<UInt8>)? {
        guard text.count >= 8 else { return nil }
        let start = text.startIndex
        guard let hour = number(text[start..<(start + 2)], digits: 2...2), hour < 24,
            text[start + 2] == UInt8(ascii: ":"),
            let minute = number(text[(start + 3)..<(start + 5)], digits: 2...2), minute < 60,
            text[start + 5] == UInt8(ascii: ":"),
            let second = number(text[(start + 6)..<(start + 8)], digits: 2...2), second <= 60
        else { return nil }
        return (hour, minute, second, text[(start + 8)...])
    }

    private static func number(_ text: ArraySlice<UInt8>, digits: ClosedRange<Int>) -> Int? {
        guard digits.contains(text.count), text.allSatisfy({ $0 &- UInt8(ascii: "0") < 10 }) else { return nil }
        return text.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
    }

    /// Days from 1970-01-01 to a day of the Gregorian calendar: months are counted from March on, so that the leap day
    /// comes last.
    private static func days(year: Int, month: Int, day: Int) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = shifted / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return Int64(era * 146_097 + dayOfEra - 719_468)
    }
}
