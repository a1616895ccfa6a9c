import Foundation
import GRDB
import GRDBSQLite
import Synchronization

/// Copies the write-ahead log back into the database file, beside the writer: SQLite would do it within the commit that
/// makes the log too long, and everybody would wait for some thousand pages.
///
/// A checkpoint beside the writer never ends, strictly, because the writer goes on; but what it leaves is short. The
/// writer copies that rest between two transactions, and with its next commit the log begins anew at its start
/// (sqlite.org/wal.html, "Avoiding Excessively Large WAL Files").
final class Checkpointer: Sendable {
    /// Pages in the log from which it is copied.
    static let threshold: Int32 = 4000

    private enum State { case idle, copying, restLeft, closed }

    private let connection: DatabaseQueue
    private let state = Mutex(State.idle)
    private let work = DispatchSemaphore(value: 0)
    private let ended = DispatchSemaphore(value: 0)

    /// - Parameter connection: one of its own, on the same file.
    init(connection: DatabaseQueue) {
        self.connection = connection
        let thread = Thread { self.run() }
        thread.name = "checkpoints"
        thread.start()
    }

    private func run() {
        while true {
            work.wait()
            if state.withLock({ $0 == .closed }) { break }
            // A checkpoint that cannot be done (no space, a reader in the way) is tried again after a later commit.
            let isDone = (try? connection.writeWithoutTransaction { try $0.checkpoint(.passive) }) != nil
            state.withLock { if $0 == .copying { $0 = isDone ? .restLeft : .idle } }
        }
        try? connection.close()
        ended.signal()
    }

    /// To be called by the writer between two transactions.
    /// - Parameter pages: in the log after its last commit.
    func committed(pages: Int32, _ database: Database) {
        guard pages >= Self.threshold else { return }
        let isRestLeft = state.withLock { state in
            switch state {
            case .idle:
                state = .copying
                work.signal()
                return false
            case .restLeft:
                state = .idle
                return true
            case .copying, .closed: return false
            }
        }
        if isRestLeft { _ = try? database.checkpoint(.passive) }
    }

    /// Lets the thread end, and its connection with it; returns at once.
    func stop() {
        state.withLock { $0 = .closed }
        work.signal()
    }

    /// Returns when its connection is closed. To be called once.
    func close() {
        stop()
        ended.wait()
    }
}

/// Notes how many pages the log has after each commit of a connection, in the place of SQLite's own hook, which would
/// begin a checkpoint. For the connection's owner alone.
final class LogLength {
    fileprivate(set) var pages: Int32 = 0

    /// The hook borrows `self` until `leave`.
    func watch(_ database: Database) {
        sqlite3_wal_hook(
            database.sqliteConnection,
            { context, _, _, pages in
                if let context { Unmanaged<LogLength>.fromOpaque(context).takeUnretainedValue().pages = pages }
                return SQLITE_OK
            }, Unmanaged.passUnretained(self).toOpaque())
    }

    /// To be called before `self` is let go: the connection lives longer.
    func leave(_ database: Database) { sqlite3_wal_hook(database.sqliteConnection, nil, nil) }
}
