import Engine
import HTTPTypes
import Hummingbird
import JSONValue
import Logging
import NIOCore
import WorkflowModel

// A request's way:
//
//   path -> endpoint            unknown: 404, too long: 414
//   method                      not the endpoint's: 405 with Allow
//   preflight?                  where pages of other origins may ask
//   pixel?                      answered here and now, whatever it says
//   key                         missing, unknown or public where it must be secret: 401; without the scope: 403
//   rate                        429
//   idempotency key             see `answerOnce`
//   body, query                 413, 415, 400, 422
//   use case                    its own errors; the database's are 503, all others 500 and in the log
//
// A body that nobody read would be read to its end by the framework before the next request. So that nobody can keep us
// reading, such a connection is closed, a moment later: at once would make the client's system drop the answer
// (RFC 9112 section 9.6).

/// Answers every request of the API.
package struct APIResponder: HTTPResponder {
    /// Bytes of the request target, the pixel's aside.
    static let targetLimit = 8 * 1024
    /// Seconds that a client has for reading its answer while we still take its unwanted body.
    static let lingering: Int64 = 2

    /// Within a request with a key: the engine for the client with that key.
    private(set) var context: EngineContext
    let configuration: HTTPConfiguration
    let shared: SharedByRequests
    private let deadlines = BodyDeadlines()

    init(context: EngineContext, configuration: HTTPConfiguration, shared: SharedByRequests) {
        self.context = context
        self.configuration = configuration
        self.shared = shared
    }

    /// The same for one request with an idempotency key.
    func acting(for request: IdempotentRequest) -> APIResponder {
        var responder = self
        responder.context = context.serving(request)
        return responder
    }

    /// Bytes that the body of a request may have there.
    func bodyLimit(at endpoint: Endpoint) -> Int {
        switch endpoint {
        case .send: max(configuration.bodyLimit, Self.sendLimit)
        default: configuration.bodyLimit
        }
    }

    /// Called by the framework for every request.
    package func respond(to request: Request, context connection: ConnectionContext) async throws -> Response {
        let match = Endpoint.match(request.uri.path)
        let id = "\(context.identifiers.make(at: context.clock.now()))"
        var exchange = Exchange(
            request: request, channel: connection.channel, deadlines: deadlines, id: id,
            parameters: match?.parameters ?? [])
        var response: Response
        do {
            response = try await answer(&exchange, at: match?.endpoint)
        } catch let broken as Exchange.BrokenBody {
            throw broken.cause
        } catch {
            response = Self.response(to: apiError(for: error, in: exchange), requestID: id)
        }
        // No answer has it yet.
        response.headers.append(HTTPField(name: .requestID, value: id))
        Self.add(exchange.standing, to: &response)
        if match?.endpoint.isOpenToPages == true { Self.open(&response, toPagesWith: exchange.key) }
        if request.method == .head { response = response.createHeadResponse() }
        if exchange.hasUnreadBody { close(connection.channel, after: &response) }
        return response
    }

    private func answer(_ exchange: inout Exchange, at endpoint: Endpoint?) async throws -> Response {
        let isTooLong = exchange.request.uri.string.utf8.count > Self.targetLimit
        guard let endpoint, !isTooLong || endpoint == .pixel else {
            guard isTooLong else { throw APIError(.notFound, "there is nothing at this path") }
            throw APIError(.uriTooLong, "the request target is longer than \(Self.targetLimit) bytes")
        }
        guard endpoint.methods.contains(exchange.request.method) else {
            throw APIError.methodNotAllowed(endpoint.methods)
        }
        if exchange.request.method == .options { return Self.preflight(endpoint) }
        let scopes = endpoint.scopes(for: exchange.request.method)
        guard !scopes.isEmpty else { return try await route(&exchange, at: endpoint) }
        let found = try await authenticate(exchange, for: scopes, at: endpoint)
        exchange.key = found.key
        exchange.standing = count(found.key, at: endpoint, exchange.request.method)
        try refuseIfTooOften(exchange.standing)
        var responder = self
        responder.context = context.acting(with: found)
        return try await responder.answerOnce(&exchange, found.key, at: endpoint)
    }

    /// What the path does, when nothing speaks against it.
    func route(_ exchange: inout Exchange, at endpoint: Endpoint) async throws -> Response {
        switch endpoint {
        case .health: return try await health()
        case .description: return describe()
        case .pixel: return pixel(exchange)
        case .click: return try click(exchange)
        case .unsubscribe: return try await unsubscribe(&exchange)
        case .preferences: return try await preferences(&exchange)
        case .track: return try await track(&exchange)
        case .trackBatch: return try await trackBatch(&exchange)
        case .timeline, .events, .eventTrack, .eventStats, .eventNames, .contactEvents, .eventUsage, .event:
            return try await answerEvents(&exchange, at: endpoint)
        case .contacts, .contactQuery, .contactLookup, .contactBulk, .contact:
            return try await answerContacts(&exchange, at: endpoint)
        case .contactImport, .contactExport, .contactJobs, .contactJob, .contactJobErrors:
            return try await answerContactJobs(&exchange, at: endpoint)
        case .send: return try await send(&exchange)
        case .verify: return try await verify(&exchange)
        case .mail: return try await mail(exchange)
        case .audit: return try await audit(exchange)
        case .inboundReports: return try await inboundReports(exchange)
        case .receivedFile: return try await receivedFile(exchange)
        case .inboundOutcomes: return try await inboundOutcomes(exchange)
        case .readers: return try await readers(exchange)
        case .suppressions: return try await suppressions(&exchange)
        case .outbox, .outboxPause, .outboxResume: return try await answerOutbox(&exchange, at: endpoint)
        case .workflows, .workflowFields, .bulkUpdate, .workflow, .duplicate:
            return try await answerWorkflows(&exchange, at: endpoint)
        case .steps, .step, .transitions, .transition, .insertStep:
            return try await answerGraph(&exchange, at: endpoint)
        case .executions, .cancelAll, .execution, .retry, .stats, .simulate, .migrate:
            return try await answerExecutions(&exchange, at: endpoint)
        case .templates, .templateBulkDelete, .templatePreviewUnsaved, .template:
            return try await answerTemplates(&exchange, at: endpoint)
        case .templateDuplicate, .templateUsage, .templateVersions, .templateVersion, .templateRestore,
            .templatePreview, .templateTest:
            return try await answerTemplate(&exchange, at: endpoint)
        case .segments, .segmentPreview, .segment, .segmentContacts, .segmentMembers, .segmentCompute, .segmentRefresh:
            return try await answerSegments(&exchange, at: endpoint)
        case .broadcasts, .broadcast, .broadcastStats, .broadcastEstimate:
            return try await answerBroadcasts(&exchange, at: endpoint)
        case .broadcastSchedule, .broadcastSend, .broadcastPause, .broadcastResume, .broadcastCancel, .broadcastWinner,
            .broadcastDuplicate, .broadcastTest:
            return try await answerBroadcast(&exchange, at: endpoint)
        case .webhooks, .webhook, .rotateWebhookSecret, .testWebhook, .resumeWebhook, .replayWebhook, .deliveries,
            .retryDelivery:
            return try await answerWebhooks(&exchange, at: endpoint)
        }
    }

    // MARK: Keys

    /// The key of the request. It was looked at before the request came to its route, and `context` acts for it.
    func authorize(_ exchange: Exchange, publicKeyWillDo: Bool = false) throws -> APIKey {
        guard let key = exchange.key, publicKeyWillDo || key.kind == .secret else {
            throw APIError.unauthorized("a secret key is needed here")
        }
        return key
    }

    /// Finds the key of the request (RFC 6750 section 2.1).
    /// - Throws: `APIError` 401 without a key, with an unknown one, and with a public one where only a secret one will do:
    ///   clients of Plunk expect 401 there and not 403. 403 for a secret key without the scope.
    private func authenticate(
        _ exchange: Exchange, for scopes: [KeyScope], at endpoint: Endpoint
    ) async throws -> Authentication.Found {
        let text = try Self.keyText(exchange)
        let authentication = Authentication(context: context)
        // Tracking does nothing before its transaction, and is what must be quick.
        if endpoint == .track, let found = authentication.remembered(text) { return try Self.check(found, scopes) }
        let known = try await authentication.find(text, trusting: endpoint == .track, from: clientAddress(exchange))
        guard let found = known else {
            throw APIError.unauthorized("this key is not known")
        }
        return try Self.check(found, scopes)
    }

    private static func keyText(_ exchange: Exchange) throws -> String {
        guard let field = exchange.fields.authorization else {
            throw APIError.unauthorized("an Authorization field with a Bearer key is needed")
        }
        guard let end = field.utf8.firstIndex(of: UInt8(ascii: " ")),
            field[..<end] == "Bearer" || field[..<end].lowercased() == "bearer"
        else { throw APIError.unauthorized("the Authorization field must be `Bearer` and a key") }
        return String(field[end...].drop { $0 == " " })
    }

    private static func check(_ found: Authentication.Found, _ scopes: [KeyScope]) throws -> Authentication.Found {
        guard let missing = scopes.first(where: { !found.key.allows($0) }) else { return found }
        throw found.key.kind == .public
            ? APIError.unauthorized("a secret key is needed here") : APIError.forbidden(missing)
    }

    // MARK: Errors

    func apiError(for error: any Error, in exchange: Exchange) -> APIError {
        switch error {
        case let error as APIError: return error
        case let error as UseCaseError: return APIError(error)
        case let error as StoreError where error.code == .damaged:
            // One row, that waiting does not mend.
            log("request met a damaged row", error, exchange)
            return APIError(.conflict, error.description)
        case is StoreError, is CancellationError:
            log("request met no database", error, exchange)
            return .unavailable
        default:
            log("request failed", error, exchange)
            return .unexpected
        }
    }

    func log(_ message: Logger.Message, _ error: any Error, _ exchange: Exchange) {
        context.logger.error(
            message,
            metadata: [
                "request": "\(exchange.id)", "method": "\(exchange.request.method)",
                "path": "\(exchange.request.uri.path.prefix(200))", "error": "\(error)",
            ])
    }

    // MARK: Responses

    static func response(_ status: HTTPResponse.Status = .ok, json: JSON) -> Response {
        response(status, bytes: JSONWriter.bytes(json))
    }

    /// - Parameter bytes: JSON.
    static func response(_ status: HTTPResponse.Status = .ok, bytes: [UInt8]) -> Response {
        response(status, content: ByteBuffer(bytes: bytes))
    }

    /// - Parameter content: JSON.
    static func response(_ status: HTTPResponse.Status = .ok, content: ByteBuffer) -> Response {
        var headers = contentHeaders
        // With those that every answer gets on its way.
        headers.reserveCapacity(8)
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: content))
    }

    private static let contentHeaders: HTTPFields = [
        .contentType: "application/json", .cacheControl: "no-store", .xContentTypeOptions: "nosniff",
    ]

    /// RFC 9110 section 15.3.5.
    static let noContent = Response(status: .noContent, headers: [.cacheControl: "no-store"])

    private static func response(to error: APIError, requestID: String) -> Response {
        var response = response(error.code.status, json: error.body(requestID: requestID))
        for field in error.headers { response.headers.append(field) }
        return response
    }

    private func close(_ channel: any Channel, after response: inout Response) {
        response.headers[.connection] = "close"
        channel.eventLoop.scheduleTask(in: .seconds(Self.lingering)) { channel.close(promise: nil) }
    }
}

/// What the requests of one server share.
final class SharedByRequests: Sendable {
    let rates = TokenBuckets<RequestBucket>()
    let underWay = RequestsUnderWay()
}
