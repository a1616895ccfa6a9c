import MailModel

/// What a person wrote himself in a reply: without the mail that he answers and without signature.
package enum QuotedReply {
    /// The reply alone. What stands between or under quoted lines stays; a text that is nothing but quotation gives nothing.
    /// A forwarded message is content and stays.
    package static func stripped(_ text: String) -> String {
        let lines = TextLines(text, limit: 20_000)
        var attributions = Attributions(lines)
        var kept: [Int] = []
        var index = 0
        while index < lines.count {
            if let length = attributions.length(at: index) {
                let next = index + length
                let isMarked = firstText(lines, from: next).map { lines.isQuoted($0) } ?? false
                // Without signs nothing tells the quotation from what follows it: it is the rest.
                guard isMarked else { break }
                index = next
                continue
            }
            if isSeparator(lines, at: index) { break }
            if !lines.isQuoted(index) { kept.append(index) }
            index += 1
        }
        return lines.joined(Signature.removed(from: kept, of: lines))
    }

    fileprivate static func firstText(_ lines: TextLines, from index: Int) -> Int? {
        (index..<lines.count).first { !lines.isBlank($0) }
    }

    // MARK: Separators

    private static let rules = [
        "original message", "original appointment", "ursprüngliche nachricht", "originalnachricht", "message d'origine",
        "message original", "mensaje original", "messaggio originale", "oorspronkelijk bericht", "mensagem original",
        "ursprungligt meddelande", "oprindelig meddelelse", "opprinnelig melding", "alkuperäinen viesti",
        "wiadomość oryginalna", "původní zpráva", "eredeti üzenet", "исходное сообщение", "original-nachricht",
        "reply message", "原始邮件", "原始郵件", "元のメッセージ", "원본 메시지", "özgün ileti",
    ]

    private static let fromNames = [
        "from:", "von:", "de:", "de :", "da:", "van:", "från:", "fra:", "lähettäjä:", "od:", "от:", "kimden:", "发件人:",
        "发件人：", "寄件者:", "差出人:", "보낸 사람:", "feladó:",
    ]
    private static let dateNames = [
        "sent:", "date:", "gesendet:", "datum:", "envoyé:", "envoyé :", "date :", "enviado:", "enviado el:",
        "enviada em:", "fecha:", "inviato:", "data:", "verzonden:", "skickat:", "sendt:", "lähetetty:", "wysłano:",
        "odesláno:", "отправлено:", "дата:", "gönderildi:", "发送时间:", "发送时间：", "寄件日期:", "送信日時:", "보낸 날짜:", "elküldve:",
    ]
    private static let otherNames = [
        "to:", "an:", "à:", "à :", "para:", "a:", "aan:", "till:", "til:", "vastaanottaja:", "do:", "komu:", "кому:",
        "kime:", "subject:", "betreff:", "objet:", "objet :", "asunto:", "oggetto:", "onderwerp:", "assunto:", "ämne:",
        "emne:", "aihe:", "temat:", "předmět:", "тема:", "konu:", "收件人:", "收件人：", "主题:", "主题：", "宛先:", "件名:", "받는 사람:",
        "제목:", "tárgy:",
    ]

    /// A line between the reply and the mail below it: a ruled title, or the header that Outlook puts there.
    private static func isSeparator(_ lines: TextLines, at index: Int) -> Bool {
        guard mayBeSeparator(lines, index) else { return false }
        let line = lines[index].trimmingSigns().lowercased()
        if line.hasPrefix("-") || line.hasPrefix("_") || line.hasPrefix("=") {
            if rules.contains(where: { line.contains($0) }) { return true }
            let isRule =
                line.utf8.count >= 10 && line.utf8.allSatisfy { $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-") }
            return isRule && (firstText(lines, from: index + 1).map { isHeader(lines, at: $0) } ?? false)
        }
        return isHeader(lines, at: index)
    }

    /// Nearly every line is none, and is told by its first byte and its colons alone.
    private static func mayBeSeparator(_ lines: TextLines, _ index: Int) -> Bool {
        guard let first = lines.first(index) else { return false }
        switch first {
        case UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "="): return true
        // A blank or a mark of direction may stand before what counts.
        case 0x80...: return true
        default: return lines.hasEarlyColon(index)
        }
    }

    private static func isHeader(_ lines: TextLines, at index: Int) -> Bool {
        guard lines.hasEarlyColon(index) else { return false }
        let first = label(lines[index])
        guard fromNames.contains(where: { first.hasPrefix($0) }) else { return false }
        var hasDate = false
        var others = 0
        for next in (index + 1..<lines.count).prefix(8) {
            let label = label(lines[next])
            if dateNames.contains(where: { label.hasPrefix($0) }) { hasDate = true }
            if otherNames.contains(where: { label.hasPrefix($0) }) { others += 1 }
        }
        return others >= 1 && (hasDate || others >= 2)
    }

    /// The beginning of a line without the stars of bold text.
    private static func label(_ line: String) -> String {
        String(line.trimmingSigns().lowercased().filter { $0 != "*" }.prefix(24))
    }
}

