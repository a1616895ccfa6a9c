/// One packet of the protocol. Its bytes live until the buffer it lies in is filled again.
struct MilterPacket {
    /// The letter that says what it is (libmilter/mfdef.h, `SMFIC_*`).
    let command: UInt8
    let data: UnsafeRawBufferPointer
}

/// What has come over one connection and was not taken yet, cut into packets: a length of 32 bits (big-endian), a letter, and data.
///
/// Postfix writes many packets at once where it waits for no reply, so that one read(2) brings most of a message.
final class PacketBuffer {
    /// Bytes of data in a packet, at most: what libmilter takes by default, and Postfix keeps to (libmilter/mfdef.h,
    /// `MILTER_MAX_DATA_SIZE`; milter8.c).
    static let dataLimit = 65_535

    private static let lengthBytes = 4
    /// Room for the envelope and the header of nearly all mail. A connection keeps no more until a larger packet comes.
    private static let smallCapacity = 8192
    /// Room for the largest packet and for what comes along with it.
    private static let largeCapacity = 73_728

    private var storage = PacketBuffer.makeStorage(smallCapacity)
    private var start = 0
    private var end = 0
    /// Bytes that the packet at the beginning has altogether, as far as that is known.
    private var goal = PacketBuffer.lengthBytes + 1

    deinit { storage.deallocate() }

    private static func makeStorage(_ capacity: Int) -> UnsafeMutableRawBufferPointer {
        .allocate(byteCount: capacity, alignment: MemoryLayout<UInt32>.alignment)
    }

    /// The next packet; nil when it is not whole yet.
    /// - Throws: `MilterFault` `packetLength`, after which nothing that follows can be read.
    func next() throws(MilterFault) -> MilterPacket? {
        guard end - start >= Self.lengthBytes else {
            goal = Self.lengthBytes + 1
            return nil
        }
        let length = Int(
            UInt32(bigEndian: UnsafeRawBufferPointer(storage).loadUnaligned(fromByteOffset: start, as: UInt32.self)))
        guard (1...Self.dataLimit + 1).contains(length) else {
            throw MilterFault(.packetLength, "a packet of \(length) bytes")
        }
        goal = Self.lengthBytes + length
        guard end - start >= goal else { return nil }
        let from = start + Self.lengthBytes
        start += goal
        return MilterPacket(
            command: storage[from], data: UnsafeRawBufferPointer(rebasing: storage[(from + 1)..<(from + length)]))
    }

    /// Takes more bytes: `read` puts them at the beginning of the room that it is given, and says how many it put there.
    /// - Returns: what `read` returned; with 0 and less nothing was taken.
    func fill(_ read: (UnsafeMutableRawBufferPointer) -> Int) -> Int {
        makeRoom()
        let count = read(UnsafeMutableRawBufferPointer(rebasing: storage[end...]))
        if count > 0 { end += min(count, storage.count - end) }
        return count
    }

    /// Forgets everything, for another connection.
    func clear() {
        (start, end) = (0, 0)
        guard storage.count > Self.smallCapacity else { return }
        storage.deallocate()
        storage = Self.makeStorage(Self.smallCapacity)
    }

    /// Makes room for the rest of the packet at the beginning, at the least.
    private func makeRoom() {
        if start == end {
            (start, end) = (0, 0)
        }
        guard storage.count - start < goal || end == storage.count else { return }
        let kept = UnsafeRawBufferPointer(rebasing: storage[start..<end])
        if goal > storage.count {
            let larger = Self.makeStorage(Self.largeCapacity)
            larger.copyMemory(from: kept)
            storage.deallocate()
            storage = larger
        } else {
            // The same memory, further to the front.
            storage.copyMemory(from: kept)
        }
        (start, end) = (0, kept.count)
    }
}
