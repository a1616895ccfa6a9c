import HTTPTypes

extension HTTPField.Name {
    static let requestID = known("X-Request-Id")
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
