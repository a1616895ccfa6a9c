import Engine
import HTTPTypes
import Hummingbird
import NIOCore

// What a GET does is to show: scanners fetch every address in a mail. A POST of the token's holder acts, whatever its
// body says, because mail programs cannot be asked again (RFC 8058 section 3.2).

extension APIResponder {
    /// Bytes of a form that is read: none of ours comes near.
    private static let formLimit = 64 * 1024

    /// The page that ends a subscription, and the address that mail programs call.
    func unsubscribe(_ exchange: inout Exchange) async throws -> Response {
        let token = exchange.parameters.first ?? ""
        let optOuts = OptOuts(context: context)
        do {
            guard exchange.request.method == .post else {
                guard let standing = try await optOuts.standing(token, kind: .unsubscribe) else {
                    return try page(.notFound, .notFound, exchange)
                }
                return try page(.unsubscribe, .ok, exchange, about: standing)
            }
            let form = FormBody(try await exchange.readBytes(upTo: Self.formLimit, within: configuration.bodyTimeout))
            guard let standing = try await optOuts.unsubscribe(token, reason: form.isOneClick ? .oneClick : .page)
            else { return try page(.notFound, .notFound, exchange) }
            return try page(.unsubscribed, .ok, exchange, about: standing)
        } catch is StoreError {
            return try unavailablePage(exchange)
        }
    }

    /// The page where a reader chooses what to get.
    func preferences(_ exchange: inout Exchange) async throws -> Response {
        let token = exchange.parameters.first ?? ""
        let optOuts = OptOuts(context: context)
        do {
            guard exchange.request.method == .post else {
                guard let standing = try await optOuts.standing(token, kind: .preferences) else {
                    return try page(.notFound, .notFound, exchange)
                }
                return try page(.preferences, .ok, exchange, about: standing)
            }
            let form = FormBody(try await exchange.readBytes(upTo: Self.formLimit, within: configuration.bodyTimeout))
            // A box that is not ticked is not in the form, and neither is one of a form that is none of ours.
            guard form.values("form") == ["preferences"] else {
                guard let standing = try await optOuts.standing(token, kind: .preferences) else {
                    return try page(.notFound, .notFound, exchange)
                }
                return try page(.preferences, .ok, exchange, about: standing)
            }
            let standing = try await optOuts.save(
                token, subscribed: form.values("subscribed") == ["yes"], chosenTopics: Set(form.values("topic")))
            guard let standing else { return try page(.notFound, .notFound, exchange) }
            return try page(.preferences, .ok, exchange, about: standing, isSaved: true)
        } catch is StoreError {
            return try unavailablePage(exchange)
        }
    }

    // MARK: Pages

    /// For a link that leads nowhere: it says so and nothing else.
    func notFoundPage(_ exchange: Exchange) throws -> Response { try page(.notFound, .notFound, exchange) }

    private func unavailablePage(_ exchange: Exchange) throws -> Response {
        var response = try page(.unavailable, .serviceUnavailable, exchange)
        response.headers[.retryAfter] = "5"
        return response
    }

    private func page(
        _ name: PublicPages.Name, _ status: HTTPResponse.Status, _ exchange: Exchange,
        about standing: OptOuts.Standing? = nil, isSaved: Bool = false
    ) throws -> Response {
        guard let pages = configuration.pages else { throw APIError.unexpected }
        let nonce = Base64URL.encode(context.cryptography.randomBytes(16))
        let reader = PublicPages.Reader(acceptLanguage: exchange.request.headers[.acceptLanguage])
        let page = try pages.page(name, for: reader, about: standing, isSaved: isSaved, nonce: nonce)
        return Response(
            status: status, headers: Self.pageHeaders(nonce: nonce, language: page.language),
            body: ResponseBody(byteBuffer: ByteBuffer(string: page.html)))
    }

    /// The address of such a page is a secret and its content personal: nobody keeps it, frames it, or learns of it from
    /// the page's own requests, of which there are none.
    private static func pageHeaders(nonce: String, language: String) -> HTTPFields {
        [
            .contentType: "text/html; charset=utf-8",
            .contentLanguage: language,
            .cacheControl: "no-store",
            .contentSecurityPolicy: """
            default-src 'none'; style-src 'nonce-\(nonce)'; img-src data:; form-action 'self'; base-uri 'none'; \
            frame-ancestors 'none'
            """,
            .xContentTypeOptions: "nosniff",
            .frameOptions: "DENY",
            .referrerPolicy: "no-referrer",
            .robotsTag: "noindex, nofollow",
            .vary: "Accept-Language",
        ]
    }
}
