import Foundation

#if canImport(Glibc)
    import Glibc
#endif

/// Where the corpora lie: the folder that `POSTRIDER_CORPORA` names, or `../shared/corpora` beside the package.
package struct CorpusFolder: Sendable {
    package let path: String

    package init(file: String = #filePath) {
        if let named = getenv("POSTRIDER_CORPORA"), named.pointee != 0 {
            path = String(cString: named)
        } else {
            path = "/" + file.split(separator: "/").dropLast(3).joined(separator: "/") + "/../shared/corpora"
        }
    }

    /// - Parameter name: a path inside the folder.
    /// - Throws: `CorpusError` when it cannot be read.
    package func read(_ name: String) throws -> [UInt8] {
        guard let bytes = Self.bytes(ofFile: "\(path)/\(name)") else {
            throw CorpusError("cannot read \(path)/\(name): set POSTRIDER_CORPORA to the folder of the corpora")
        }
        return bytes
    }

    /// The files below a folder of the corpora, by their path in it, in order; empty when it is not there.
    package func files(in folder: String, suffix: String) -> [String] {
        guard let walker = FileManager.default.enumerator(atPath: "\(path)/\(folder)") else { return [] }
        return walker.compactMap { $0 as? String }.filter { $0.hasSuffix(suffix) }.sorted()
    }

    /// The file's bytes; nil when it is absent.
    package static func bytes(ofFile path: String) -> [UInt8]? {
        guard let file = fopen(path, "rb") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = fread(&chunk, 1, chunk.count, file)
            guard count > 0 else { return bytes }
            bytes += chunk[..<count]
        }
    }
}

/// A corpus that is not there or not what it should be.
package struct CorpusError: Error, CustomStringConvertible {
    package var description: String

    package init(_ description: String) { self.description = description }
}
