import JSONValue

/// How far a file was read, and what tells it from others.
///
/// A log is renamed, and its inode number may be given to another file: so its beginning counts too.
struct LogPosition: Hashable, Sendable {
    /// Bytes of a file's beginning that are looked at, at most.
    static let headLimit = 1024

    var inode: UInt64
    /// Behind the last whole line that was read.
    var offset: Int64
    /// Bytes of the beginning that `head` was made of.
    var headLength: Int
    var head: UInt64

    /// FNV-1a, 64 bits: it tells files apart, and needs no more.
    static func hash(_ bytes: some Sequence<UInt8>) -> UInt64 {
        bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
    }

    /// As it is stored.
    var text: String {
        JSONWriter.write([
            "inode": .string("\(inode)"), "offset": .int(offset), "headLength": .int(Int64(headLength)),
            "head": .string("\(head)"),
        ])
    }

    init(inode: UInt64, offset: Int64, headLength: Int, head: UInt64) {
        self.inode = inode
        self.offset = offset
        self.headLength = headLength
        self.head = head
    }

    /// Nil for any other text.
    init?(_ text: String) {
        guard let json = try? JSONParser.parse(text), let inode = json["inode"]?.stringValue.flatMap({ UInt64($0) }),
            let offset = json["offset"]?.intValue, offset >= 0, let length = json["headLength"]?.intValue,
            (0...Int64(Self.headLimit)).contains(length), let head = json["head"]?.stringValue.flatMap({ UInt64($0) })
        else { return nil }
        self.init(inode: inode, offset: offset, headLength: Int(length), head: head)
    }
}
