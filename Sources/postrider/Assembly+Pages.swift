import Engine
import Foundation
import HTTPAdapter
import Logging
import Settings

extension Assembly {
    /// The pages that readers of mail see: of the folder that the configuration names, or of the first that came with the
    /// program. Where there is none they are bare and English, because a subscription must always have an end.
    /// - Throws: `CommandFailure` for a folder whose pages cannot be used.
    func makePages() throws -> PublicPages {
        let fileManager = FileManager.default
        let folder =
            configuration.http.pages
            ?? Self.installedPages.first { fileManager.fileExists(atPath: "\($0)/layout.html") }
        guard let folder else {
            logger.warning(
                "pages for readers of mail are not installed: bare ones stand in",
                metadata: ["folders": "\(Self.installedPages.joined(separator: " "))"])
            return try PublicPages.bare()
        }
        do { return try PublicPages.read(folder: folder) } catch let error as PageFolderError {
            throw CommandFailure("http.pages: \(error)")
        }
    }

    /// Beside the program (`/usr/bin` has its data in `/usr/share`), then where packages put them, then above the program,
    /// where a built tree has them.
    private static var installedPages: [String] {
        let program = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        let folder = URL(filePath: program).resolvingSymlinksInPath().deletingLastPathComponent()
        let above = (1...4).map { levels in
            (0..<levels).reduce(folder) { folder, _ in folder.deletingLastPathComponent() }.path + "/templates/pages"
        }
        return [
            folder.deletingLastPathComponent().path + "/share/postrider/pages", "/usr/local/share/postrider/pages",
            "/usr/share/postrider/pages",
        ] + above
    }
}
