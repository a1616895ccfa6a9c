import JSONValue

/// The hours in which mail may leave: on some days of the week, from one time of the day to another, by the clock of a
/// zone.
///
/// - A window whose end is not after its start goes over midnight; `days` names the days on which it opens.
/// - It opens at the first moment when the clock shows `from` and closes at the first moment when the clock shows `to`;
///   a time that the clock skips counts as the first moment after the gap. So where clocks go back, a time that comes
///   twice counts the first time, and a window inside the gap does not exist that day.
package struct SendWindow: Hashable, Sendable {
    /// Days on which it opens; 0 is Sunday.
    package var days: Set<Int>
    /// Minutes since midnight.
    package var from: Int
    /// Minutes since midnight, up to 1440.
    package var to: Int
    /// The zone it insists on; nil takes the contact's, then the project's.
    package var timezone: String?

    package init(days: Set<Int>, from: Int, to: Int, timezone: String? = nil) {
        self.days = days
        self.from = from
        self.to = to
        self.timezone = timezone
    }

    /// The zone whose clock counts: the window's own, else the contact's, else the project's. One that is not known is
    /// passed over, because contact data may hold anything.
    package func zone(contact: String?, project: String, rules: any TimeZoneRules) -> String {
        for zone in [timezone, contact] {
            if let zone, rules.isKnown(zone) { return zone }
        }
        return project
    }

    /// The first moment inside the window that is not before the given one.
    package func earliest(notBefore time: Timestamp, zone: String, rules: any TimeZoneRules) -> Timestamp {
        let clock = ZoneClock(zone: zone, rules: rules)
        // It may have opened yesterday. A window that a gap swallows is there again a week later, so three weeks hold one.
        let today = clock.reading(at: time).dayNumber
        for day in (today - 1)...(today + 21) where days.contains(WallTime.weekday(ofDay: day)) {
            let opening = clock.firstMoment(showing: WallTime(day: day, minute: from))
            let closing = clock.firstMoment(showing: WallTime(day: to > from ? day : day + 1, minute: to))
            if opening < closing, time < closing { return max(opening, time) }
        }
        return time
    }
}

extension SendWindow {
    /// The days as they are written, Sunday first.
    private static let dayNames = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]

    /// Reads `{days, from, to, timezone}`. Days are names (`MON`, `monday`), all of them when there are none; times are
    /// `HH:MM`, and `24:00` is the end of the day.
    ///
    /// - Parameter zones: the time zones that may be named; nil takes any name, for what was read before.
    /// - Returns: the window, or nil with at least one problem.
    package static func read(
        _ json: JSON, path: String, zones: (any TimeZoneRules)?
    ) -> (window: SendWindow?, problems: [WorkflowProblem]) {
        guard let object = json.objectValue else {
            return (nil, [.init(path: path, message: "must be a mapping of days, from, to and timezone")])
        }
        var problems: [WorkflowProblem] = []
        func report(_ key: String, _ message: String) {
            problems.append(.init(path: "\(path).\(key)", message: message))
        }
        for key in object.keys where !["days", "from", "to", "timezone"].contains(key) {
            report(key, "is not known here; known are days, from, to, timezone")
        }
        let days = days(object["days"], report)
        let from = object["from"]?.stringValue.flatMap(minutes)
        if from == nil || from == 1440 { report("from", "must be a time of the day from 00:00 to 23:59, as HH:MM") }
        let to = object["to"]?.stringValue.flatMap(minutes)
        if to == nil { report("to", "must be a time of the day from 00:00 to 24:00, as HH:MM") }
        if let from, from == to { report("to", "must not equal from; the whole day is from 00:00 to 24:00") }
        let timezone = object["timezone"].flatMap { $0.isNull ? nil : $0 }
        if let timezone, !(timezone.stringValue.map { zones?.isKnown($0) ?? true } ?? false) {
            report("timezone", TimeZoneName.problem(timezone))
        }
        guard problems.isEmpty, let from, let to else { return (nil, problems) }
        return (SendWindow(days: days, from: from, to: to, timezone: timezone?.stringValue), [])
    }

    private static func days(_ json: JSON?, _ report: (String, String) -> Void) -> Set<Int> {
        guard let json, !json.isNull else { return Set(0..<7) }
        let message = "must be a list of at least one of \(dayNames.joined(separator: ", "))"
        guard let list = json.arrayValue, !list.isEmpty, list.count <= 7 else {
            report("days", message)
            return []
        }
        var days: Set<Int> = []
        for (position, member) in list.enumerated() {
            let full = ["SUNDAY", "MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY"]
            guard let name = member.stringValue?.uppercased(),
                let day = dayNames.firstIndex(of: name) ?? full.firstIndex(of: name)
            else {
                report("days.\(position)", "must be one of \(dayNames.joined(separator: ", "))")
                continue
            }
            days.insert(day)
        }
        return days
    }

    /// `HH:MM` as minutes since midnight; nil for anything else.
    private static func minutes(_ text: String) -> Int? {
        let bytes = Array(text.utf8)
        guard bytes.count == 5, bytes[2] == UInt8(ascii: ":") else { return nil }
        let digits = [bytes[0], bytes[1], bytes[3], bytes[4]].map { Int($0) - Int(UInt8(ascii: "0")) }
        guard digits.allSatisfy({ (0..<10).contains($0) }) else { return nil }
        let (hour, minute) = (digits[0] * 10 + digits[1], digits[2] * 10 + digits[3])
        guard minute < 60, hour < 24 || hour == 24 && minute == 0 else { return nil }
        return hour * 60 + minute
    }

    /// As the API writes it.
    package var json: JSON {
        func text(_ minutes: Int) -> JSON {
            let (hour, minute) = minutes.quotientAndRemainder(dividingBy: 60)
            return .string("\(hour < 10 ? "0" : "")\(hour):\(minute < 10 ? "0" : "")\(minute)")
        }
        var object: JSONObject = [
            "days": .array(days.sorted().filter { (0..<7).contains($0) }.map { .string(Self.dayNames[$0]) }),
            "from": text(from), "to": text(to),
        ]
        if let timezone { object["timezone"] = .string(timezone) }
        return .object(object)
    }
}

/// The sentence for a zone that is not known.
package enum TimeZoneName {
    package static func problem(_ json: JSON) -> String {
        guard let name = json.stringValue else { return "must be the name of a time zone, for example Europe/Berlin" }
        return "\(name.prefix(64)) is no time zone; names are those of the IANA database, for example Europe/Berlin"
    }
}
