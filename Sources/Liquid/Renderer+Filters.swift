import JSONValue

/// What a filter is given besides its input: no filter takes more than two. Not an array, which would have to be made for
/// every call.
struct Arguments {
    var first: Value?
    var second: Value?

    var isEmpty: Bool { first == nil }
    var count: Int { first == nil ? 0 : second == nil ? 1 : 2 }
    /// Nil where there are fewer.
    subscript(position: Int) -> Value { (position == 0 ? first : second) ?? .null }
}

/// Which filter does what.
extension Renderer {
    func apply(_ call: FilterCall, to input: Value) throws(RenderingError) -> Value {
        try spend()
        var arguments = Arguments()
        if let first = call.first { arguments.first = try first.evaluate(self) }
        if let second = call.second { arguments.second = try second.evaluate(self) }
        switch call.filter {
        case .append, .capitalize, .downcase, .lstrip, .prepend, .remove, .replace, .rstrip, .strip, .truncate,
            .truncatewords, .upcase, .newlineToBr, .removeFirst, .removeLast, .replaceFirst, .replaceLast,
            .stripHTML, .stripNewlines:
            return try textFilter(call.filter, input, arguments)
        case .escape, .h, .raw, .escapeOnce, .urlEncode, .urlDecode, .base64Encode, .base64Decode, .base64URLEncode,
            .base64URLDecode:
            return try encodingFilter(call.filter, input)
        case .compact, .concat, .join, .map, .reverse, .sort, .sortNatural, .sum, .uniq:
            return try arrayFilter(call.filter, input, arguments)
        case .find, .findIndex, .has, .reject, .where:
            return try selection(call.filter, input, arguments)
        case .abs, .ceil, .floor, .minus, .modulo, .plus, .round, .times, .atLeast, .atMost, .dividedBy:
            return try numberFilter(call.filter, input, arguments)
        case .first: return first(of: input)
        case .last: return last(of: input)
        case .size:
            if let text = input.string { try spend(bytes: text.utf8.count) }
            return .json(.int(Int64(size(of: input) ?? 0)))
        case .slice: return try slice(input, arguments)
        case .split: return try split(try text(input), by: try text(arguments[0]))
        case .date: return try date(input, format: arguments[0])
        case .default: return try fallback(for: input, arguments.first, call.allowFalse)
        }
    }

    private func fallback(
        for input: Value, _ replacement: Value?, _ allowFalse: Expression?
    ) throws(RenderingError) -> Value {
        if case .json(.bool(false)) = input, let allowFalse, try evaluate(allowFalse).isTrue { return input }
        if case .empty = input { return replacement ?? .json("") }
        return input.isTrue && !input.isEmpty ? input : replacement ?? .json("")
    }

    // MARK: Arguments

    func invalid(_ message: String) -> RenderingError { error(.invalidArgument, message) }

    /// A whole number, or text that is nothing but one.
    func integer(_ value: Value) throws(RenderingError) -> Int64 {
        switch value {
        case .json(.int(let number)): return number
        case .json(.double(let number)):
            if let integer = Int64(exactly: number) { return integer }
        case .json(.string(let text)), .markup(let text):
            guard text.utf8.count <= 100 else { break }
            let digits = text.utf8.drop(while: \.isBlank).reversed().drop(while: \.isBlank).reversed()
            if let number = Int64(String(decoding: Array(digits), as: UTF8.self)) { return number }
        default: break
        }
        throw invalid("expected a whole number")
    }

    /// Like `integer`, but a fraction is cut off.
    func wholeNumber(_ value: Value) throws(RenderingError) -> Int64 {
        guard case .json(.double(let number)) = value else { return try integer(value) }
        guard let integer = Number.truncated(number) else {
            throw invalid("expected a whole number")
        }
        return integer
    }

    // MARK: Numbers

    private func numberFilter(
        _ filter: Filter, _ input: Value, _ arguments: Arguments
    ) throws(RenderingError) -> Value {
        // Decimal arithmetic costs several evaluations.
        try spend(3)
        let number = Number(input)
        let other = arguments.first.map(Number.init) ?? .zero
        switch filter {
        case .abs: return number.magnitude.value
        case .ceil: return number.rounded(.up).value
        case .floor: return number.rounded(.down).value
        case .round:
            let places = Number.truncated(other.double) ?? 0
            let rounded =
                places == 0
                ? number.rounded(.nearest) : number.rounded(places: Int(clamping: places))
            return rounded.value
        case .atLeast: return (number < other ? other : number).value
        case .atMost: return (other < number ? other : number).value
        case .plus: return try calculate(number, .plus, other)
        case .minus: return try calculate(number, .minus, other)
        case .times: return try calculate(number, .times, other)
        case .dividedBy: return try calculate(number, .dividedBy, other)
        default: return try calculate(number, .modulo, other)
        }
    }

    func calculate(
        _ left: Number, _ operation: Number.Operation, _ right: Number
    ) throws(RenderingError) -> Value {
        if let result = left.applying(operation, right) { return result.value }
        if right.double == 0 { throw error(.divisionByZero, "division by zero") }
        throw invalid("the result is too large")
    }
}
