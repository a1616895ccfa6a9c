import JSONValue
import MailFormat
import MailModel
import Testing

/// The corpus' own reading is another parser's opinion, so agreement is measured, with a floor below what was reached.
struct CorpusTests {
    private struct Score {
        var agreed = 0
        var compared = 0
        var differing: [String] = []

        mutating func count(_ isEqual: Bool, _ name: String) {
            compared += 1
            if isEqual { agreed += 1 } else { differing.append(name) }
        }
    }

    @Test func corpusIsReadAsAnotherParserReadsIt() throws {
        guard let entries = try Corpus.entries() else {
            print("SKIP: no message corpus (POSTRIDER_CORPORA or ../shared/corpora)")
            return
        }
        var scores: [String: Score] = [:]
        for entry in entries {
            let read = MessageReader.read(entry.message)
            compare(entry, read) { scores[$0, default: Score()].count($1, entry.name) }
        }
        for (field, score) in scores.sorted(by: { $0.key < $1.key }) {
            print("corpus mime \(field): \(score.agreed) of \(score.compared); differing: \(score.differing)")
            #expect(score.agreed * 100 >= score.compared * 90, "\(field): \(score.differing)")
        }
        #expect(scores["text"]?.compared ?? 0 > 20)
    }

    private func compare(_ entry: Corpus.Entry, _ read: ReadMessage, _ note: (String, Bool) -> Void) {
        if let subject = entry.reading.rootField("subject")?["Text"]?.stringValue {
            note("subject", squeezed(subject) == squeezed(read.subject))
        }
        if let id = entry.reading.rootField("message_id")?["Text"]?.stringValue {
            note("message-id", id == read.messageID)
        }
        if let from = entry.reading.rootField("from")?["Address"]?["List"]?.arrayValue?.first {
            let name = from["name"]?.stringValue.map(squeezed)
            let isEqual = from["address"]?.stringValue == read.from?.address.description
            note("from", isEqual && name == read.from?.name.map(squeezed))
        }
        if let text = plainText(of: entry.reading) { note("text", squeezed(text) == squeezed(read.textBody ?? "")) }
    }

    /// The other parser's text, where all of it is text/plain.
    private func plainText(of reading: JSON) -> String? {
        guard let indices = reading["text_body"]?.arrayValue?.compactMap(\.intValue), !indices.isEmpty else {
            return nil
        }
        guard let parts = reading["parts"]?.arrayValue else { return nil }
        var text = ""
        for index in indices {
            guard parts.indices.contains(Int(index)) else { return nil }
            let part = parts[Int(index)]
            guard let body = part["body"]?["Text"]?.stringValue else { return nil }
            let type = part["headers"]?.arrayValue?.first { $0["name"]?.stringValue == "content_type" }
            let subtype = type?["value"]?["ContentType"]?["c_subtype"]?.stringValue ?? "plain"
            guard subtype.lowercased() == "plain" else { return nil }
            text += body + "\n"
        }
        return text
    }

    private func squeezed(_ text: String) -> String {
        text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }
}
