/// The filters of the language. The raw value is the name in templates.
enum Filter: String, Sendable, CaseIterable {
    // Text
    case append, capitalize, downcase, lstrip, prepend, remove, replace, rstrip, size, slice, split, strip, truncate
    case truncatewords, upcase
    case newlineToBr = "newline_to_br"
    case removeFirst = "remove_first"
    case removeLast = "remove_last"
    case replaceFirst = "replace_first"
    case replaceLast = "replace_last"
    case stripHTML = "strip_html"
    case stripNewlines = "strip_newlines"
    // Encodings
    case escape, raw
    case h
    case escapeOnce = "escape_once"
    case urlEncode = "url_encode"
    case urlDecode = "url_decode"
    case base64Encode = "base64_encode"
    case base64Decode = "base64_decode"
    case base64URLEncode = "base64_url_safe_encode"
    case base64URLDecode = "base64_url_safe_decode"
    // Arrays
    case compact, concat, find, first, has, join, last, map, reject, reverse, sort, sum, uniq
    case `where`
    case findIndex = "find_index"
    case sortNatural = "sort_natural"
    // Numbers
    case abs, ceil, floor, minus, modulo, plus, round, times
    case atLeast = "at_least"
    case atMost = "at_most"
    case dividedBy = "divided_by"
    // Others
    case date
    case `default`

    /// How many positional arguments it takes.
    var argumentCounts: ClosedRange<Int> {
        switch self {
        case .append, .prepend, .remove, .removeFirst, .removeLast, .split, .concat, .map, .date, .minus, .modulo,
            .plus, .times, .atLeast, .atMost, .dividedBy:
            1...1
        case .replaceLast: 2...2
        case .replace, .replaceFirst, .slice, .find, .findIndex, .has, .reject, .where: 1...2
        case .compact, .join, .sort, .sortNatural, .sum, .uniq, .round, .default: 0...1
        case .truncate, .truncatewords: 0...2
        default: 0...0
        }
    }
}
