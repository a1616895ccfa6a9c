// Also for the members of SQLite's types, see `GatheredLog`.
import CSQLite
import EngineTestKit
import Foundation
import GRDBSQLite
import Testing

@testable import SQLStore

/// What is gathered of the write-ahead log is in the file when somebody depends on it, and not before.
@Suite struct GatheredLogTests {
    // MARK: Calls to a file in memory

    /// Whatever SQLite may do to its log in whatever order: it reads what it wrote, and what is synchronized is in the file.
    @Test(arguments: 0..<UInt64(12))
    func theFileHasWhatWasWrittenWhenItIsSynchronized(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let file = MemoryFile()
        GatheredLog.gather(file.pointer)
        var model: [UInt8] = []
        var end = 0
        for step in 0..<200 {
            switch Int.random(in: 0..<20, using: &random) {
            case 0..<12:
                // Mostly where the last one ended; some begin anew within, some lie anywhere.
                let place =
                    switch Int.random(in: 0..<8, using: &random) {
                    case 0: Int.random(in: 0...max(0, end), using: &random)
                    case 1: Int.random(in: 0..<150_000, using: &random)
                    default: end
                    }
                let length = [24, 32, 4096, 4096, 65_536].randomElement(using: &random) ?? 24
                let bytes = [UInt8](repeating: UInt8.random(in: 1...255, using: &random), count: length)
                #expect(file.write(bytes, at: place) == SQLITE_OK)
                model.overwrite(bytes, at: place)
                end = place + length
            case 12..<15:
                let place = Int.random(in: 0...max(0, model.count - 1), using: &random)
                let count = min(5000, model.count - place)
                #expect(file.read(count, at: place) == Array(model[place..<place + count]), "step \(step)")
            case 15:
                #expect(file.size() == model.count, "step \(step)")
            case 16:
                let size = Int.random(in: 0...model.count, using: &random)
                #expect(file.truncate(size) == SQLITE_OK)
                model.removeSubrange(size...)
                end = size
            default:
                #expect(file.synchronize() == SQLITE_OK)
                #expect(file.synchronized == model, "step \(step)")
            }
        }
        #expect(file.longestWrite <= GatheredLog.capacity)
        file.close()
    }

    @Test func aCommitIsOneWrite() {
        let file = MemoryFile()
        GatheredLog.gather(file.pointer)
        for frame in 0..<20 {
            #expect(file.write([UInt8](repeating: 1, count: 24), at: 32 + frame * 4120) == SQLITE_OK)
            #expect(file.write([UInt8](repeating: 2, count: 4096), at: 56 + frame * 4120) == SQLITE_OK)
        }
        #expect(file.writes == 0)
        #expect(file.synchronize() == SQLITE_OK)
        #expect(file.writes == 1)
        #expect(file.synchronized.count == 32 + 20 * 4120)
        file.close()
    }

    /// The commit that could not be written fails, and its frames are not lost for the next try.
    @Test func aFullDiskFailsWhatDependsOnTheFile() {
        let file = MemoryFile()
        GatheredLog.gather(file.pointer)
        #expect(file.write([1, 2, 3], at: 0) == SQLITE_OK)
        file.isFull = true
        #expect(file.synchronize() == SQLITE_FULL)
        #expect(file.read(3, at: 0) == nil)
        #expect(file.read(1, at: 2) == nil)
        #expect(file.write([4], at: 100) == SQLITE_FULL)
        // A transaction that begins anew at the same place.
        #expect(file.write([5, 6], at: 0) == SQLITE_OK)
        #expect(file.write([7], at: 2) == SQLITE_OK)
        file.isFull = false
        #expect(file.synchronize() == SQLITE_OK)
        #expect(file.synchronized == [5, 6, 7])
        file.close()
    }

    @Test func whatBelongsToNoCommitGoesWithTheFile() {
        let file = MemoryFile()
        GatheredLog.gather(file.pointer)
        #expect(file.write([1, 2, 3], at: 0) == SQLITE_OK)
        file.close()
        #expect(file.writes == 0)
        #expect(file.isClosed)
    }

    // MARK: SQLite's own files

    /// One call of SQLite's takes 17 bits of bytes.
    @Test func aFileOfTheSystemTakesWhatIsGathered() throws {
        let database = try TemporaryDatabase()
        let writer = try Connection(database.path)
        writer.gather()
        let text = String(repeating: "x", count: 3_000_000)
        try writer.run("CREATE TABLE t (a); INSERT INTO t VALUES ('\(text)')")
        #expect(try Connection(database.path).value("SELECT length(a) FROM t") == "3000000")
        #expect(try writer.value("PRAGMA integrity_check") == "ok")
    }

