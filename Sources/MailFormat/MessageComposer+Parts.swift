import MailModel

// How the parts of a mail stand within each other (RFC 2046 section 5.1, RFC 2387):
//
//   multipart/mixed            when there are files beside the text
//     multipart/related        when there are files within the HTML
//       multipart/alternative  when there is HTML
//         text/plain
//         text/html
//       image/png …
//     application/pdf …
//
// A level with one part alone is left out.

extension MessageComposer {
    /// A part, or a multipart: fields, blank line, content.
    struct Entity {
        var header: HeaderWriter
        var content: [UInt8]

        func append(to bytes: inout [UInt8]) {
            bytes.append(contentsOf: header.bytes)
            bytes.append(contentsOf: [0x0D, 0x0A])
            bytes.append(contentsOf: content)
        }
    }

    /// What stands after the fields of the mail: the fields of its content among them.
    static func body(of draft: MailDraft) throws(CompositionError) -> Entity {
        var entity = text(of: draft)
        let inline = draft.files.filter { $0.contentID != nil }
        let beside = draft.files.filter { $0.contentID == nil }
        if !inline.isEmpty {
            let root = draft.html == nil ? "text/plain" : "multipart/alternative"
            entity = multipart(
                "related", ["type=\"\(root)\";"], [entity] + (try files(inline)),
                boundary: "=_related-" + draft.boundary)
        }
        if !beside.isEmpty {
            entity = multipart("mixed", [], [entity] + (try files(beside)), boundary: "=_mixed-" + draft.boundary)
        }
        return entity
    }

    private static func text(of draft: MailDraft) -> Entity {
        guard let html = draft.html else { return part(EncodedBody(draft.text ?? "", subtype: "plain")) }
        let text = draft.text ?? PlainText.from(html: html)
        return multipart(
            "alternative", [],
            [part(EncodedBody(text, subtype: "plain")), part(EncodedBody(html, subtype: "html"))],
            boundary: "=_" + draft.boundary)
    }

    private static func part(_ body: EncodedBody) -> Entity {
        var header = HeaderWriter()
        header.words("Content-Type", ["text/\(body.subtype);", "charset=utf-8"])
        header.words("Content-Transfer-Encoding", [body.encoding.rawValue])
        return Entity(header: header, content: body.bytes)
    }

    /// `=_` stands in no line of quoted-printable or base64, so no content can hold the boundary (RFC 2045 section 6.7).
    private static func multipart(
        _ subtype: String, _ parameters: [String], _ parts: [Entity], boundary: String
    ) -> Entity {
        var header = HeaderWriter()
        header.words("Content-Type", ["multipart/\(subtype);"] + parameters + ["boundary=\"\(boundary)\""])
        var content: [UInt8] = []
        content.reserveCapacity(parts.reduce(0) { $0 + $1.header.bytes.count + $1.content.count + 128 } + 128)
        for part in parts {
            content.append(contentsOf: "\r\n--\(boundary)\r\n".utf8)
            part.append(to: &content)
        }
        content.append(contentsOf: "\r\n--\(boundary)--\r\n".utf8)
        return Entity(header: header, content: content)
    }

    // MARK: Files

    private static func files(_ files: [AttachedFile]) throws(CompositionError) -> [Entity] {
        var entities: [Entity] = []
        for file in files { entities.append(try entity(file)) }
        return entities
    }

    private static func entity(_ file: AttachedFile) throws(CompositionError) -> Entity {
        guard AttachedFile.isContentType(file.contentType) else {
            throw CompositionError(.invalidFile, field: "Content-Type")
        }
        var header = HeaderWriter()
        header.words("Content-Type", [writtenType(file.contentType)])
        header.words("Content-Transfer-Encoding", ["base64"])
        header.words(
            "Content-Disposition",
            [file.contentID == nil ? "attachment;" : "inline;"] + filenameWords(HeaderWriter.cleaned(file.filename)))
        if let id = file.contentID {
            guard AttachedFile.isContentID(id) else { throw CompositionError(.invalidFile, field: "Content-ID") }
            header.words("Content-ID", ["<\(id)>"])
        }
        return Entity(header: header, content: EncodedBody.base64(of: file.bytes))
    }

    /// A message or a multipart must not be encoded (RFC 2046 sections 5.1 and 5.2.1), and a file has to be.
    private static func writtenType(_ type: String) -> String {
        let lower = type.lowercased()
        return lower.hasPrefix("message/") || lower.hasPrefix("multipart/") ? "application/octet-stream" : type
    }

    /// Bytes of a name that one parameter holds.
    private static let filenamePiece = 60

    /// In quotes where it is short ASCII; otherwise percent-encoded, in pieces where it is long (RFC 2231 sections 3 and 4).
    private static func filenameWords(_ name: String) -> [String] {
        if name.utf8.count <= filenamePiece, name.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) {
            var quoted = ""
            for character in name {
                if character == "\"" || character == "\\" { quoted.append("\\") }
                quoted.append(character)
            }
            return ["filename=\"\(quoted)\""]
        }
        var pieces = [""]
        for byte in name.utf8 {
            let isPlain =
                byte &- UInt8(ascii: "0") < 10 || (byte | 0x20) &- UInt8(ascii: "a") < 26
                || [UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_")].contains(byte)
            let text =
                isPlain
                ? String(UnicodeScalar(byte))
                : "%" + String(decoding: [Hex.digits[Int(byte >> 4)], Hex.digits[Int(byte & 15)]], as: UTF8.self)
            if pieces[pieces.count - 1].utf8.count + text.utf8.count > filenamePiece { pieces.append("") }
            pieces[pieces.count - 1] += text
        }
        if pieces.count == 1 { return ["filename*=utf-8''\(pieces[0])"] }
        return pieces.enumerated().map { index, piece in
            "filename*\(index)*=\(index == 0 ? "utf-8''" : "")\(piece)" + (index + 1 < pieces.count ? ";" : "")
        }
    }
}