/// The lines that introduce a quotation: "On Monday, Ann wrote:".
private struct Attributions {
    private let lines: TextLines
    /// How many lines each takes that was looked at, by the line it begins at; 0 where none begins.
    private var lengths: [Int: Int] = [:]

    init(_ lines: TextLines) { self.lines = lines }

    /// What ends "On Monday, Ann wrote:", by language.
    private static let verbs = [
        "wrote:", "writes:", "schrieb:", "schrieb am", "schreibt:", "a écrit :", "a écrit:", "a ecrit :",
        "a écrit\u{A0}:", "escribió:", "escribio:", "escribi\u{F3}:", "ha scritto:", "scrive:", "scritto:", "schreef:",
        "heeft geschreven:", "escreveu:", "skrev:", "skrev følgende:", "kirjoitti:", "napisał:", "napisał(a):",
        "napisała:", "napsal:", "napsal(a):", "napísal:", "írta:", "a scris:", "пишет:", "написал:", "написал(а):",
        "писал:", "пише:", "написа:", "yazdı:", "έγραψε:", "wrote :", "写道：", "写道:", "のメール:", "님이 작성:", "כתב:", "كتب:",
        "viết:", "wrote the following:", "said:",
    ]
    private static let beginnings: Phrases = [
        "on ", "am ", "le ", "el ", "il ", "op ", "em ", "den ", "d. ", "dne ", "w dniu ", "dnia ", "в ", "at ", "at:",
        "pe ", "pada ", "vào ", "于", "在", "20", "19", "> on ", "ma ", "ti. ", "to ", "on:",
    ]

    /// How many lines the attribution takes that begins here; nil when none does.
    mutating func length(at index: Int) -> Int? {
        // Whether one begins here depends on whether one begins at the next line. A run of such lines is done from its
        // end, each line once: a text of nothing else would be asked for ever, or end the stack.
        var end = index
        while end < lines.count, lengths[end] == nil, mayBegin(at: end) { end += 1 }
        for place in (index..<end).reversed() { lengths[place] = measured(at: place) ?? 0 }
        return known(at: index)
    }

    private func known(at index: Int) -> Int? { lengths[index].flatMap { $0 == 0 ? nil : $0 } }

    /// Nearly no line ends with a colon, and nothing else has to be looked at.
    private func mayBegin(at index: Int) -> Bool {
        let ends = (index..<min(index + 3, lines.count)).prefix { $0 == index || !lines.isBlank($0 - 1) }
        return ends.contains(where: endsWithColon) && lines.length(index) <= 400
    }