    /// With a cache of a few pages a transaction writes its pages before it ends, reads them again from the log and changes
    /// them there. After each commit the files alone, as a crash would leave them, have all of it.
    /// Others write between, over what was rolled back.
    /// - Parameter spills: otherwise pages wait for the end of their transaction, and savepoints are rolled back.
    @Test(arguments: 0..<UInt64(6), [true, false])
    func theFilesOfACommitHaveAllOfIt(seed: UInt64, spills: Bool) throws {
        var random = SeededGenerator(seed: seed)
        let database = try TemporaryDatabase()
        let writer = try Connection(database.path)
        try writer.run("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); CREATE INDEX i ON t (a)")
        writer.gather()
        try writer.run("PRAGMA cache_size = 8; PRAGMA cache_spill = \(spills); PRAGMA wal_autocheckpoint = 0")
        let reader = try Connection(database.path)
        let other = try Connection(database.path)
        try other.run("PRAGMA wal_autocheckpoint = 0")
        var model: [Int: String] = [:]
        for step in 0..<25 {
            try writer.run("BEGIN IMMEDIATE")
            var next = try Self.change(&random, writer, model)
            if !spills {
                try writer.run("SAVEPOINT job")
                let changed = try Self.change(&random, writer, next)
                if Bool.random(using: &random) { try writer.run("ROLLBACK TO job") } else { next = changed }
                try writer.run("RELEASE job")
            }
            if Int.random(in: 0..<4, using: &random) == 0 {
                try writer.run("ROLLBACK")
            } else {
                try writer.run("COMMIT")
                model = next
            }
            // Somebody else writes where the log of the one rolled back would have gone on.
            if Bool.random(using: &random) {
                try other.run("BEGIN IMMEDIATE")
                model = try Self.change(&random, other, model)
                try other.run("COMMIT")
            }
            #expect(try writer.value("SELECT count(*) FROM t") == "\(model.count)", "step \(step)")
            let isSeen = try reader.rows() == model
            #expect(isSeen, "step \(step)")
            let copy = try database.crashed()
            let crashed = try Connection(copy.path)
            let isKept = try crashed.rows() == model
            #expect(isKept, "step \(step)")
            #expect(try crashed.value("PRAGMA integrity_check") == "ok", "step \(step)")
            if Int.random(in: 0..<5, using: &random) == 0 {
                let checkpointer = Bool.random(using: &random) ? reader : writer
                let way = ["PASSIVE", "RESTART", "TRUNCATE"].randomElement(using: &random) ?? "PASSIVE"
                try checkpointer.run("PRAGMA wal_checkpoint(\(way))")
            }
        }
    }

    /// - Returns: what is in the table then.
    private static func change(
        _ random: inout SeededGenerator, _ writer: Connection, _ rows: [Int: String]
    ) throws -> [Int: String] {
        var rows = rows
        for _ in 0..<Int.random(in: 1..<60, using: &random) {
            let id = Int.random(in: 0..<200, using: &random)
            if Int.random(in: 0..<4, using: &random) == 0 {
                try writer.run("DELETE FROM t WHERE id = \(id)")
                rows[id] = nil
            } else {
                let letter = String(UnicodeScalar(UInt8.random(in: 97...122, using: &random)))
                let text = String(repeating: letter, count: Int.random(in: 1..<1500, using: &random))
                try writer.run("INSERT INTO t VALUES (\(id), '\(text)') ON CONFLICT DO UPDATE SET a = excluded.a")
                rows[id] = text
            }
        }
        return rows
    }
}

extension [UInt8] {
    fileprivate mutating func overwrite(_ bytes: [UInt8], at place: Int) {
        if count < place + bytes.count { append(contentsOf: repeatElement(0, count: place + bytes.count - count)) }
        replaceSubrange(place..<place + bytes.count, with: bytes)
    }
}

/// A file of SQLite's that lies in memory.
private final class MemoryFile {
    /// What SQLite has of it. It does not outlive its owner.
    private struct Handle {
        var file: sqlite3_file
        unowned(unsafe) let owner: MemoryFile
    }

    private let handle = UnsafeMutablePointer<Handle>.allocate(capacity: 1)
    private let methods = UnsafeMutablePointer<sqlite3_io_methods>.allocate(capacity: 1)
    private var bytes: [UInt8] = []
    private(set) var synchronized: [UInt8] = []
    private(set) var writes = 0
    private(set) var longestWrite = 0
    private(set) var isClosed = false
    var isFull = false

    var pointer: UnsafeMutablePointer<sqlite3_file> {
        UnsafeMutableRawPointer(handle).assumingMemoryBound(to: sqlite3_file.self)
    }

