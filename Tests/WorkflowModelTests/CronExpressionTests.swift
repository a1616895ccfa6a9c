import Testing
import WorkflowModel

@Suite struct CronExpressionTests {
    /// The next `count` moments as text, by the clock of a zone.
    private func fires(
        _ text: String, after: String, _ count: Int, zone: String = "UTC"
    ) throws -> [String] {
        let cron = try CronExpression(text)
        var time = moment(after)
        return try (0..<count).map { _ in
            time = try #require(cron.next(after: time, zone: zone, rules: ZoneTable()))
            return time.description.replacing(".000Z", with: "Z")
        }
    }

    // MARK: Fields

    @Test(arguments: [
        ("0 9 * * *", "2026-01-05T09:00:00Z", "2026-01-06T09:00:00Z"),
        ("*/15 * * * *", "2026-01-05T09:01:00Z", "2026-01-05T09:15:00Z"),
        ("5-59/20 * * * *", "2026-01-05T09:26:00Z", "2026-01-05T09:45:00Z"),
        ("0 8-10 * * *", "2026-01-05T10:00:00Z", "2026-01-06T08:00:00Z"),
        ("0,30 23 * * *", "2026-01-05T23:00:00Z", "2026-01-05T23:30:00Z"),
        ("0 0 1 JAN *", "2026-01-05T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("0 0 * feb-mar/1 mon", "2026-01-05T00:00:00Z", "2026-02-02T00:00:00Z"),
        ("0 0 * * 0", "2026-01-05T00:00:00Z", "2026-01-11T00:00:00Z"),
        ("0 0 * * 7", "2026-01-05T00:00:00Z", "2026-01-11T00:00:00Z"),
        ("0 0 * * SUN", "2026-01-05T00:00:00Z", "2026-01-11T00:00:00Z"),
        ("0 0 * * FRI-SUN", "2026-01-10T00:00:00Z", "2026-01-11T00:00:00Z"),
        ("0 0 * * 5-7", "2026-01-10T00:00:00Z", "2026-01-11T00:00:00Z"),
        ("0 0 31 * *", "2026-01-31T00:00:00Z", "2026-03-31T00:00:00Z"),
        ("0 0 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"),
        ("  0\t9  * * 1 ", "2026-01-05T09:00:00Z", "2026-01-12T09:00:00Z"),
    ])
    func nextFireIs(_ text: String, _ after: String, _ expected: String) throws {
        #expect(try fires(text, after: after, 1) == [expected])
    }

    @Test(arguments: [
        ("@hourly", "0 * * * *"), ("@daily", "0 0 * * *"), ("@midnight", "0 0 * * *"), ("@weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"), ("@yearly", "0 0 1 1 *"), ("@annually", "0 0 1 1 *"),
    ])
    func nameMeansItsExpression(_ name: String, _ fields: String) throws {
        #expect(
            try fires(name, after: "2026-01-05T09:00:00Z", 3) == fires(fields, after: "2026-01-05T09:00:00Z", 3))
        #expect(try CronExpression(name).text == name)
    }

