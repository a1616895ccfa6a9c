/// What a webhook step may say in header fields of its own. Applied when the step is saved and, to the values, again when
/// they are rendered.
package enum WebhookHeaderRule {
    /// Fields of a call, and bytes of one value.
    package static let countLimit = 50
    package static let valueLimit = 8192

    /// In lower case: what frames the message or belongs to the connection, what proves who sent it, and what proxies
    /// along the way would take for theirs.
    private static let reserved: Set<String> = [
        "host", "content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "te", "trailer", "expect",
        "proxy-connection", "proxy-authorization", "webhook-id", "webhook-timestamp", "webhook-signature",
    ]

    /// Why no field of that name may be set: a sentence without its subject; nil when nothing speaks against it.
    package static func objection(toName name: String) -> String? {
        guard !name.isEmpty, name.utf8.count <= 128, name.utf8.allSatisfy(isTokenByte) else {
            return "is no name of a header field (letters, digits and !#$%&'*+-.^_`|~, at most 128)"
        }
        return reserved.contains(name.lowercased()) ? "is set by Postrider itself" : nil
    }

    /// The same for a value; the text of a template counts as one.
    package static func objection(toValue value: String) -> String? {
        guard value.utf8.count <= valueLimit else { return "is longer than \(valueLimit) bytes" }
        // A line end would begin another field (RFC 9110 section 5.5).
        guard value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else {
            return "holds a line end or another control character"
        }
        return nil
    }

    /// RFC 9110 section 5.6.2.
    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}

extension WebhookRequest {
    package static let methods: Set<String> = ["GET", "POST", "PUT", "PATCH", "DELETE"]

    /// Why this call cannot be made as it is rendered: a sentence; nil when nothing speaks against it.
    package var objection: String? {
        guard Self.methods.contains(method) else {
            return "the method \(method) is none of GET, POST, PUT, PATCH, DELETE"
        }
        do throws(WebhookURL.Objection) { _ = try WebhookURL(url) } catch { return "the url \(error)" }
        guard headers.count <= WebhookHeaderRule.countLimit else {
            return "there are more than \(WebhookHeaderRule.countLimit) headers"
        }
        for header in headers {
            if let fault = WebhookHeaderRule.objection(toName: header.name) {
                return "the header \(header.name) \(fault)"
            }
            if let fault = WebhookHeaderRule.objection(toValue: header.value) {
                return "the value of the header \(header.name) \(fault)"
            }
        }
        return nil
    }
}
