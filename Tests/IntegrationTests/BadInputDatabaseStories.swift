import Foundation
import ServerTestKit
import Testing

/// Databases that cannot be used: the daemon refuses to start with one sentence that names the file.
@Suite(.timeLimit(.minutes(1)))
struct BadInputDatabaseStories {
    /// A file that stands where the database should be, and what the refusal says about it.
    private struct Ruin: Sendable {
        let name: String
        let words: String
        /// Makes the ruin at the path; gets the path of a good database to start from.
        let make: @Sendable (_ path: String, _ good: String) async throws -> Void
    }

    private static let ruins = [
        Ruin(name: "rubbish", words: "is damaged or no SQLite database") { path, _ in
            try Data("this is a shopping list\n".utf8).write(to: URL(fileURLWithPath: path))
        },
        Ruin(name: "noise", words: "is damaged or no SQLite database") { path, _ in
            try Data((0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 3) }).write(
                to: URL(fileURLWithPath: path))
        },
        Ruin(name: "half", words: "is damaged or no SQLite database") { path, good in
            try Data(contentsOf: URL(fileURLWithPath: good)).prefix(30_000).write(to: URL(fileURLWithPath: path))
        },
        Ruin(name: "newer", words: "install the newer version") { path, good in
            var bytes = try Data(contentsOf: URL(fileURLWithPath: good))
            // user_version, big-endian, at offset 60 (SQLite file format, section 1.3).
            bytes.replaceSubrange(60..<64, with: [0, 0, 0, 99])
            try bytes.write(to: URL(fileURLWithPath: path))
        },
        Ruin(name: "directory", words: "cannot open the database") { path, _ in
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        },
    ]

    @Test(arguments: ruins.map(\.name))
    func refusesToStartWithOneSentence(ruin name: String) async throws {
        let ruin = try #require(Self.ruins.first { $0.name == name })
        let directory = try ServerDirectory.temporary()
        let good = try await Self.goodDatabase(in: directory)
        let path = directory.path("ruin.db")
        try await ruin.make(path, good)
        try await Self.expectRefusal(database: path, in: directory, words: [path, ruin.words])
        try await directory.remove()
    }

    @Test func aMissingDirectoryIsNamed() async throws {
        let directory = try ServerDirectory.temporary()
        let path = directory.path("missing/postrider.db")
        try await Self.expectRefusal(
            database: path, in: directory, words: [path, "directory must exist and be writable"])
        #expect(!FileManager.default.fileExists(atPath: directory.path("missing")), "nobody asked for it to be made")
        try await directory.remove()
    }

    @Test func aFileWithoutPermissionIsNamed() async throws {
        guard !Privilege.isRoot else {
            print("skipped: a database without permission: root may read every file")
            return
        }
        let directory = try ServerDirectory.temporary()
        let good = try await Self.goodDatabase(in: directory)
        for mode in [0o000, 0o400] {
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: good)
            try await Self.expectRefusal(database: good, in: directory, words: [good, "writable for this user"])
        }
        try await directory.remove()
    }

    @Test func aSecondDaemonOnTheSameDatabaseIsRefused() async throws {
        let directory = try ServerDirectory.temporary()
        let path = directory.path("postrider.db")
        let first = try BadInputConfiguration(in: directory, database: path).write("first.yaml")
        let daemon = try DaemonProcess(try BuiltProduct.path(), ["serve", "--config", first])
        try await daemon.waitForLine(containing: "notice ready")
        try await Self.expectRefusal(
            database: path, in: directory, words: [path, "another postrider", "stop it first"])
        #expect(daemon.exitStatus == nil)
        #expect(try await daemon.terminate() == .exited(0))
        try await directory.remove()
    }

    // MARK: Acts

    private static func goodDatabase(in directory: ServerDirectory) async throws -> String {
        let path = directory.path("good.db")
        let configuration = try BadInputConfiguration(in: directory, database: path).write("good.yaml")
        let made = try await BadInputCommand.run(["key", "create", "--config", configuration])
        #expect(made.status == .exited(0), "\(made.text)")
        return path
    }

    private static func expectRefusal(
        database path: String, in directory: ServerDirectory, words: [String],
        _ location: SourceLocation = #_sourceLocation
    ) async throws {
        let configuration = try BadInputConfiguration(in: directory, database: path).write("ruin.yaml")
        let refusal = try await BadInputCommand.run(["serve", "--config", configuration])
        #expect(refusal.status == .exited(1), sourceLocation: location)
        #expect(refusal.lines.count == 1, "one sentence: \(refusal.text)", sourceLocation: location)
        for word in words {
            #expect(refusal.text.contains(word), "\(word) in: \(refusal.text)", sourceLocation: location)
        }
    }
}
