import HTTPTypes

extension HTTPField.Name {
    static let requestID = known("X-Request-Id")
    static let idempotencyKey = known("Idempotency-Key")
    static let idempotentReplayed = known("Idempotent-Replayed")
    /// As in the drafts of draft-ietf-httpapi-ratelimit-headers before 08.
    static let rateLimit = known("RateLimit-Limit")
    static let rateLimitRemaining = known("RateLimit-Remaining")
    static let rateLimitReset = known("RateLimit-Reset")
    static let forwardedFor = known("X-Forwarded-For")
    static let pragma = known("Pragma")
    static let referrerPolicy = known("Referrer-Policy")
    static let frameOptions = known("X-Frame-Options")
    static let robotsTag = known("X-Robots-Tag")
    /// Global Privacy Control (W3C).
    static let globalPrivacyControl = known("Sec-GPC")
    /// Tracking Preference Expression (W3C).
    static let doNotTrack = known("DNT")

    private static func known(_ text: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(text) else { preconditionFailure("\(text) is not a field name") }
        return name
    }
}
