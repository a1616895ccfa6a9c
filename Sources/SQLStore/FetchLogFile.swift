import Engine
import Foundation
import Glibc

/// The lines of answered pixel fetches in a file beside the database. One write(2) a line: it is in the page cache, and
/// so safe from the end of this process, when `append` returns.
package final class FetchLogFile: FetchLog {
    private let path: String
    private let descriptor: Int32

    /// - Throws: `StoreError.unusable` when the file cannot be made.
    package init(besideDatabase database: String) throws {
        path = URL(fileURLWithPath: database).resolvingSymlinksInPath().path + "-opens"
        descriptor = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw StoreError(.unusable, "cannot write \(path): its directory must be writable for this user")
        }
    }

    deinit { Glibc.close(descriptor) }

    package func append(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        // A full disk loses this note and nothing else: the fetch is recorded all the same while the process lives.
        _ = Glibc.write(descriptor, bytes, bytes.count)
    }

    package func lines() -> [String] {
        // A line that a dying process or a failing disk has spoilt must not hide the others.
        let text = String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
        return text.split(separator: "\n").map(String.init)
    }

    package func clear() { ftruncate(descriptor, 0) }
}
