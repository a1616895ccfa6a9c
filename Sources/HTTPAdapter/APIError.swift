import Engine
import HTTPTypes
import JSONValue
import WorkflowModel

/// Why a request is answered with an error. What the client reads is all in here; nothing of it comes from the database
/// or the system.
struct APIError: Error {
    /// The closed list of codes. The raw values are what clients read and never change.
    enum Code: String, CaseIterable, Sendable {
        case invalidJSON = "invalid_json"
        case invalidGraph = "invalid_graph"
        case badRequest = "bad_request"
        case eventInUse = "EVENT_IN_USE"
        case unauthorized
        case forbidden
        case notFound = "not_found"
        case methodNotAllowed = "method_not_allowed"
        case conflict
        case workflowLocked = "WORKFLOW_LOCKED"
        case triggerLocked = "TRIGGER_LOCKED"
        case workflowDisabled = "WORKFLOW_DISABLED"
        case reentryForbidden = "REENTRY_FORBIDDEN"
        case executionActive = "EXECUTION_ACTIVE"
        case executionFinal = "EXECUTION_FINAL"
        case executionNotFailed = "EXECUTION_NOT_FAILED"
        case idempotencyKeyReused = "idempotency_key_reused"
        case rateLimitExceeded = "rate_limit_exceeded"
        case payloadTooLarge = "payload_too_large"
        case uriTooLong = "uri_too_long"
        case unsupportedMediaType = "unsupported_media_type"
        case validationError = "validation_error"
        case reservedEvent = "reserved_event"
        case queryTooSlow = "query_too_slow"
        case internalError = "internal_error"
        case serviceUnavailable = "service_unavailable"

        /// RFC 9110 section 15.
        var status: HTTPResponse.Status {
            switch self {
            case .invalidJSON, .invalidGraph, .badRequest, .eventInUse: .badRequest
            case .unauthorized: .unauthorized
            case .forbidden: .forbidden
            case .notFound: .notFound
            case .methodNotAllowed: .methodNotAllowed
            case .conflict, .workflowLocked, .triggerLocked, .workflowDisabled, .reentryForbidden, .executionActive,
                .executionFinal, .executionNotFailed, .idempotencyKeyReused:
                .conflict
            case .rateLimitExceeded: .tooManyRequests
            case .payloadTooLarge: .contentTooLarge
            case .uriTooLong: .uriTooLong
            case .unsupportedMediaType: .unsupportedMediaType
            case .validationError, .reservedEvent, .queryTooSlow: .unprocessableContent
            case .internalError: .internalServerError
            case .serviceUnavailable: .serviceUnavailable
            }
        }
    }

    /// One offending value: its dotted path in the body or its name in the query, and what is wrong with it.
    struct Problem: Hashable, Sendable {
        var field: String
        var message: String
        /// Where in a text of many lines.
        var place: WorkflowProblem.Place?
    }

    var code: Code
    var message: String
    var problems: [Problem] = []
    /// Fields that go with the status, as RFC 9110 demands them.
    var headers: HTTPFields = [:]

    init(_ code: Code, _ message: String, problems: [Problem] = [], headers: HTTPFields = [:]) {
        self.code = code
        self.message = message
        self.problems = problems
        self.headers = headers
    }

    /// The envelope that every error has.
    func body(requestID: String) -> JSON {
        var error: JSONObject = [
            "code": .string(code.rawValue), "message": .string(message), "statusCode": .int(Int64(code.status.code)),
            "requestId": .string(requestID),
        ]
        if !problems.isEmpty {
            error["errors"] = .array(problems.map { .object($0.json) })
        }
        return ["success": false, "error": .object(error)]
    }
}

extension APIError.Problem {
    var json: JSONObject {
        var object: JSONObject = ["field": .string(field), "message": .string(message)]
        object["line"] = place.map { .int(Int64($0.line)) }
        object["column"] = place?.column.map { .int(Int64($0)) }
        return object
    }
}

extension APIError {
    /// - Parameter problems: at least one.
    static func invalid(_ problems: [Problem]) -> APIError {
        APIError(.validationError, "the request has invalid values", problems: problems)
    }

    static func methodNotAllowed(_ methods: [HTTPRequest.Method]) -> APIError {
        let list = methods.map(\.rawValue).joined(separator: ", ")
        return APIError(.methodNotAllowed, "this path has \(list) only", headers: [.allow: list])
    }

    /// RFC 9110 section 11.6.1 demands the challenge.
    static func unauthorized(_ message: String) -> APIError {
        APIError(.unauthorized, message, headers: [.wwwAuthenticate: "Bearer realm=\"postrider\""])
    }

    /// RFC 6750 section 3.1.
    static func forbidden(_ scope: KeyScope) -> APIError {
        APIError(
            .forbidden, "this key lacks the scope \(scope.text)",
            headers: [
                .wwwAuthenticate: "Bearer realm=\"postrider\", error=\"insufficient_scope\", scope=\"\(scope.text)\""
            ])
    }

    /// The database does not answer as it should; so far that always passed.
    static let unavailable = APIError(
        .serviceUnavailable, "the database does not answer; try again later", headers: [.retryAfter: "5"])

    static let unexpected = APIError(.internalError, "something went wrong here; the log has more under the request id")

    init(_ error: UseCaseError) {
        if error.code == .unauthorized {
            self = .unauthorized(error.description)
            return
        }
        let code: Code =
            switch error.code {
            case .notFound: .notFound
            case .invalid: .validationError
            case .reservedEvent: .reservedEvent
            case .workflowLocked: .workflowLocked
            case .triggerLocked: .triggerLocked
            case .workflowDisabled: .workflowDisabled
            case .reentryForbidden: .reentryForbidden
            case .executionActive: .executionActive
            case .executionFinal: .executionFinal
            case .executionNotFailed: .executionNotFailed
            case .conflict: .conflict
            case .unauthorized: .unauthorized
            case .forbidden: .forbidden
            case .rateLimited: .rateLimitExceeded
            case .idempotencyKeyReused: .idempotencyKeyReused
            case .invalidGraph: .invalidGraph
            case .eventInUse: .eventInUse
            case .queryTooSlow: .queryTooSlow
            }
        self.init(
            code, error.description,
            problems: error.problems.map { Problem(field: $0.path, message: $0.message, place: $0.place) },
            headers: code == .rateLimitExceeded ? [.retryAfter: "60"] : [:])
    }
}
