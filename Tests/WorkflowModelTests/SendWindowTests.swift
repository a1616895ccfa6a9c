import JSONValue
import Testing
import WorkflowModel

@Suite struct SendWindowTests {
    private let workdays = SendWindow(days: [1, 2, 3, 4, 5], from: 9 * 60, to: 17 * 60)

    private func earliest(_ window: SendWindow, _ time: String, zone: String = "UTC") -> String {
        window.earliest(notBefore: moment(time), zone: zone, rules: ZoneTable()).description
            .replacing(".000Z", with: "Z")
    }

    @Test func insideTheWindowNothingMoves() {
        #expect(earliest(workdays, "2026-01-05T09:00:00Z") == "2026-01-05T09:00:00Z")
        #expect(earliest(workdays, "2026-01-05T16:59:59Z") == "2026-01-05T16:59:59Z")
    }

    @Test func outsideItWaitsForTheNextOpening() {
        #expect(earliest(workdays, "2026-01-05T08:59:59Z") == "2026-01-05T09:00:00Z")
        #expect(earliest(workdays, "2026-01-05T17:00:00Z") == "2026-01-06T09:00:00Z")
        // From Friday evening to Monday.
        #expect(earliest(workdays, "2026-01-09T18:00:00Z") == "2026-01-12T09:00:00Z")
    }

    @Test func dayCountsByTheZonesClock() {
        // Monday 00:30 in Berlin is Sunday 23:30 in UTC.
        let window = SendWindow(days: [1], from: 0, to: 60)
        #expect(earliest(window, "2026-01-04T23:30:00Z", zone: "Europe/Berlin") == "2026-01-04T23:30:00Z")
        #expect(earliest(window, "2026-01-04T23:30:00Z") == "2026-01-05T00:00:00Z")
    }

    @Test func windowOverMidnightBelongsToTheDayOnWhichItOpens() {
        let window = SendWindow(days: [5], from: 22 * 60, to: 2 * 60)
        #expect(earliest(window, "2026-01-09T23:00:00Z") == "2026-01-09T23:00:00Z")
        #expect(earliest(window, "2026-01-10T01:59:00Z") == "2026-01-10T01:59:00Z")
        #expect(earliest(window, "2026-01-10T02:00:00Z") == "2026-01-16T22:00:00Z")
        #expect(earliest(window, "2026-01-09T01:00:00Z") == "2026-01-09T22:00:00Z")
    }

    @Test func endOfDayIsMidnight() {
        let window = SendWindow(days: Set(0..<7), from: 0, to: 1440)
        #expect(earliest(window, "2026-01-05T23:59:59Z") == "2026-01-05T23:59:59Z")
    }

    @Test(arguments: [
        // Nine o'clock on the day after each change of the clock.
        ("Europe/Berlin", "2026-03-28T20:00:00Z", "2026-03-29T07:00:00Z"),
        ("Europe/Berlin", "2026-10-24T20:00:00Z", "2026-10-25T08:00:00Z"),
        ("America/New_York", "2026-03-08T03:00:00Z", "2026-03-08T13:00:00Z"),
        ("America/New_York", "2026-11-01T02:00:00Z", "2026-11-01T14:00:00Z"),
        ("Australia/Lord_Howe", "2026-10-03T12:00:00Z", "2026-10-03T22:00:00Z"),
        ("Australia/Lord_Howe", "2026-04-04T12:00:00Z", "2026-04-04T22:30:00Z"),
    ])
    func nextMorningFollowsTheClock(_ zone: String, _ evening: String, _ morning: String) {
        let window = SendWindow(days: Set(0..<7), from: 9 * 60, to: 17 * 60)
        #expect(earliest(window, evening, zone: zone) == morning)
    }

    @Test func skippedTimesCountAsTheMomentAfterTheGap() {
        // 02:30 does not exist in Berlin on 29 March.
        let opensInGap = SendWindow(days: [0], from: 150, to: 300)
        #expect(earliest(opensInGap, "2026-03-28T12:00:00Z", zone: "Europe/Berlin") == "2026-03-29T01:00:00Z")
        let closesInGap = SendWindow(days: [0], from: 60, to: 150)
        #expect(earliest(closesInGap, "2026-03-29T00:59:00Z", zone: "Europe/Berlin") == "2026-03-29T00:59:00Z")
        #expect(earliest(closesInGap, "2026-03-29T01:00:00Z", zone: "Europe/Berlin") == "2026-04-04T23:00:00Z")
        // All of it in the gap: there is none that day.
        let inGap = SendWindow(days: [0], from: 130, to: 170)
        #expect(earliest(inGap, "2026-03-28T12:00:00Z", zone: "Europe/Berlin") == "2026-04-05T00:10:00Z")
        // 02:15 to 02:20 in Lord Howe on 4 October.
        let halfHour = SendWindow(days: [0], from: 135, to: 140)
        #expect(earliest(halfHour, "2026-10-03T12:00:00Z", zone: "Australia/Lord_Howe") == "2026-10-10T15:15:00Z")
    }

