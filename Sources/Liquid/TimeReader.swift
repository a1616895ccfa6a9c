/// Reads dates the way people and machines write them: ISO 8601, RFC 5322 (`Mon, 14 Mar 2016 10:20:30 +0000`), and
/// English (`March 14, 2016 3pm`). What is missing is taken from the present (year, month, day) or is zero.
struct TimeReader {
    private var year: Int?
    private var month: Int?
    private var day: Int?
    private var hour: Int?
    private var minute = 0
    private var second = 0
    private var nanosecond = 0
    private var offset: Int?

    private init() {}

    /// Nil for what is no date or no existing day.
    static func read(_ text: String, now: CalendarTime) -> CalendarTime? {
        var reader = TimeReader()
        for word in words(text) {
            guard reader.take(word) else { return nil }
        }
        return reader.result(now: now)
    }

    /// Lower case, without commas; the `T` of ISO 8601 separates too.
    private static func words(_ text: String) -> [String] {
        var bytes = Array(text.lowercased().utf8)
        for position in bytes.indices {
            if bytes[position] == UInt8(ascii: ",") || bytes[position].isBlank {
                bytes[position] = 0x20
            } else if bytes[position] == UInt8(ascii: "t"), position > 0, bytes[position - 1].isDigit,
                position + 1 < bytes.count, bytes[position + 1].isDigit
            {
                bytes[position] = 0x20
            }
        }
        return bytes.split(separator: 0x20).map { String(decoding: $0, as: UTF8.self) }
    }

    private mutating func take(_ word: String) -> Bool {
        if word.contains(":") { return time(word) }
        if word == "am" || word == "pm" { return half(word) }
        if let zone = Self.zone(word), hour != nil {
            offset = zone
            return true
        }
        if word.utf8.first.map({ ($0 | 0x20) &- 0x61 < 26 }) == true { return name(word) }
        if hour == nil, word.hasSuffix("am") || word.hasSuffix("pm"), let value = Int(word.dropLast(2)) {
            hour = value
            return half(String(word.suffix(2)))
        }
        return date(word)
    }

    private func result(now: CalendarTime) -> CalendarTime? {
        guard year != nil || month != nil || day != nil || hour != nil else { return nil }
        let onlyTime = year == nil && month == nil && day == nil
        var time = CalendarTime(year: year ?? now.year)
        time.month = month ?? (onlyTime || year == nil ? now.month : 1)
        time.day = day ?? (onlyTime ? now.day : 1)
        time.hour = hour ?? 0
        time.minute = minute
        time.second = second
        time.nanosecond = nanosecond
        time.offset = offset ?? 0
        return time.isValid ? time : nil
    }

    // MARK: Words

    /// A month is kept, a weekday is passed over; three letters are enough.
    private mutating func name(_ word: String) -> Bool {
        let word = word.hasSuffix(".") ? String(word.dropLast()) : word
        guard word.count >= 3 else { return false }
        if let index = CalendarNames.months.firstIndex(where: { $0.lowercased().hasPrefix(word) }) {
            guard month == nil else { return false }
            month = index + 1
            return true
        }
        return word == "sept"
            ? name("sep") : CalendarNames.weekdays.contains { $0.lowercased().hasPrefix(word) }
    }

    /// `2016-03-14`, `2016/03/14`, `14-mar-2016`, `2016`, `14`, `14th`.
    private mutating func date(_ word: String) -> Bool {
        let parts = word.split(separator: word.contains("/") ? "/" : "-", omittingEmptySubsequences: false)
        switch parts.count {
        case 1: return number(word)
        case 2, 3:
            guard year == nil, month == nil, day == nil else { return false }
            if parts.count == 3, parts[0].count <= 2, let month = Self.month(parts[1]) {
                guard let day = Int(parts[0]), let year = Int(parts[2]) else { return false }
                (self.year, self.month, self.day) = (Self.full(year, digits: parts[2].count), month, day)
                return true
            }
            guard parts[0].count == 4, let year = Int(parts[0]), let month = Self.month(parts[1]) else { return false }
            (self.year, self.month) = (year, month)
            guard parts.count == 3 else { return true }
            day = Int(parts[2])
            return day != nil
        default: return false
        }
    }

    private static func month(_ text: Substring) -> Int? {
        if let number = Int(text) { return number }
        guard text.count >= 3 else { return nil }
        return CalendarNames.months.firstIndex { $0.lowercased().hasPrefix(text) }.map { $0 + 1 }
    }

    /// RFC 5322 section 4.3: two digits below 50 are of this century, the others of the last.
    private static func full(_ year: Int, digits: Int) -> Int {
        digits == 2 ? (year < 50 ? 2000 + year : 1900 + year) : year
    }

    private mutating func number(_ word: String) -> Bool {
        let bare = ["st", "nd", "rd", "th"].contains { word.hasSuffix($0) } ? String(word.dropLast(2)) : word
        guard bare.utf8.allSatisfy(\.isDigit), let value = Int(bare) else { return false }
        if bare.count <= 2, day == nil {
            day = value
        } else if year == nil, bare.count == 4 || bare.count == 2 {
            year = Self.full(value, digits: bare.count)
        } else if bare.count == 8, year == nil, month == nil, day == nil {
            (year, month, day) = (value / 10_000, value / 100 % 100, value % 100)
        } else {
            return false
        }
        return true
    }

    // MARK: Time of day

    /// `10:20`, `10:20:30`, `10:20:30.5`, each with `am`, `pm` or a zone directly behind it.
    private mutating func time(_ word: String) -> Bool {
        guard hour == nil else { return false }
        var clock = word[...]
        if let end = clock.firstIndex(where: { !$0.isNumber && $0 != ":" && $0 != "." }) {
            let rest = String(clock[end...])
            clock = clock[..<end]
            if let zone = Self.zone(rest) {
                offset = zone
            } else {
                guard rest == "am" || rest == "pm" else { return false }
                return time(String(clock)) && half(rest)
            }
        }
        let parts = clock.split(separator: ":", omittingEmptySubsequences: false)
        guard (2...3).contains(parts.count), let hour = Int(parts[0]), let minute = Int(parts[1]) else { return false }
        (self.hour, self.minute) = (hour, minute)
        guard parts.count == 3 else { return true }
        let fractions = parts[2].split(separator: ".", omittingEmptySubsequences: false)
        guard fractions.count <= 2, let second = Int(fractions[0]) else { return false }
        self.second = second
        guard fractions.count == 2 else { return true }
        guard let fraction = Int((fractions[1].prefix(9) + "000000000").prefix(9)) else { return false }
        nanosecond = fraction
        return true
    }

    private mutating func half(_ word: String) -> Bool {
        guard let hour, (1...12).contains(hour) else { return false }
        self.hour = hour % 12 + (word == "pm" ? 12 : 0)
        return true
    }

    /// `z`, `utc`, `gmt`, `+02:00`, `-0500`, `+02`, in seconds. Named zones are not known: what they mean depends on
    /// the place and the day.
    private static func zone(_ word: String) -> Int? {
        if word == "z" || word == "utc" || word == "gmt" { return 0 }
        guard let sign = word.first, sign == "+" || sign == "-" else { return nil }
        let digits = word.dropFirst().filter { $0 != ":" }
        guard digits.count == 2 || digits.count == 4, digits.utf8.allSatisfy(\.isDigit), let value = Int(digits) else {
            return nil
        }
        let (hours, minutes) = digits.count == 2 ? (value, 0) : (value / 100, value % 100)
        guard hours < 24, minutes < 60 else { return nil }
        return (sign == "-" ? -1 : 1) * (hours * 3600 + minutes * 60)
    }
}
