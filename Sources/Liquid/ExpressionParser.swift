import JSONValue

/// Reads the markup inside one output or tag. Everything it meets must be understood: what is left over is an error.
struct ExpressionParser {
    /// Brackets and ranges inside each other.
    private static let nestingLimit = 32

    let source: SourceText
    private(set) var offset: Int
    private let end: Int
    /// Every lookup met so far, with its place.
    private(set) var lookups: [(Lookup, Int)] = []

    init(source: SourceText, range: Range<Int>) {
        self.source = source
        offset = range.lowerBound
        end = range.upperBound
    }

    // MARK: Characters

    var atEnd: Bool { offset >= end }

    private func byte(_ ahead: Int = 0) -> UInt8? { offset + ahead < end ? source.bytes[offset + ahead] : nil }

    mutating func skipBlanks() { while offset < end, source.bytes[offset].isBlank { offset += 1 } }

    /// Passes one ASCII character and the blanks before it, if it is there.
    mutating func skip(_ character: Unicode.Scalar) -> Bool {
        skipBlanks()
        guard let byte = byte(), UInt32(byte) == character.value else { return false }
        offset += 1
        return true
    }

    /// Passes whatever is left.
    mutating func skipRest() { offset = end }

    func error(_ message: String) -> TemplateSyntaxError { source.error(message, at: min(offset, end)) }

    /// - Throws: when anything but blanks is left.
    mutating func finish() throws(TemplateSyntaxError) {
        skipBlanks()
        guard atEnd else { throw error("unexpected \(quotedRest())") }
    }

    /// The offending word or character.
    private func quotedRest() -> String {
        var stop = offset
        while stop < end, source.bytes[stop].isNamePart, stop - offset < 40 { stop += 1 }
        if stop == offset { stop += 1 }
        while stop < end, source.bytes[stop] & 0xC0 == 0x80 { stop += 1 }
        return "\"\(source.string(offset..<min(stop, end)))\""
    }

    // MARK: Names

    /// The name at this place, without looking at its meaning; nil when there is none.
    mutating func word() -> String? {
        skipBlanks()
        guard let range = nameRange() else { return nil }
        offset = range.upperBound
        return source.string(range)
    }

    /// Passes this very word, if it is next.
    mutating func skip(word: String) -> Bool {
        let start = offset
        if self.word() == word { return true }
        offset = start
        return false
    }

    /// Letters, digits, `_` and `-`, not beginning with `-`; a `?` may end it, unless it begins `??`.
    private func nameRange() -> Range<Int>? {
        guard let first = byte(), first.isNameStart || first.isDigit else { return nil }
        var stop = offset
        while stop < end, source.bytes[stop].isNamePart { stop += 1 }
        if stop < end, source.bytes[stop] == UInt8(ascii: "?"),
            stop + 1 >= end || source.bytes[stop + 1] != UInt8(ascii: "?")
        {
            stop += 1
        }
        return offset..<stop
    }

    /// A name that may go on after single or several spaces (not tabs or line ends).
    private mutating func name(spaced: Bool) -> String? {
        guard let first = nameRange() else { return nil }
        offset = first.upperBound
        var stop = offset
        while spaced {
            var next = stop
            while next < end, source.bytes[next] == 0x20 { next += 1 }
            guard next > stop else { break }
            offset = next
            guard let range = nameRange() else { break }
            stop = range.upperBound
        }
        offset = stop
        return source.string(first.lowerBound..<stop)
    }

    // MARK: Values

    /// One value. Names may hold spaces where `spaced`; elsewhere a space ends them.
    mutating func expression(spaced: Bool = false, depth: Int = 0) throws(TemplateSyntaxError) -> Expression {
        guard depth <= Self.nestingLimit else { throw error("brackets are nested too deeply") }
        skipBlanks()
        guard let first = byte() else { throw error("expected a value") }
        switch first {
        case UInt8(ascii: "\""), UInt8(ascii: "'"):
            return Constant(.json(.string(try quoted())))
        case UInt8(ascii: "("):
            return try range(depth: depth)
        case UInt8(ascii: "["):
            let start = offset
            offset += 1
            return try lookup(computed: try bracketed(depth: depth), start: start, spaced: spaced, depth: depth)
        default:
            if let number = number() { return Constant(.json(number)) }
            let start = offset
            guard let name = name(spaced: spaced) else { throw error("expected a value, not \(quotedRest())") }
            if let literal = Self.literals[name], byte() != UInt8(ascii: "."), byte() != UInt8(ascii: "[") {
                return Constant(literal)
            }
            return try lookup(Name(name), start: start, spaced: spaced, depth: depth)
        }
    }

