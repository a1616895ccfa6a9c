import Foundation

/// A database file in a directory of its own, gone with the value.
package final class TemporaryDatabase: Sendable {
    package let directory: URL
    package var path: String { directory.appendingPathComponent("postrider.db").path }

    package init() throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("postrider-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    }

    /// What a machine that stops at this moment leaves: the files as they are. Nothing may be under way.
    package func crashed() throws -> TemporaryDatabase {
        let copy = try TemporaryDatabase()
        for file in ["", "-wal"] where FileManager.default.fileExists(atPath: path + file) {
            try FileManager.default.copyItem(atPath: path + file, toPath: copy.path + file)
        }
        return copy
    }

    deinit { try? FileManager.default.removeItem(at: directory) }
}
