/// The reason behind what a report says: first what is meant by its words, then its status code, then the reply's digits.
///
/// Many servers put a fitting text beside a code that is none, so the text goes first (5.7.1 for an unknown user, 5.1.1 for a
/// block).
package enum BounceClassifier {
    /// The command of our side that was answered with the refusal.
    package enum Stage: String, Hashable, Sendable {
        case connection, helo, mailFrom, recipient, data
    }

    /// - Parameters:
    ///   - text: what the server or program said.
    ///   - status: of the report or the text; nil when there is none.
    ///   - stage: nil when the report does not say.
    package static func reason(
        text: String, status: EnhancedStatus?, replyCode: Int?, stage: Stage? = nil
    ) -> BounceReason {
        reason(BounceWords(text), status: status, replyCode: replyCode, stage: stage)
    }

    /// The same for words that have been read already: a report may say them of a thousand recipients.
    package static func reason(
        _ said: BounceWords, status: EnhancedStatus?, replyCode: Int?, stage: Stage? = nil
    ) -> BounceReason {
        let meant = said.meaning
        let coded = status.flatMap(reason(of:))
        guard var reason = meant ?? coded ?? replyCode.flatMap(reason(ofReply:)) else { return .undefined }
        // Words that only say "no" say less than a code that says why.
        if let coded, !said.isFromProgram, BounceClassifier.vague.contains(reason) { reason = coded }
        return corrected(reason, said: said, status: status, replyCode: replyCode, stage: stage)
    }

    /// True when what is known says that the address will never take mail. A temporary refusal says so only when the mail
    /// was given up and names the address as the cause.
    package static func isHard(_ reason: BounceReason) -> Bool { reason.kind == .address }

    /// What the words alone say.
    package static func meaning(of text: String) -> BounceReason? { BounceWords(text).meaning }

    /// True for reasons that say little more than that it failed.
    package static func isVague(_ reason: BounceReason) -> Bool { vague.contains(reason) }

    private static let vague: Set<BounceReason> = [.system, .syntax, .expired, .undefined, .policy, .recipientRefused]

    private static func corrected(
        _ reason: BounceReason, said: BounceWords, status: EnhancedStatus?, replyCode: Int?, stage: Stage?
    ) -> BounceReason {
        guard reason == .userUnknown || reason == .hostUnknown else { return reason }
        switch stage {
        // What is unknown at MAIL FROM is the sender, and at the greeting it is the client.
        case .mailFrom: return .senderRefused
        case .connection where reason == .userUnknown, .helo: return .blocked
        // A host that took the recipient and names him unknown after the mail knows him: a filter speaks.
        case .data where reason == .userUnknown: return .recipientRefused
        default: break
        }
        return isBelievable(said, status: status, replyCode: replyCode, stage: stage) ? reason : .recipientRefused
    }

    /// "User unknown" is what servers say of mailboxes that are not there, and what filters say of mailboxes that are: believed
    /// with a code about the address, or as the answer to RCPT TO. Whoever says it in words of his own means it.
    private static func isBelievable(
        _ said: BounceWords, status: EnhancedStatus?, replyCode: Int?, stage: Stage?
    ) -> Bool {
        if said.namesNobody { return false }
        if stage == .recipient || status?.subject == 1 { return true }
        if let status, [2, 7].contains(status.subject) { return false }
        return !said.saysOnlyUnknown(hasCode: replyCode != nil)
    }

    private static func reason(of status: EnhancedStatus) -> BounceReason? {
        switch (status.subject, status.detail) {
        case (1, 0) where status.category == 5, (1, 1), (1, 3): .userUnknown
        case (1, 2): .hostUnknown
        case (1, 4), (1, 5): nil
        case (1, 6): .moved
        case (1, 7), (1, 8): .senderRefused
        case (1, 10): .noMailAccepted
        case (2, 1): .mailboxDisabled
        case (2, 2): .mailboxFull
        case (2, 3): .tooLarge
        case (3, 1): .mailboxFull
        case (3, 4): .tooLarge
        // "System incorrectly configured" for ever: the mail was sent the wrong way, which the address cannot help.
        case (3, 5) where status.category == 5: .syntax
        case (3, _): .system
        case (4, 4) where status.category == 5: .hostUnknown
        case (4, 6), (4, 14): .loop
        case (4, 7), (4, 316): .expired
        case (4, _): .network
        case (5, 3) where status.category == 4: .rateLimited
        case (5, 0): nil
        // For now it is the other system that stumbles, for ever it is how we speak or what we sent.
        case (5, _) where status.category == 4, (6, _) where status.category == 4: nil
        case (5, _): .syntax
        case (6, _): .content
        case (7, 8), (7, 9): .relaying
        case (7, 28): .rateLimited
        case (7, 7), (7, 20...30), (7, 515): .unauthenticated
        // Greylisting, a limit or a block: the code alone does not say which, and the digits of the reply say "later".
        case (7, _) where status.category == 4: nil
        case (7, _): .policy
        default: nil
        }
    }

    private static func reason(ofReply code: Int) -> BounceReason? {
        switch code {
        case 250...259: .delivered
        case 421, 450, 451, 454: .system
        case 452, 552: .mailboxFull
        case 500...504: .syntax
        case 530, 535, 538: .relaying
        case 521, 556: .noMailAccepted
        default: nil
        }
    }
}

