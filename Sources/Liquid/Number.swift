import JSONValue

/// Arithmetic of the filters: integers stay integers, and fractions are computed in decimal, so that 10.1 minus 2.2
/// is 7.9. What leaves the exact range goes on as a double.
enum Number {
    case int(Int64)
    case double(Double)

    enum Operation { case plus, minus, times, dividedBy, modulo }

    static let zero = Number.int(0)

    /// Numbers and numeric text; everything else is zero.
    init(_ value: Value) {
        switch value {
        case .json(.int(let number)): self = .int(number)
        case .json(.double(let number)): self = .double(number)
        case .json(.string(let text)), .markup(let text): self.init(text: text)
        default: self = .zero
        }
    }

    /// `-?digits.digits` is a fraction; else the leading integer counts, and 0 without one.
    private init(text: String) {
        // No number worth computing with is longer, and hostile text may be.
        let bytes = Array(text.utf8.prefix(400))
        var position = bytes.firstIndex { !$0.isBlank } ?? bytes.count
        let start = position
        if position < bytes.count, bytes[position] == UInt8(ascii: "-") || bytes[position] == UInt8(ascii: "+") {
            position += 1
        }
        let digits = position
        while position < bytes.count, bytes[position].isDigit { position += 1 }
        let integer = String(decoding: bytes[start..<position], as: UTF8.self)
        guard position > digits else {
            self = .zero
            return
        }
        if position + 1 < bytes.count, bytes[position] == UInt8(ascii: "."), bytes[position + 1].isDigit {
            var end = position + 1
            while end < bytes.count, bytes[end].isDigit { end += 1 }
            let text = String(decoding: bytes[start..<end], as: UTF8.self)
            if bytes[end...].allSatisfy(\.isBlank), let value = Double(text), value.isFinite {
                self = .double(value)
                return
            }
        }
        if let value = Int64(integer) {
            self = .int(value)
        } else {
            let value = Double(integer) ?? 0
            self = .double(value.isFinite ? value : 0)
        }
    }

    var value: Value {
        switch self {
        case .int(let number): .json(.int(number))
        case .double(let number): .json(.double(number))
        }
    }

    var double: Double {
        switch self {
        case .int(let number): Double(number)
        case .double(let number): number
        }
    }

    /// As the reference implementation prints fractions: `5.0`, `1.0e+20`.
    static func text(_ number: Double) -> String {
        let text = "\(number)"
        guard let exponent = text.firstIndex(of: "e"), !text.contains(".") else { return text }
        return text[..<exponent] + ".0" + text[exponent...]
    }

    // MARK: Operations

    /// Nil for a division by zero and for a result that is no finite number.
    func applying(_ operation: Operation, _ other: Number) -> Number? {
        if case .int(let a) = self, case .int(let b) = other { return Self.integers(operation, a, b) }
        if operation == .dividedBy || operation == .modulo, other.double == 0 { return nil }
        if let a = Decimal(self), let b = Decimal(other), let result = Self.decimals(operation, a, b) {
            return .double(result)
        }
        return Self.doubles(operation, double, other.double)
    }

    private static func integers(_ operation: Operation, _ a: Int64, _ b: Int64) -> Number? {
        let (result, overflow): (Int64, Bool)
        switch operation {
        case .plus: (result, overflow) = a.addingReportingOverflow(b)
        case .minus: (result, overflow) = a.subtractingReportingOverflow(b)
        case .times: (result, overflow) = a.multipliedReportingOverflow(by: b)
        case .dividedBy, .modulo:
            guard b != 0 else { return nil }
            // Overflows only for the smallest integer and -1.
            let (quotient, tooLarge) = a.dividedReportingOverflow(by: b)
            let remainder = tooLarge ? 0 : a % b
            // Both round towards minus infinity.
            let down = remainder != 0 && (remainder < 0) != (b < 0)
            if operation == .modulo { return .int(down ? remainder + b : remainder) }
            (result, overflow) = (down ? quotient - 1 : quotient, tooLarge)
        }
        return overflow ? doubles(operation, Double(a), Double(b)) : .int(result)
    }

    private static func decimals(_ operation: Operation, _ a: Decimal, _ b: Decimal) -> Double? {
        let scale = max(a.scale, b.scale)
        let (left, right) = (a.digits(scale: scale), b.digits(scale: scale))
        switch operation {
        case .plus: return Decimal(digits: left + right, scale: scale).double
        case .minus: return Decimal(digits: left - right, scale: scale).double
        case .times: return Decimal(digits: a.digits * b.digits, scale: a.scale + b.scale).double
        case .dividedBy: return Decimal.double(left) / Decimal.double(right)
        case .modulo:
            let remainder = left % right
            let down = remainder != 0 && (remainder < 0) != (right < 0)
            return Decimal(digits: down ? remainder + right : remainder, scale: scale).double
        }
    }

    private static func doubles(_ operation: Operation, _ a: Double, _ b: Double) -> Number? {
        let result =
            switch operation {
            case .plus: a + b
            case .minus: a - b
            case .times: a * b
            case .dividedBy: a / b
            case .modulo: a - b * Number.double(a / b).rounded(.down).double
            }
        return result.isFinite ? .double(result) : nil
    }