    private static func of(_ file: UnsafeMutablePointer<sqlite3_file>?) -> MemoryFile? {
        file.map { UnsafeMutableRawPointer($0).assumingMemoryBound(to: Handle.self).pointee.owner }
    }

    init() {
        var methods = sqlite3_io_methods()
        methods.iVersion = 1
        methods.xClose = { file in
            MemoryFile.of(file)?.isClosed = true
            return SQLITE_OK
        }
        methods.xRead = { file, into, count, offset in
            guard let file = MemoryFile.of(file), let into else { return SQLITE_MISUSE }
            guard Int(offset) + Int(count) <= file.bytes.count else { return GatheredLog.shortRead }
            let part = Array(file.bytes[Int(offset)..<Int(offset) + Int(count)])
            into.copyMemory(from: part, byteCount: part.count)
            return SQLITE_OK
        }
        methods.xWrite = { file, source, count, offset in
            guard let file = MemoryFile.of(file) else { return SQLITE_MISUSE }
            guard !file.isFull else { return SQLITE_FULL }
            file.bytes.overwrite([UInt8](UnsafeRawBufferPointer(start: source, count: Int(count))), at: Int(offset))
            file.writes += 1
            file.longestWrite = max(file.longestWrite, Int(count))
            return SQLITE_OK
        }
        methods.xTruncate = { file, size in
            MemoryFile.of(file)?.bytes.removeSubrange(Int(size)...)
            return SQLITE_OK
        }
        methods.xSync = { file, _ in
            guard let file = MemoryFile.of(file) else { return SQLITE_MISUSE }
            file.synchronized = file.bytes
            return SQLITE_OK
        }
        methods.xFileSize = { file, size in
            size?.pointee = sqlite3_int64(MemoryFile.of(file)?.bytes.count ?? 0)
            return SQLITE_OK
        }
        methods.xFileControl = { _, _, _ in SQLITE_NOTFOUND }
        self.methods.initialize(to: methods)
        handle.initialize(to: Handle(file: sqlite3_file(pMethods: self.methods), owner: self))
    }

    deinit {
        handle.deallocate()
        methods.deallocate()
    }

    private var calls: sqlite3_io_methods { pointer.pointee.pMethods.pointee }

    func write(_ bytes: [UInt8], at place: Int) -> Int32 {
        calls.xWrite(pointer, bytes, Int32(bytes.count), sqlite3_int64(place))
    }

    /// Nil for an error.
    func read(_ count: Int, at place: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: max(1, count))
        guard calls.xRead(pointer, &bytes, Int32(count), sqlite3_int64(place)) == SQLITE_OK else { return nil }
        return Array(bytes.prefix(count))
    }

    func truncate(_ size: Int) -> Int32 { calls.xTruncate(pointer, sqlite3_int64(size)) }

    func synchronize() -> Int32 { calls.xSync(pointer, SQLITE_SYNC_NORMAL) }

    /// Nil for an error.
    func size() -> Int? {
        var size: sqlite3_int64 = 0
        return calls.xFileSize(pointer, &size) == SQLITE_OK ? Int(size) : nil
    }

    func close() { _ = calls.xClose(pointer) }
}

/// A connection with a write-ahead log and `synchronous=FULL`, for one thread.
private final class Connection {
    private let connection: OpaquePointer

    init(_ path: String) throws {
        var opened: OpaquePointer?
        try #require(sqlite3_open(path, &opened) == SQLITE_OK)
        connection = try #require(opened)
        try run("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; SELECT count(*) FROM sqlite_schema")
    }

    deinit { sqlite3_close(connection) }

    func gather() { GatheredLog.gather(on: connection) }

    func run(_ sql: String) throws {
        let status = sqlite3_exec(connection, sql, nil, nil, nil)
        try #require(status == SQLITE_OK, "\(String(cString: sqlite3_errmsg(connection))) in \(sql.prefix(80))")
    }

    func value(_ sql: String) throws -> String {
        var statement: OpaquePointer?
        try #require(sqlite3_prepare_v2(connection, sql, -1, &statement, nil) == SQLITE_OK)
        defer { sqlite3_finalize(statement) }
        try #require(sqlite3_step(statement) == SQLITE_ROW)
        return String(cString: sqlite3_column_text(statement, 0))
    }

    func rows() throws -> [Int: String] {
        var statement: OpaquePointer?
        try #require(sqlite3_prepare_v2(connection, "SELECT id, a FROM t", -1, &statement, nil) == SQLITE_OK)
        defer { sqlite3_finalize(statement) }
        var rows: [Int: String] = [:]
        while sqlite3_step(statement) == SQLITE_ROW {
            rows[Int(sqlite3_column_int64(statement, 0))] = String(cString: sqlite3_column_text(statement, 1))
        }
        return rows
    }
}
