import Engine
import EngineTestKit
import Testing

@testable import SQLStore

/// Databases of earlier versions, each of them brought up to date.
@Suite struct MigrationTests {
    private static let earlier = Array(1..<Migrations.steps.count)

    @Test(arguments: earlier) func everyEarlierSchemaKeepsWhatItHas(_ schema: Int) async throws {
        let database = try EarlierDatabase.make(schema: schema)
        try await EarlierDatabase.check(database, madeWith: schema)
    }

    /// A process that is killed leaves the files as they are: here before the first step, and between any two of them.
    @Test func aMigrationThatIsKilledIsDoneByTheNextStart() async throws {
        let database = try EarlierDatabase.make(schema: 1)
        var copies: [TemporaryDatabase] = []
        var failures: [any Error] = []
        let store = try SQLiteStore(path: database.path, exclusively: true) { schema in
            #expect(schema == 1)
            do { copies.append(try database.crashed()) } catch { failures.append(error) }
        }
        try store.close()
        #expect(failures.isEmpty && copies.count >= Migrations.steps.count - 1)
        for copy in copies {
            // Nothing of it is there before all of it is.
            #expect(try Rows(copy.path).count("PRAGMA user_version") == 1)
            try await EarlierDatabase.check(copy, madeWith: 1)
        }
        try await EarlierDatabase.check(database, madeWith: 1)
    }

    /// A step in the middle that cannot be done takes back those before it; once its obstacle is gone, all are done.
    @Test func aMigrationThatFailsInTheMiddleChangesNothing() async throws {
        let database = try EarlierDatabase.make(schema: 10)
        // The fourteenth step makes one.
        try EarlierDatabase.run("CREATE TABLE acceptances (id INTEGER);", in: database)
        let tables = "SELECT name, sql FROM sqlite_schema ORDER BY name"
        let before = try Rows(database.path).run(tables)
        let error = #expect(throws: StoreError.self) {
            try SQLiteStore(path: database.path, exclusively: true).close()
        }
        #expect(error?.description.contains("acceptances") == true, "\(String(describing: error))")
        #expect(try Rows(database.path).run(tables) == before)
        #expect(try Rows(database.path).count("PRAGMA user_version") == 10)
        try EarlierDatabase.run("DROP TABLE acceptances;", in: database)
        try await EarlierDatabase.check(database, madeWith: 10)
    }
}
