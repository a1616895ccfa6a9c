import Glibc

/// A message as it goes over the wire after DATA (RFC 5321 section 4.5.2): a line that begins with a dot gets another one, and
/// a line with nothing but a dot ends it. In pieces, so that a large message is not there twice.
struct DottedMessage {
    private let bytes: UnsafeRawBufferPointer
    private var position = 0
    /// The last piece was the end of it.
    private(set) var isEnded = false

    /// Bytes of the message in one piece.
    static let pieceSize = 65_536

    /// - Parameter bytes: with CRLF line ends; must stay where they are.
    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// Replaces what is in the buffer by the next piece.
    /// - Returns: false when the message has ended with the last one.
    mutating func next(into buffer: inout [UInt8]) -> Bool {
        if isEnded { return false }
        buffer.removeAll(keepingCapacity: true)
        let end = min(bytes.count, position + Self.pieceSize)
        if position == 0, bytes.first == UInt8(ascii: ".") { buffer.append(UInt8(ascii: ".")) }
        var start = position
        var line = position
        while let lineEnd = lineEnd(in: line..<end) {
            line = lineEnd + 1
            guard line < bytes.count, bytes[line] == UInt8(ascii: ".") else { continue }
            append(start..<line, to: &buffer)
            buffer.append(UInt8(ascii: "."))
            start = line
        }
        append(start..<end, to: &buffer)
        position = end
        if end == bytes.count {
            isEnded = true
            if bytes.count > 0, bytes.suffix(2).elementsEqual([0x0D, 0x0A]) == false {
                buffer.append(contentsOf: [0x0D, 0x0A])
            }
            buffer.append(contentsOf: [UInt8(ascii: "."), 0x0D, 0x0A])
        }
        return true
    }

    private func append(_ range: Range<Int>, to buffer: inout [UInt8]) {
        buffer.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[range]))
    }

    private func lineEnd(in range: Range<Int>) -> Int? {
        guard !range.isEmpty, let base = bytes.baseAddress else { return nil }
        guard let found = memchr(base + range.lowerBound, 0x0A, range.count) else { return nil }
        return UnsafeRawPointer(found) - base
    }
}
