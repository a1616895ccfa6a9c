/// Finds byte strings in linear time, whatever they are (Knuth, Morris, Pratt 1977).
enum ByteSearch {
    /// Where `needle` first begins at or after `start`. An empty needle is found at once.
    static func first(_ needle: [UInt8], in bytes: [UInt8], from start: Int = 0) -> Int? {
        guard let head = needle.first else { return start <= bytes.count ? start : nil }
        guard needle.count <= bytes.count - start else { return nil }
        guard needle.count > 1 else { return bytes[start...].firstIndex(of: head) }
        return Matcher(needle).first(in: bytes, from: start)
    }

    /// Where `needle`, which must not be empty, begins, without overlaps.
    static func all(_ needle: [UInt8], in bytes: [UInt8]) -> [Int] {
        guard !needle.isEmpty, needle.count <= bytes.count else { return [] }
        let matcher = Matcher(needle)
        var found: [Int] = []
        var start = 0
        while let position = matcher.first(in: bytes, from: start) {
            found.append(position)
            start = position + needle.count
        }
        return found
    }

    /// Where `needle` last begins; the end for an empty one.
    static func last(_ needle: [UInt8], in bytes: [UInt8]) -> Int? {
        guard let position = first(needle.reversed(), in: bytes.reversed()) else { return nil }
        return bytes.count - position - needle.count
    }

    private struct Matcher {
        let needle: [UInt8]
        /// For each prefix, how long its longest proper border is.
        let borders: [Int]

        init(_ needle: [UInt8]) {
            self.needle = needle
            var borders = [0]
            borders.reserveCapacity(needle.count)
            var length = 0
            for byte in needle.dropFirst() {
                while length > 0, needle[length] != byte { length = borders[length - 1] }
                if needle[length] == byte { length += 1 }
                borders.append(length)
            }
            self.borders = borders
        }

        func first(in bytes: [UInt8], from start: Int) -> Int? {
            var length = 0
            for position in start..<bytes.count {
                while length > 0, needle[length] != bytes[position] { length = borders[length - 1] }
                if needle[length] == bytes[position] { length += 1 }
                if length == needle.count { return position - length + 1 }
            }
            return nil
        }
    }
}
