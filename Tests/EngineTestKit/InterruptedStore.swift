import Engine
import Synchronization

/// A store before one of whose writes something else happens: a change of somebody else's, or trouble.
package final class InterruptedStore: Store {
    private struct Interruption {
        /// Writes that go through before it.
        var left: Int
        var body: @Sendable () async throws -> Void
    }

    private let store: any Store
    private let interruption = Mutex<Interruption?>(nil)

    package init(_ store: any Store) { self.store = store }

    /// - Parameters:
    ///   - writes: that still go through.
    ///   - body: comes before the next one, which fails with what it throws.
    package func interrupt(after writes: Int, _ body: @escaping @Sendable () async throws -> Void) {
        interruption.withLock { $0 = Interruption(left: writes, body: body) }
    }

    private func next() -> (@Sendable () async throws -> Void)? {
        interruption.withLock { interruption in
            guard let left = interruption?.left else { return nil }
            interruption?.left -= 1
            guard left == 0 else { return nil }
            defer { interruption = nil }
            return interruption?.body
        }
    }

    package func write<Value: Sendable>(
        _ body: @escaping @Sendable (any StoreTransaction) throws -> Value
    ) async throws -> Value {
        try await next()?()
        return try await store.write(body)
    }

    package func submit<Value: Sendable>(
        others: Int?, _ body: @escaping @Sendable (any StoreTransaction) throws -> Value,
        completion: @escaping @Sendable (Result<Value, any Error>) -> Void
    ) {
        guard let first = next() else { return store.submit(others: others, body, completion: completion) }
        let store = store
        Task {
            do { try await first() } catch { return completion(.failure(error)) }
            store.submit(others: others, body, completion: completion)
        }
    }

    package func read<Value: Sendable>(
        _ body: @escaping @Sendable (any StoreReader) throws -> Value
    ) async throws -> Value { try await store.read(body) }
}
