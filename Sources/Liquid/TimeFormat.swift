/// Formats a time by the directives of strftime (POSIX, and Ruby's Time#strftime for flags, width, `%L`, `%N` and
/// `%P`). Names are English.
struct TimeFormat {
    /// Wider fields are refused.
    private static let widthLimit = 100

    private let time: CalendarTime
    private var output: [UInt8] = []

    private init(_ time: CalendarTime) { self.time = time }

    /// Nil when a field is wider than makes sense.
    static func string(_ time: CalendarTime, _ format: String) -> String? {
        var formatter = TimeFormat(time)
        guard formatter.append(Array(format.utf8)) else { return nil }
        return String(decoding: formatter.output, as: UTF8.self)
    }

    /// What stands between `%` and the letter.
    private struct Field {
        /// `-`, `0`, `^`, `_`, `#`: nil padding is the directive's own.
        var padding: UInt8?
        var isUnpadded = false
        var isUppercase = false
        var swapsCase = false
        var colons = 0
        var width: Int?
    }

    private mutating func append(_ format: [UInt8]) -> Bool {
        var position = 0
        while position < format.count {
            guard format[position] == UInt8(ascii: "%"), position + 1 < format.count else {
                output.append(format[position])
                position += 1
                continue
            }
            let start = position
            position += 1
            guard let field = Self.field(format, &position) else { return false }
            guard position < format.count, append(format[position], field) else {
                // Not a directive: it stands for itself.
                output.append(format[start])
                position = start + 1
                continue
            }
            position += 1
        }
        return true
    }

    private static func field(_ format: [UInt8], _ position: inout Int) -> Field? {
        var field = Field()
        while position < format.count {
            switch format[position] {
            case UInt8(ascii: "-"): field.isUnpadded = true
            case UInt8(ascii: "0") where field.width == nil: field.padding = UInt8(ascii: "0")
            case UInt8(ascii: "_"): field.padding = 0x20
            case UInt8(ascii: "^"): field.isUppercase = true
            case UInt8(ascii: "#"): field.swapsCase = true
            case UInt8(ascii: ":"): field.colons += 1
            case let digit where digit.isDigit:
                field.width = (field.width ?? 0) * 10 + Int(digit - 0x30)
                if field.width ?? 0 > widthLimit { return nil }
            default: return field
            }
            position += 1
        }
        return field
    }

    // MARK: Directives

    /// False for an unknown directive.
    private mutating func append(_ directive: UInt8, _ field: Field) -> Bool {
        let known = date(directive, field) || clock(directive, field) || combination(directive, field)
        if known { return true }
        switch directive {
        case UInt8(ascii: "%"): text("%", field)
        case UInt8(ascii: "n"): text("\n", field)
        case UInt8(ascii: "t"): text("\t", field)
        default: return false
        }
        return true
    }

    private mutating func date(_ directive: UInt8, _ field: Field) -> Bool {
        switch directive {
        case UInt8(ascii: "Y"): number(time.year, time.year < 0 ? 5 : 4, field)
        case UInt8(ascii: "C"): number(CalendarTime.floor(time.year, 100), 2, field)
        case UInt8(ascii: "y"): number(time.year - CalendarTime.floor(time.year, 100) * 100, 2, field)
        case UInt8(ascii: "m"): number(time.month, 2, field)
        case UInt8(ascii: "B"): text(CalendarNames.months[time.month - 1], field)
        case UInt8(ascii: "b"), UInt8(ascii: "h"): text(String(CalendarNames.months[time.month - 1].prefix(3)), field)
        case UInt8(ascii: "d"): number(time.day, 2, field)
        case UInt8(ascii: "e"): number(time.day, 2, field, padding: 0x20)
        case UInt8(ascii: "j"): number(time.dayOfYear, 3, field)
        case UInt8(ascii: "A"): text(CalendarNames.weekdays[time.weekday], field)
        case UInt8(ascii: "a"): text(String(CalendarNames.weekdays[time.weekday].prefix(3)), field)
        case UInt8(ascii: "u"): number(time.weekday == 0 ? 7 : time.weekday, 1, field)
        case UInt8(ascii: "w"): number(time.weekday, 1, field)
        case UInt8(ascii: "G"): number(time.isoWeek.year, 4, field)
        case UInt8(ascii: "g"): number(time.isoWeek.year % 100, 2, field)
        case UInt8(ascii: "V"): number(time.isoWeek.week, 2, field)
        case UInt8(ascii: "U"): number(time.week(from: 0), 2, field)
        case UInt8(ascii: "W"): number(time.week(from: 1), 2, field)
        default: return false
        }
        return true
    }

