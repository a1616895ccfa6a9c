/// What became of a call when nothing will be tried any more.
package enum WebhookAnswer: Hashable, Sendable {
    /// A status of 200 to 299. Header names are in lower case, the values of a repeated one joined with a comma; `body`
    /// is the beginning when `isBodyTruncated`.
    case succeeded(
        call: Identifier, status: Int, headers: [String: String], body: String, isBodyTruncated: Bool, attempts: Int)
    /// `status` is the last one heard, if any.
    case failed(call: Identifier, reason: String, status: Int?, attempts: Int)

    /// The request's id.
    package var call: Identifier {
        switch self {
        case .succeeded(let call, _, _, _, _, _), .failed(let call, _, _, _): call
        }
    }
}

extension WebhookAnswer {
    package var attempts: Int {
        switch self {
        case .succeeded(_, _, _, _, _, let attempts), .failed(_, _, _, let attempts): attempts
        }
    }
}
