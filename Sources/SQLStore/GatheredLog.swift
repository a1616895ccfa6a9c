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
/// It takes the place of the methods of one open file (sqlite.org/c3ref/io_methods.html) and hands on to those that were
/// there: other connections and other files know nothing of it.
struct GatheredLog {
    /// Bytes, at most: SQLite writes no more in one call (sqlite3.c, `seekAndWriteFd`, whose counts have 17 bits).
    static let capacity = 0x1ffff

    /// The file points to these, and they are all that SQLite sees: the rest lies behind them.
    private var methods: sqlite3_io_methods
    private let file: UnsafePointer<sqlite3_io_methods>
    private let bytes: UnsafeMutableRawPointer
    /// Where in the file they belong.
    private var start: sqlite3_int64 = 0
    private var count = 0

    /// Gathers what a connection writes into its log, until it is closed. Does nothing where there is no log open.
    /// - Parameter connection: with `synchronous=FULL`, and with a log that has been read or written.
    static func gather(on connection: OpaquePointer) {
        var log: UnsafeMutablePointer<sqlite3_file>?
        let status = withUnsafeMutablePointer(to: &log) {
            sqlite3_file_control(connection, "main", SQLITE_FCNTL_JOURNAL_POINTER, $0)
        }
        if status == SQLITE_OK, let log { gather(log) }
    }

    /// - Parameter log: an open file, which keeps it all until it is closed.
    static func gather(_ log: UnsafeMutablePointer<sqlite3_file>) {
        guard let file = log.pointee.pMethods else { return }
        var methods = file.pointee
        methods.xClose = { GatheredLog.close($0) }
        methods.xRead = { log, into, count, offset in
            GatheredLog.written(log) { $0.pointee.xRead(log, into, count, offset) }
        }
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
        log.pointee.pMethods = file
        gathered.pointee.bytes.deallocate()
        gathered.deinitialize(count: 1)
        gathered.deallocate()
        return file.pointee.xClose(log)
    }
}
