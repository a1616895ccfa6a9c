/// What a clock on the wall shows: microseconds since 1970-01-01T00:00 of its own reckoning, in whatever zone it hangs.
/// Not a moment: a zone's clocks skip some readings and show others twice.
struct WallTime: Hashable, Comparable {
    var microseconds: Int64

    static let minute: Int64 = 60_000_000
    static let day: Int64 = 86_400_000_000

    init(microseconds: Int64) { self.microseconds = microseconds }

    /// - Parameters:
    ///   - day: days since 1970-01-01.
    ///   - minute: minutes since midnight, 1440 being the midnight after.
    init(day: Int64, minute: Int) { microseconds = day * Self.day + Int64(minute) * Self.minute }

    static func < (left: WallTime, right: WallTime) -> Bool { left.microseconds < right.microseconds }

    /// Days since 1970-01-01.
    var dayNumber: Int64 { microseconds.floorDivided(by: Self.day) }
    var minuteOfDay: Int { Int((microseconds - dayNumber * Self.day) / Self.minute) }

    /// This reading, or the next one without seconds.
    var roundedUpToMinute: WallTime {
        WallTime(microseconds: (microseconds + Self.minute - 1).floorDivided(by: Self.minute) * Self.minute)
    }

    var roundedDownToMinute: WallTime {
        WallTime(microseconds: microseconds.floorDivided(by: Self.minute) * Self.minute)
    }

    /// 0 is Sunday.
    static func weekday(ofDay number: Int64) -> Int {
        let weekday = (number + 4) % 7
        return Int(weekday < 0 ? weekday + 7 : weekday)
    }
}

/// The clock on the wall of one zone.
///
/// A zone changes its offset by at most 24 hours and not twice within two days, which holds for every change that the
/// IANA database has from 1970 on.
struct ZoneClock {
    /// Microseconds ahead of UTC. A zone that is not known counts as UTC: whether it is known was asked before.
    private let offset: (Timestamp) -> Int64

    init(zone: String, rules: any TimeZoneRules) {
        offset = { (rules.offset(at: $0, zone: zone) ?? 0) * 1_000_000 }
    }

    /// What the clock shows at a moment.
    func reading(at time: Timestamp) -> WallTime {
        WallTime(microseconds: time.adding(microseconds: offset(time)).microseconds)
    }

    /// The first moment when the clock shows a reading; for a reading that is skipped, the first moment after the gap.
    func firstMoment(showing wall: WallTime) -> Timestamp {
        let pivot = Timestamp(microseconds: wall.microseconds)
        let before = pivot.adding(microseconds: -WallTime.day)
        let after = pivot.adding(microseconds: WallTime.day)
        // The earlier of the two moments comes from the greater offset.
        let offsets = (offset(before), offset(after))
        for offset in [max(offsets.0, offsets.1), min(offsets.0, offsets.1)] {
            let candidate = pivot.adding(microseconds: -offset)
            if reading(at: candidate) == wall { return candidate }
        }
        return change(after: before, until: after) ?? pivot.adding(microseconds: -offsets.0)
    }

    /// The moment from which on the offset is what it is at `end`, in whole seconds; nil when it is the same at both
    /// ends, which must be no more than two days apart.
    func change(after start: Timestamp, until end: Timestamp) -> Timestamp? {
        let last = offset(end)
        guard offset(start) != last else { return nil }
        var low = start.microseconds.floorDivided(by: 1_000_000)
        var high = end.microseconds.floorDivided(by: 1_000_000)
        while high - low > 1 {
            let middle = low + (high - low) / 2
            if offset(Timestamp(seconds: middle)) == last { high = middle } else { low = middle }
        }
        return Timestamp(seconds: high)
    }
}
