import JSONValue
import MailFormat
import MailModel

/// One message of the MIME corpus, with another parser's reading.
package struct MimeCase: Sendable {
    package var name: String
    package var bytes: [UInt8]
    package var reading: JSON

    /// Every message of the corpus in order of the names.
    package static func all(in folder: CorpusFolder) throws -> [MimeCase] {
        try folder.files(in: "mime", suffix: ".eml").map { name in
            let reading = try folder.read("mime/\(name.dropLast(4)).json")
            return MimeCase(
                name: name, bytes: try folder.read("mime/\(name)"), reading: try JSONParser.parse(reading))
        }
    }

    package var message: ReceivedMessage {
        let (headers, body) = MessageReader.split(bytes)
        return ReceivedMessage(headers: headers, body: body)
    }

    /// What differs between our reading and the other; empty when nothing does.
    package var differences: [String] { differences(withDoubtful: false) }

    /// The same where what the other parser itself could not read does not count: a character that it replaced stands for any
    /// other, and a part that it flags as broken, or a multipart in which it finds no parts, may be text to us and an
    /// attachment to it.
    package var seriousDifferences: [String] {
        differences.isEmpty ? [] : differences(withDoubtful: true)
    }

    private func differences(withDoubtful isLenient: Bool) -> [String] {
        let read = MessageReader.read(message)
        var differences: [String] = []
        func compare(_ what: String, _ ours: String, _ theirs: String) {
            let isEqual = ours == theirs || (isLenient && matches(ours, theirs))
            if !isEqual { differences.append("\(what) is \"\(ours.prefix(80))\", theirs \"\(theirs.prefix(80))\"") }
        }
        compare("text", squeezed(read.textBody ?? ""), squeezed(bodies("text_body", kind: "Text", isLenient)))
        compare("HTML", squeezed(read.htmlBody ?? ""), squeezed(bodies("html_body", kind: "Html", isLenient)))
        let theirs = indices("attachments").filter { !isLenient || !isDoubtful($0) }.map(attachmentName)
        let ours = read.attachments.map { $0.filename ?? "" }
        if ours.count != theirs.count {
            differences.append("\(ours.count) attachments \(ours), theirs \(theirs.count) \(theirs)")
        }
        for (our, their) in zip(ours, theirs) { compare("attachment", squeezed(our), squeezed(their)) }
        return differences
    }

    private func indices(_ list: String) -> [Int] {
        (reading[list]?.arrayValue ?? []).compactMap(\.intValue).map(Int.init).filter(parts.indices.contains)
    }

    private func isDoubtful(_ index: Int) -> Bool {
        guard parts[index]["body"]?["Text"] != nil else { return false }
        let isBrokenMultipart = type(of: index)?["c_type"]?.stringValue?.lowercased() == "multipart"
        return isBrokenMultipart || parts[index]["is_encoding_problem"] == .bool(true)
    }

    private func isHTML(_ index: Int) -> Bool {
        type(of: index)?["c_subtype"]?.stringValue?.lowercased() == "html"
    }

    private func type(of index: Int) -> JSON? {
        let headers = parts[index]["headers"]?.arrayValue ?? []
        return headers.first { $0["name"]?.stringValue == "content_type" }?["value"]?["ContentType"]
    }

    /// Equal but for characters that the other replaced.
    private func matches(_ ours: String, _ theirs: String) -> Bool {
        let ours = Array(ours.unicodeScalars)
        let theirs = Array(theirs.unicodeScalars)
        return ours.count == theirs.count && zip(ours, theirs).allSatisfy { $0 == $1 || $1 == "\u{FFFD}" }
    }

    private var parts: [JSON] { reading["parts"]?.arrayValue ?? [] }

    /// The decoded parts of one kind that a list refers to.
    private func bodies(_ list: String, kind: String, _ isLenient: Bool) -> String {
        var chosen = indices(list).filter { parts[$0]["body"]?[kind] != nil }
        var texts = Dictionary(uniqueKeysWithValues: chosen.map { ($0, parts[$0]["body"]?[kind]?.stringValue ?? "") })
        if isLenient {
            for index in indices("attachments") where isDoubtful(index) && isHTML(index) == (kind == "Html") {
                chosen.append(index)
                texts[index] = parts[index]["body"]?["Text"]?.stringValue ?? ""
            }
        }
        return chosen.sorted().map { texts[$0] ?? "" }.joined(separator: "\n")
    }

    private func attachmentName(_ index: Int) -> String {
        guard parts.indices.contains(index) else { return "" }
        let headers = parts[index]["headers"]?.arrayValue ?? []
        for (field, attribute) in [("content_disposition", "filename"), ("content_type", "name")] {
            let value = headers.first { $0["name"]?.stringValue == field }?["value"]?["ContentType"]
            let found = value?["attributes"]?.arrayValue?.first { $0["name"]?.stringValue == attribute }
            if let name = found?["value"]?.stringValue { return name }
        }
        return ""
    }

    /// Blanks tell nothing: one parser keeps the last line end and another does not.
    private func squeezed(_ text: String) -> String {
        text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }
}

extension Agreement {
    /// How many messages are read as the other parser reads them: texts, HTML, number and names of attachments. What differs
    /// only where the other parser says itself that it could not read is named and counts as agreement.
    package static func mime(in folder: CorpusFolder) throws -> Agreement {
        var agreement = Agreement(corpus: "mime")
        var strict = Agreement(corpus: "to the letter")
        for mime in try MimeCase.all(in: folder) {
            let differences = mime.differences
            let serious = mime.seriousDifferences
            strict.count(differences.isEmpty, "")
            agreement.count(serious.isEmpty, "\(mime.name): \(serious.joined(separator: "; "))")
            if serious.isEmpty, !differences.isEmpty {
                agreement.notes.append("doubtful: \(mime.name): \(differences.joined(separator: "; "))")
            }
        }
        agreement.notes.append("\(strict.corpus): \(strict.share)")
        return agreement
    }
}
