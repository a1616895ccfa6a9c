import Engine
import HTTPTypes
import Hummingbird
import JSONValue
import Logging
import NIOCore
import Synchronization
import WorkflowModel

// A POST that changes something takes effect once with an Idempotency-Key, however often it is sent within a day:
//
//   key not 1 to 255 printable ASCII characters     400 bad_request
//   the first one is under way                      409 conflict, with Retry-After
//   known, same method, target and body             its status and body again, with Idempotent-Replayed: true
//   known, anything else                            409 idempotency_key_reused
//   refused (4xx)                                   the key is free again
//   failed (5xx)                                    the key is free again, unless something had taken effect
//   a batch with an item that failed (5xx)          sent again, what is missing is recorded
//   a batch whose answer was lost                   the same
//
// The record is written by the transaction of the effect (see `IdempotentRequest`): after a crash there is either both
// or neither.

/// Requests with an idempotency key that are under way.
final class RequestsUnderWay: Sendable {
    private let names = Mutex<Set<IdempotencyRecord.Name>>([])

    /// - Returns: false when there is one already.
    func begin(_ name: IdempotencyRecord.Name) -> Bool { names.withLock { $0.insert(name).inserted } }

    func end(_ name: IdempotencyRecord.Name) { names.withLock { _ = $0.remove(name) } }
}

extension APIResponder {
    static let idempotencyKeyLimit = 255

    /// Answers a request with a key, once if it asks for that.
    func answerOnce(_ exchange: inout Exchange, _ key: APIKey, at endpoint: Endpoint) async throws -> Response {
        guard exchange.request.method == .post, endpoint.isWriting(.post),
            let text = exchange.fields.idempotencyKey
        else {
            return try await route(&exchange, at: endpoint)
        }
        // Of a file that was received, nothing is left when its import has not begun.
        defer { exchange.discardUpload() }
        guard (1...Self.idempotencyKeyLimit).contains(text.utf8.count),
            text.utf8.allSatisfy({ (0x20...0x7E).contains($0) })
        else {
            throw APIError(
                .badRequest, "the Idempotency-Key must be 1 to \(Self.idempotencyKeyLimit) printable ASCII characters")
        }
        let name = IdempotencyRecord.Name(projectID: key.projectID, kind: key.kind, key: text)
        guard shared.underWay.begin(name) else {
            throw APIError(
                .conflict, "the first request with this idempotency key is under way", headers: [.retryAfter: "1"])
        }
        defer { shared.underWay.end(name) }
        let fingerprint = try await fingerprint(of: &exchange, at: endpoint)
        if let known = try await IdempotentRequest.known(name, context: context) {
            // What a batch has recorded is known by its place: the rest can follow.
            if endpoint == .trackBatch, known.answer == nil, known.fingerprint == fingerprint {
                return try await answer(&exchange, at: endpoint, as: IdempotentRequest(known, isResumed: true))
            }
            return try Self.replay(known, fingerprint: fingerprint)
        }
        let record = IdempotencyRecord(
            name: name, requestID: context.identifiers.make(at: context.clock.now()),
            fingerprint: fingerprint, createdAt: context.clock.now())
        return try await answer(&exchange, at: endpoint, as: IdempotentRequest(record))
    }

    private func answer(
        _ exchange: inout Exchange, at endpoint: Endpoint, as request: IdempotentRequest
    ) async throws -> Response {
        do {
            var response = try await acting(for: request).route(&exchange, at: endpoint)
            // The record stays without an answer, and what is missing can follow.
            if exchange.deservesRepetition { return response }
            let body = try await Self.bytes(of: &response)
            await end(request, .init(status: response.status.code, body: body), exchange)
            return response
        } catch let broken as Exchange.BrokenBody {
            throw broken
        } catch {
            let refusal = apiError(for: error, in: exchange)
            let isKept = refusal.code.status.code >= 500 && request.hasCommitted
            let body = JSONWriter.bytes(refusal.body(requestID: exchange.id))
            await end(request, isKept ? .init(status: refusal.code.status.code, body: body) : nil, exchange)
            throw refusal
        }
    }

    /// What cannot be kept now is not worth an error: the effect and its record are durable, and a repetition hears that.
    private func end(
        _ request: IdempotentRequest, _ answer: IdempotencyRecord.Answer?, _ exchange: Exchange
    ) async {
        do { try await request.end(answer, context: context) } catch {
            log("the answer to an idempotency key is not kept", error, exchange)
        }
    }

    private func fingerprint(of exchange: inout Exchange, at endpoint: Endpoint) async throws -> [UInt8] {
        let line = "\(exchange.request.method.rawValue) \(exchange.request.uri.string)\n"
        if endpoint == .contactImport {
            // A file of any size is never held in memory: it is received first, and known by what was received.
            let digest = context.cryptography.makeDigest()
            digest.update(Array(line.utf8))
            try await receiveFile(&exchange) { digest.update($0) }
            return digest.finish()
        }
        let body = try await exchange.holdBody(upTo: bodyLimit(at: endpoint), within: configuration.bodyTimeout)
        return context.cryptography.digest(Array(line.utf8) + body)
    }

    private static func replay(_ known: IdempotencyRecord, fingerprint: [UInt8]) throws -> Response {
        guard known.fingerprint == fingerprint else {
            throw APIError(
                .idempotencyKeyReused,
                "this idempotency key belongs to another request of \(known.createdAt): take a new one")
        }
        guard let answer = known.answer else {
            throw APIError(
                .idempotencyKeyReused,
                "the request with this idempotency key took effect at \(known.createdAt), and its answer was lost")
        }
        var response = noContent
        if !answer.body.isEmpty {
            response = self.response(HTTPResponse.Status(code: answer.status), bytes: answer.body)
        }
        response.status = HTTPResponse.Status(code: answer.status)
        response.headers[.idempotentReplayed] = "true"
        return response
    }

    /// The content of an answer, which is then sent from memory.
    private static func bytes(of response: inout Response) async throws -> [UInt8] {
        let content = ContentKeeper()
        try await response.body.write(content)
        let bytes = content.bytes
        response.body = ResponseBody(byteBuffer: ByteBuffer(bytes: bytes))
        return bytes
    }
}

/// Keeps what a response would send.
private final class ContentKeeper: ResponseBodyWriter, Sendable {
    private let kept = Mutex<[UInt8]>([])

    var bytes: [UInt8] { kept.withLock { $0 } }

    func write(_ buffer: ByteBuffer) async throws { kept.withLock { $0 += Array(buffer: buffer) } }

    func finish(_ trailingHeaders: HTTPFields?) async throws {}
}
