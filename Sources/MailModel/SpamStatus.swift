/// `X-Spam-Status: Yes, score=7.1 required=5.0 tests=…`, as SpamAssassin and amavis write it; rspamd's imitation has no
/// `required`.
struct SpamStatus: Hashable, Sendable {
    var isSpam: Bool
    var score: Double?
    var required: Double?
    /// The first word, as it was written.
    var word: String

    /// Nil when it begins with neither `Yes` nor `No`.
    init?(_ text: String) {
        let first = text.prefix { $0 != "," && $0 != " " }
        switch first.lowercased() {
        case "yes": isSpam = true
        case "no": isSpam = false
        default: return nil
        }
        word = String(first)
        for part in text.split(whereSeparator: { $0 == "," || $0 == " " }) {
            guard let sign = part.firstIndex(of: "=") else { continue }
            let number = Double(part[part.index(after: sign)...]).flatMap { $0.isFinite ? $0 : nil }
            switch part[..<sign] {
            // Very old versions say hits.
            case "score", "hits": score = score ?? number
            case "required": required = required ?? number
            default: continue
            }
        }
    }
}