    /// The same for a line whose next one is known. Programs break an attribution into up to three lines.
    private func measured(at index: Int) -> Int? {
        var joined = ""
        for length in 1...3 where index + length <= lines.count {
            let line = lines[index + length - 1].trimmingSigns().lowercased()
            if line.isEmpty { return nil }
            joined += (joined.isEmpty ? "" : " ") + line
            guard Self.verbs.contains(where: { joined.hasSuffix($0) }) || Self.isReversed(joined) else { continue }
            // The line above an attribution is none of it.
            let startsAsOne = Self.beginnings.isPrefix(of: joined)
            if length > 1, known(at: index + 1) != nil {
                let next = lines[index + 1].trimmingSigns().lowercased()
                if !startsAsOne || Self.beginnings.isPrefix(of: next) { return nil }
            }
            let hasDate = joined.utf8.contains { $0 &- UInt8(ascii: "0") < 10 }
            let hasAddress = joined.utf8.contains(UInt8(ascii: "@"))
            let first = QuotedReply.firstText(lines, from: index + length)
            let isMarked = first.map { lines.isQuoted($0) } ?? false
            if (hasDate && (startsAsOne || hasAddress)) || (hasAddress && isMarked) || (hasDate && isMarked)
                || (isMarked && length == 1)
            {
                return length
            }
        }
        return nil
    }

    private func endsWithColon(_ index: Int) -> Bool {
        let last = lines.last(index)
        // The wide colon of East Asian text ends with this byte.
        return last == UInt8(ascii: ":") || last == 0x9A
    }

    /// Some languages and programs put the verb in the middle: `Am 3. März 2025 schrieb Ann:`, `Ann schrieb am 3. März 2025:`.
    private static func isReversed(_ line: String) -> Bool { line.hasSuffix(":") && middles.isFound(in: line) }

    private static let middles: Phrases = [
        " schrieb ", " a écrit le ", " wrote on ", " schreef ", " skrev ", " kirjoitti ", " escribió el ",
        " ha scritto il ",
        " escreveu em ", " napisał ", " написал ",
    ]
}

/// What stands under a mail by itself.
enum Signature {
    /// Sentences that programs add, at the beginning of the line in lower case.
    private static let advertisements = [
        "sent from my ", "sent from mail for", "sent from outlook", "sent from yahoo", "sent from proton",
        "sent from samsung", "sent via ", "sent with ", "get outlook for", "von meinem ", "gesendet von ",
        "gesendet mit ", "diese nachricht wurde von meinem", "holen sie sich outlook", "envoyé de mon ",
        "envoyé depuis ", "envoyé à partir", "télécharger outlook", "enviado desde mi ", "enviado do meu ",
        "enviado desde ", "enviado a partir", "inviato da ", "inviato dal ", "verstuurd vanaf ", "verzonden vanaf ",
        "skickat från ", "sendt fra min ", "lähetetty ", "wysłane z ", "odesláno z ", "отправлено с ", "отправлено из",
        "iphoneから送信", "発送自我的", "发自我的", "從我的",
    ]

    /// The lines of those that are no signature.
    static func removed(from kept: [Int], of lines: TextLines) -> [Int] {
        var kept = kept
        // The last delimiter that is not so far up that it cannot be one (RFC 3676 section 4.3).
        if let index = kept.suffix(30).lastIndex(where: { line in
            lines.first(line) == UInt8(ascii: "-") && delimiters.contains { lines.equals(line, $0) }
        }) {
            kept.removeSubrange(index...)
        }
        while let last = kept.last(where: { !lines.isBlank($0) }), isAdvertisement(lines[last]) {
            while let line = kept.popLast(), lines.isBlank(line) {}
        }
        return kept
    }

    private static let delimiters = ["-- ", "--", "--\u{A0}"]

    private static func isAdvertisement(_ line: String) -> Bool {
        let lowered = line.trimmingSigns().lowercased()
        return lowered.utf8.count <= 120 && advertisements.contains { lowered.hasPrefix($0) }
    }
}

extension String {
    /// Without blanks at both ends.
    fileprivate func trimmingSigns() -> String {
        var rest = self[...]
        while let first = rest.first, first.isWhitespace || first == "\u{200E}" || first == "\u{200F}" {
            rest = rest.dropFirst()
        }
        while let last = rest.last, last.isWhitespace { rest = rest.dropLast() }
        return String(rest)
    }
}
