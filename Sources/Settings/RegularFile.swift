import Glibc

/// Whole small files. Devices, pipes and directories are refused before anything could block on them.
enum RegularFile {
    /// The bytes of the file at `path`, at most `limit` of them; a complaint completes the sentence "<path> …".
    static func read(_ path: String, limit: Int) -> Result<[UInt8], Complaint> {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return .failure(complaint(errno)) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return .failure(complaint(errno)) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            return .failure(Complaint(message: "is no regular file", mend: "name a file"))
        }
        return bytes(of: descriptor, limit: limit)
    }

    private static func bytes(of descriptor: CInt, limit: Int) -> Result<[UInt8], Complaint> {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count == 0 { return .success(bytes) }
            if count < 0 {
                if errno == EINTR { continue }
                return .failure(complaint(errno))
            }
            bytes += chunk[..<count]
            guard bytes.count <= limit else {
                let size = ByteSize.text(limit)
                return .failure(Complaint(message: "is larger than \(size)", mend: "check that this is the right file"))
            }
        }
    }

    /// Whether users who are neither owner nor of the group may read it.
    static func isReadableByAnybody(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & 0o004 != 0
    }

    private static func complaint(_ code: CInt) -> Complaint {
        switch code {
        case ENOENT: Complaint(message: "does not exist", mend: "check the path")
        case EACCES:
            Complaint(message: "may not be read by this user", mend: "check its mode and that of its directories")
        default: Complaint(message: "cannot be read: \(String(cString: strerror(code)))", mend: "check the path")
        }
    }
}

extension [UInt8] {
    /// Without the UTF-8 byte order mark some editors put first.
    var dropByteOrderMark: ArraySlice<UInt8> { starts(with: [0xEF, 0xBB, 0xBF]) ? dropFirst(3) : self[...] }
}
