import Glibc

/// What `PostfixCheck` needs to know about files and users.
package protocol FileProbe: Sendable {
    /// The text of a small file; nil when there is none or it cannot be read.
    func text(of path: String) -> String?
    /// Kind, mode and owners of what `path` leads to, symbolic links followed.
    func status(of path: String) -> FileStatus
    /// Ids of a user with all its groups; nil when there is no such user.
    func identity(of user: String) -> UserIdentity?
}

/// What lies at a path.
package enum FileStatus: Hashable, Sendable {
    case missing
    /// There may be something; this process may not look.
    case hidden
    /// `mode` holds the permission bits only.
    case found(kind: Kind, mode: UInt32, owner: UInt32, group: UInt32)

    package enum Kind: Hashable, Sendable {
        case directory, socket, other
    }

    /// Whether permission `bit` (4 read, 2 write, 1 search) is granted to `identity`; nil when that cannot be known.
    ///
    /// The first class that fits decides, even when a later one grants more (path_resolution(7)).
    func grants(_ bit: UInt32, to identity: UserIdentity) -> Bool? {
        guard case .found(_, let mode, let owner, let group) = self else { return self == .missing ? false : nil }
        if identity.user == 0 { return true }
        if identity.user == owner { return mode & (bit << 6) != 0 }
        if identity.groups.contains(group) { return mode & (bit << 3) != 0 }
        return mode & bit != 0
    }
}

/// A user as the kernel sees it.
package struct UserIdentity: Hashable, Sendable {
    package let user: UInt32
    /// The primary group and all others.
    package let groups: Set<UInt32>

    package init(user: UInt32, groups: Set<UInt32>) {
        self.user = user
        self.groups = groups
    }
}

/// The files and users of this machine.
package struct SystemFiles: FileProbe {
    package init() {}

    package func text(of path: String) -> String? {
        guard case .success(let bytes) = RegularFile.read(path, limit: 4 << 20) else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    package func status(of path: String) -> FileStatus {
        var status = stat()
        guard stat(path, &status) == 0 else { return errno == ENOENT || errno == ENOTDIR ? .missing : .hidden }
        let kind: FileStatus.Kind =
            switch status.st_mode & S_IFMT {
            case S_IFDIR: .directory
            case S_IFSOCK: .socket
            default: .other
            }
        return .found(kind: kind, mode: status.st_mode & 0o7777, owner: status.st_uid, group: status.st_gid)
    }

    package func identity(of user: String) -> UserIdentity? {
        var record = passwd()
        var found: UnsafeMutablePointer<passwd>?
        var buffer = [CChar](repeating: 0, count: 16_384)
        guard getpwnam_r(user, &record, &buffer, buffer.count, &found) == 0, found != nil else { return nil }
        var groups = [gid_t](repeating: 0, count: 1024)
        var count = CInt(groups.count)
        guard getgrouplist(user, record.pw_gid, &groups, &count) >= 0 else {
            return UserIdentity(user: record.pw_uid, groups: [record.pw_gid])
        }
        return UserIdentity(user: record.pw_uid, groups: Set(groups.prefix(Int(count))))
    }
}
