/// A moment in the proleptic Gregorian calendar, at a fixed distance from UTC.
struct CalendarTime: Sendable, Equatable {
    var year: Int
    /// 1 to 12.
    var month = 1
    /// 1 to 31.
    var day = 1
    var hour = 0
    var minute = 0
    /// 0 to 60.
    var second = 0
    var nanosecond = 0
    /// Seconds east of UTC.
    var offset = 0

    init(year: Int) { self.year = year }

    /// UTC. Nil beyond the year 9999 either way, where no format has a place for it.
    init?(seconds: Int64) {
        guard (-377_705_116_800...253_402_300_799).contains(seconds) else { return nil }
        self.init(inRange: Int(seconds))
    }

    /// UTC; any 64-bit count of microseconds since 1970.
    init(microseconds: Int64) {
        let remainder = Int(microseconds % 1_000_000)
        let below = remainder < 0
        let seconds = Int(microseconds / 1_000_000) - (below ? 1 : 0)
        self.init(inRange: seconds)
        nanosecond = (below ? remainder + 1_000_000 : remainder) * 1000
    }

    private init(inRange seconds: Int) {
        let days = Self.floor(seconds, 86_400)
        let rest = seconds - days * 86_400
        let (year, month, day) = Self.date(days: days)
        self.init(year: year)
        self.month = month
        self.day = day
        hour = rest / 3600
        minute = rest / 60 % 60
        second = rest % 60
    }

    // MARK: Days

    /// Division that rounds down.
    static func floor(_ a: Int, _ b: Int) -> Int { a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0) }

    /// Days since 1970-01-01. Years are counted from March, so that the leap day is the last of its year, and in
    /// eras of 400 years, which are all alike.
    static func days(year: Int, month: Int, day: Int) -> Int {
        let shifted = month <= 2 ? year - 1 : year
        let era = floor(shifted, 400)
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    static func date(days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = floor(shifted, 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }

    private var days: Int { Self.days(year: year, month: month, day: day) }

    /// Seconds since 1970 UTC.
    var seconds: Int { days * 86_400 + hour * 3600 + minute * 60 + second - offset }

    /// 0 is Sunday.
    var weekday: Int { days + 4 - Self.floor(days + 4, 7) * 7 }

    /// 1 to 366.
    var dayOfYear: Int { days - Self.days(year: year, month: 1, day: 1) + 1 }

    /// Weeks that begin on `firstWeekday` (0 is Sunday), the days before the first of them being week 0.
    func week(from firstWeekday: Int) -> Int { (dayOfYear + 6 - (weekday + 7 - firstWeekday) % 7) / 7 }

    /// ISO 8601: weeks begin on Monday and belong to the year that has their Thursday.
    var isoWeek: (year: Int, week: Int) {
        let thursday = days - (weekday + 6) % 7 + 3
        let year = Self.date(days: thursday).year
        return (year, (thursday - Self.days(year: year, month: 1, day: 1)) / 7 + 1)
    }

    /// False for the 31st of June and the like.
    var isValid: Bool {
        guard (1...12).contains(month), (1...31).contains(day), (0...24).contains(hour), (0...59).contains(minute),
            (0...60).contains(second), (-9999...9999).contains(year)
        else { return false }
        return Self.date(days: days) == (year, month, day)
    }
}

/// The English names that dates are written with.
enum CalendarNames {
    static let months = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ]
    static let weekdays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
}
