import MailModel
import Testing

/// What servers say, what it means, and what it is not.
struct BounceClassifierTests {
    private func reason(
        _ text: String, _ status: String? = nil, _ code: Int? = nil, stage: BounceClassifier.Stage? = .recipient
    ) -> BounceReason {
        BounceClassifier.reason(
            text: text, status: status.flatMap { EnhancedStatus($0) }, replyCode: code, stage: stage)
    }

    @Test(arguments: [
        (
            "550 5.1.1 <a@b.example>: Recipient address rejected: User unknown in local recipient table",
            BounceReason.userUnknown
        ),
        ("550 5.7.1 No such user here", .userUnknown), ("550 Mailbox not found", .userUnknown),
        ("550 5.4.1 Recipient address rejected: Access denied", .userUnknown),
        ("Host or domain name not found. Name service error for name=x.example type=A: Host not found", .hostUnknown),
        ("Host or domain name not found. Name service error: Host not found, try again", .network),
        ("550 5.2.2 Mailbox full", .mailboxFull),
        ("452 4.2.2 The email account that you tried to reach is over quota", .mailboxFull),
        ("550 5.2.1 The email account that you tried to reach is disabled", .mailboxDisabled),
        ("552 5.3.4 Message size exceeds fixed limit", .tooLarge),
        ("550 5.7.26 This mail is unauthenticated: DMARC policy", .unauthenticated),
        ("554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.example", .blocked),
        ("451 4.7.1 Greylisting in action, please come back later", .greylisted),
        ("421 4.7.0 Too many connections from your host", .rateLimited),
        ("554 5.7.1 Relay access denied", .relaying), ("550 5.7.1 Message contains a virus", .virus),
        ("554 5.7.1 Message identified as SPAM", .spam), ("554 5.4.6 Too many hops", .loop),
        ("connect to x.example[192.0.2.1]:25: Connection refused", .network),
        ("556 5.1.10 Domain does not accept mail (nullMX)", .noMailAccepted),
        ("554 5.7.1 This server does not accept mail from dynamic addresses", .blocked),
        ("550 5.1.8 Sender address rejected: Domain not found", .senderRefused),
        ("no words that anybody knows", .undefined),
    ])
    func wordsHaveTheirMeaning(text: String, wanted: BounceReason) {
        #expect(reason(text) == wanted)
    }

