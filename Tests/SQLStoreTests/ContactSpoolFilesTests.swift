import Engine
import EngineTestKit
import Foundation
import SQLStore
import Testing
import WorkflowModel

@Suite struct ContactSpoolFilesTests {
    private let id = Identifier(high: 1, low: 2)

    @Test func onlyAFileThatIsGoneIsLost() throws {
        let database = try TemporaryDatabase()
        let spool = ContactSpoolFiles(besideDatabase: database.path)
        try spool.make(id).append([1, 2, 3])
        #expect(try spool.read(id, at: 1, count: 9) == [2, 3])
        let file = "\(database.path)-imports/\(id).csv"
        try FileManager.default.removeItem(atPath: file)
        let gone = #expect(throws: StoreError.self) { try spool.read(id, at: 0, count: 1) }
        #expect(gone?.code == .damaged)
        // Something that can be mended, and not even root can open.
        try FileManager.default.createSymbolicLink(atPath: file, withDestinationPath: file)
        let closed = #expect(throws: StoreError.self) { try spool.read(id, at: 0, count: 1) }
        #expect(closed?.code == .failed && closed?.description.hasPrefix("cannot read ") == true)
    }

    @Test(.enabled(if: geteuid() == 0, "only root makes files for others"))
    func filesOfRootBelongToTheDatabasesOwner() throws {
        let database = try TemporaryDatabase()
        try Data().write(to: URL(fileURLWithPath: database.path))
        try #require(chown(database.path, 65534, 65534) == 0)
        let spool = ContactSpoolFiles(besideDatabase: database.path)
        _ = try spool.make(id)
        for path in ["\(database.path)-imports", "\(database.path)-imports/\(id).csv"] {
            var facts = stat()
            try #require(stat(path, &facts) == 0)
            #expect(facts.st_uid == 65534 && facts.st_gid == 65534, "\(path)")
        }
    }
}
