import JSONValue
import WorkflowModel

/// Signs calls as Standard Webhooks says (https://github.com/standard-webhooks/standard-webhooks, version 1): an
/// HMAC-SHA-256 over id, time and body.
struct WebhookSignature {
    let cryptography: any Cryptography
    let secret: WebhookSecret

    /// The three header fields of an attempt at that time. After a rotation both secrets sign for a day, so that a
    /// receiver that knows either of them believes the call.
    func headers(id: String, body: [UInt8], at time: Timestamp) -> [WebhookRequest.Header] {
        let seconds = "\(time.microseconds / 1_000_000)"
        let signed = Array("\(id).\(seconds).".utf8) + body
        var keys = [secret.bytes]
        if let previous = secret.previous, let end = secret.previousEnds, time < end { keys.append(previous) }
        let signatures = keys.map { "v1,\(Base64URL.standard(cryptography.authenticationCode(of: signed, key: $0)))" }
        return [
            .init(name: "webhook-id", value: id), .init(name: "webhook-timestamp", value: seconds),
            .init(name: "webhook-signature", value: signatures.joined(separator: " ")),
        ]
    }
}

extension WebhookSecret {
    /// As receivers configure it.
    package var text: String { "whsec_\(Base64URL.standard(bytes))" }
}

extension Base64URL {
    /// With the usual alphabet and padding (RFC 4648 section 4).
    static func standard(_ bytes: [UInt8]) -> String {
        let digits = encode(bytes).map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 }
        return String(digits) + String(repeating: "=", count: (4 - digits.count % 4) % 4)
    }
}
