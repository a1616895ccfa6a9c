extension CronExpression {
    /// Reads an expression of five fields or one of the names with `@`.
    package init(_ text: String) throws(Invalid) {
        guard text.utf8.count <= Self.lengthLimit else {
            throw Invalid(description: "is longer than \(Self.lengthLimit) bytes")
        }
        let trimmed = text.split { $0 == " " || $0 == "\t" }.joined(separator: " ")
        let fields = try Self.expanded(trimmed).split(separator: " ")
        guard fields.count == 5 else {
            throw Invalid(
                description:
                    "has \(fields.count) fields; a schedule has five: minute, hour, day of month, month, day of week")
        }
        self.init(
            text: trimmed, minutes: try CronField.minute.read(fields[0]), hours: try CronField.hour.read(fields[1]),
            daysOfMonth: try CronField.dayOfMonth.read(fields[2]), months: try CronField.month.read(fields[3]),
            daysOfWeek: try CronField.dayOfWeek.read(fields[4]))
        guard canFire else {
            throw Invalid(description: "can never fire: none of its months has day \(fields[2])")
        }
    }

    /// - Returns: the five fields that a name stands for; other text as it is.
    private static func expanded(_ text: String) throws(Invalid) -> String {
        guard text.hasPrefix("@") else { return text }
        switch text {
        case "@hourly": return "0 * * * *"
        case "@daily", "@midnight": return "0 0 * * *"
        case "@weekly": return "0 0 * * 0"
        case "@monthly": return "0 0 1 * *"
        case "@yearly", "@annually": return "0 0 1 1 *"
        default:
            throw Invalid(
                description:
                    "\(text.prefix(32)) is not known; known are @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually"
            )
        }
    }

    /// Whether any day ever matches. Every day of the week falls on every day of a month in some year, so only the days
    /// that a month never has stand in the way.
    private var canFire: Bool {
        if !daysOfMonth.beginsWithStar, !daysOfWeek.beginsWithStar { return true }
        guard let firstDay = daysOfMonth.first(from: 1) else { return false }
        // 2000 was a leap year.
        return (1...12).contains { months.contains($0) && firstDay <= CivilDate.daysIn(month: $0, year: 2000) }
    }
}

/// How one field is written.
private struct CronField {
    var name: String
    var range: ClosedRange<Int>
    var names: [String] = []
    /// The number of the first name.
    var firstNamed = 0

    static let minute = CronField(name: "minute", range: 0...59)
    static let hour = CronField(name: "hour", range: 0...23)
    static let dayOfMonth = CronField(name: "day of month", range: 1...31)
    static let month = CronField(
        name: "month", range: 1...12,
        names: ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"], firstNamed: 1)
    static let dayOfWeek = CronField(
        name: "day of week", range: 0...7, names: ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"])

    func read(_ text: Substring) throws(CronExpression.Invalid) -> CronExpression.FieldSet {
        var field = CronExpression.FieldSet()
        field.beginsWithStar = text.hasPrefix("*")
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            for member in try members(of: part) {
                // 7 is another name of Sunday.
                field.insert(range.upperBound == 7 ? member % 7 : member)
            }
        }
        return field
    }

    private func members(of part: Substring) throws(CronExpression.Invalid) -> StrideThrough<Int> {
        let halves = part.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let isRange = halves[0] == "*" || halves[0].contains("-")
        let span = try span(halves[0])
        guard halves.count == 2 else { return stride(from: span.lowerBound, through: span.upperBound, by: 1) }
        guard isRange else {
            throw refused("has a step without a range: write \(halves[0])-\(last)/\(halves[1]) in place of \(part)")
        }
        guard let step = number(halves[1]), step >= 1, step <= range.upperBound else {
            throw refused("has a step that must be a number from 1 to \(range.upperBound), not \(halves[1])")
        }
        return stride(from: span.lowerBound, through: span.upperBound, by: step)
    }

    /// `*` is every member once; Sunday is 0 in it.
    private var last: Int { range.upperBound == 7 ? 6 : range.upperBound }

    private func span(_ text: Substring) throws(CronExpression.Invalid) -> ClosedRange<Int> {
        if text == "*" { return range.lowerBound...last }
        let ends = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        let low = try member(ends[0])
        guard ends.count == 2 else { return low...low }
        var high = try member(ends[1])
        // FRI-SUN means to the end of the week.
        if range.upperBound == 7, high == 0, ends[1].uppercased() == "SUN", low > 0 { high = 7 }
        guard low <= high else {
            throw refused("has the range \(text), which goes backwards: write a list in its place")
        }
        return low...high
    }

    private func member(_ text: Substring) throws(CronExpression.Invalid) -> Int {
        if let position = names.firstIndex(of: text.uppercased()) { return firstNamed + position }
        guard let value = number(text), range.contains(value) else {
            let named = names.isEmpty ? "" : " or \(names[0]) to \(names[names.count - 1])"
            throw refused(
                "must be \(range.lowerBound) to \(range.upperBound)\(named), not \(text.isEmpty ? "nothing" : "\(text)")"
            )
        }
        return value
    }

    /// Up to three digits, and nothing but digits.
    private func number(_ text: Substring) -> Int? {
        guard !text.isEmpty, text.utf8.count <= 3, text.utf8.allSatisfy({ $0 &- UInt8(ascii: "0") < 10 }) else {
            return nil
        }
        return Int(text)
    }

    private func refused(_ message: String) -> CronExpression.Invalid {
        CronExpression.Invalid(description: "its \(name) field \(message)")
    }
}
