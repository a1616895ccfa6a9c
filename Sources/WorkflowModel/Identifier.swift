/// A 128-bit identifier, a UUID of version 7 (RFC 9562 section 5.7): ordered by the time it was made, so that rows
/// keyed by it append. Made by the shell, which owns clock and randomness.
package struct Identifier: Hashable, Sendable, Comparable {
    package var high: UInt64
    package var low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// A version 7 UUID from a time and 74 random bits (the upper bits of `random` are masked as the RFC says).
    package init(at time: Timestamp, random: (UInt64, UInt64)) {
        let milliseconds = UInt64(bitPattern: max(0, time.microseconds / 1000)) & 0xFFFF_FFFF_FFFF
        high = milliseconds << 16 | 0x7000 | (random.0 & 0x0FFF)
        low = 0x8000_0000_0000_0000 | (random.1 & 0x3FFF_FFFF_FFFF_FFFF)
    }

    package static func < (left: Identifier, right: Identifier) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }

    /// The least id that is greater.
    package var next: Identifier { Identifier(high: low == .max ? high &+ 1 : high, low: low &+ 1) }

    /// When it was made, to the millisecond.
    package var time: Timestamp { Timestamp(microseconds: Int64(high >> 16) * 1000) }

    /// The sixteen bytes in network order.
    package var bytes: [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 16) { bytes, count in
            let memory = UnsafeMutableRawBufferPointer(bytes)
            memory.storeBytes(of: high.bigEndian, as: UInt64.self)
            memory.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
            count = 16
        }
    }

    /// From sixteen bytes in network order; nil for any other count.
    package init?(bytes: some Collection<UInt8>) {
        // Whatever holds them, they are asked for one by one only where they do not lie side by side: there is one in every row and token.
        let identifier = bytes.withContiguousStorageIfAvailable { Identifier(UnsafeRawBufferPointer($0)) }
        guard let identifier = identifier ?? Array(bytes).withUnsafeBytes({ Identifier($0) }) else { return nil }
        self = identifier
    }

    private init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count == 16 else { return nil }
        self.init(
            high: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
            low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
    }
}

extension Identifier: CustomStringConvertible, LosslessStringConvertible {
    /// The usual 8-4-4-4-12 form in lower case.
    package var description: String {
        return String(unsafeUninitializedCapacity: 36) { text in
            var position = 0
            for nibble in 0..<32 {
                if nibble == 8 || nibble == 12 || nibble == 16 || nibble == 20 {
                    text[position] = UInt8(ascii: "-")
                    position += 1
                }
                let word = nibble < 16 ? high : low
                let digit = UInt8(truncatingIfNeeded: word >> UInt64(60 - 4 * (nibble % 16)) & 15)
                text[position] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
                position += 1
            }
            return 36
        }
    }

    /// From the 8-4-4-4-12 form, upper or lower case; nil for anything else.
    package init?(_ text: String) {
        guard text.utf8.count == 36 else { return nil }
        var words: [UInt64] = [0, 0]
        var nibble = 0
        for (position, character) in text.utf8.enumerated() {
            if position == 8 || position == 13 || position == 18 || position == 23 {
                guard character == UInt8(ascii: "-") else { return nil }
                continue
            }
            guard let digit = Character(Unicode.Scalar(character)).hexDigitValue else { return nil }
            words[nibble / 16] = words[nibble / 16] << 4 | UInt64(digit)
            nibble += 1
        }
        self.init(high: words[0], low: words[1])
    }
}
