import WorkflowModel

/// The field by which a server says when to come back (RFC 9110 section 10.2.3).
enum RetryAfter {
    /// The moment that is meant; nil when the text says nothing. Seconds, or one of the three forms of a date
    /// (section 5.6.7).
    static func parse(_ text: String, now: Timestamp) -> Timestamp? {
        let text = text.trimmingBlanks
        if !text.isEmpty, text.utf8.allSatisfy({ $0 &- UInt8(ascii: "0") < 10 }) {
            // Beyond what 64 bits hold is for ever.
            return now.adding(seconds: Int64(text) ?? .max)
        }
        return date(text, now: now)
    }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    private static func date(_ text: String, now: Timestamp) -> Timestamp? {
        let words = text.split { $0 == " " || $0 == "," }.map(String.init)
        // Sun, 06 Nov 1994 08:49:37 GMT
        if words.count == 6, words[5] == "GMT" {
            return moment(day: words[1], month: words[2], year: Int64(words[3]), time: words[4])
        }
        // Sunday, 06-Nov-94 08:49:37 GMT
        if words.count == 4, words[3] == "GMT" {
            let parts = words[1].split(separator: "-").map(String.init)
            guard parts.count == 3, parts[2].utf8.count == 2, let short = Int64(parts[2]) else { return nil }
            return moment(day: parts[0], month: parts[1], year: year(short, now: now), time: words[2])
        }
        // Sun Nov  6 08:49:37 1994
        if words.count == 5 { return moment(day: words[2], month: words[1], year: Int64(words[4]), time: words[3]) }
        return nil
    }

    /// Two digits that would be more than fifty years ahead are of the century before (RFC 9110 section 5.6.7).
    private static func year(_ short: Int64, now: Timestamp) -> Int64 {
        let current = CivilDate(daysSinceEpoch: now.microseconds / 86_400_000_000).year
        let candidate = current / 100 * 100 + short
        return candidate > current + 50 ? candidate - 100 : candidate
    }

    private static func moment(day: String, month: String, year: Int64?, time: String) -> Timestamp? {
        guard let index = months.firstIndex(of: month), let year, (1970...9999).contains(year), let day = Int(day),
            (1...CivilDate.daysIn(month: index + 1, year: year)).contains(day)
        else { return nil }
        let parts = time.split(separator: ":", omittingEmptySubsequences: false).map { Int64($0) ?? -1 }
        guard parts.count == 3, (0..<24).contains(parts[0]), (0..<60).contains(parts[1]), (0..<61).contains(parts[2])
        else { return nil }
        let days = CivilDate(year: year, month: index + 1, day: day).daysSinceEpoch
        return Timestamp(seconds: days * 86_400 + parts[0] * 3600 + parts[1] * 60 + parts[2])
    }
}

extension String {
    fileprivate var trimmingBlanks: String {
        let start = drop { $0 == " " || $0 == "\t" }
        return String(start.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
    }
}