    private mutating func clock(_ directive: UInt8, _ field: Field) -> Bool {
        let twelve = (time.hour + 11) % 12 + 1
        switch directive {
        case UInt8(ascii: "H"): number(time.hour, 2, field)
        case UInt8(ascii: "k"): number(time.hour, 2, field, padding: 0x20)
        case UInt8(ascii: "I"): number(twelve, 2, field)
        case UInt8(ascii: "l"): number(twelve, 2, field, padding: 0x20)
        case UInt8(ascii: "M"): number(time.minute, 2, field)
        case UInt8(ascii: "S"): number(time.second, 2, field)
        case UInt8(ascii: "L"): fraction(field.width ?? 3)
        case UInt8(ascii: "N"): fraction(field.width ?? 9)
        case UInt8(ascii: "p"):
            let name = time.hour < 12 ? "AM" : "PM"
            text(field.swapsCase ? name.lowercased() : name, Field(isUppercase: false, width: field.width))
        case UInt8(ascii: "P"): text(time.hour < 12 ? "am" : "pm", field)
        case UInt8(ascii: "z"): zone(field)
        case UInt8(ascii: "Z"): text(time.offset == 0 ? "UTC" : "", field)
        case UInt8(ascii: "s"): number(time.seconds, 1, field)
        default: return false
        }
        return true
    }

    private mutating func combination(_ directive: UInt8, _ field: Field) -> Bool {
        let format: String? =
            switch directive {
            case UInt8(ascii: "c"): "%a %b %e %H:%M:%S %Y"
            case UInt8(ascii: "D"), UInt8(ascii: "x"): "%m/%d/%y"
            case UInt8(ascii: "F"): "%Y-%m-%d"
            case UInt8(ascii: "R"): "%H:%M"
            case UInt8(ascii: "r"): "%I:%M:%S %p"
            case UInt8(ascii: "T"), UInt8(ascii: "X"): "%H:%M:%S"
            case UInt8(ascii: "v"): "%e-%^b-%Y"
            case UInt8(ascii: "+"): "%a %b %e %H:%M:%S %Z %Y"
            default: nil
            }
        guard let format, let result = Self.string(time, format) else { return false }
        text(result, field)
        return true
    }

    // MARK: Fields

    private mutating func number(_ value: Int, _ width: Int, _ field: Field, padding: UInt8 = UInt8(ascii: "0")) {
        let digits = Array(String(value.magnitude).utf8)
        let sign: [UInt8] = value < 0 ? [UInt8(ascii: "-")] : []
        let fill = field.padding ?? padding
        let missing = field.isUnpadded ? 0 : max(0, (field.width ?? width) - digits.count - sign.count)
        let pad = [UInt8](repeating: fill, count: missing)
        output += fill == 0x20 ? pad + sign + digits : sign + pad + digits
    }

    private mutating func text(_ value: String, _ field: Field) {
        let text = field.isUppercase || field.swapsCase ? value.uppercased() : value
        let missing = field.isUnpadded ? 0 : max(0, (field.width ?? 0) - text.utf8.count)
        output += [UInt8](repeating: field.padding ?? 0x20, count: missing)
        output += text.utf8
    }

    /// The first digits of the second's fraction, cut off and not rounded.
    private mutating func fraction(_ digits: Int) {
        let all = String(time.nanosecond + 1_000_000_000).utf8.dropFirst()
        output += all.prefix(digits)
        output += [UInt8](repeating: UInt8(ascii: "0"), count: max(0, digits - 9))
    }

    /// `+hhmm`, `+hh:mm` with one colon, `+hh:mm:ss` with two.
    private mutating func zone(_ field: Field) {
        let minutes = abs(time.offset) / 60
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let separator = field.colons > 0 ? ":" : ""
        var zone = (time.offset < 0 ? "-" : "+") + two(minutes / 60) + separator + two(minutes % 60)
        if field.colons > 1 { zone += ":00" }
        output += zone.utf8
    }
}