    var magnitude: Number {
        switch self {
        case .int(.min): .double(-Double(Int64.min))
        case .int(let number): .int(Swift.abs(number))
        case .double(let number): .double(Swift.abs(number))
        }
    }

    enum Rounding { case down, up, nearest }

    /// To a whole number, halves away from zero; stays a double beyond 64 bits.
    ///
    /// Not `Double.rounded`, which calls the C library's mathematics: nothing here links it.
    func rounded(_ rounding: Rounding) -> Number {
        guard case .double(let number) = self, let whole = Self.truncated(number) else { return self }
        // Zero from 2^52 on, so adding one cannot overflow.
        let fraction = number - Double(whole)
        switch rounding {
        case .down: return .int(fraction < 0 ? whole - 1 : whole)
        case .up: return .int(fraction > 0 ? whole + 1 : whole)
        case .nearest: return .int(fraction >= 0.5 ? whole + 1 : fraction <= -0.5 ? whole - 1 : whole)
        }
    }

    /// Without its fraction; nil beyond 64 bits.
    static func truncated(_ number: Double) -> Int64? {
        number >= -0x1p63 && number < 0x1p63 ? Int64(number) : nil
    }

    /// Half away from zero, to `places` decimal places; fewer than one round before the point.
    func rounded(places: Int) -> Number {
        if case .int = self, places >= 0 { return self }
        let limit = 18
        guard let decimal = Decimal(self), places < decimal.scale else { return self }
        guard places > -limit else { return .zero }
        let unit = Decimal.power(decimal.scale - places)
        let half = decimal.digits < 0 ? -unit / 2 : unit / 2
        let kept = (decimal.digits + half) / unit
        let scale = Swift.max(places, 0)
        let digits = places < 0 ? kept * Decimal.power(-places) : kept
        if case .int = self { return Int64(exactly: digits).map(Number.int) ?? .double(Double(digits)) }
        return .double(Decimal(digits: digits, scale: scale).double ?? double)
    }

    /// Whether left is smaller.
    static func < (left: Number, right: Number) -> Bool {
        if case .int(let a) = left, case .int(let b) = right { return a < b }
        return left.double < right.double
    }
}

/// `digits` divided by ten to the power of `scale`, exact. Limited so that every product fits 128 bits.
private struct Decimal {
    private static let scaleLimit = 18
    private static let digitsLimit: Int128 = 1_000_000_000_000_000_000

    var digits: Int128
    /// At least 0.
    var scale: Int

    init(digits: Int128, scale: Int) {
        self.digits = digits
        self.scale = scale
    }

    /// Nil for a number too large or too small to be handled exactly.
    init?(_ number: Number) {
        switch number {
        case .int(let value):
            self.init(digits: Int128(value), scale: 0)
        case .double(let value):
            if let short = Self.short(value) {
                self = short
                return
            }
            // The shortest text that reads back as the same double is the number its author meant.
            let parts = "\(value)".split(separator: "e", omittingEmptySubsequences: false)
            let mantissa = parts[0].split(separator: ".", omittingEmptySubsequences: false)
            let exponent = parts.count > 1 ? Int(parts[1]) ?? 0 : 0
            let fraction = mantissa.count > 1 && mantissa[1] != "0" ? mantissa[1] : ""
            guard let digits = Int128(mantissa[0] + fraction) else { return nil }
            let scale = fraction.count - exponent
            guard scale <= Self.scaleLimit, scale >= -Self.scaleLimit else { return nil }
            self.init(digits: scale < 0 ? digits * Self.power(-scale) : digits, scale: max(scale, 0))
        }
        guard Swift.abs(digits) < Self.digitsLimit else { return nil }
    }

    /// A number of few digits and few places, which is nearly every one: when so many digits over a power of ten are this
    /// very double, no shorter text reads back as it (both are exact in a double, so the division rounds once).
    private static func short(_ value: Double) -> Decimal? {
        guard Swift.abs(value) < 1e9 else { return nil }
        var unit = 1.0
        for scale in 0...5 {
            let scaled = value * unit
            let digits = Int64(scaled + (scaled < 0 ? -0.5 : 0.5))
            if Double(digits) / unit == value { return Decimal(digits: Int128(digits), scale: scale) }
            unit *= 10
        }
        return nil
    }

    private static let powers: [Int128] = (0...36).map { exponent in
        (0..<exponent).reduce(1) { result, _ in result * 10 }
    }

    /// Ten to the power of `exponent`, which is 0 to 36.
    static func power(_ exponent: Int) -> Int128 { powers[exponent] }

    func digits(scale other: Int) -> Int128 { digits * Self.power(other - scale) }

    /// Not the initialiser for any integer, which goes bit by bit.
    static func double(_ value: Int128) -> Double {
        let isShort = value > -(1 << 62) && value < 1 << 62
        return isShort ? Double(Int64(truncatingIfNeeded: value)) : Double(value)
    }

    var double: Double? {
        // Below 2^53 and 10^22 both are exact, and the quotient is rounded once, as it would be read.
        if Swift.abs(digits) < 1 << 53, scale <= 22 { return Self.double(digits) / Self.double(Self.power(scale)) }
        return Double("\(digits)e-\(scale)")
    }
}