    private static let literals: [String: Literal] = [
        "nil": .json(.null), "null": .json(.null), "true": .json(.bool(true)), "false": .json(.bool(false)),
        "empty": .empty, "blank": .blank,
    ]

    private mutating func quoted() throws(TemplateSyntaxError) -> String {
        let quote = source.bytes[offset]
        var stop = offset + 1
        while stop < end, source.bytes[stop] != quote { stop += 1 }
        guard stop < end else { throw error("the quote is not closed") }
        let text = source.string((offset + 1)..<stop)
        offset = stop + 1
        return text
    }

    private mutating func range(depth: Int) throws(TemplateSyntaxError) -> Expression {
        offset += 1
        let first = try expression(depth: depth + 1)
        skipBlanks()
        guard byte() == UInt8(ascii: "."), byte(1) == UInt8(ascii: ".") else { throw error("expected ..") }
        offset += 2
        let last = try expression(depth: depth + 1)
        guard skip(")") else { throw error("expected )") }
        return RangeExpression(first, last)
    }

    private mutating func bracketed(depth: Int) throws(TemplateSyntaxError) -> Expression {
        let inner = try expression(depth: depth + 1)
        guard skip("]") else { throw error("expected ]") }
        return inner
    }

    /// A number, unless the digits begin a name (`1st`).
    private mutating func number() -> JSON? {
        var stop = offset
        if stop < end, source.bytes[stop] == UInt8(ascii: "-") { stop += 1 }
        let digits = stop
        while stop < end, source.bytes[stop].isDigit { stop += 1 }
        guard stop > digits else { return nil }
        var integral = true
        if stop + 1 < end, source.bytes[stop] == UInt8(ascii: "."), source.bytes[stop + 1].isDigit {
            integral = false
            stop += 1
            while stop < end, source.bytes[stop].isDigit { stop += 1 }
        }
        if stop < end, source.bytes[stop].isNamePart { return nil }
        let text = source.string(offset..<stop)
        let integer = integral ? Int64(text) : nil
        guard let value = integer.map(JSON.int) ?? Double(text).flatMap({ $0.isFinite ? .double($0) : nil }) else {
            return nil
        }
        offset = stop
        return value
    }

    private mutating func lookup(
        _ variable: Name = Name(""), computed: Expression? = nil, start: Int, spaced: Bool, depth: Int
    ) throws(TemplateSyntaxError) -> Expression {
        var segments: [Lookup.Segment] = []
        while true {
            let before = offset
            skipBlanks()
            if byte() == UInt8(ascii: "[") {
                offset += 1
                segments.append(.index(try bracketed(depth: depth)))
            } else if byte() == UInt8(ascii: "."), byte(1) != UInt8(ascii: ".") {
                offset += 1
                skipBlanks()
                guard let key = name(spaced: spaced) else { throw error("expected a name after the dot") }
                segments.append(.key(key))
            } else {
                offset = before
                break
            }
        }
        let lookup = Lookup(name: variable, computed: computed, segments: segments)
        lookups.append((lookup, start))
        return lookup
    }

    // MARK: Pipelines

    /// `value ?? fallback | filter: argument, …`; nothing at all is nil.
    mutating func pipeline() throws(TemplateSyntaxError) -> Pipeline {
        skipBlanks()
        guard !atEnd else { return Pipeline(base: Constant(.json(.null))) }
        let base = try expression(spaced: true)
        var filters: [FilterCall] = []
        var (first, last): (String?, String?)
        while true {
            skipBlanks()
            guard !atEnd else {
                return Pipeline(base: base, fallback: first, filters: filters, finalFallback: last)
            }
            if skipFallbackMark() {
                let text = try fallback()
                // The first fallback wins.
                if filters.isEmpty { first = first ?? text } else { last = last ?? text }
            } else if skip("|") {
                filters.append(try filter())
            } else {
                throw error("unexpected \(quotedRest())")
            }
        }
    }

