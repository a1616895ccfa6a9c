import MailModel

/// One recipient's outcome out of what is known about it from fields and from text.
struct OutcomeReader {
    /// The mail as a whole is only late.
    private let isDelay: Bool
    /// There is one recipient, of whom then all of the text speaks.
    private let isAlone: Bool
    /// What the report says as a whole, for a recipient about whom it says nothing in particular.
    private let whole: Outcome
    /// What a delivery agent says of all of them.
    private let rejection: Outcome?

    init(wholeText: String, isDelay: Bool, isAlone: Bool = false) {
        self.isDelay = isDelay
        self.isAlone = isAlone
        whole = Outcome(wholeText, reported: nil)
        rejection = Self.rejection(in: wholeText).map { Outcome($0, reported: nil) }
    }

    /// A recipient of a delivery status part. `said` is what the text beside it says about the same recipient.
    func recipient(_ block: StatusFields.Block, address: String, said: String) -> ReportedRecipient {
        let action = action(of: block)
        let diagnostic = Self.value(block["diagnostic-code"]) ?? block["x-supplementary-info"] ?? ""
        let reported = block["status"].flatMap { EnhancedStatus($0) ?? EnhancedStatus.find(in: $0) }
        let remote = Self.value(block["remote-mta"])
        let original = block["original-recipient"].flatMap(Self.address)
        var outcome = Outcome(diagnostic, reported: reported)
        // Sendmail and others leave the words in the text and put a bare number or nothing into the field.
        if let rejection {
            outcome = rejection.reporting(reported)
        } else if outcome.reason(action).kind == .unknown || outcome.isVague {
            let own = Outcome(said, reported: nil)
            if let other = [own, whole].first(where: { $0.meaningOfText != nil }) { outcome.complete(with: other) }
        }
        outcome.stage = outcome.stage ?? Outcome.stage(of: said)
        if diagnostic.isEmpty, isAlone, outcome.meaningOfText == .userUnknown { outcome.explain(with: whole) }
        var result = make(
            address: address, action: action, outcome: outcome,
            diagnostic: diagnostic.isEmpty ? Self.line(said) : diagnostic)
        result.originalAddress = original.flatMap { $0.lowercased() == address.lowercased() ? nil : $0 }
        result.remoteHost = remote
        return result
    }

    /// Whether that recipient's mail did not arrive, which is known before anything else is.
    func isFailure(_ block: StatusFields.Block) -> Bool { action(of: block) == .failed }

    private func action(of block: StatusFields.Block) -> ReportedRecipient.Action {
        Self.action(block["action"]) ?? (isDelay ? .delayed : .failed)
    }

    /// `Your message to <a@b.example> was automatically rejected:` and the reason: so local delivery agents write, who put
    /// a general status beside it.
    private static func rejection(in text: String) -> String? {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard let index = lines.firstIndex(where: { $0.contains("was automatically rejected:") }) else { return nil }
        let reason = lines[(index + 1)...].prefix { !$0.isEmpty }.joined(separator: " ")
        return BounceClassifier.meaning(of: reason) == nil ? nil : reason
    }

    /// A recipient of a report in plain words.
    func recipient(_ entry: PlainReport.Entry) -> ReportedRecipient {
        let action: ReportedRecipient.Action = isDelay ? .delayed : .failed
        var outcome = Outcome(entry.said, reported: nil)
        if outcome.meaningOfText == nil || (outcome.isVague && outcome.code == nil) {
            if whole.meaningOfText != nil || whole.code != nil { outcome.complete(with: whole) }
        }
        return make(address: entry.address, action: action, outcome: outcome, diagnostic: Self.line(entry.said))
    }

    private func make(
        address: String, action: ReportedRecipient.Action, outcome: Outcome, diagnostic: String
    ) -> ReportedRecipient {
        let reason = outcome.reason(action)
        let category = outcome.status?.category ?? outcome.code.map { $0 / 100 } ?? Self.category(of: action)
        let status = outcome.status ?? reason.status(category: category) ?? EnhancedStatus.failure
        return ReportedRecipient(
            address: address, action: action, status: status, isStatusDerived: outcome.status == nil,
            replyCode: outcome.code, diagnostic: diagnostic, reason: reason,
            isHard: action == .failed && BounceClassifier.isHard(reason))
    }

    private static func category(of action: ReportedRecipient.Action) -> Int {
        switch action {
        case .failed: 5
        case .delayed: 4
        case .delivered, .relayed, .expanded: 2
        }
    }

    static func action(_ text: String?) -> ReportedRecipient.Action? {
        guard let word = text.map(AutomaticMail.token) else { return nil }
        switch word {
        case "failed", "fail", "failure", "undeliverable", "error", "bounced": return .failed
        case "delayed", "delay", "deferred": return .delayed
        case "delivered", "deliverable", "success": return .delivered
        case "relayed": return .relayed
        case "expanded": return .expanded
        default: return nil
        }
    }

    /// What follows the type in `smtp; 550 …`.
    static func value(_ field: String?) -> String? {
        guard let field, !field.isEmpty else { return nil }
        guard let semicolon = field.utf8.firstIndex(of: UInt8(ascii: ";")) else { return field }
        let type = field[..<semicolon]
        guard type.utf8.count <= 40, !type.utf8.contains(0x20), !type.utf8.contains(UInt8(ascii: "@")) else {
            return field
        }
        return String(field[field.utf8.index(after: semicolon)...]).trimmingBlanks()
    }

