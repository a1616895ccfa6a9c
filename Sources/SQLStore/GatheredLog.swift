// Both show the same header, and the members of its types belong to the one that the compiler meets first.
import CSQLite
import GRDBSQLite

/// Writes the frames of a commit into the write-ahead log at once. SQLite writes each with two calls, its header and its page:
/// nearly a hundred of them for an update that moves a contact in and out of thirty segments, a tenth of the writer's time.
///
/// What is contiguous is gathered in memory until the log is synchronized, read, cut or measured. With `synchronous=FULL` the
/// log is synchronized by every commit before its frames are made known (sqlite3.c, `walFrames`), so nobody looks for
/// what is only here. **Only for a connection with `synchronous=FULL`**: with `NORMAL`, frames that others may read
/// would be in no file.
///
/// What a transaction leaves here that was rolled back, or that could not be written, goes when it lets go of the lock of
/// writers: the next one of any process may write its frames to the same place of the file (sqlite.org/walformat.html,
/// "Locks"; the lock is known by `GatheredLogLock`).
///
/// It takes the place of the methods of one open file (sqlite.org/c3ref/io_methods.html) and hands on to those that were
/// there: other connections and other files know nothing of it.
struct GatheredLog {
    /// Bytes, at most: SQLite writes no more in one call (sqlite3.c, `seekAndWriteFd`, whose counts have 17 bits).
    static let capacity = 0x1ffff
    /// SQLITE_IOERR_SHORT_READ, whose definition the compiler does not read: the file ends before.
    static let shortRead = SQLITE_IOERR | 2 << 8

    /// The file points to these, and they are all that SQLite sees: the rest lies behind them.
    private var methods: sqlite3_io_methods
    private let file: UnsafePointer<sqlite3_io_methods>
    private let bytes: UnsafeMutableRawPointer
    /// Where in the file they belong.
    private var start: sqlite3_int64 = 0
    private var count = 0
    /// Of the database whose log it is.
    fileprivate var lock: UnsafeMutablePointer<GatheredLogLock>?

    /// Gathers what a connection writes into its log, until it is closed. Does nothing where there is no log open.
    /// - Parameter connection: with `synchronous=FULL`, and with a log that has been read or written.
    static func gather(on connection: OpaquePointer) {
        guard let log = file(SQLITE_FCNTL_JOURNAL_POINTER, of: connection),
            let database = file(SQLITE_FCNTL_FILE_POINTER, of: connection),
            let lock = GatheredLogLock.watch(database)
        else { return }
        guard let gathered = gather(log) else { return }
        gathered.pointee.lock = lock
        lock.pointee.log = gathered
    }

    private static func file(_ which: Int32, of connection: OpaquePointer) -> UnsafeMutablePointer<sqlite3_file>? {
        var file: UnsafeMutablePointer<sqlite3_file>?
        let status = withUnsafeMutablePointer(to: &file) { sqlite3_file_control(connection, "main", which, $0) }
        return status == SQLITE_OK ? file : nil
    }

    /// - Parameter log: an open file, which keeps it all until it is closed.
    @discardableResult
    static func gather(_ log: UnsafeMutablePointer<sqlite3_file>) -> UnsafeMutablePointer<GatheredLog>? {
        guard let file = log.pointee.pMethods else { return nil }
        var methods = file.pointee
        methods.xClose = { GatheredLog.close($0) }
        methods.xRead = { GatheredLog.read($0, $1, $2, $3) }
        methods.xWrite = { GatheredLog.write($0, $1, $2, $3) }
        methods.xTruncate = { log, size in GatheredLog.written(log) { $0.pointee.xTruncate(log, size) } }
        methods.xSync = { log, flags in GatheredLog.written(log) { $0.pointee.xSync(log, flags) } }
        methods.xFileSize = { log, size in GatheredLog.written(log) { $0.pointee.xFileSize(log, size) } }
        methods.xFileControl = { log, operation, argument in
            GatheredLog.written(log) { $0.pointee.xFileControl(log, operation, argument) }
        }
        let gathered = UnsafeMutablePointer<GatheredLog>.allocate(capacity: 1)
        gathered.initialize(
            to: GatheredLog(
                methods: methods, file: file, bytes: .allocate(byteCount: capacity, alignment: 16)))
        log.pointee.pMethods = UnsafeRawPointer(gathered).assumingMemoryBound(to: sqlite3_io_methods.self)
        return gathered
    }

    /// The first member of a structure lies at its address.
    private static func gathered(_ log: UnsafeMutablePointer<sqlite3_file>?) -> UnsafeMutablePointer<GatheredLog>? {
        log.flatMap(\.pointee.pMethods).map {
            UnsafeMutableRawPointer(mutating: $0).assumingMemoryBound(to: GatheredLog.self)
        }
    }

    /// What was gathered is written, and then comes what depends on it.
    private static func written(
        _ log: UnsafeMutablePointer<sqlite3_file>?, _ body: (UnsafePointer<sqlite3_io_methods>) -> Int32
    ) -> Int32 {
        guard let gathered = gathered(log) else { return SQLITE_MISUSE }
        let status = gathered.pointee.flush(log)
        return status == SQLITE_OK ? body(gathered.pointee.file) : status
    }

