import Foundation

/// A database file in a directory of its own, gone with the value.
package final class TemporaryDatabase: Sendable {
    package let directory: URL
    package var path: String { directory.appendingPathComponent("postrider.db").path }

    package init() throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("postrider-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: directory) }
}
