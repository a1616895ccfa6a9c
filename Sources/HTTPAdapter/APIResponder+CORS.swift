import Engine
import HTTPTypes
import Hummingbird

// Pages of any origin may track events with a public key, which everybody can read in them anyway. No other path allows
// requests of pages, and none allows cookies.

extension Endpoint {
    /// Whether pages of other origins may use it.
    var isOpenToPages: Bool { self == .track || self == .trackBatch }
}

extension APIResponder {
    /// The answer to a preflight request (fetch.spec.whatwg.org, section 3.3).
    static func preflight(_ endpoint: Endpoint) -> Response {
        let methods = endpoint.methods.filter { $0 != .options }.map(\.rawValue).joined(separator: ", ")
        return Response(
            status: .noContent,
            headers: [
                .accessControlAllowMethods: methods,
                .accessControlAllowHeaders: "Authorization, Content-Type, Idempotency-Key",
                .accessControlMaxAge: "86400", .cacheControl: "no-store",
            ])
    }

    /// An answer to a secret key is for no page: such a key has no business in one.
    static func open(_ response: inout Response, toPagesWith key: APIKey?) {
        guard key?.kind != .secret else { return }
        for field in openness { response.headers.append(field) }
    }

    private static let openness = [
        HTTPField(name: .accessControlAllowOrigin, value: "*"),
        HTTPField(
            name: .accessControlExposeHeaders,
            value: "X-Request-Id, Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, "
                + "Idempotent-Replayed"),
    ]
}