    @Test func repeatedTimesCountTheFirstTime() {
        // 02:15 and 02:45 come twice in Berlin on 25 October.
        let window = SendWindow(days: [0], from: 135, to: 165)
        #expect(earliest(window, "2026-10-24T12:00:00Z", zone: "Europe/Berlin") == "2026-10-25T00:15:00Z")
        #expect(earliest(window, "2026-10-25T01:20:00Z", zone: "Europe/Berlin") == "2026-11-01T01:15:00Z")
        // Over the change, the window is an hour longer.
        let over = SendWindow(days: [0], from: 150, to: 200)
        #expect(earliest(over, "2026-10-25T02:19:00Z", zone: "Europe/Berlin") == "2026-10-25T02:19:00Z")
    }

    @Test func windowsZoneComesBeforeTheContactsAndThatBeforeTheProjects() {
        var window = workdays
        let rules = ZoneTable()
        #expect(window.zone(contact: nil, project: "UTC", rules: rules) == "UTC")
        #expect(window.zone(contact: "Europe/Berlin", project: "UTC", rules: rules) == "Europe/Berlin")
        #expect(window.zone(contact: "nowhere", project: "UTC", rules: rules) == "UTC")
        window.timezone = "America/New_York"
        #expect(window.zone(contact: "Europe/Berlin", project: "UTC", rules: rules) == "America/New_York")
    }

    // MARK: Reading

    @Test func readsWhatItWrites() throws {
        let json: JSON = ["days": ["mon", "Friday"], "from": "22:00", "to": "06:30", "timezone": "Europe/Berlin"]
        let (window, problems) = SendWindow.read(json, path: "window", zones: ZoneTable())
        #expect(problems.isEmpty)
        #expect(window == SendWindow(days: [1, 5], from: 1320, to: 390, timezone: "Europe/Berlin"))
        #expect(SendWindow.read(try #require(window).json, path: "window", zones: ZoneTable()).window == window)
    }

    @Test func everyDayIsTheDefault() {
        let (window, _) = SendWindow.read(["from": "00:00", "to": "24:00"], path: "w", zones: ZoneTable())
        #expect(window == SendWindow(days: Set(0..<7), from: 0, to: 1440))
    }

    private struct Refusal: Sendable {
        var config: JSON
        var path: String
        var message: String

        init(_ config: JSON, _ path: String, _ message: String) {
            self.config = config
            self.path = path
            self.message = message
        }
    }

    private static let refusals: [Refusal] = [
        Refusal([], "w", "must be a mapping"),
        Refusal(["from": "09:00"], "w.to", "HH:MM"),
        Refusal(["to": "09:00"], "w.from", "HH:MM"),
        Refusal(["from": "9:00", "to": "17:00"], "w.from", "HH:MM"),
        Refusal(["from": "24:00", "to": "17:00"], "w.from", "23:59"),
        Refusal(["from": "09:60", "to": "17:00"], "w.from", "HH:MM"),
        Refusal(["from": "09:00", "to": "24:01"], "w.to", "24:00"),
        Refusal(["from": "09:00", "to": "09:00"], "w.to", "must not equal from"),
        Refusal(["from": "09:00", "to": "17:00", "days": []], "w.days", "at least one"),
        Refusal(["from": "09:00", "to": "17:00", "days": ["MON", "DAY"]], "w.days.1", "must be one of"),
        Refusal(["from": "09:00", "to": "17:00", "days": [1]], "w.days.0", "must be one of"),
        Refusal(["from": "09:00", "to": "17:00", "timezone": "Mars/Base"], "w.timezone", "Mars/Base is no time zone"),
        Refusal(["from": "09:00", "to": "17:00", "timezone": 1], "w.timezone", "must be the name"),
        Refusal(["from": "09:00", "to": "17:00", "day": ["MON"]], "w.day", "is not known here"),
    ]

    @Test(arguments: refusals)
    private func refusalNamesPathAndRule(_ refusal: Refusal) {
        let (window, problems) = SendWindow.read(refusal.config, path: "w", zones: ZoneTable())
        #expect(window == nil)
        #expect(problems.contains { $0.path == refusal.path && $0.message.contains(refusal.message) }, "\(problems)")
    }
}