    /// What lies elsewhere is read without writing first: a transaction that fails for want of room goes through its pages once
    /// more.
    private static func read(
        _ log: UnsafeMutablePointer<sqlite3_file>?, _ into: UnsafeMutableRawPointer?, _ length: Int32,
        _ offset: sqlite3_int64
    ) -> Int32 {
        guard let gathered = gathered(log) else { return SQLITE_MISUSE }
        let start = gathered.pointee.start
        let end = start + sqlite3_int64(gathered.pointee.count)
        if offset + sqlite3_int64(length) <= start || offset >= end {
            let status = gathered.pointee.file.pointee.xRead(log, into, length, offset)
            // The file would be longer.
            if status != shortRead { return status }
        }
        return written(log) { $0.pointee.xRead(log, into, length, offset) }
    }

    /// Its transaction has ended. What was committed has been synchronized, and with that written.
    fileprivate mutating func discard() { count = 0 }

    /// What cannot be written is kept: the next call that depends on it tries again, and no commit goes through without it.
    private mutating func flush(_ log: UnsafeMutablePointer<sqlite3_file>?) -> Int32 {
        guard count > 0 else { return SQLITE_OK }
        let status = file.pointee.xWrite(log, bytes, Int32(count), start)
        if status == SQLITE_OK { count = 0 }
        return status
    }

    private static func write(
        _ log: UnsafeMutablePointer<sqlite3_file>?, _ source: UnsafeRawPointer?, _ length: Int32,
        _ offset: sqlite3_int64
    ) -> Int32 {
        guard let gathered = gathered(log), let source else { return SQLITE_MISUSE }
        let length = Int(length)
        let place = offset - gathered.pointee.start
        let count = gathered.pointee.count
        // A page that is changed again in one transaction is written over its first frame.
        let isWithin = count > 0 && place >= 0 && place <= count && Int(place) + length <= capacity
        guard isWithin else {
            let status = gathered.pointee.flush(log)
            guard status == SQLITE_OK else { return status }
            guard length <= capacity else {
                return gathered.pointee.file.pointee.xWrite(log, source, Int32(length), offset)
            }
            gathered.pointee.bytes.copyMemory(from: source, byteCount: length)
            gathered.pointee.start = offset
            gathered.pointee.count = length
            return SQLITE_OK
        }
        (gathered.pointee.bytes + Int(place)).copyMemory(from: source, byteCount: length)
        gathered.pointee.count = max(count, Int(place) + length)
        return SQLITE_OK
    }

    /// What is still here belongs to no commit.
    private static func close(_ log: UnsafeMutablePointer<sqlite3_file>?) -> Int32 {
        guard let log, let gathered = gathered(log) else { return SQLITE_MISUSE }
        let file = gathered.pointee.file
        gathered.pointee.lock?.pointee.log = nil
        log.pointee.pMethods = file
        gathered.pointee.bytes.deallocate()
        gathered.deinitialize(count: 1)
        gathered.deallocate()
        return file.pointee.xClose(log)
    }
}

/// Tells a gathered log when its connection lets go of the lock of writers. It stands before the methods of the database's file,
/// as the log stands before those of its own: nothing else says when a transaction is rolled back, by whomever, or when its
/// commit has failed.
private struct GatheredLogLock {
    /// WAL_WRITE_LOCK of wal.c (sqlite.org/walformat.html, "WAL Locks").
    private static let place: Int32 = 0

    /// The file points to these.
    private var methods: sqlite3_io_methods
    private let file: UnsafePointer<sqlite3_io_methods>
    var log: UnsafeMutablePointer<GatheredLog>?

    /// - Parameter database: an open file, which keeps it until it is closed.
    /// - Returns: nil for a file without shared memory, which has no such lock and no log.
    static func watch(_ database: UnsafeMutablePointer<sqlite3_file>) -> UnsafeMutablePointer<GatheredLogLock>? {
        guard let file = database.pointee.pMethods, file.pointee.iVersion >= 2 else { return nil }
        var methods = file.pointee
        methods.xClose = { GatheredLogLock.close($0) }
        methods.xShmLock = { GatheredLogLock.change($0, $1, $2, $3) }
        let lock = UnsafeMutablePointer<GatheredLogLock>.allocate(capacity: 1)
        lock.initialize(to: GatheredLogLock(methods: methods, file: file))
        database.pointee.pMethods = UnsafeRawPointer(lock).assumingMemoryBound(to: sqlite3_io_methods.self)
        return lock
    }

    private static func lock(_ database: UnsafeMutablePointer<sqlite3_file>?) -> UnsafeMutablePointer<GatheredLogLock>?
    {
        database.flatMap(\.pointee.pMethods).map {
            UnsafeMutableRawPointer(mutating: $0).assumingMemoryBound(to: GatheredLogLock.self)
        }
    }

    private static func change(
        _ database: UnsafeMutablePointer<sqlite3_file>?, _ first: Int32, _ count: Int32, _ flags: Int32
    ) -> Int32 {
        guard let lock = lock(database) else { return SQLITE_MISUSE }
        let isGivenBack = flags & SQLITE_SHM_UNLOCK != 0 && flags & SQLITE_SHM_EXCLUSIVE != 0
        // Before somebody else has it.
        if isGivenBack, first <= place, place < first + count { lock.pointee.log?.pointee.discard() }
        return lock.pointee.file.pointee.xShmLock(database, first, count, flags)
    }

    private static func close(_ database: UnsafeMutablePointer<sqlite3_file>?) -> Int32 {
        guard let database, let lock = lock(database) else { return SQLITE_MISUSE }
        let file = lock.pointee.file
        lock.pointee.log?.pointee.lock = nil
        database.pointee.pMethods = file
        lock.deinitialize(count: 1)
        lock.deallocate()
        return file.pointee.xClose(database)
    }
}
