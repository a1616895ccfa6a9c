import Engine
import Glibc

/// Keeps a second daemon off the same database file. The lock goes with the process, however that ends.
final class DatabaseLock: Sendable {
    private let descriptor: Int32

    /// - Throws: `StoreError.inUse` when another process has it.
    init(path: String) throws {
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw StoreError(
                .unusable,
                "cannot make \(path): the database's directory must exist and be writable for this user (\(String(cString: strerror(errno))))"
            )
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            // `deinit` closes it, also after this. Twice would close what another thread opens in between.
            throw StoreError(.inUse, "another postrider works with this database (\(path) is locked): stop it first")
        }
    }

    /// - Returns: nil when another process has it.
    /// - Throws: `StoreError.unusable` where there can be no lock.
    static func unlessTaken(path: String) throws -> DatabaseLock? {
        do { return try DatabaseLock(path: path) } catch let error as StoreError where error.code == .inUse {
            return nil
        }
    }

    deinit { Glibc.close(descriptor) }
}