    @Test func addressesAndLinksSayNothing() {
        #expect(
            reason("550 <mailbox-full.user-unknown@example.org> see https://example.org/#user_unknown") == .undefined)
    }

    @Test(arguments: [
        ("5.1.1", BounceReason.userUnknown, true), ("5.1.2", .hostUnknown, true), ("5.1.6", .moved, true),
        ("5.1.10", .noMailAccepted, true),
        ("5.2.1", .mailboxDisabled, false), ("5.2.2", .mailboxFull, false), ("4.4.1", .network, false),
        ("5.4.7", .expired, false),
        ("5.7.1", .policy, false), ("5.7.26", .unauthenticated, false), ("5.6.0", .content, false),
        ("5.5.2", .syntax, false), ("5.0.0", .undefined, false), ("5.3.5", .syntax, false), ("4.3.5", .system, false),
        ("5.7.8", .relaying, false), ("5.7.9", .relaying, false), ("5.7.28", .rateLimited, false),
        ("4.7.28", .rateLimited, false), ("4.7.26", .unauthenticated, false), ("4.7.1", .undefined, false),
        ("5.5.3", .syntax, false), ("4.5.0", .undefined, false), ("4.6.0", .undefined, false),
    ])
    func codesSpeakWhereWordsDoNot(status: String, wanted: BounceReason, isHard: Bool) {
        let found = reason("", status)
        #expect(found == wanted)
        #expect(BounceClassifier.isHard(found) == isHard)
    }

    /// What is wrong with us must not count against the address.
    @Test(arguments: ["5.1.7", "5.1.8", "5.3.5", "5.5.1", "5.5.3", "5.7.8", "5.7.9"])
    func codesOfOurOwnFaultsAreConfiguration(status: String) {
        #expect(reason("", status, 554).kind == .configuration)
    }

    @Test func refusedForNowIsTransientUntilWordsSayMore() {
        #expect(reason("451 4.7.1 Not now", "4.7.1", 451).kind == .transient)
        #expect(reason("450 4.7.0 You are greylisted", "4.7.0", 450).kind == .transient)
        #expect(reason("421 4.7.0 Too many connections from your host", "4.7.0", 421).kind == .transient)
        #expect(reason("", "4.7.28", 421).kind == .transient)
        #expect(reason("421 4.7.0 Your host is blocked by us", "4.7.0", 421).kind == .policy)
        #expect(reason("554 5.7.1 Not now", "5.7.1", 554).kind == .policy)
    }

    @Test func wordsThatWereReadOnceSayTheSame() throws {
        let text = "550 5.1.1 user unknown"
        let status = try #require(EnhancedStatus("5.1.1"))
        let words = BounceWords(text)
        #expect(words.meaning == .userUnknown)
        let stages: [BounceClassifier.Stage?] = [.recipient, .data, .mailFrom, nil]
        for stage in stages {
            #expect(
                BounceClassifier.reason(words, status: status, replyCode: 550, stage: stage)
                    == BounceClassifier.reason(text: text, status: status, replyCode: 550, stage: stage))
        }
    }

    @Test func whoIsUnknownDependsOnTheCommand() {
        #expect(reason("550 unknown user", stage: .mailFrom) == .senderRefused)
        #expect(reason("550 user unknown", stage: .data) == .recipientRefused)
        #expect(reason("550 user unknown", stage: .recipient) == .userUnknown)
    }

    @Test func twoWordsWithoutACodeAreNotEnough() {
        #expect(reason("550 user unknown", nil, 550, stage: nil) == .recipientRefused)
        #expect(reason("550 5.1.1 user unknown", "5.1.1", 550, stage: nil) == .userUnknown)
        #expect(reason("no mailbox here by that name", stage: nil) == .userUnknown)
    }

    @Test func everyReasonHasAKindAndAStatus() {
        for reason in BounceReason.allCases {
            #expect(reason.status(category: 5) != nil)
            #expect((reason.kind == .address) == BounceClassifier.isHard(reason))
        }
    }
}

struct EnhancedStatusTests {
    @Test(arguments: [
        ("5.1.1", "5.1.1"), ("4.4.316 (x)", "4.4.316"), ("  5.7.515", "5.7.515"),
    ])
    func fieldsBeginWithACode(text: String, wanted: String) {
        #expect(EnhancedStatus(text)?.description == wanted)
    }

    @Test(arguments: ["", "5", "5.1", "3.1.1", "5.1.1234", "5.1.1.1", "x5.1.1", "5.1.a"])
    func otherTextsAreNone(text: String) {
        #expect(EnhancedStatus(text) == nil)
    }

    @Test(arguments: [
        ("550 5.1.1 no", "5.1.1"), ("550-5.7.26 no", "5.7.26"), ("Sorry. (#5.1.1)", "5.1.1"),
        ("[192.0.5.4.1.2] 4.2.2", "4.2.2"),
    ])
    func codesAreFoundInText(text: String, wanted: String) {
        #expect(EnhancedStatus.find(in: text)?.description == wanted)
    }

    @Test(arguments: ["version 8.5.1.2", "host 5.4.3.2", "at 15.1.1", "2.0.0"])
    func versionsAndHostsAreNoCodes(text: String) {
        #expect(EnhancedStatus.find(in: text) == nil)
    }

    @Test func calendarDaysAreChecked() {
        #expect(CalendarDate(year: 2026, month: 2, day: 29) == nil)
        #expect(CalendarDate(year: 2024, month: 2, day: 29)?.description == "2024-02-29")
        #expect(CalendarDate(microseconds: 1_700_000_000_000_000)?.description == "2023-11-14")
        #expect(CalendarDate(microseconds: -1) == nil)
    }
}
