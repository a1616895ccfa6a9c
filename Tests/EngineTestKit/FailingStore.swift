import Engine
import Synchronization

/// A store whose process dies at chosen write transactions: the transaction leaves nothing, or is durable and nobody
/// hears of it. Everything afterwards is refused, as a dead process answers nothing.
package final class FailingStore: Store {
    package struct Died: Error {}

    private struct Fuse {
        var left: Int
        var isAfterCommit: Bool
        var isBlown = false
    }

    private let store: any Store
    private let fuse: Mutex<Fuse>

    /// - Parameters:
    ///   - writes: transactions that still go through.
    ///   - isAfterCommit: whether the fatal one is durable.
    package init(_ store: any Store, after writes: Int, isAfterCommit: Bool) {
        self.store = store
        fuse = Mutex(Fuse(left: writes, isAfterCommit: isAfterCommit))
    }

    package var hasDied: Bool { fuse.withLock { $0.isBlown } }

    private enum Fate { case lives, diesBefore, diesAfter }

    private func next() throws -> Fate {
        try fuse.withLock { fuse in
            if fuse.isBlown { throw Died() }
            fuse.left -= 1
            guard fuse.left < 0 else { return .lives }
            fuse.isBlown = true
            return fuse.isAfterCommit ? .diesAfter : .diesBefore
        }
    }

    package func write<Value: Sendable>(
        _ body: @escaping @Sendable (any StoreTransaction) throws -> Value
    ) async throws -> Value {
        switch try next() {
        case .lives: return try await store.write(body)
        case .diesBefore:
            return try await store.write { transaction in
                _ = try body(transaction)
                throw Died()
            }
        case .diesAfter:
            _ = try await store.write(body)
            throw Died()
        }
    }

    package func submit<Value: Sendable>(
        others: Int?, _ body: @escaping @Sendable (any StoreTransaction) throws -> Value,
        completion: @escaping @Sendable (Result<Value, any Error>) -> Void
    ) {
        Task { completion(await Result { try await write(body) }) }
    }

    package func read<Value: Sendable>(
        _ body: @escaping @Sendable (any StoreReader) throws -> Value
    ) async throws -> Value {
        if hasDied { throw Died() }
        return try await store.read(body)
    }
}

extension Result where Failure == any Error {
    fileprivate init(_ body: () async throws -> Success) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }
}
