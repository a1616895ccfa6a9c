import MailModel

/// Answers that a program gave for a person: away, received, moved.
struct AutomaticReplyReader {
    let message: ReceivedMessage
    let read: ReadMessage
    /// The day from which dates without a year are reckoned.
    let today: CalendarDate?

    /// Nil when the message is none.
    func recognition() -> Recognition? {
        var evidence: [MailEvidence] = []
        let submitted = message.headers(named: "Auto-Submitted").map(AutomaticMail.token)
        if submitted.contains("auto-replied") || submitted.contains("auto-response") { evidence.append(.autoSubmitted) }
        if hasReplyField { evidence.append(.automaticField) }
        if AutomaticSubjects.matches(read.subject) { evidence.append(.automaticSubject) }
        guard !evidence.isEmpty else { return nil }
        // A subject alone is what people write too, unless nobody is to be answered.
        if evidence == [.automaticSubject], !message.reversePath.isEmpty, !AutomaticSubjects.isCertain(read.subject) {
            return nil
        }
        let text = String(read.text.prefix(4000)).lowercased()
        let isAway = AbsencePhrases.isAway(subject: read.subject.lowercased(), text: text)
        if isAway { evidence.append(.automaticText) }
        let reply = AutomaticReply(
            kind: isAway
                ? .outOfOffice
                : AbsencePhrases.isAcknowledgement(subject: read.subject.lowercased(), text: text)
                    ? .acknowledgement : .other,
            returnDate: today.flatMap {
                ReturnDate.find(in: read.subject + "\n" + String(read.text.prefix(4000)), after: $0)
            },
            inReplyTo: read.inReplyTo.first ?? read.references.last)
        return Recognition(.automaticReply(reply), evidence)
    }

    private static let fields: Set<String> = [
        "x-autoreply", "x-autorespond", "x-autoresponse", "x-autoreply-from", "x-auto-reply-from", "x-mail-autoreply",
        "x-autoresponder", "x-vacation",
    ]

    private var hasReplyField: Bool {
        for field in message.headers {
            // The first letters of all names below.
            guard let letter = field.name.utf8.first.map({ $0 | 0x20 }), "xpd".utf8.contains(letter) else { continue }
            let name = field.name.lowercased()
            if Self.fields.contains(name), AutomaticMail.token(of: field.text) != "no" { return true }
            if name == "precedence" || name == "x-precedence",
                ["auto_reply", "auto-reply", "autoreply"].contains(AutomaticMail.token(of: field.text))
            {
                return true
            }
            if name == "delivered-to", field.text.lowercased() == "autoresponder" { return true }
        }
        return false
    }
}

/// Subjects of automatic answers.
enum AutomaticSubjects {
    /// At the beginning, in lower case.
    private static let beginnings: Phrases = [
        "auto:", "auto re:", "auto-re:", "auto reply", "auto-reply", "autoreply", "automatic reply",
        "automatic response", "auto response", "auto-response", "autoresponse", "autoresponder", "automated reply",
        "automated response", "[auto-reply", "[auto reply", "[autoreply",
        "out of office", "out of the office", "out-of-office", "ooo:", "away from", "vacation", "on vacation",
        "holiday notice", "i am away", "i'm away", "i am out of", "i'm out of", "i am on leave",
        "automatische antwort", "automatische abwesenheit", "abwesenheit", "abwesend", "autoantwort", "außer haus",
        "urlaubsnotiz", "urlaub:",
        "réponse automatique", "reponse automatique", "absence du bureau", "message d'absence", "absent du bureau",
        "en congé",
        "respuesta automática", "respuesta automatica", "fuera de la oficina", "fuera de oficina", "ausente",
        "risposta automatica", "fuori sede", "fuori ufficio", "assente", "automatisch antwoord",
        "automatische antwoord", "afwezig", "afwezigheid", "niet aanwezig",
        "resposta automática", "ausência", "fora do escritório", "autosvar", "automatiskt svar", "automatisk svar",
        "frånvaro", "fraværsmelding", "fravær", "automaattinen vastaus", "poissa",
        "automatyczna odpowiedź", "odpowiedź automatyczna", "automatická odpověď", "automatická odpoveď", "nieobecność",
        "automatikus válasz", "házon kívül", "răspuns automat", "автоответ", "автоматический ответ",
        "автоматична відповідь", "自動返信", "自動応答", "不在", "自动回复", "自动答复", "自動回覆", "자동 회신", "otomatik yanıt",
        "ofis dışında",
        "αυτόματη απάντηση",
    ]

    static func matches(_ subject: String) -> Bool {
        let lowered = withoutReplySigns(subject.lowercased())
        return beginnings.isPrefix(of: lowered) || anywhere.isFound(in: lowered)
    }

    /// What nobody writes by hand. Behind the sign of a reply it is another's subject, and whoever answers a program has
    /// it too.
    static func isCertain(_ subject: String) -> Bool {
        let lowered = subject.lowercased()
        if certainBeginnings.isPrefix(of: lowered) { return true }
        return !isBehindReplySign(lowered) && certain.isFound(in: lowered)
    }

    private static let anywhere: Phrases = [
        "out of office", "automatic reply", "autoreply", "auto-reply", "abwesenheitsnotiz", "vacation message",
        "vacation reply", "auto-response",
    ]

    private static let certainBeginnings: Phrases = [
        "auto:", "auto re:", "auto-re:", "auto reply", "auto-reply", "autoreply", "automatic reply",
        "automatic response", "auto response", "auto-response", "autoresponse", "autoresponder", "automated reply",
        "automated response", "[auto-reply", "[auto reply", "[autoreply",
    ]

