import JSONValue
import Testing

@testable import Liquid

@Suite struct DateFilterTests {
    /// 2024-02-29 23:59:58.123456 UTC, a Thursday.
    private static let now: Int64 = 1_709_251_198_123_456

    private func date(_ input: JSON, _ format: String) throws -> String {
        try render("{{ input | date: format }}", ["input": input, "format": .string(format)], now: Self.now)
    }

    private static let formatsByDirectiveCases: [(String, String)] = [
        ("%Y-%m-%d %H:%M:%S", "2024-02-29 23:59:58"), ("%F %T %R %D", "2024-02-29 23:59:58 23:59 02/29/24"),
        ("%a %A %b %B %h", "Thu Thursday Feb February Feb"), ("%^a %^B %#p %P %p", "THU FEBRUARY pm pm PM"),
        ("%e|%-d|%_m|%-m|%05d|%3H", "29|29| 2|2|00029|023"), ("%j %U %W %V %G %g %u %w", "060 08 09 09 2024 24 4 4"),
        ("%I %l %k %C %y", "11 11 23 20 24"), ("%L %N %3N %6N %12N", "123 123456000 123 123456 123456000000"),
        ("%s %z %:z %::z %Z", "1709251198 +0000 +00:00 +00:00:00 UTC"), ("%c", "Thu Feb 29 23:59:58 2024"),
        ("%x %X %r %v", "02/29/24 23:59:58 11:59:58 PM 29-FEB-2024"), ("%% %n%t| %q % é", "% \n\t| %q % é"),
        ("100%", "100%"),
        ("%10A|%-10A|%010Y", "  Thursday|Thursday|0000002024"),
    ]

    @Test(arguments: formatsByDirectiveCases)
    func formatsByDirective(format: String, expected: String) throws {
        #expect(try date("now", format) == expected)
        #expect(try date("Today", format) == expected)
    }

    private static let readsDatesAsTheyAreWrittenCases: [(String, String)] = [
        ("2016-03-14", "2016-03-14 00:00:00 +0000"), ("2016-03-14T10:20:30Z", "2016-03-14 10:20:30 +0000"),
        ("2016-03-14T10:20:30.5+02:00", "2016-03-14 10:20:30 +0200"),
        ("2016-03-14 10:20 -0530", "2016-03-14 10:20:00 -0530"), ("2016/3/4", "2016-03-04 00:00:00 +0000"),
        ("Mon, 14 Mar 2016 10:20:30 +0000", "2016-03-14 10:20:30 +0000"), ("14-Mar-2016", "2016-03-14 00:00:00 +0000"),
        ("March 14, 2016 3:04pm", "2016-03-14 15:04:00 +0000"), ("March 14th 2016 12am", "2016-03-14 00:00:00 +0000"),
        ("14 Sept. 2016 12:30 PM UTC", "2016-09-14 12:30:00 +0000"), ("20160314", "1970-08-22 08:05:14 +0000"),
        ("10:30", "2024-02-29 10:30:00 +0000"), ("Thursday 10:30", "2024-02-29 10:30:00 +0000"),
        ("March 2016", "2016-03-01 00:00:00 +0000"), ("0", "1970-01-01 00:00:00 +0000"),
        ("1999-12-31t23:59:60z", "1999-12-31 23:59:60 +0000"),
    ]

    @Test(arguments: readsDatesAsTheyAreWrittenCases)
    func readsDatesAsTheyAreWritten(text: String, expected: String) throws {
        #expect(try date(.string(text), "%Y-%m-%d %H:%M:%S %z") == expected)
    }

    private static let whatIsNoDatePassesUnchangedCases: [String] = [
        "", "hello", "2016-02-30", "2016-13-01", "25:00:00", "99999999999999999999", "31 June 2016", "1:2:3:4", "--",
        "::",
        "1-2-3-4", "+", "2016-03-14 +99:99", "9223372036854775807",
    ]

    @Test(arguments: whatIsNoDatePassesUnchangedCases)
    func whatIsNoDatePassesUnchanged(text: String) throws {
        #expect(try date(.string(text), "%Y") == text)
    }

    @Test func emptyFormatPassesTheInput() throws { #expect(try date("now", "") == "now") }

    private static let secondsSince1970InAnyYearCases: [(Int64, String)] = [
        (-1, "1969-12-31 23:59:59"), (-62_135_596_800, "0001-01-01 00:00:00"), (253_402_300_799, "9999-12-31 23:59:59"),
        (951_782_400, "2000-02-29 00:00:00"), (4_107_542_400, "2100-03-01 00:00:00"),
    ]

    @Test(arguments: secondsSince1970InAnyYearCases)
    func secondsSince1970InAnyYear(seconds: Int64, expected: String) throws {
        #expect(try date(.int(seconds), "%F %T") == expected)
    }

    private static let weeksOfTheYearCases: [(Int, Int, Int, String)] = [
        (2021, 1, 3, "2020 53 0 01 00"), (2021, 1, 4, "2021 01 1 01 01"), (2018, 12, 31, "2019 01 1 52 53"),
        (2023, 1, 1, "2022 52 0 01 00"),
    ]

    @Test(arguments: weeksOfTheYearCases)
    func weeksOfTheYear(year: Int, month: Int, day: Int, expected: String) throws {
        #expect(try date(.string("\(year)-\(month)-\(day)"), "%G %V %w %U %W") == expected)
    }

    @Test func daysAndDatesAreInverse() {
        for days in stride(from: -800_000, through: 3_000_000, by: 137) {
            let (year, month, day) = CalendarTime.date(days: days)
            #expect(CalendarTime.days(year: year, month: month, day: day) == days)
        }
    }

    @Test func theExtremesOfNowDoNotTrap() {
        for now in [Int64.min, -1, 0, .max] {
            let time = CalendarTime(microseconds: now)
            #expect(TimeFormat.string(time, "%c %G %V %U %W %j %s %N") != nil)
        }
        #expect(CalendarTime(microseconds: -1).nanosecond == 999_999_000)
    }
}
