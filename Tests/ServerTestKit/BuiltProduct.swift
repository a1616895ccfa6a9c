import Foundation

/// Finds what the package builds beside the program that runs now.
package enum BuiltProduct {
    /// The path of an executable of this package: the one named in `POSTRIDER_EXECUTABLE` for `postrider`, or the one in
    /// the folder that this test bundle or program was built into.
    ///
    /// - Throws: ``FixtureError`` `unavailable` when it has not been built.
    package static func path(_ name: String = "postrider") throws -> String {
        if name == "postrider", let given = ProcessInfo.processInfo.environment["POSTRIDER_EXECUTABLE"] { return given }
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let path = URL(fileURLWithPath: own).deletingLastPathComponent().appendingPathComponent(name).path
        guard FileManager.default.isExecutableFile(atPath: path) else {
            throw FixtureError(.unavailable, "\(path) is missing: swift build --product \(name)")
        }
        return path
    }

    /// The package's root folder, from the place of this source file.
    package static let packageRoot: String = {
        var url = URL(fileURLWithPath: #filePath)
        for _ in 0..<3 { url.deleteLastPathComponent() }
        return url.path
    }()
}