    @Test func restrictedDaysOfMonthAndWeekAreAlternatives() throws {
        // The 13th, and every Friday.
        #expect(
            try fires("0 0 13 * 5", after: "2026-01-05T00:00:00Z", 3)
                == ["2026-01-09T00:00:00Z", "2026-01-13T00:00:00Z", "2026-01-16T00:00:00Z"])
    }

    @Test func dayFieldWithAStarRestrictsTheOther() throws {
        // Odd days that are Mondays.
        #expect(
            try fires("0 0 */2 * 1", after: "2026-01-05T00:00:00Z", 2)
                == ["2026-01-19T00:00:00Z", "2026-02-09T00:00:00Z"])
    }

    @Test func leapDayOnAGivenWeekdayIsFoundAcrossACenturyWithoutLeapDay() throws {
        // 29 February is a Sunday in 2088 and then, because 2100 has none, in 2128.
        #expect(try fires("0 0 29 2 */7", after: "2088-02-29T00:00:00Z", 1) == ["2128-02-29T00:00:00Z"])
    }

    @Test func fractionsOfAMinuteDoNotRepeatATick() throws {
        let cron = try CronExpression("* * * * *")
        let tick = moment("2026-01-05T09:00:00Z")
        #expect(cron.next(after: tick.adding(microseconds: -1), zone: "UTC", rules: ZoneTable()) == tick)
        #expect(
            cron.next(after: tick.adding(microseconds: 1), zone: "UTC", rules: ZoneTable())
                == tick.adding(seconds: 60))
    }

    @Test func nothingFiresBeyondTheYear9999OrInAnUnknownZone() throws {
        let cron = try CronExpression("0 0 * * *")
        #expect(cron.next(after: moment("9999-12-31T12:00:00Z"), zone: "UTC", rules: ZoneTable()) == nil)
        #expect(cron.next(after: Timestamp(microseconds: .max), zone: "UTC", rules: ZoneTable()) == nil)
        #expect(cron.next(after: Timestamp(microseconds: .min), zone: "UTC", rules: ZoneTable()) == nil)
        #expect(cron.next(after: moment("2026-01-01T00:00:00Z"), zone: "Mars/Base", rules: ZoneTable()) == nil)
    }

    // MARK: Refusals

    @Test(arguments: [
        ("", "has 0 fields"), ("* * * *", "has 4 fields"), ("0 0 9 * * *", "has 6 fields"),
        ("60 * * * *", "its minute field must be 0 to 59, not 60"),
        ("* 24 * * *", "its hour field must be 0 to 23, not 24"),
        ("* * 0 * *", "its day of month field must be 1 to 31, not 0"),
        ("* * * 13 *", "its month field must be 1 to 12 or JAN to DEC, not 13"),
        ("* * * * 8", "its day of week field must be 0 to 7 or SUN to SAT, not 8"),
        ("* * * * FUN", "its day of week field"), ("* * * JANUARY *", "its month field"),
        ("10-5 * * * *", "its minute field has the range 10-5, which goes backwards"),
        ("* * * * SAT-MON", "its day of week field has the range SAT-MON, which goes backwards"),
        ("*/0 * * * *", "its minute field has a step that must be a number from 1 to 59, not 0"),
        ("*/60 * * * *", "its minute field has a step"), ("*/x * * * *", "its minute field has a step"),
        ("5/15 * * * *", "its minute field has a step without a range: write 5-59/15"),
        ("1,,2 * * * *", "its minute field must be 0 to 59, not nothing"), (", * * * *", "not nothing"),
        ("-5 * * * *", "not nothing"), ("+5 * * * *", "not +5"), ("1- * * * *", "not nothing"),
        ("99999999999999999999 * * * *", "its minute field"), ("٣ * * * *", "its minute field"),
        ("0 0 31 FEB *", "can never fire: none of its months has day 31"),
        ("0 0 30,31 2 *", "can never fire"), ("0 0 31 4,6,9,11 *", "can never fire"),
        ("0 0 31 2 */2", "can never fire"),
        ("@reboot", "@reboot is not known"), ("@DAILY", "is not known"),
    ])
    func refusalNamesTheField(_ text: String, _ sentence: String) {
        let error = #expect(throws: CronExpression.Invalid.self) { try CronExpression(text) }
        #expect(error?.description.contains(sentence) == true, "\(error?.description ?? "")")
    }

    @Test func longTextIsRefusedUnread() {
        let text = String(repeating: "1,", count: 1000) + "1 * * * *"
        let error = #expect(throws: CronExpression.Invalid.self) { try CronExpression(text) }
        #expect(error?.description == "is longer than 256 bytes")
    }

    @Test func thirtyFirstOfFebruaryOrAMondayCanFire() throws {
        #expect(try fires("0 0 31 2 1", after: "2026-01-05T00:00:00Z", 1) == ["2026-02-02T00:00:00Z"])
    }

    // MARK: Clocks that are moved

    @Test func skippedTimeFiresOnceAtTheFirstMomentAfterTheGap() throws {
        // Berlin, 29 March 2026: 02:00 is followed by 03:00.
        #expect(
            try fires("30 2 * * *", after: "2026-03-27T12:00:00Z", 3, zone: "Europe/Berlin")
                == ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"])
        // Four skipped times and 03:00 itself make one.
        #expect(
            try fires("*/15 2,3 * * *", after: "2026-03-29T00:00:00Z", 3, zone: "Europe/Berlin")
                == ["2026-03-29T01:00:00Z", "2026-03-29T01:15:00Z", "2026-03-29T01:30:00Z"])
        // New York, 8 March 2026.
        #expect(
            try fires("30 2 * * *", after: "2026-03-08T00:00:00Z", 2, zone: "America/New_York")
                == ["2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"])
        // Lord Howe, 4 October 2026: 02:00 is followed by 02:30.
        #expect(
            try fires("15 2 * * *", after: "2026-10-03T00:00:00Z", 2, zone: "Australia/Lord_Howe")
                == ["2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"])
    }

    @Test func repeatedTimeFiresTheFirstTimeOnly() throws {
        // Berlin, 25 October 2026: 03:00 is followed by 02:00.
        #expect(
            try fires("30 2 * * *", after: "2026-10-24T12:00:00Z", 2, zone: "Europe/Berlin")
                == ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"])
        #expect(
            try fires("*/20 2 * * *", after: "2026-10-25T00:20:00Z", 2, zone: "Europe/Berlin")
                == ["2026-10-25T00:40:00Z", "2026-10-26T01:00:00Z"])
        // Asked within the second 02:10, the first one of tomorrow is next.
        #expect(
            try fires("30 2 * * *", after: "2026-10-25T01:10:00Z", 1, zone: "Europe/Berlin")
                == ["2026-10-26T01:30:00Z"])
        #expect(
            try fires("30 1 * * *", after: "2026-11-01T00:00:00Z", 2, zone: "America/New_York")
                == ["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"])
        // Lord Howe, 5 April 2026: 02:00 is followed by 01:30.
        #expect(
            try fires("45 1 * * *", after: "2026-04-04T00:00:00Z", 2, zone: "Australia/Lord_Howe")
                == ["2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"])
    }

    @Test func hourlyScheduleRunsByElapsedTime() throws {
        #expect(
            try fires("0 * * * *", after: "2026-03-28T23:30:00Z", 3, zone: "Europe/Berlin")
                == ["2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"])
        #expect(
            try fires("0 * * * *", after: "2026-10-24T23:30:00Z", 4, zone: "Europe/Berlin")
                == ["2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z", "2026-10-25T03:00:00Z"])
        // 02:00 is not shown in Lord Howe that day, 01:45 is shown twice in autumn.
        #expect(
            try fires("0 * * * *", after: "2026-10-03T14:00:00Z", 2, zone: "Australia/Lord_Howe")
                == ["2026-10-03T14:30:00Z", "2026-10-03T16:00:00Z"])
        #expect(
            try fires("45 * * * *", after: "2026-04-04T14:00:00Z", 3, zone: "Australia/Lord_Howe")
                == ["2026-04-04T14:45:00Z", "2026-04-04T15:15:00Z", "2026-04-04T16:15:00Z"])
        #expect(
            try fires("0 */2 * * *", after: "2026-11-01T03:30:00Z", 3, zone: "America/New_York")
                == ["2026-11-01T04:00:00Z", "2026-11-01T07:00:00Z", "2026-11-01T09:00:00Z"])
    }

    @Test func daySkippedByTheDateLineFiresOnce() throws {
        #expect(
            try fires("0 9 * * *", after: "2011-12-29T10:00:00Z", 3, zone: "Pacific/Apia")
                == ["2011-12-29T19:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T19:00:00Z"])
    }

    /// Minute by minute from the definition, around every change of the table, for many expressions.
    @Test(arguments: [
        ("Europe/Berlin", "2026-03-29T01:00:00Z"), ("Europe/Berlin", "2026-10-25T01:00:00Z"),
        ("America/New_York", "2026-03-08T07:00:00Z"), ("America/New_York", "2026-11-01T06:00:00Z"),
        ("Australia/Lord_Howe", "2026-10-03T15:30:00Z"), ("Australia/Lord_Howe", "2026-04-04T15:00:00Z"),
    ])
    func agreesWithLookingAtTheClockEveryMinute(_ zone: String, _ changeText: String) throws {
        let rules = ZoneTable()
        let change = moment(changeText)
        let expressions = [
            "* * * * *", "*/7 * * * *", "13 * * * *", "0 */3 * * *", "30 2 * * *", "* 2 * * *", "*/10 1-3 * * *",
            "15,45 0-23 * * *", "0 2 * * 0", "59 1 * * SAT,SUN", "0 0 * * *", "10 */5 29 * *", "0 3 25 * 0",
        ]
        for text in expressions {
            let cron = try CronExpression(text)
            let oracle = ClockOracle(cron: text, zone: zone, rules: rules, around: change)
            for offset in stride(from: Int64(-5 * 3600), through: 5 * 3600, by: 1140) {
                let time = change.adding(seconds: offset)
                guard let expected = oracle.next(after: time) else { continue }
                let found = cron.next(after: time, zone: zone, rules: rules)
                #expect(found == expected, "\(text) in \(zone) after \(time)")
            }
        }
    }
}

