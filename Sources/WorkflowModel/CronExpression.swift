/// A recurring schedule in the notation of crontab(5): minute, hour, day of the month, month, day of the week.
///
/// A field is `*`, a number, a range `a-b`, a step `*/n` or `a-b/n`, or a list of those. Months and days of the week may
/// be named by three letters; 0 and 7 are Sunday. `@hourly`, `@daily` (`@midnight`), `@weekly`, `@monthly` and `@yearly`
/// (`@annually`) stand for the usual expressions.
///
/// When day of the month and day of the week are both restricted, a day matches that satisfies either; when one of them
/// begins with `*`, both must be satisfied, as Vixie's cron has it.
package struct CronExpression: Hashable, Sendable {
    /// As it was written.
    package let text: String
    let minutes: FieldSet
    let hours: FieldSet
    let daysOfMonth: FieldSet
    let months: FieldSet
    /// 0 to 6, 0 being Sunday.
    let daysOfWeek: FieldSet

    /// The members of one field, and whether it was written with a star.
    struct FieldSet: Hashable, Sendable {
        private var bits: UInt64 = 0
        var beginsWithStar = false

        mutating func insert(_ member: Int) { bits |= 1 << UInt64(member) }
        func contains(_ member: Int) -> Bool { bits >> UInt64(member) & 1 == 1 }

        /// The least member that is not below; nil when all are.
        func first(from start: Int) -> Int? {
            guard start < 64 else { return nil }
            let rest = bits >> UInt64(start)
            return rest == 0 ? nil : start + rest.trailingZeroBitCount
        }
    }

    /// Why a text is no schedule, in one sentence that names the field.
    package struct Invalid: Error, Hashable, CustomStringConvertible {
        package var description: String
    }

    /// Bytes of an expression.
    package static let lengthLimit = 256

    init(
        text: String, minutes: FieldSet, hours: FieldSet, daysOfMonth: FieldSet, months: FieldSet, daysOfWeek: FieldSet
    ) {
        self.text = text
        self.minutes = minutes
        self.hours = hours
        self.daysOfMonth = daysOfMonth
        self.months = months
        self.daysOfWeek = daysOfWeek
    }

    // MARK: The calendar

    /// The longest time without a match, in days: 29 February falls on a given day of the week once in 40 years at worst
    /// (across a year like 2100).
    static let longestPause: Int64 = 41 * 366

    func matchesDay(_ number: Int64) -> Bool {
        let date = CivilDate(daysSinceEpoch: number)
        guard months.contains(date.month) else { return false }
        let byMonth = daysOfMonth.contains(date.day)
        let byWeek = daysOfWeek.contains(WallTime.weekday(ofDay: number))
        return daysOfMonth.beginsWithStar || daysOfWeek.beginsWithStar ? byMonth && byWeek : byMonth || byWeek
    }

    /// The first matching reading of a clock that is not before the given one; nil when there is none for too long.
    func nextReading(from wall: WallTime) -> WallTime? {
        var minute = wall.roundedUpToMinute
        let lastDay = minute.dayNumber + Self.longestPause
        while minute.dayNumber <= lastDay {
            let day = minute.dayNumber
            if matchesDay(day), let time = timeOfDay(from: minute.minuteOfDay) {
                return WallTime(day: day, minute: time)
            }
            minute = WallTime(day: followingDay(day), minute: 0)
        }
        return nil
    }

    /// Tomorrow, or the first of the next month when this one has no match.
    private func followingDay(_ day: Int64) -> Int64 {
        let date = CivilDate(daysSinceEpoch: day)
        if months.contains(date.month) { return day + 1 }
        let rest = CivilDate.daysIn(month: date.month, year: date.year) - date.day
        return day + Int64(rest) + 1
    }

    /// In minutes since midnight.
    private func timeOfDay(from start: Int) -> Int? {
        let (hour, minute) = start.quotientAndRemainder(dividingBy: 60)
        if hours.contains(hour), let minute = minutes.first(from: minute) { return hour * 60 + minute }
        guard let hour = hours.first(from: hour + 1), let minute = minutes.first(from: 0) else { return nil }
        return hour * 60 + minute
    }
}

// MARK: - Moments

extension CronExpression {
    /// The first moment after the given one at which the schedule fires by the clock of a zone.
    ///
    /// Where the clock is moved:
    /// - An expression whose hour field begins with `*` runs by elapsed time: it fires whenever the clock shows a
    ///   matching time. So an hourly schedule fires once in each hour that passes: not in the hour that is skipped, and
    ///   in both hours that bear the same number.
    /// - Any other has fixed times, and each of them counts once a day: a time that is skipped fires at the first moment
    ///   after the gap (several skipped times fire once together), a time that comes twice fires the first time.
    ///
    /// - Returns: nil beyond the year 9999, and for a zone that is not known.
    package func next(after time: Timestamp, zone: String, rules: any TimeZoneRules) -> Timestamp? {
        guard time >= Self.first, time < Self.last, rules.isKnown(zone) else { return nil }
        let clock = ZoneClock(zone: zone, rules: rules)
        let next = hours.beginsWithStar ? nextByElapsedTime(after: time, clock) : nextFixedTime(after: time, clock)
        return next.flatMap { $0 < Self.last ? $0 : nil }
    }

    /// The years 0 to 9999.
    private static let first = Timestamp(seconds: -62_167_219_200)
    private static let last = Timestamp(seconds: 253_402_300_800)

    /// The first moments that show given readings come in the readings' order, so the first one that is later is it. After
    /// clocks went back, the readings that come again are passed over: a day of minutes at most.
    private func nextFixedTime(after time: Timestamp, _ clock: ZoneClock) -> Timestamp? {
        var wall = clock.reading(at: time).roundedDownToMinute
        while true {
            guard let next = nextReading(from: WallTime(microseconds: wall.microseconds + WallTime.minute)) else {
                return nil
            }
            let moment = clock.firstMoment(showing: next)
            if moment > time { return moment }
            wall = next
        }
    }

    /// Goes from change to change of the zone's offset; between two of them clock and time run alike.
    private func nextByElapsedTime(after time: Timestamp, _ clock: ZoneClock) -> Timestamp? {
        var start = time.adding(microseconds: 1)
        while start < Self.last {
            let wall = clock.reading(at: start)
            guard let next = nextReading(from: wall) else { return nil }
            let moment = start.adding(microseconds: next.microseconds - wall.microseconds)
            let horizon = min(moment, start.adding(microseconds: WallTime.day))
            if let change = clock.change(after: start, until: horizon) {
                if moment < change { return moment }
                start = change
            } else if horizon == moment {
                return moment
            } else {
                // No reading comes again without a change, and a change moves the clock by a day at most: up to two days
                // before the next match nothing can fire.
                start = max(horizon, moment.adding(microseconds: -2 * WallTime.day))
            }
        }
        return nil
    }
}
