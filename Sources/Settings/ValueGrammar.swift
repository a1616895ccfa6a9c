/// What is wrong with one written value, before it is known where it stands.
struct Complaint: Error, Equatable {
    var message: String
    var mend: String
}

/// Durations as they are written in the configuration: a whole number and one unit, `250ms`, `5s`, `2m`, `4h`, `7d`.
enum DurationText {
    private static let units: [(name: String, milliseconds: Int64)] = [
        ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1),
    ]

    /// Reads `text`; nil when it is no duration or does not fit.
    static func parse(_ text: String) -> Duration? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let count = Int64(digits), let unit = units.first(where: { $0.name == text.dropFirst(digits.count) })
        else {
            return nil
        }
        let (milliseconds, overflow) = count.multipliedReportingOverflow(by: unit.milliseconds)
        return overflow ? nil : .milliseconds(milliseconds)
    }

    /// The shortest spelling that loses nothing above a millisecond.
    static func text(_ duration: Duration) -> String {
        let parts = duration.components
        let milliseconds = parts.seconds * 1000 + parts.attoseconds / 1_000_000_000_000_000
        guard milliseconds != 0 else { return "0s" }
        for unit in units where milliseconds % unit.milliseconds == 0 {
            return "\(milliseconds / unit.milliseconds)\(unit.name)"
        }
        return "\(milliseconds)ms"
    }
}

/// Byte counts as they are written in the configuration: a whole number and one unit, `512B`, `64KiB`, `10MiB`, `1GiB`.
enum ByteSize {
    private static let units: [(name: String, bytes: Int)] = [
        ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1),
    ]

    /// Reads `text`; nil when it is no byte count or does not fit.
    static func parse(_ text: String) -> Int? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let count = Int(digits), let unit = units.first(where: { $0.name == text.dropFirst(digits.count) }) else {
            return nil
        }
        let (bytes, overflow) = count.multipliedReportingOverflow(by: unit.bytes)
        return overflow ? nil : bytes
    }

    /// The spelling with the largest unit that divides it.
    static func text(_ bytes: Int) -> String {
        for unit in units where bytes != 0 && bytes % unit.bytes == 0 { return "\(bytes / unit.bytes)\(unit.name)" }
        return "\(bytes)B"
    }
}

/// A string as YAML writes it: plain where no reader could take it for something else, in double quotes otherwise.
enum ScalarText {
    static func yaml(_ text: String) -> String {
        let isWord = text.utf8.allSatisfy { byte in
            (0x61...0x7A).contains(byte) || (0x41...0x5A).contains(byte) || (0x30...0x39).contains(byte)
                || [0x2F, 0x2E, 0x2D, 0x5F].contains(byte)
        }
        let startsSafely = text.unicodeScalars.first.map { $0.properties.isAlphabetic || $0 == "/" } ?? false
        let reserved = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
        if isWord, startsSafely, !reserved.contains(text.lowercased()) { return text }
        let escaped = text.map { $0 == "\"" || $0 == "\\" ? "\\\($0)" : String($0) }.joined()
        return "\"\(escaped)\""
    }
}
