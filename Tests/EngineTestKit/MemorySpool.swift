import Engine
import Synchronization
import WorkflowModel

/// A spool without a disk.
package final class MemorySpool: ContactSpool {
    private let content = Mutex<[Identifier: [UInt8]]>([:])

    private let unreadable = Mutex<Set<Identifier>>([])

    package init() {}

    /// Whether a file can be read.
    package func setReadable(_ id: Identifier, _ isReadable: Bool) {
        unreadable.withLock { ids in
            _ = ids.remove(id)
            if !isReadable { ids.insert(id) }
        }
    }

    /// What lies in it.
    package var files: Set<Identifier> { content.withLock { Set($0.keys) } }

    package func make(_ id: Identifier) throws -> any ContactSpoolSink {
        content.withLock { $0[id] = [] }
        return Sink(spool: self, id: id)
    }

    package func read(_ id: Identifier, at offset: Int, count: Int) throws -> [UInt8] {
        if unreadable.withLock({ $0.contains(id) }) { throw StoreError(.failed, "cannot read the uploaded file") }
        return try content.withLock { content in
            guard let bytes = content[id] else { throw StoreError(.damaged, "the uploaded file is gone") }
            return Array(bytes.dropFirst(offset).prefix(count))
        }
    }

    package func remove(_ id: Identifier) { content.withLock { $0[id] = nil } }

    package func files(olderThan time: Timestamp) -> [Identifier] { Array(files) }

    private struct Sink: ContactSpoolSink {
        let spool: MemorySpool
        let id: Identifier

        func append(_ bytes: [UInt8]) throws { spool.content.withLock { $0[id, default: []] += bytes } }
        func finish() async throws {}
    }
}