/// The definition of a fire, without any of the arithmetic under test: it looks at the clock every minute.
private struct ClockOracle {
    private var moments: [Timestamp] = []

    init(cron: String, zone: String, rules: ZoneTable, around change: Timestamp) {
        let fields = cron.split(separator: " ").map(String.init)
        let start = change.adding(seconds: -12 * 3600)
        let minutes = (0..<Int64(48 * 60)).map { start.adding(seconds: $0 * 60) }
        func reading(_ time: Timestamp) -> Int64 {
            time.microseconds / 1_000_000 + (rules.offset(at: time, zone: zone) ?? 0)
        }
        var seen: Set<Int64> = []
        var due: Set<Timestamp> = []
        for (position, time) in minutes.enumerated() {
            let shown = reading(time)
            if fields[1].hasPrefix("*") {
                if Self.matches(fields, shown) { due.insert(time) }
                continue
            }
            // Readings between the last one and this were skipped; those before it were shown already.
            let last = position > 0 ? reading(minutes[position - 1]) : shown - 60
            for skipped in stride(from: last + 60, through: shown, by: 60) where seen.insert(skipped).inserted {
                if Self.matches(fields, skipped) { due.insert(time) }
            }
        }
        moments = due.sorted()
    }

    func next(after time: Timestamp) -> Timestamp? { moments.first { $0 > time } }

    private static func matches(_ fields: [String], _ shown: Int64) -> Bool {
        let description = Timestamp(seconds: shown).description
        func number(_ start: Int, _ count: Int) -> Int { Int(description.dropFirst(start).prefix(count)) ?? 0 }
        let weekday = Int((shown / 86_400 + 4) % 7)
        let byMonth = contains(fields[2], number(8, 2), 31)
        let byWeek = contains(fields[4], weekday, 6)
        let day = fields[2].hasPrefix("*") || fields[4].hasPrefix("*") ? byMonth && byWeek : byMonth || byWeek
        return contains(fields[0], number(14, 2), 59) && contains(fields[1], number(11, 2), 23) && day
    }

    private static func contains(_ field: String, _ value: Int, _ last: Int) -> Bool {
        field.replacing("SUN", with: "0").replacing("SAT", with: "6").split(separator: ",").contains { part in
            let halves = part.split(separator: "/")
            let ends =
                halves[0] == "*" ? [last == 31 ? 1 : 0, last] : halves[0].split(separator: "-").compactMap { Int($0) }
            guard let low = ends.first, let high = ends.last, (low...high).contains(value) else { return false }
            return halves.count == 1 || (value - low) % (Int(halves[1]) ?? 1) == 0
        }
    }
}
