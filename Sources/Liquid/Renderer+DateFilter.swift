import JSONValue

/// The `date` filter.
extension Renderer {
    /// Formats a moment: `now`, `today`, seconds since 1970, or a date written out. What is no date passes unchanged,
    /// as does everything under an empty format.
    func date(_ input: Value, format: Value) throws(RenderingError) -> Value {
        let format = try text(format)
        guard !format.isEmpty, let time = moment(input) else { return input }
        try spend(bytes: format.utf8.count * 4)
        guard let text = TimeFormat.string(time, format) else {
            throw invalid("a field of the date format is too wide")
        }
        return try made(text)
    }

    private func moment(_ input: Value) -> CalendarTime? {
        switch input {
        case .json(.int(let seconds)): return CalendarTime(seconds: seconds)
        case .json(.string(let text)), .markup(let text):
            // Longer than any date: not worth reading.
            guard text.utf8.count <= 100 else { return nil }
            let word = text.lowercased()
            let now = CalendarTime(microseconds: options.now)
            if word == "now" || word == "today" { return now }
            if !text.isEmpty, text.utf8.allSatisfy(\.isDigit) {
                return Int64(text).flatMap(CalendarTime.init(seconds:))
            }
            return TimeReader.read(text, now: now)
        default: return nil
        }
    }
}
