import JSONValue

/// Filters that make text from text.
///
/// HTML stays HTML: text that is escaped already stays so through these filters, and what they put into it is
/// escaped first. None of them can make a `<` out of escaped text.
extension Renderer {
    func textFilter(
        _ filter: Filter, _ input: Value, _ arguments: Arguments
    ) throws(RenderingError) -> Value {
        let isMarkup = if case .markup = input { true } else { false }
        let text = try read(input)
        switch filter {
        case .append: return try joined(text, try insertion(arguments[0], isMarkup), isMarkup)
        case .prepend: return try joined(try insertion(arguments[0], isMarkup), text, isMarkup)
        case .upcase: return try made(text.uppercased(), isMarkup)
        case .downcase: return try made(text.lowercased(), isMarkup)
        case .capitalize:
            return try made(text.prefix(1).uppercased() + text.dropFirst().lowercased(), isMarkup)
        case .strip: return try made(stripped(text, start: true, end: true), isMarkup)
        case .lstrip: return try made(stripped(text, start: true, end: false), isMarkup)
        case .rstrip: return try made(stripped(text, start: false, end: true), isMarkup)
        case .stripHTML: return try made(HTMLText.stripped(text), isMarkup)
        case .stripNewlines: return try made(lines(text).joined(), isMarkup)
        case .newlineToBr: return try withBreaks(text, isMarkup)
        case .truncate: return try truncated(input, text, arguments, isMarkup)
        case .truncatewords: return try truncatedWords(input, text, arguments, isMarkup)
        default: return try replaced(filter, text, arguments, isMarkup)
        }
    }

    /// The text of a value, paid for.
    private func read(_ value: Value) throws(RenderingError) -> String {
        let text = try text(value)
        try spend(bytes: text.utf8.count)
        return text
    }

    /// A new text, paid for.
    func made(_ text: String, _ isMarkup: Bool = false) throws(RenderingError) -> Value {
        try allocate(bytes: text.utf8.count)
        return isMarkup ? .markup(text) : .json(.string(text))
    }

    private func joined(_ a: String, _ b: String, _ isMarkup: Bool) throws(RenderingError) -> Value {
        try allocate(bytes: a.utf8.count + b.utf8.count)
        return isMarkup ? .markup(a + b) : .json(.string(a + b))
    }

    /// An argument that becomes part of the result.
    private func insertion(_ value: Value, _ isMarkup: Bool) throws(RenderingError) -> String {
        let text = try read(value)
        guard isMarkup, case .json = value else { return text }
        return HTMLText.escaped(text)
    }

    private func stripped(_ text: String, start: Bool, end: Bool) -> String {
        var rest = text.utf8[...]
        if start { rest = rest.drop(while: \.isBlank) }
        // The reference implementation takes NUL for a blank at the end, but not at the beginning.
        if end { while let last = rest.last, last.isBlank || last == 0 { rest.removeLast() } }
        return String(decoding: rest, as: UTF8.self)
    }

    /// Split at LF and CRLF.
    private func lines(_ text: String) -> [String] {
        let bytes = Array(text.utf8)
        return bytes.split(separator: 0x0A, omittingEmptySubsequences: false).map { line in
            let isLast = line.endIndex == bytes.endIndex
            let content = !isLast && line.last == 0x0D ? line.dropLast() : line
            return String(decoding: content, as: UTF8.self)
        }
    }

    /// Under HTML escaping the text is escaped first and the breaks are not.
    private func withBreaks(_ text: String, _ isMarkup: Bool) throws(RenderingError) -> Value {
        let html = options.escaping == .html
        let source = html && !isMarkup ? HTMLText.escaped(text) : text
        return try made(lines(source).joined(separator: "<br />\n"), html)
    }

    // MARK: Shortening

    private func truncated(
        _ input: Value, _ text: String, _ arguments: Arguments, _ isMarkup: Bool
    ) throws(RenderingError) -> Value {
        if input.isNull { return .null }
        let length = arguments.isEmpty ? 50 : max(0, Int(clamping: try integer(arguments[0])))
        let end = arguments.count > 1 ? try insertion(arguments[1], isMarkup) : "..."
        // No text has more characters than bytes.
        guard text.utf8.count > length, text.scalarCount > length else { return try made(text, isMarkup) }
        let kept = max(0, length - end.scalarCount)
        return try joined(text.prefix(scalars: kept), end, isMarkup)
    }

