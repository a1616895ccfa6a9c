import MailModel
import Testing

struct AutomaticReplyRuleTests {
    private static let recipient = "help@ours.example"

    private static func message(
        _ headers: [(String, String)] = [], reversePath: String = "ann@example.net",
        from: String = "Ann <ann@example.net>",
        to: String = "Help <help@ours.example>"
    ) -> ReceivedMessage {
        let fields = [HeaderField("From", from), HeaderField("To", to)] + headers.map { HeaderField($0.0, $0.1) }
        return ReceivedMessage(reversePath: reversePath, recipients: [recipient], headers: fields)
    }

    private static func refusal(
        _ message: ReceivedMessage, _ change: (inout AutomaticReplyRule.Circumstances) -> Void = { _ in }
    ) -> AutomaticReplyRule.Refusal? {
        var circumstances = AutomaticReplyRule.Circumstances(
            recipient: recipient, ownAddresses: ["help@ours.example", "bounce@ours.example"])
        change(&circumstances)
        return AutomaticReplyRule.refusal(for: message, in: circumstances)
    }

    @Test func aPersonsMailIsAnswered() { #expect(Self.refusal(Self.message()) == nil) }

    @Test(arguments: [
        ("", "null_sender"), ("double-bounce@mx.example", "null_sender"), ("Double-Bounce@mx.example", "null_sender"),
        ("no-address", "invalid_sender"), ("a b@x.example", "invalid_sender"), ("\"<\"@x.example", "invalid_sender"),
        ("help@ours.example", "own_address"), ("HELP@Ours.example", "own_address"),
        ("bounce+token@ours.example", "own_address"), ("mailer-daemon@x.example", "machine_address"),
        ("MAILER-DAEMON@x.example", "machine_address"), ("list-request@x.example", "machine_address"),
        ("owner-list@x.example", "machine_address"), ("bounces+1-a=b.example@x.example", "machine_address"),
        ("noreply@x.example", "machine_address"), ("no-reply-77@x.example", "machine_address"),
        ("do_not_reply@x.example", "machine_address"), ("a+caf_=b=c.example@x.example", "machine_address"),
        ("list-bounces@x.example", "machine_address"), ("root@x.example", "machine_address"),
    ])
    func sendersAreRefused(reversePath: String, reason: String) {
        #expect(Self.refusal(Self.message(reversePath: reversePath))?.rawValue == reason)
    }

    @Test(arguments: [
        "SRS0=abcd=ef=other.example=ann@forward.example", "SRS1=x=y==z@forward.example", "norepl@x.example",
        "rooted@x.example",
        "request@x.example", "mailers@x.example",
    ])
    func senderOfAPersonIsAnswered(reversePath: String) {
        #expect(Self.refusal(Self.message(reversePath: reversePath)) == nil)
    }

    @Test(arguments: [
        ("Auto-Submitted", "auto-replied", "auto_submitted"),
        ("Auto-Submitted", "auto-generated; x=y", "auto_submitted"),
        ("auto-submitted", "(c) Auto-Notified", "auto_submitted"), ("Auto-Submitted", "", "auto_submitted"),
        ("List-Id", "<l.x.example>", "mailing_list"), ("List-Unsubscribe", "<mailto:x@y>", "mailing_list"),
        ("X-BeenThere", "l@x.example", "mailing_list"), ("Mailing-List", "contact x", "mailing_list"),
        ("Precedence", "bulk", "precedence"), ("Precedence", " Junk ", "precedence"),
        ("X-Precedence", "list", "precedence"),
        ("Precedence", "auto_reply", "precedence"), ("X-Auto-Response-Suppress", "DR, OOF", "suppressed"),
        ("X-Auto-Response-Suppress", "ALL", "suppressed"), ("X-Auto-Response-Suppress", "AutoReply", "suppressed"),
        ("X-Autoreply", "yes", "machine_header"), ("X-Loop", "a@b.example", "machine_header"),
        ("Feedback-ID", "1:2:3", "machine_header"), ("X-Cron-Env", "<A=b>", "machine_header"),
        ("X-Failed-Recipients", "a@b.example", "machine_header"),
        ("Delivered-To", "help@ours.example", "machine_header"),
        ("Content-Type", "multipart/report; report-type=delivery-status; boundary=x", "report"),
        ("Content-Type", "Message/Delivery-Status", "report"), ("Content-Type", "text/rfc822-headers", "report"),
        ("Content-Type", "text/calendar; charset=utf-8; Method=\"REPLY\"", "report"),
    ])
    func fieldsOfProgramsAreRefused(name: String, value: String, reason: String) {
        #expect(Self.refusal(Self.message([(name, value)]))?.rawValue == reason)
    }

    @Test(arguments: [
        ("Auto-Submitted", "no"), ("Auto-Submitted", " No (really) ; x=y"), ("Precedence", "normal"),
        ("Precedence", "first-class"),
        ("X-Auto-Response-Suppress", "DR, RN, NRN"), ("X-Autoreply", "no"), ("Delivered-To", "other@ours.example"),
        ("Content-Type", "text/calendar; method=REQUEST"), ("Content-Type", "multipart/mixed; boundary=report"),
        ("X-Spam", "no"),
    ])
    func fieldsOfPersonsAreAnswered(name: String, value: String) {
        #expect(Self.refusal(Self.message([(name, value)])) == nil)
    }

    @Test func anyInstanceOfAutoSubmittedCounts() {
        let message = Self.message([("Auto-Submitted", "no"), ("Auto-Submitted", "auto-generated")])
        #expect(Self.refusal(message) == .autoSubmitted)
    }

    @Test func fromIsAskedLikeTheReversePath() {
        #expect(Self.refusal(Self.message(from: "x <noreply@shop.example>")) == .machineAddress)
        #expect(Self.refusal(Self.message(from: "Help <help@ours.example>")) == .ownAddress)
    }

    @Test func blindCopiesAreAnsweredOnlyWhereTheRouteSaysSo() {
        let message = Self.message(to: "someone@else.example")
        #expect(Self.refusal(message) == .notAddressed)
        #expect(Self.refusal(message) { $0.answersBlindCopies = true } == nil)
        let copied = Self.message([("Cc", "x@y.example, HELP@ours.example")], to: "someone@else.example")
        #expect(Self.refusal(copied) == nil)
        let resent = Self.message([("Resent-To", "help@ours.example")], to: "someone@else.example")
        #expect(Self.refusal(resent) == nil)
    }

    @Test func verdictsAndCircumstancesRefuse() {
        let message = Self.message()
        #expect(Self.refusal(message) { $0.isOwnMail = true } == .ownMail)
        #expect(Self.refusal(message) { $0.verdicts.spam = .fail } == .spam)
        #expect(Self.refusal(message) { $0.verdicts.virus = .fail } == .spam)
        #expect(Self.refusal(message) { $0.verdicts.spam = .gray } == nil)
        #expect(Self.refusal(message) { $0.requiresAuthentication = true } == .unauthenticated)
        #expect(Self.refusal(message) { ($0.requiresAuthentication, $0.verdicts.spf) = (true, .pass) } == nil)
        #expect(Self.refusal(message) { ($0.requiresAuthentication, $0.verdicts.dmarc) = (true, .pass) } == nil)
        // DMARC knows nothing of the reverse path, to which the reply would go.
        var forged = message
        forged.reversePath = "victim@other.example"
        #expect(
            Self.refusal(forged) { ($0.requiresAuthentication, $0.verdicts.dmarc) = (true, .pass) } == .unauthenticated)
        #expect(Self.refusal(forged) { ($0.requiresAuthentication, $0.verdicts.spf) = (true, .pass) } == nil)
        #expect(
            Self.refusal(forged) {
                ($0.requiresAuthentication, $0.verdicts.dmarc, $0.answersFrom) = (true, .pass, true)
            } == nil)
        #expect(Self.refusal(message) { ($0.age, $0.largestAge) = (2, 1) } == .stale)
        #expect(Self.refusal(message) { ($0.age, $0.largestAge) = (1, 1) } == nil)
        let hops = Array(repeating: ("Received", "from x"), count: 26)
        #expect(Self.refusal(Self.message(hops)) == .looping)
        #expect(Self.refusal(Self.message(Array(hops.dropLast()))) == nil)
    }

    /// A message with every fault at once gives the reasons in the documented order as the faults go away.
    @Test func reasonsComeInOrder() {
        let all: [(String, String)] = [
            ("Auto-Submitted", "auto-replied"), ("List-Id", "x"), ("Precedence", "bulk"),
            ("X-Auto-Response-Suppress", "All"),
            ("X-Loop", "x"), ("Content-Type", "multipart/report"),
        ]
        let order: [AutomaticReplyRule.Refusal] = [
            .autoSubmitted, .mailingList, .precedence, .suppressed, .machineHeader, .report, .machineAddress,
        ]
        for index in order.indices {
            let message = Self.message(
                Array(all.dropFirst(index)), reversePath: "noreply@x.example", to: "someone@else.example")
            #expect(Self.refusal(message) { $0.verdicts.spam = .fail } == order[index])
        }
        let addressed = Self.message(to: "someone@else.example")
        #expect(Self.refusal(addressed) { $0.verdicts.spam = .fail } == .notAddressed)
    }
}