    private static let certain: Phrases = [
        "autoreply", "automatische antwort", "réponse automatique", "respuesta automática", "risposta automatica",
        "automatisch antwoord", "resposta automática", "autosvar", "abwesenheitsnotiz", "out of office", "自動返信", "自动回复",
        "自动答复",
    ]

    /// How programs mark replies and forwarded mail, by language, in lower case.
    private static let replySigns: Set<String> = [
        "re", "fw", "fwd", "aw", "antw", "antwort", "wg", "sv", "vs", "vb", "vl", "doorst", "ref", "rép", "rep", "tr",
        "rv", "res", "enc", "r", "rif", "i", "odp", "pd", "ynt", "ilt", "vá", "továbbítás", "απ", "σχετ", "προθ", "на",
        "回复", "答复", "转发", "回覆", "轉寄", "返信", "転送", "회신", "전달", "השב", "הועבר",
    ]

    /// `Re: …`, `RE[2]: …`, `[External] AW: …`, `RE : …`.
    private static func isBehindReplySign(_ subject: String) -> Bool {
        var rest = subject.unicodeScalars[...]
        func dropBlanks() { while rest.first?.properties.isWhitespace == true { rest.removeFirst() } }
        dropBlanks()
        // What a list or a filter put in front.
        while rest.first == "[", let end = rest.firstIndex(of: "]") {
            rest = rest[rest.index(after: end)...]
            dropBlanks()
        }
        guard let end = rest.prefix(20).firstIndex(where: { $0 == ":" || $0 == "：" }) else { return false }
        // Besides its letters there may be a number that counts how often: `re[2]`, `re(2)`, `re^2`.
        var sign = String.UnicodeScalarView()
        for scalar in rest[..<end] where scalar.properties.isAlphabetic { sign.append(scalar) }
        return replySigns.contains(String(sign))
    }

    private static func withoutReplySigns(_ subject: String) -> String {
        var rest = subject[...]
        while let sign = ["re:", "aw:", "sv:", "antw:", "fwd:", "fw:", " "].first(where: { rest.hasPrefix($0) }) {
            rest = rest.dropFirst(sign.count)
        }
        return String(rest)
    }
}

/// What people let their programs say.
enum AbsencePhrases {
    private static let away: Phrases = [
        "out of office", "out of the office", "out-of-office", "away from ", "i am away",
        "i'm away", "am currently away", "on vacation", "on holiday", "on annual leave", "on leave",
        "on parental leave", "maternity leave", "paternity leave", "sick leave", "will be away", "will be back",
        "will return", "be returning", "am not in the office", "not in the office", "not available until",
        "unavailable until", "limited access to", "no access to my", "currently travelling", "currently traveling",
        "vacation",
        "abwesend", "abwesenheit", "nicht im büro", "nicht im buero", "außer haus", "ausser haus", "im urlaub",
        "elternzeit", "bin ich wieder", "ab dem", "nicht erreichbar",
        "absent", "absence", "en congé", "en vacances", "hors du bureau", "de retour", "fuera de la oficina",
        "de vacaciones", "ausente", "regreso", "fuori ufficio", "fuori sede", "in ferie", "assente", "rientro",
        "afwezig", "op vakantie", "niet op kantoor", "met verlof", "férias", "ausência", "fora do escritório",
        "semester", "frånvar", "på ferie", "fraværende", "lomalla", "na urlopie", "nieobecn", "dovolen", "szabadság",
        "concediu", "в отпуске", "отсутств", "休暇", "不在", "休假", "외출", "izinde", "tatilde",
    ]

    private static let acknowledgement: Phrases = [
        "received your", "have received", "has been received", "we got your", "thank you for contacting",
        "thank you for your message", "thank you for your email", "thank you for your e-mail", "thanks for contacting",
        "ticket", "will get back to you", "will respond", "will reply", "eingegangen", "erhalten", "bien reçu",
        "hemos recibido", "abbiamo ricevuto", "ontvangen", "recebemos", "受け付け", "已收到",
    ]

    static func isAway(subject: String, text: String) -> Bool {
        away.isFound(in: subject) || away.isFound(in: text)
    }

    static func isAcknowledgement(subject: String, text: String) -> Bool {
        acknowledgement.isFound(in: subject) || acknowledgement.isFound(in: text)
    }
}

/// Filters that take mail only from people who have answered once.
enum ChallengeReader {
    private static let phrases: Phrases = [
        "confirm that you are human", "prove you are human", "prove that you are human", "confirm you are human",
        "please verify that you are", "verify your email so it can be delivered", "approved senders list",
        "approved sender list", "allowed senders list", "guest list", "boxbe", "spamarrest", "spam arrest",
        "earthlink spamblocker", "challenge/response", "challenge-response", "tagged message delivery agent",
        "message will be delivered once you", "click the link below to complete the verification",
        "to have your message delivered", "before your message can be delivered", "confirm your message",
        "your message is being held until", "mailblocks",
    ]

    static func recognition(
        _ message: ReceivedMessage, _ read: ReadMessage, _ sign: AutomaticReplyRule.Refusal?
    ) -> Recognition? {
        let isAutomatic =
            message.reversePath.isEmpty || sign != nil
            || read.from.map { MachineAddress.matches(localPart: $0.address.localPart) } == true
            || message.headers.contains {
                $0.isNamed("X-TMDA-Fingerprint") || $0.isNamed("X-Delivery-Agent") && $0.text.contains("TMDA")
                    || $0.isNamed("X-Boxbe-Hmid")
            }
        guard isAutomatic else { return nil }
        let text = String(read.text.prefix(4000)).lowercased() + "\n" + read.subject.lowercased()
        return phrases.isFound(in: text) ? Recognition(.challenge, [.challengeText]) : nil
    }
}
