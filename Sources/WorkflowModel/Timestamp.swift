/// A moment: microseconds since 1970-01-01T00:00:00Z, without leap seconds. The unit of every stored time.
package struct Timestamp: Hashable, Sendable, Comparable {
    package var microseconds: Int64

    package init(microseconds: Int64) { self.microseconds = microseconds }
    package init(seconds: Int64) { microseconds = seconds * 1_000_000 }

    package static func < (left: Timestamp, right: Timestamp) -> Bool { left.microseconds < right.microseconds }

    /// Saturates instead of overflowing.
    package func adding(microseconds delta: Int64) -> Timestamp {
        let (sum, overflow) = microseconds.addingReportingOverflow(delta)
        return Timestamp(microseconds: overflow ? (delta > 0 ? .max : .min) : sum)
    }

    package func adding(seconds: Int64) -> Timestamp {
        let (delta, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
        return adding(microseconds: overflow ? (seconds > 0 ? .max : .min) : delta)
    }
}

extension Timestamp: CustomStringConvertible {
    /// RFC 3339 in UTC with milliseconds: `2026-11-23T06:00:00.000Z`.
    package var description: String {
        let milliseconds = microseconds.floorDivided(by: 1000)
        let seconds = milliseconds.floorDivided(by: 1000)
        let days = seconds.floorDivided(by: 86_400)
        let secondOfDay = seconds - days * 86_400
        let date = CivilDate(daysSinceEpoch: days)
        let fraction = milliseconds - seconds * 1000
        guard (0...9999).contains(date.year) else {
            // Nobody writes such a year; RFC 3339 has no place for it.
            return "\(date.year)-\(date.month)-\(date.day)"
        }
        return String(unsafeUninitializedCapacity: 24) { text in
            text.put(date.year, width: 4, at: 0, before: "-")
            text.put(Int64(date.month), width: 2, at: 5, before: "-")
            text.put(Int64(date.day), width: 2, at: 8, before: "T")
            text.put(secondOfDay / 3600, width: 2, at: 11, before: ":")
            text.put(secondOfDay / 60 % 60, width: 2, at: 14, before: ":")
            text.put(secondOfDay % 60, width: 2, at: 17, before: ".")
            text.put(fraction, width: 3, at: 20, before: "Z")
            return 24
        }
    }

    /// From RFC 3339 (`2026-11-23T06:00:00Z`, fractions and numeric offsets allowed, also a space for the `T`);
    /// nil for anything else.
    package init?(rfc3339 text: String) {
        var text = text
        guard let time = text.withUTF8({ Timestamp(rfc3339: $0) }) else { return nil }
        self = time
    }

    private init?(rfc3339 bytes: UnsafeBufferPointer<UInt8>) {
        var scanner = DigitScanner(bytes)
        guard let year = scanner.digits(4), scanner.skip("-"), let month = scanner.digits(2), scanner.skip("-"),
            let day = scanner.digits(2), scanner.skip("T") || scanner.skip("t") || scanner.skip(" "),
            let hour = scanner.digits(2), scanner.skip(":"), let minute = scanner.digits(2), scanner.skip(":"),
            let second = scanner.digits(2), (1...12).contains(month), hour < 24, minute < 60, second < 61,
            day >= 1, day <= Int64(CivilDate.daysIn(month: Int(month), year: year))
        else { return nil }
        let fraction = scanner.skip(".") ? scanner.fraction() : 0
        guard let fraction, let offset = scanner.offset(), scanner.isAtEnd else { return nil }
        let days = CivilDate(year: year, month: Int(month), day: Int(day)).daysSinceEpoch
        let seconds = days * 86_400 + hour * 3600 + minute * 60 + second - offset
        self.init(microseconds: seconds * 1_000_000 + fraction)
    }
}

extension UnsafeMutableBufferPointer<UInt8> {
    /// Writes the digits of a number that has at most `width` of them, zeros in front, and one character behind.
    fileprivate func put(_ number: Int64, width: Int, at start: Int, before character: Unicode.Scalar) {
        var rest = number
        for position in (start..<start + width).reversed() {
            self[position] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
        self[start + width] = UInt8(ascii: character)
    }
}

/// A day of the proleptic Gregorian calendar, by integer arithmetic alone.
package struct CivilDate: Hashable, Sendable {
    package var year: Int64
    package var month: Int
    package var day: Int

    package init(year: Int64, month: Int, day: Int) {
        self.year = year
        self.month = month
        self.day = day
    }

    /// Days are counted in 400-year eras that begin on 1 March, so that the leap day is the last of its year.
    package init(daysSinceEpoch: Int64) {
        let shifted = daysSinceEpoch + 719_468
        let era = shifted.floorDivided(by: 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        day = Int(dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
        month = Int(monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9)
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    package var daysSinceEpoch: Int64 {
        let marchYear = month <= 2 ? year - 1 : year
        let era = marchYear.floorDivided(by: 400)
        let yearOfEra = marchYear - era * 400
        let monthFromMarch = Int64(month > 2 ? month - 3 : month + 9)
        let dayOfYear = (153 * monthFromMarch + 2) / 5 + Int64(day) - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    package static func daysIn(month: Int, year: Int64) -> Int {
        switch month {
        case 4, 6, 9, 11: 30
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        default: 31
        }
    }
}

extension Int64 {
    /// The quotient rounded towards negative infinity, so that times before 1970 fall into the right day.
    func floorDivided(by divisor: Int64) -> Int64 {
        let quotient = self / divisor
        return self % divisor < 0 ? quotient - 1 : quotient
    }
}

/// Reads fixed-width digits out of a timestamp's text.
private struct DigitScanner {
    private let bytes: UnsafeBufferPointer<UInt8>
    private var place = 0

    init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    var isAtEnd: Bool { place == bytes.count }

    private var digit: Int64? {
        guard place < bytes.count, bytes[place] &- UInt8(ascii: "0") < 10 else { return nil }
        return Int64(bytes[place] - UInt8(ascii: "0"))
    }

    mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard place < bytes.count, bytes[place] == UInt8(ascii: character) else { return false }
        place += 1
        return true
    }

    mutating func digits(_ count: Int) -> Int64? {
        var value: Int64 = 0
        for _ in 0..<count {
            guard let digit else { return nil }
            value = value * 10 + digit
            place += 1
        }
        return value
    }

    /// Digits after the point, as microseconds; digits past the sixth are dropped.
    mutating func fraction() -> Int64? {
        var value: Int64 = 0
        var count = 0
        while let digit {
            if count < 6 { value = value * 10 + digit }
            count += 1
            place += 1
        }
        guard count > 0 else { return nil }
        for _ in min(count, 6)..<6 { value *= 10 }
        return value
    }

    /// `Z` or `±hh:mm`, in seconds east of UTC.
    mutating func offset() -> Int64? {
        if skip("Z") || skip("z") { return 0 }
        let sign: Int64
        if skip("+") { sign = 1 } else if skip("-") { sign = -1 } else { return nil }
        guard let hours = digits(2), skip(":"), let minutes = digits(2), hours < 24, minutes < 60 else { return nil }
        return sign * (hours * 3600 + minutes * 60)
    }
}