/// What the words of a diagnostic say.
package struct BounceWords: Hashable, Sendable {
    /// The first reason whose phrase is in the text.
    package let meaning: BounceReason?
    /// `550 : User unknown`, where the refused address ought to stand: one big provider's filter speaks so.
    let namesNobody: Bool
    /// A local program failed while it delivered; the code beside its words was made up by whoever called it.
    let isFromProgram: Bool
    private let hasUserUnknown: Bool
    private let hasUnknownUser: Bool

    /// Reads the text, which may be long.
    package init(_ text: String) {
        let text = BounceText(text)
        meaning = text.meaning
        namesNobody = text.contains(" : user unknown") || text.contains(" : : user unknown")
        isFromProgram = text.contains("procmail:") || text.contains("maildrop:")
        hasUserUnknown = text.contains("user unknown")
        hasUnknownUser = text.contains("unknown user")
    }

    /// The two words that filters use as well.
    func saysOnlyUnknown(hasCode: Bool) -> Bool { hasUserUnknown || (hasCode && hasUnknownUser) }
}

/// The words of a diagnostic, without what only looks like words.
private struct BounceText {
    private let bytes: [UInt8]

    /// One blank between words; codes, addresses and links are left out, because a mailbox may be called `mailboxfull`.
    init(_ text: String) {
        var words: [UInt8] = [0x20]
        for word in text.utf8.prefix(16 << 10).split(whereSeparator: { $0 <= 0x20 }) {
            let kept = BounceText.kept(word)
            guard !kept.isEmpty else { continue }
            for byte in kept { words.append(byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte) }
            words.append(0x20)
        }
        bytes = words
    }

    /// The first reason whose phrase is in the text.
    var meaning: BounceReason? {
        for group in Self.table where group.phrases.contains(where: contains) { return group.reason }
        return nil
    }

    private static func kept(_ word: Substring.UTF8View.SubSequence) -> ArraySlice<UInt8> {
        let word = Array(word)
        if word.contains(UInt8(ascii: "@")) { return Array("@".utf8)[...] }
        if let link = link(word) { return word[link] }
        guard let first = word.first, first == 0x32 || first == 0x34 || first == 0x35 else { return word[...] }
        return withoutCodes(word[...])
    }

    /// The host of a link: it may be a known one. Its path says nothing about this mail.
    private static func link(_ word: [UInt8]) -> Range<Int>? {
        guard word.count > 7, let colon = word.firstIndex(of: UInt8(ascii: ":")), colon + 2 < word.count,
            word[colon + 1] == UInt8(ascii: "/"), word[colon + 2] == UInt8(ascii: "/")
        else { return nil }
        let start = colon + 3
        return start..<(word[start...].firstIndex(of: UInt8(ascii: "/")) ?? word.count)
    }

    /// `550-5.7.1` goes, `550-Rejected` becomes `Rejected`: every line of a long reply begins with its code.
    private static func withoutCodes(_ word: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var rest = word
        if rest.count >= 3, rest.prefix(3).allSatisfy({ $0 &- UInt8(ascii: "0") < 10 }),
            rest.count == 3 || rest[rest.startIndex + 3] == UInt8(ascii: "-")
        {
            rest = rest.dropFirst(rest.count == 3 ? 3 : 4)
        }
        let array = Array(rest)
        if let found = EnhancedStatus.read(array, at: 0), found.end == array.count { return [] }
        return rest
    }

    private typealias Piece = [UInt8]
    private struct Phrase {
        var pieces: [Piece]
    }

    private static let table: [(reason: BounceReason, phrases: [Phrase])] = BouncePhrases.groups.map { group in
        (group.reason, group.phrases.map { Phrase(pieces: $0.split(separator: "*").map { Array($0.utf8) }) })
    }

    func contains(_ text: String) -> Bool { find(Array(text.utf8), from: 0, limit: bytes.count) != nil }

    private func contains(_ phrase: Phrase) -> Bool {
        guard let first = phrase.pieces.first else { return false }
        var start = 0
        while let found = find(first, from: start, limit: bytes.count) {
            if continues(phrase, after: found + first.count) { return true }
            guard phrase.pieces.count > 1 else { return true }
            start = found + 1
        }
        return false
    }

    private func continues(_ phrase: Phrase, after position: Int) -> Bool {
        var position = position
        for piece in phrase.pieces.dropFirst() {
            guard let found = find(piece, from: position, limit: position + 60 + piece.count) else { return false }
            position = found + piece.count
        }
        return true
    }

    private func find(_ piece: Piece, from start: Int, limit: Int) -> Int? {
        Phrases.find(piece, in: bytes, from: start, limit: limit)
    }
}
