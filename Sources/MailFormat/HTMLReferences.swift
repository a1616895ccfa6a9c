/// Character references in the value of an attribute, read exactly (WHATWG HTML section 13.2.5.72): an address must not
/// become another by them.
enum HTMLReferences {
    /// Nil for a reference that is not known here, and for one that its semicolon is missing from: what a browser makes
    /// of those may be something else.
    static func resolved(_ value: [UInt8]) -> String? {
        var result: [UInt8] = []
        result.reserveCapacity(value.count)
        var index = 0
        while index < value.count {
            guard value[index] == UInt8(ascii: "&") else {
                result.append(value[index])
                index += 1
                continue
            }
            let end = nameEnd(in: value, from: index + 1)
            let name = value[(index + 1)..<end]
            if isReference(name), end < value.count, value[end] == UInt8(ascii: ";") {
                guard let text = HTMLEntities.text(for: name) else { return nil }
                result.append(contentsOf: text.utf8)
                index = end + 1
            } else if mayBeReference(name, before: end < value.count ? value[end] : nil) {
                return nil
            } else {
                result.append(contentsOf: value[index..<end])
                index = end
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// Behind letters and digits, with the sign of a number before them.
    private static func nameEnd(in value: [UInt8], from start: Int) -> Int {
        var end = start
        if end < value.count, value[end] == UInt8(ascii: "#") { end += 1 }
        while end < value.count, isLetterOrDigit(value[end]) { end += 1 }
        return end
    }

    private static func isReference(_ name: ArraySlice<UInt8>) -> Bool {
        name.first == UInt8(ascii: "#") ? isNumber(name.dropFirst()) : !name.isEmpty
    }

    /// Whether a browser may take it for a reference without its semicolon. In attributes it takes no name so before an
    /// equals sign, letters and digits: `?a=1&copy=2` has two parameters.
    private static func mayBeReference(_ name: ArraySlice<UInt8>, before next: UInt8?) -> Bool {
        if name.first == UInt8(ascii: "#") { return isNumber(name.dropFirst()) }
        guard !name.isEmpty, next != UInt8(ascii: "=") else { return false }
        return HTMLEntities.text(for: name) != nil || name.elementsEqual("COPY".utf8) || name.elementsEqual("REG".utf8)
    }

    /// Whether it begins as one, in either notation: what follows ends it.
    private static func isNumber(_ text: ArraySlice<UInt8>) -> Bool {
        guard let first = text.first else { return false }
        if first | 0x20 == UInt8(ascii: "x") {
            return text.dropFirst().first.map { ($0 | 0x20) &- UInt8(ascii: "a") < 6 || isDigit($0) } ?? false
        }
        return isDigit(first)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (byte | 0x20) &- UInt8(ascii: "a") < 26 || isDigit(byte)
    }
}