    private mutating func skipFallbackMark() -> Bool {
        guard byte() == UInt8(ascii: "?"), byte(1) == UInt8(ascii: "?") else { return false }
        offset += 2
        return true
    }

    /// A literal: quoted, or the plain text up to the next `|`, `??` or the end.
    private mutating func fallback() throws(TemplateSyntaxError) -> String {
        skipBlanks()
        if byte() == UInt8(ascii: "\"") || byte() == UInt8(ascii: "'") { return try quoted() }
        let start = offset
        while let next = byte(), next != UInt8(ascii: "|") {
            if next == UInt8(ascii: "?"), byte(1) == UInt8(ascii: "?") { break }
            offset += 1
        }
        var stop = offset
        while stop > start, source.bytes[stop - 1].isBlank { stop -= 1 }
        return source.string(start..<stop)
    }

    private mutating func filter() throws(TemplateSyntaxError) -> FilterCall {
        skipBlanks()
        let start = offset
        guard let name = word() else { throw error("expected the name of a filter") }
        guard let filter = Filter(rawValue: name) else {
            throw source.error("there is no filter \"\(name)\"", at: start)
        }
        var arguments: [Expression] = []
        var allowFalse: Expression?
        if skip(":") {
            repeat { try argument(of: filter, &arguments, allowFalse: &allowFalse) } while skip(",")
        }
        let expected = filter.argumentCounts
        guard expected.contains(arguments.count) else {
            let count =
                expected.lowerBound == expected.upperBound
                ? "\(expected.lowerBound)" : "\(expected.lowerBound) to \(expected.upperBound)"
            throw source.error("the filter \"\(name)\" takes \(count) arguments", at: start)
        }
        return FilterCall(filter, arguments, allowFalse: allowFalse)
    }

    private mutating func argument(
        of filter: Filter, _ arguments: inout [Expression], allowFalse: inout Expression?
    ) throws(TemplateSyntaxError) {
        skipBlanks()
        let start = offset
        if let keyword = word(), skip(":") {
            guard filter == .default, keyword == "allow_false" else {
                throw source.error(
                    "the filter \"\(filter.rawValue)\" takes no argument \"\(keyword)\"", at: start)
            }
            allowFalse = try expression()
            return
        }
        offset = start
        arguments.append(try expression(spaced: true))
    }

    // MARK: Conditions

    /// `a`, `a == b`, joined by `and` and `or`.
    mutating func condition() throws(TemplateSyntaxError) -> Condition {
        let first = try comparison()
        var others: [(relation: Condition.Relation, comparison: Comparison)] = []
        while true {
            skipBlanks()
            if atEnd { return Condition(first, others) }
            let relation: Condition.Relation
            if skip(word: "and") {
                relation = .and
            } else if skip(word: "or") {
                relation = .or
            } else {
                throw error("unexpected \(quotedRest())")
            }
            others.append((relation, try comparison()))
        }
    }

    private mutating func comparison() throws(TemplateSyntaxError) -> Comparison {
        let left = try expression()
        skipBlanks()
        guard let relation = comparisonOperator() else { return Comparison(left) }
        return Comparison(left, relation, try expression())
    }

    private mutating func comparisonOperator() -> Comparison.Operator? {
        let two: Comparison.Operator? =
            switch (byte(), byte(1)) {
            case (UInt8(ascii: "="), UInt8(ascii: "=")): .equal
            case (UInt8(ascii: "!"), UInt8(ascii: "=")), (UInt8(ascii: "<"), UInt8(ascii: ">")): .notEqual
            case (UInt8(ascii: "<"), UInt8(ascii: "=")): .lessOrEqual
            case (UInt8(ascii: ">"), UInt8(ascii: "=")): .greaterOrEqual
            default: nil
            }
        if let two {
            offset += 2
            return two
        }
        if skip("<") { return .less }
        if skip(">") { return .greater }
        return skip(word: "contains") ? .contains : nil
    }
}
