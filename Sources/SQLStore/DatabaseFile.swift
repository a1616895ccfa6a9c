import Engine
import Glibc

/// Who may read the database's file. SQLite makes its companions with the mode of the file itself (sqlite.org/wal.html).
enum DatabaseFile {
    /// Makes a file that is not there with mode 0600, whatever the umask and however open its directory. From one that is,
    /// takes what everybody has: what its group may do is the administrator's choice, for example for backups.
    /// - Throws: `StoreError.unusable` when it cannot be made.
    static func protect(_ path: String) throws {
        let made = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        if made >= 0 {
            close(made)
            return
        }
        guard errno == EEXIST else {
            throw StoreError(
                .unusable,
                "cannot open the database \(path): its directory must exist and be writable for this user (\(String(cString: strerror(errno))))"
            )
        }
        for file in [path, path + "-wal", path + "-shm"] {
            var facts = stat()
            guard stat(file, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG, facts.st_mode & 0o007 != 0 else {
                continue
            }
            // Somebody else's file stays as it is.
            _ = chmod(file, facts.st_mode & 0o770)
        }
    }
}
