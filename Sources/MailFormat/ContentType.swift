import CGMime
import MailModel

/// Content-Type with the parameters that reading needs (RFC 2045 section 5, RFC 2231).
package struct ContentType: Hashable, Sendable {
    /// In lower case: `text`.
    package var type: String
    /// In lower case: `plain`.
    package var subtype: String
    /// The sender's word, as it stands.
    package var charset: String?
    /// What separates the parts of a multipart (RFC 2046 section 5.1.1).
    package var boundary: String?
    /// An old place for the file name, decoded.
    package var name: String?
    /// `report-type` of multipart/report (RFC 6522), in lower case.
    package var reportType: String?

    /// What a part without the field is (RFC 2045 section 5.2).
    package static let plainText = ContentType(type: "text", subtype: "plain")

    /// True for every `multipart/…`.
    package var isMultipart: Bool { type == "multipart" }
    /// True for every `text/…`.
    package var isText: Bool { type == "text" }

    /// `text/plain`.
    package var essence: String { type + "/" + subtype }

    /// A type without parameters; both words in lower case.
    package init(type: String, subtype: String) {
        self.type = type
        self.subtype = subtype
    }

    /// Nil when the value has no type and subtype.
    init?(_ value: [UInt8]) {
        let parsed = HeaderDecoder.withCString(CharsetNames.tamed(value, hasParameters: true)) {
            g_mime_content_type_parse(GMimeRuntime.options, $0)
        }
        guard let parsed else { return nil }
        defer { g_object_unref(parsed) }
        guard value.contains(UInt8(ascii: "/")) else { return nil }
        type = ContentType.string(g_mime_content_type_get_media_type(parsed))?.lowercased() ?? ""
        subtype = ContentType.string(g_mime_content_type_get_media_subtype(parsed))?.lowercased() ?? ""
        guard !type.isEmpty, !subtype.isEmpty else { return nil }
        charset = ContentType.string(g_mime_content_type_get_parameter(parsed, "charset"))
        boundary = ContentType.string(g_mime_content_type_get_parameter(parsed, "boundary"))
        name = ContentType.string(g_mime_content_type_get_parameter(parsed, "name"))
        reportType = ContentType.string(g_mime_content_type_get_parameter(parsed, "report-type"))?.lowercased()
    }

    private static func string(_ pointer: UnsafePointer<CChar>?) -> String? { pointer.map { String(cString: $0) } }
}

/// Content-Disposition (RFC 2183).
struct ContentDisposition {
    /// In lower case: `attachment`, `inline`.
    var kind: String
    var filename: String?

    /// Nil when there is nothing.
    init?(_ value: [UInt8]) {
        let parsed = HeaderDecoder.withCString(CharsetNames.tamed(value, hasParameters: true)) {
            g_mime_content_disposition_parse(GMimeRuntime.options, $0)
        }
        guard let parsed else { return nil }
        defer { g_object_unref(parsed) }
        kind = g_mime_content_disposition_get_disposition(parsed).map { String(cString: $0) }?.lowercased() ?? ""
        filename = g_mime_content_disposition_get_parameter(parsed, "filename").map { String(cString: $0) }
    }
}
