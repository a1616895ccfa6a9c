import EngineTestKit
import Glibc
import SQLStore
import Testing

/// Who may read the database's files.
@Suite struct DatabaseFileTests {
    private static func mode(_ path: String) -> mode_t? {
        var facts = stat()
        return stat(path, &facts) == 0 ? facts.st_mode & 0o777 : nil
    }

    @Test func aNewDatabaseIsItsOwnersAloneInAnOpenDirectory() throws {
        let database = try TemporaryDatabase()
        let folder = String(database.path[..<(database.path.lastIndex(of: "/") ?? database.path.startIndex)])
        #expect(chmod(folder, 0o755) == 0)
        let store = try SQLiteStore(path: database.path, exclusively: true)
        for file in ["", "-wal", "-shm", ".lock"] { #expect(Self.mode(database.path + file) == 0o600, "\(file)") }
        try store.close()
    }

    @Test func whatEverybodyCouldReadIsTakenFromThemAndTheGroupKeepsIts() throws {
        let database = try TemporaryDatabase()
        try SQLiteStore(path: database.path, exclusively: true).close()
        #expect(chmod(database.path, 0o644) == 0)
        let store = try SQLiteStore(path: database.path, exclusively: true)
        #expect(Self.mode(database.path) == 0o640)
        #expect(Self.mode(database.path + "-wal") == 0o640)
        try store.close()
    }
}