    private func truncatedWords(
        _ input: Value, _ text: String, _ arguments: Arguments, _ isMarkup: Bool
    ) throws(RenderingError) -> Value {
        if input.isNull { return .null }
        let limit = arguments.isEmpty ? 15 : max(1, Int(clamping: try integer(arguments[0])))
        let end = arguments.count > 1 ? try insertion(arguments[1], isMarkup) : "..."
        try allocate(elements: min(limit, text.utf8.count / 2))
        let words = text.utf8.split(maxSplits: min(limit, text.utf8.count), whereSeparator: \.isBlank)
        guard words.count > limit else { return try made(text, isMarkup) }
        let kept = words.prefix(limit).map { String(decoding: $0, as: UTF8.self) }.joined(separator: " ")
        return try joined(kept, end, isMarkup)
    }

    // MARK: Replacing

    private func replaced(
        _ filter: Filter, _ text: String, _ arguments: Arguments, _ isMarkup: Bool
    ) throws(RenderingError) -> Value {
        let bytes = Array(text.utf8)
        let needle = Array(try read(arguments[0]).utf8)
        let replacement = arguments.count > 1 ? Array(try insertion(arguments[1], isMarkup).utf8) : []
        try spend(bytes: needle.count)
        let positions: [Int] =
            switch filter {
            case .removeFirst, .replaceFirst: ByteSearch.first(needle, in: bytes).map { [$0] } ?? []
            case .removeLast, .replaceLast: ByteSearch.last(needle, in: bytes).map { [$0] } ?? []
            default: needle.isEmpty ? characterStarts(bytes) : ByteSearch.all(needle, in: bytes)
            }
        let (growth, overflow) = positions.count.multipliedReportingOverflow(by: replacement.count)
        guard !overflow, growth <= options.limits.memoryBytes else {
            throw error(.tooMuchMemory, "the values of this template take too much memory")
        }
        try allocate(bytes: bytes.count + growth)
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count + growth - positions.count * needle.count)
        var start = 0
        for position in positions {
            output += bytes[start..<position]
            output += replacement
            start = position + needle.count
        }
        output += bytes[start...]
        let result = String(decoding: output, as: UTF8.self)
        return isMarkup ? .markup(result) : .json(.string(result))
    }

    /// Where an empty text is found: before every character and at the end.
    private func characterStarts(_ bytes: [UInt8]) -> [Int] {
        bytes.indices.filter { bytes[$0] & 0xC0 != 0x80 } + [bytes.count]
    }

    // MARK: Cutting

    /// A part of a text or an array: from an index, which counts from the end when negative, one or `length` long.
    func slice(_ input: Value, _ arguments: Arguments) throws(RenderingError) -> Value {
        let start = Int(clamping: try integer(arguments[0]))
        let length =
            arguments.count > 1 && !arguments[1].isNull ? Int(clamping: try integer(arguments[1])) : 1
        func range(_ count: Int) -> Range<Int> {
            let from = start < 0 ? count + start : start
            guard from >= 0, from <= count, length >= 0 else { return 0..<0 }
            return from..<(from + min(length, count - from))
        }
        if case .json(.array(let items)) = input {
            let range = range(items.count)
            try allocate(elements: range.count)
            return .json(.array(Array(items[range])))
        }
        let scalars = try read(input).unicodeScalars
        let range = range(scalars.count)
        return try made(String(scalars.dropFirst(range.lowerBound).prefix(range.count)))
    }

    /// A single space splits at white space, nothing splits into characters; empty parts at the end are dropped.
    func split(_ text: String, by separator: String) throws(RenderingError) -> Value {
        try spend(bytes: text.utf8.count + separator.utf8.count)
        var parts: [String]
        if separator.isEmpty {
            try allocate(elements: text.utf8.count)
            parts = text.unicodeScalars.map { String($0) }
        } else if separator == " " {
            try allocate(elements: text.utf8.count / 2)
            parts = text.utf8.split(whereSeparator: \.isBlank).map { String(decoding: $0, as: UTF8.self) }
        } else {
            parts = try pieces(Array(text.utf8), Array(separator.utf8))
        }
        while parts.last?.isEmpty == true { parts.removeLast() }
        try allocate(bytes: text.utf8.count)
        return .json(.array(parts.map { .string($0) }))
    }

    private func pieces(_ bytes: [UInt8], _ separator: [UInt8]) throws(RenderingError) -> [String] {
        let positions = ByteSearch.all(separator, in: bytes)
        try allocate(elements: positions.count + 1)
        var parts: [String] = []
        var start = 0
        for position in positions + [bytes.count] {
            parts.append(String(decoding: bytes[start..<position], as: UTF8.self))
            start = position + separator.count
        }
        return parts
    }
}
