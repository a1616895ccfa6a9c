import Foundation

/// A database file in a directory of its own, gone with the value.
final class TemporaryDatabase: Sendable {
    let directory: URL
    var path: String { directory.appendingPathComponent("postrider.db").path }

    init() throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("postrider-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: directory) }
}
