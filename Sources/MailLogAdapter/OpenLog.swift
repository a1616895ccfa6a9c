import Glibc

/// One log file that is open, whatever its name is now.
final class OpenLog {
    let inode: UInt64
    private let descriptor: Int32
    /// Behind the last whole line that was read.
    private(set) var offset: Int64 = 0
    private var headLength = 0
    private var head = LogPosition.hash([])
    /// In the middle of a line that is too long to be one.
    private var isSkipping = false

    /// Bytes that are read at once; no line is longer.
    static let chunk = 256 * 1024

    /// Nil when it cannot be opened; `errno` says why.
    init?(path: String) {
        descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)
        guard descriptor >= 0 else { return nil }
        var info = stat()
        guard fstat(descriptor, &info) == 0, info.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            errno = EINVAL
            return nil
        }
        inode = UInt64(info.st_ino)
    }

    deinit { close(descriptor) }

    var size: Int64 {
        var info = stat()
        return fstat(descriptor, &info) == 0 ? Int64(info.st_size) : 0
    }

    var position: LogPosition { LogPosition(inode: inode, offset: offset, headLength: headLength, head: head) }

    /// Whether it begins as the file of that position did, and is long enough to be it.
    func isOne(of position: LogPosition) -> Bool {
        guard size >= position.offset else { return false }
        guard position.headLength > 0 else { return inode == position.inode }
        let beginning = bytes(at: 0, count: position.headLength)
        return beginning.count == position.headLength && LogPosition.hash(beginning) == position.head
    }

    /// Whether what was read of it still stands at its beginning: a copy that is cut off at the source begins anew.
    var isIntact: Bool {
        size >= offset && (headLength == 0 || LogPosition.hash(bytes(at: 0, count: headLength)) == head)
    }

    func seek(to target: Int64) {
        offset = target
        isSkipping = false
        (headLength, head) = (0, LogPosition.hash([]))
        noteHead()
    }

    /// Whether there is a line that was not read.
    var hasWholeLine: Bool { bytes(at: offset, count: Self.chunk).contains(0x0A) }

    /// Goes to the end, behind the last whole line.
    func seekToEnd() {
        let end = size
        let start = max(0, end - Int64(Self.chunk))
        let tail = bytes(at: start, count: Int(end - start))
        if let feed = tail.lastIndex(of: 0x0A) {
            seek(to: start + Int64(feed + 1))
        } else {
            seek(to: start == 0 ? 0 : end)
        }
    }

    /// The next whole lines, without their ends; none when there is no whole one yet.
    func lines() -> (bytes: [UInt8], ends: [Int]) {
        let chunk = bytes(at: offset, count: Self.chunk)
        guard let last = chunk.lastIndex(of: 0x0A) else {
            if chunk.count == Self.chunk {
                // No line of Postfix is so long: what is left of it is passed over with the next line end.
                offset += Int64(chunk.count)
                isSkipping = true
                return lines()
            }
            return ([], [])
        }
        var ends: [Int] = []
        for (position, byte) in chunk[...last].enumerated() where byte == 0x0A { ends.append(position) }
        var whole = Array(chunk[...last])
        if isSkipping, let first = ends.first {
            isSkipping = false
            // An empty line in place of the rest.
            for position in 0..<first { whole[position] = 0x20 }
        }
        offset += Int64(last + 1)
        noteHead()
        return (whole, ends)
    }

    private func noteHead() {
        guard headLength < LogPosition.headLimit, offset > 0 else { return }
        let beginning = bytes(at: 0, count: Int(min(offset, Int64(LogPosition.headLimit))))
        (headLength, head) = (beginning.count, LogPosition.hash(beginning))
    }

    private func bytes(at start: Int64, count: Int) -> [UInt8] {
        guard count > 0 else { return [] }
        return [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let got = pread(
                    descriptor, buffer.baseAddress.map { $0 + filled }, count - filled, off_t(start) + filled)
                if got < 0, errno == EINTR { continue }
                guard got > 0 else { return }
                filled += got
            }
        }
    }
}
