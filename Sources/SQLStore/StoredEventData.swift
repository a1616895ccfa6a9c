import Engine
import JSONValue
import WorkflowModel

/// An event's data as the table keeps it: what is only another view of its text is not written again.
///
/// `email.received` has the text of a mail up to three times: as it is, without quotation and signature, which mostly is its
/// beginning, and as HTML. In place of `strippedText` a number says how many bytes of `text` it is; in place of `body`, true says that
/// it is the text as HTML. Two thirds of such an event's bytes are neither written nor read then. Only where the data is of our own
/// making: a client's may have a number or true there.
enum StoredEventData {
    private static let text = "text"
    private static let stripped = "strippedText"
    private static let html = "body"

    static func kept(_ data: JSONObject, of name: String, from source: Event.Source) -> JSONObject {
        guard isMail(name, source), let text = data[text]?.stringValue else { return data }
        var kept = data
        if let stripped = data[stripped]?.stringValue, isBeginning(stripped, of: text) {
            kept[Self.stripped] = .int(Int64(stripped.utf8.count))
        }
        if let html = data[html]?.stringValue, TextAsHTML.isHTML(html, of: text) { kept[Self.html] = true }
        return kept
    }

    /// The data as it was given to `kept`.
    static func whole(_ kept: JSONObject, of name: String, from source: Event.Source) -> JSONObject {
        guard isMail(name, source), let text = kept[text]?.stringValue else { return kept }
        var data = kept
        if case .int(let count) = kept[stripped], let count = Int(exactly: count), count >= 0 {
            data[stripped] = .string(String(decoding: text.utf8.prefix(count), as: UTF8.self))
        }
        if kept[html] == true { data[html] = .string(TextAsHTML.html(text)) }
        return data
    }

    private static func isMail(_ name: String, _ source: Event.Source) -> Bool {
        source == .system && (name == EventName.emailReceived || name == EventName.emailReplied)
    }

    /// By bytes: a text with other accents of the same meaning is another one.
    private static func isBeginning(_ beginning: String, of text: String) -> Bool {
        var (beginning, text) = (beginning, text)
        return beginning.withUTF8 { beginning in text.withUTF8 { $0.starts(with: beginning) } }
    }
}