    /// `rfc822; <a@b.example>` as `a@b.example`, `utf-8; \x{E9}@b.example` with its letters; what is no address stays as it is.
    static func address(_ field: String) -> String? {
        var text = value(field) ?? ""
        if text.utf8.contains(UInt8(ascii: "\\")), isUTF8(field) { text = withoutEscapes(text) }
        if let found = AddressScanner.find(in: Array(text.utf8), limit: 1).first { return found.address.description }
        // A damaged name is still a name, but never more than a line.
        var scalars = String.UnicodeScalarView()
        for scalar in text.unicodeScalars where scalar != "<" && scalar != ">" && !isControl(scalar) {
            scalars.append(scalar)
        }
        let bare = String(scalars).trimmingBlanks()
        return bare.isEmpty ? nil : String(bare.prefix(254))
    }

    /// An address of the type that those outside ASCII have (RFC 6533 section 3).
    private static func isUTF8(_ field: String) -> Bool {
        field.drop { $0 == " " }.prefix { $0 != ";" && $0 != " " }.lowercased() == "utf-8"
    }

    /// Reports in ASCII have `\x{E9}` in the place of a letter (RFC 6533 section 3, utf-8-addr-unitext and -xtext).
    private static func withoutEscapes(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        var rest = text.unicodeScalars[...]
        while let scalar = rest.popFirst() {
            if scalar == "\\", rest.starts(with: "x{".unicodeScalars) {
                let digits = rest.dropFirst(2).prefix { $0 != "}" }.prefix(7)
                let after = rest.dropFirst(2 + digits.count)
                if (2...6).contains(digits.count), after.first == "}",
                    digits.allSatisfy({ $0.properties.isASCIIHexDigit }),
                    let letter = UInt32(String(digits), radix: 16).flatMap(Unicode.Scalar.init)
                {
                    result.append(letter)
                    rest = after.dropFirst()
                    continue
                }
            }
            result.append(scalar)
        }
        return String(result)
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) || scalar.value == 0x2028 || scalar.value == 0x2029
    }

    /// In one line and bounded.
    static func line(_ text: String) -> String {
        text.utf8.prefix(4096).split(whereSeparator: { $0 <= 0x20 }).prefix(200)
            .map { String(decoding: $0, as: UTF8.self) }.joined(separator: " ")
    }
}

/// What one text says about one delivery.
struct Outcome {
    private var words: BounceWords
    /// The same of the text from its beginning.
    private let allWords: BounceWords
    private var reported: EnhancedStatus?
    private(set) var code: Int?
    private var said: EnhancedStatus?
    var stage: BounceClassifier.Stage?

    init(_ text: String, reported: EnhancedStatus?) {
        self.reported = reported
        allWords = BounceWords(text)
        words = allWords
        stage = Outcome.stage(of: text)
        let bytes = Array(text.utf8.prefix(32 << 10))
        guard let reply = SMTPReply.find(in: bytes) else {
            said = EnhancedStatus.find(in: text)
            return
        }
        code = reply.code
        // From the reply on: what stands before it are the words of the reporting program.
        let rest = String(decoding: bytes[reply.start...], as: UTF8.self)
        said = reply.status ?? EnhancedStatus.find(in: rest)
        let answer = BounceWords(rest)
        if answer.meaning != nil { words = answer }
    }

    /// The same with a status of a recipient's own.
    func reporting(_ status: EnhancedStatus?) -> Outcome {
        var result = self
        result.reported = status
        return result
    }

    var meaningOfText: BounceReason? { words.meaning }

    /// The server's own code says more than the one that the reporting program made of it.
    var status: EnhancedStatus? { said ?? reported }

    /// Words that say that it failed, and not why.
    var isVague: Bool { meaningOfText.map(BounceClassifier.isVague) ?? true }

    func reason(_ action: ReportedRecipient.Action) -> BounceReason {
        switch action {
        case .delivered, .relayed, .expanded: return .delivered
        case .failed, .delayed:
            let reason = BounceClassifier.reason(words, status: status, replyCode: code, stage: stage)
            return reason == .undefined && action == .delayed ? .delayed : reason
        }
    }

    /// Takes over what another text about the same delivery says better.
    mutating func complete(with other: Outcome) {
        words = other.words
        code = code ?? other.code
        if let found = other.said, status == nil || (status?.isGeneric == true && status?.category == found.category) {
            said = found
        }
        stage = stage ?? other.stage
    }

    /// "The account is disabled: 550 user unknown": the program knows better than its server says.
    mutating func explain(with whole: Outcome) {
        let known = whole.allWords.meaning
        guard known == .mailboxDisabled || known == .mailboxFull else { return }
        words = whole.allWords
    }

    private static let stages: [(BounceClassifier.Stage, Phrases)] = [
        (
            .data,
            [
                "end of data", "reply to data", "after data", "after i sent the message", "our data",
                "after pipelined data", "in response to data",
            ]
        ),
        (.recipient, ["rcpt to", "rcpt_to", "smtp:rcpt", "does not like recipient", "reply to rcpt", "after rcpt"]),
        (
            .mailFrom,
            [
                "reply to mail from", "after mail from", "[mail_from]", "our mail from", ">>> mail from",
                "after pipelined mail from", "does not like sender", "response to mail from",
            ]
        ),
        (
            .helo,
            [
                "reply to ehlo", "reply to helo", "after ehlo", "after helo", "after pipelined ehlo",
                "my name was rejected", ">>> helo", ">>> ehlo",
            ]
        ),
        (.connection, ["initial connection", "refused to talk to me", "server greeting", "initial greeting"]),
    ]

    static func stage(of text: String) -> BounceClassifier.Stage? {
        guard !text.isEmpty else { return nil }
        let lowered = text.lowercased()
        return stages.first { $0.1.isFound(in: lowered) }?.0
    }
}
