import HTTPTypes

/// The header fields that are asked for in nearly every request, found in one pass: the framework's subscript goes through
/// all fields for each name, and puts every value together anew.
struct RequestFields {
    private(set) var authorization: String?
    private(set) var contentType: String?
    private(set) var contentLength: String?
    private(set) var contentEncoding: String?
    private(set) var transferEncoding: String?
    private(set) var idempotencyKey: String?

    init(_ fields: HTTPFields) {
        for field in fields {
            let name = field.name.canonicalName
            // All of them differ in length.
            switch name.utf8.count {
            case 12 where name == "content-type": Self.note(field, in: &contentType)
            case 13 where name == "authorization": Self.note(field, in: &authorization)
            case 14 where name == "content-length": Self.note(field, in: &contentLength)
            case 15 where name == "idempotency-key": Self.note(field, in: &idempotencyKey)
            case 16 where name == "content-encoding": Self.note(field, in: &contentEncoding)
            case 17 where name == "transfer-encoding": Self.note(field, in: &transferEncoding)
            default: break
            }
        }
    }

    /// A field that is sent several times is a list (RFC 9110 section 5.3).
    private static func note(_ field: HTTPField, in value: inout String?) {
        value = value.map { "\($0), \(field.value)" } ?? field.value
    }
}
