import JSONValue
import Synchronization
import WorkflowModel

/// A request with an idempotency key on its way through its transactions: each of them writes the request's record, so
/// that record and effect commit together and the request can never take effect twice.
package final class IdempotentRequest: Sendable {
    /// How long a record holds, in seconds.
    package static let lifetime: Int64 = 86_400

    private struct State {
        var render: (@Sendable (any Sendable) -> IdempotencyRecord.Answer?)?
        var hasCommitted = false
        var hasParts = false
    }

    private let record: IdempotencyRecord
    /// Whether a part of it took effect before, and this is the rest.
    let isResumed: Bool
    private let state = Mutex(State())

    /// - Parameter isResumed: the record is that of an earlier request of the same kind that came to no end.
    package init(_ record: IdempotencyRecord, isResumed: Bool = false) {
        self.record = record
        self.isResumed = isResumed
        state.withLock { $0.hasParts = isResumed }
    }

    var id: Identifier { record.requestID }

    func noteParts() { state.withLock { $0.hasParts = true } }

    /// Whether a transaction of the request is durable.
    package var hasCommitted: Bool { state.withLock { $0.hasCommitted } }

    /// The record with the answer, as far as it is known when a transaction ends with that value.
    func record(for value: any Sendable) -> IdempotencyRecord {
        var record = record
        record.answer = state.withLock { $0.render }.flatMap { $0(value) }
        return record
    }

    func didCommit() { state.withLock { $0.hasCommitted = true } }

    fileprivate func render(_ render: @escaping @Sendable (any Sendable) -> IdempotencyRecord.Answer?) {
        state.withLock { $0.render = render }
    }

    /// What the first request with this key left behind; nil when there is none that still holds.
    package static func known(
        _ name: IdempotencyRecord.Name, context: EngineContext
    ) async throws -> IdempotencyRecord? {
        let expiry = context.clock.now().adding(seconds: -lifetime)
        return try await context.store.read { reader in
            try reader.idempotencyRecord(name).flatMap { $0.createdAt < expiry ? nil : $0 }
        }
    }

    /// Ends the request with its answer. Nothing is left of a refused one, so that it can be sent again, mended.
    /// - Parameter answer: nil when the request was refused.
    package func end(_ answer: IdempotencyRecord.Answer?, context: EngineContext) async throws {
        var final = record
        final.answer = answer
        let record = final
        let expiry = context.clock.now().adding(seconds: -Self.lifetime)
        if answer != nil {
            let hasParts = state.withLock { $0.hasParts }
            try await context.store.write {
                _ = try $0.insert(record, replacingOlderThan: expiry)
                // The answer has them all.
                if hasParts { try $0.deleteIdempotencyParts(of: record.requestID) }
            }
        } else if hasCommitted {
            try await context.store.write { try $0.release(record) }
        }
    }
}

extension EngineContext {
    /// The same engine for one request with an idempotency key.
    package func serving(_ request: IdempotentRequest) -> EngineContext {
        var context = self
        context.idempotency = request
        return context
    }

    /// Says what the request at hand will be answered when a transaction ends with such a value: the answer is then kept
    /// in that very transaction. Without it the answer is kept after the effect, and lost when the process dies between.
    package func willAnswer<Value: Sendable>(
        _ status: Int = 200, _ body: @escaping @Sendable (Value) -> JSON
    ) {
        idempotency?.render { value in
            (value as? Value).map { IdempotencyRecord.Answer(status: status, body: JSONWriter.bytes(body($0))) }
        }
    }
}

extension EngineTransaction {
    /// Writes the record of the request at hand, if it has one.
    /// - Throws: `UseCaseError.idempotencyKeyReused` when another request was faster.
    func keepIdempotency(_ value: any Sendable) throws {
        guard let request = context.idempotency else { return }
        let expiry = now.adding(seconds: -IdempotentRequest.lifetime)
        guard try store.insert(request.record(for: value), replacingOlderThan: expiry) else {
            throw UseCaseError(.idempotencyKeyReused, "another request has used this idempotency key meanwhile")
        }
    }
}
