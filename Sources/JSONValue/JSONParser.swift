/// Reads JSON text (RFC 8259) into `JSON`. Strict: no comments, no trailing commas, no NaN, no lone surrogates,
/// no invalid UTF-8, no duplicate keys. Depth is limited so that hostile input cannot exhaust the stack.
package struct JSONParser {
    /// What was wrong and where: `offset` counts bytes from 0, `line` and `column` from 1.
    package struct Failure: Error, Equatable, CustomStringConvertible {
        package enum Code: String, Sendable {
            case unexpectedEnd, unexpectedByte, invalidNumber, invalidEscape, invalidUTF8, controlCharacter
            case duplicateKey, tooDeep, trailingBytes
        }

        package var code: Code
        package var offset: Int
        package var line: Int
        package var column: Int
        /// The member it happened in, with dots; empty at the top.
        package var path = ""

        /// Notes that it happened within a member or item of that name.
        fileprivate mutating func happened(in name: String) { path = path.isEmpty ? name : "\(name).\(path)" }

        package var description: String { "JSON, line \(line), column \(column): \(reason)" }

        /// What was wrong, without the place.
        package var reason: String {
            switch code {
            case .unexpectedEnd: "the text ends too early"
            case .unexpectedByte: "unexpected character"
            case .invalidNumber: "not a JSON number"
            case .invalidEscape: "not a JSON escape sequence"
            case .invalidUTF8: "not valid UTF-8"
            case .controlCharacter: "unescaped control character in a string"
            case .duplicateKey: "the same key twice in one object"
            case .tooDeep: "nested too deeply"
            case .trailingBytes: "more text after the value"
            }
        }
    }

    /// More objects and arrays inside each other than this are refused.
    package static let defaultDepthLimit = 128

    private let bytes: UnsafeBufferPointer<UInt8>
    private var offset = 0
    private let depthLimit: Int

    private init(_ bytes: UnsafeBufferPointer<UInt8>, depthLimit: Int) {
        self.bytes = bytes
        self.depthLimit = depthLimit
    }

    /// - Throws: `Failure`.
    package static func parse(_ text: String, depthLimit: Int = defaultDepthLimit) throws -> JSON {
        var text = text
        return try text.withUTF8 { try parse($0, depthLimit: depthLimit) }
    }

    /// - Throws: `Failure`.
    package static func parse(_ bytes: [UInt8], depthLimit: Int = defaultDepthLimit) throws -> JSON {
        try bytes.withUnsafeBufferPointer { try parse($0, depthLimit: depthLimit) }
    }

    /// - Throws: `Failure`.
    package static func parse(
        _ bytes: UnsafeBufferPointer<UInt8>, depthLimit: Int = defaultDepthLimit
    ) throws -> JSON {
        var parser = JSONParser(bytes, depthLimit: depthLimit)
        parser.skipBlanks()
        let value = try parser.value(depth: 0)
        parser.skipBlanks()
        guard parser.offset == bytes.count else { throw parser.failure(.trailingBytes) }
        return value
    }

    // MARK: Values

    private mutating func value(depth: Int) throws -> JSON {
        let first = try peek()
        if first == UInt8(ascii: "{") || first == UInt8(ascii: "[") {
            guard depth < depthLimit else { throw failure(.tooDeep) }
        }
        switch first {
        case UInt8(ascii: "{"): return .object(try object(depth: depth))
        case UInt8(ascii: "["): return .array(try array(depth: depth))
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        default: throw failure(.unexpectedByte)
        }
    }

    private mutating func object(depth: Int) throws -> JSONObject {
        offset += 1
        var object = JSONObject()
        skipBlanks()
        if try peek() == UInt8(ascii: "}") {
            offset += 1
            return object
        }
        while true {
            guard try peek() == UInt8(ascii: "\"") else { throw failure(.unexpectedByte) }
            let start = offset
            let key = try string()
            guard !object.contains(key) else {
                var failure = failure(.duplicateKey, at: start)
                failure.happened(in: key)
                throw failure
            }
            skipBlanks()
            guard try peek() == UInt8(ascii: ":") else { throw failure(.unexpectedByte) }
            offset += 1
            skipBlanks()
            do { object.append(key, try value(depth: depth + 1)) } catch var failure as Failure {
                failure.happened(in: key)
                throw failure
            }
            if try endOfList(UInt8(ascii: "}")) { return object }
        }
    }

    private mutating func array(depth: Int) throws -> [JSON] {
        offset += 1
        var array: [JSON] = []
        skipBlanks()
        if try peek() == UInt8(ascii: "]") {
            offset += 1
            return array
        }
        while true {
            do { array.append(try value(depth: depth + 1)) } catch var failure as Failure {
                failure.happened(in: "\(array.count)")
                throw failure
            }
            if try endOfList(UInt8(ascii: "]")) { return array }
        }
    }

    /// After a member: true at the closing bracket, false after a comma.
    private mutating func endOfList(_ closing: UInt8) throws -> Bool {
        skipBlanks()
        let byte = try peek()
        offset += 1
        if byte == closing { return true }
        guard byte == UInt8(ascii: ",") else {
            offset -= 1
            throw failure(.unexpectedByte)
        }
        skipBlanks()
        return false
    }

    private mutating func word(_ word: StaticString, _ value: JSON) throws -> JSON {
        for index in 0..<word.utf8CodeUnitCount {
            guard offset < bytes.count else { throw failure(.unexpectedEnd) }
            guard bytes[offset] == word.utf8Start[index] else { throw failure(.unexpectedByte) }
            offset += 1
        }
        return value
    }

    // MARK: Numbers

    private mutating func number() throws -> JSON {
        let start = offset
        if bytes[offset] == UInt8(ascii: "-") { offset += 1 }
        let integerStart = offset
        guard digits() > 0 else { throw failure(.invalidNumber, at: start) }
        if bytes[integerStart] == UInt8(ascii: "0"), offset - integerStart > 1 {
            throw failure(.invalidNumber, at: start)
        }
        var integral = true
        if offset < bytes.count, bytes[offset] == UInt8(ascii: ".") {
            integral = false
            offset += 1
            guard digits() > 0 else { throw failure(.invalidNumber, at: start) }
        }
        if offset < bytes.count, bytes[offset] | 0x20 == UInt8(ascii: "e") {
            integral = false
            offset += 1
            if offset < bytes.count, bytes[offset] == UInt8(ascii: "+") || bytes[offset] == UInt8(ascii: "-") {
                offset += 1
            }
            guard digits() > 0 else { throw failure(.invalidNumber, at: start) }
        }
        let text = ascii(start..<offset)
        if integral, let integer = Int64(text) { return .int(integer) }
        guard let double = Double(text), double.isFinite else { throw failure(.invalidNumber, at: start) }
        return .double(double)
    }

    private mutating func digits() -> Int {
        let start = offset
        while offset < bytes.count, bytes[offset] &- UInt8(ascii: "0") < 10 { offset += 1 }
        return offset - start
    }

    // MARK: Strings

    private mutating func string() throws -> String {
        offset += 1
        let start = offset
        // Fast path: no escapes, so the bytes are the text.
        var seen: UInt8 = 0
        while offset < bytes.count {
            let byte = bytes[offset]
            if byte == UInt8(ascii: "\"") {
                let range = start..<offset
                let text = seen < 0x80 ? ascii(range) : try utf8(range)
                offset += 1
                return text
            }
            if byte == UInt8(ascii: "\\") { break }
            guard byte >= 0x20 else { throw failure(.controlCharacter) }
            seen |= byte
            offset += 1
        }
        var text = try utf8(start..<offset)
        while true {
            let byte = try peek()
            switch byte {
            case UInt8(ascii: "\""):
                offset += 1
                return text
            case UInt8(ascii: "\\"):
                offset += 1
                text.unicodeScalars.append(try escape())
            case 0..<0x20:
                throw failure(.controlCharacter)
            default:
                let runStart = offset
                while offset < bytes.count, bytes[offset] >= 0x20, bytes[offset] != UInt8(ascii: "\""),
                    bytes[offset] != UInt8(ascii: "\\")
                {
                    offset += 1
                }
                text += try utf8(runStart..<offset)
            }
        }
    }

    /// For bytes that are known to be ASCII, of which nothing can be invalid.
    private func ascii(_ range: Range<Int>) -> String {
        String(decoding: UnsafeBufferPointer(rebasing: bytes[range]), as: UTF8.self)
    }

    private func utf8(_ range: Range<Int>) throws -> String {
        guard let text = String(validating: UnsafeBufferPointer(rebasing: bytes[range]), as: UTF8.self) else {
            throw failure(.invalidUTF8, at: range.lowerBound)
        }
        return text
    }

    private mutating func escape() throws -> Unicode.Scalar {
        let byte = try peek()
        offset += 1
        switch byte {
        case UInt8(ascii: "\""): return "\""
        case UInt8(ascii: "\\"): return "\\"
        case UInt8(ascii: "/"): return "/"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): return try unicodeEscape()
        default: throw failure(.invalidEscape, at: offset - 1)
        }
    }

    private mutating func unicodeEscape() throws -> Unicode.Scalar {
        let start = offset
        let first = try hex4()
        if let scalar = Unicode.Scalar(first) { return scalar }
        // A high surrogate must be followed by a low one (RFC 8259 section 7).
        guard (0xD800..<0xDC00).contains(first), offset + 1 < bytes.count, bytes[offset] == UInt8(ascii: "\\"),
            bytes[offset + 1] == UInt8(ascii: "u")
        else { throw failure(.invalidEscape, at: start) }
        offset += 2
        let second = try hex4()
        guard (0xDC00..<0xE000).contains(second) else { throw failure(.invalidEscape, at: start) }
        let code = 0x10000 + (UInt32(first - 0xD800) << 10) + UInt32(second - 0xDC00)
        guard let scalar = Unicode.Scalar(code) else { throw failure(.invalidEscape, at: start) }
        return scalar
    }

    private mutating func hex4() throws -> UInt16 {
        guard offset + 4 <= bytes.count else { throw failure(.unexpectedEnd) }
        var value: UInt16 = 0
        for _ in 0..<4 {
            let byte = bytes[offset]
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
            default: throw failure(.invalidEscape)
            }
            value = value << 4 | UInt16(digit)
            offset += 1
        }
        return value
    }

    // MARK: Bytes

    private mutating func skipBlanks() {
        while offset < bytes.count {
            switch bytes[offset] {
            case 0x20, 0x09, 0x0A, 0x0D: offset += 1
            default: return
            }
        }
    }

    private func peek() throws -> UInt8 {
        guard offset < bytes.count else { throw failure(.unexpectedEnd) }
        return bytes[offset]
    }

    private func failure(_ code: Failure.Code, at position: Int? = nil) -> Failure {
        let position = min(position ?? offset, bytes.count)
        var line = 1
        var column = 1
        for byte in bytes[..<position] {
            if byte == 0x0A {
                line += 1
                column = 1
            } else {
                column += 1
            }
        }
        return Failure(code: code, offset: position, line: line, column: column)
    }
}
