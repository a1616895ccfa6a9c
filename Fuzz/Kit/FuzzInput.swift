import Glibc

/// The bytes of one run, as libFuzzer hands them over, cut into the pieces a target wants.
package struct FuzzInput {
    /// What has not been taken yet.
    package private(set) var rest: ArraySlice<UInt8>

    /// A copy of the fuzzer's bytes, so that reading beyond their end is found in the copy.
    package init(_ start: UnsafePointer<UInt8>?, _ count: Int) {
        rest = Array(UnsafeBufferPointer(start: start, count: count))[...]
    }

    /// Everything that is left.
    package mutating func bytes() -> [UInt8] {
        defer { rest = [] }
        return Array(rest)
    }

    /// Everything that is left, bytes that are no UTF-8 replaced.
    package mutating func text() -> String { String(decoding: bytes(), as: UTF8.self) }

    /// The text up to the next byte `end`, which is dropped; everything when there is none.
    package mutating func text(to end: UInt8) -> String { String(decoding: bytes(to: end), as: UTF8.self) }

    /// The bytes up to the next byte `end`, which is dropped; everything when there is none.
    package mutating func bytes(to end: UInt8) -> [UInt8] {
        let piece = Array(rest.prefix { $0 != end })
        rest = rest.dropFirst(piece.count + 1)
        return piece
    }

    /// The next byte; nil at the end.
    package mutating func byte() -> UInt8? { rest.popFirst() }
}

/// Ends the process when something that must always hold does not: libFuzzer keeps the input then.
package func expect(_ holds: Bool, _ sentence: @autoclosure () -> String) {
    if holds { return }
    let line = Array("does not hold: \(sentence())\n".utf8)
    _ = write(STDERR_FILENO, line, line.count)
    abort()
}

/// Whether a text holds a C0 or C1 control character or a separator that ends a line.
package func hasControl(_ text: String) -> Bool {
    text.unicodeScalars.contains { scalar in
        scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) || scalar.value == 0x2028 || scalar.value == 0x2029
    }
}
