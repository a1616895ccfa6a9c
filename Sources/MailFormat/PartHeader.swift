import MailModel

/// The fields that say what a part is.
struct PartHeader {
    var contentType = ContentType.plainText
    var encoding = TransferEncoding.identity
    var disposition: String?
    var filename: String?
    var contentID: String?

    /// Reads the first field of each name; `defaultType` is what a part without Content-Type is.
    init(_ fields: [HeaderField], defaultType: ContentType, decoder: inout HeaderDecoder) {
        contentType = defaultType
        var seen: Set<String> = []
        for field in fields where field.name.utf8.count >= 10 && field.name.utf8.count <= 25 {
            let name = field.name.lowercased()
            guard name.hasPrefix("content-"), seen.insert(name).inserted else { continue }
            read(name, field, decoder: &decoder)
        }
        if filename == nil { filename = contentType.name.map(HeaderDecoder.withoutControls) }
    }

    private mutating func read(_ name: String, _ field: HeaderField, decoder: inout HeaderDecoder) {
        switch name {
        case "content-type":
            let value = decoder.unfolded(field)
            if let type = ContentType(value) {
                contentType = type
            } else {
                contentType = .plainText
                if !value.isEmpty { decoder.defects.note(.invalidContentType) }
            }
        case "content-transfer-encoding":
            if let known = TransferEncoding(name: field.text) {
                encoding = known
            } else {
                decoder.defects.note(.unknownEncoding)
            }
        case "content-disposition":
            let value = ContentDisposition(decoder.unfolded(field))
            disposition = value.flatMap { $0.kind.isEmpty ? nil : $0.kind }
            filename = value?.filename.map(HeaderDecoder.withoutControls)
        case "content-id": contentID = decoder.identifiers(field).first
        default: break
        }
    }
}
