import JSONValue
import MailModel
import Testing

@testable import Engine

@Suite struct DeliverabilityTests {
    /// A domain at which there is nothing to mend but what a test changes.
    private static let sound = """
        shop.example MX 10 mail.shop.example
        mail.shop.example A 192.0.2.10
        shop.example TXT v=spf1 ip4:192.0.2.10 -all
        shop.example TXT some-verification=1
        post._domainkey.shop.example TXT v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
        _dmarc.shop.example TXT v=DMARC1; p=reject; rua=mailto:dmarc@shop.example
        10.2.0.192.in-addr.arpa PTR mail.shop.example
        """

    private static func run(
        _ zone: String, without name: String = "-", _ change: (inout Deliverability.Question) -> Void = { _ in }
    ) async -> [DeliverabilityFinding] {
        var question = Deliverability.Question(domain: "shop.example", now: 1_800_000_000)
        question.selectors = ["post"]
        question.addresses = IPAddress("192.0.2.10").map { [$0] } ?? []
        question.mail = mail(covering: "from:to:list-unsubscribe:list-unsubscribe-post")
        change(&question)
        let kept = sound.split(separator: "\n").filter { !$0.hasPrefix("\(name) ") }.joined(separator: "\n")
        return await Deliverability(question, names: KnownNames("\(kept)\n\(zone)")).run()
    }

    private static func mail(covering fields: String, from: String = "shop.example") -> Deliverability.SeenMail {
        Deliverability.SeenMail(
            fromDomain: from,
            signatures: ["v=1; a=rsa-sha256; d=shop.example; s=post; h=\(fields); bh=AAAA; b=AAAA"],
            fields: ["from", "to", "list-unsubscribe", "list-unsubscribe-post"])
    }

    @Test func aSoundDomainHasNothingToMend() async {
        let findings = await Self.run("")
        #expect(findings.filter { $0.severity == .error } == [])
        // Whose only key is one that few know.
        #expect(findings.filter { $0.severity == .warning }.map(\.subject) == [.dkim])
        for subject in DeliverabilityFinding.Subject.allCases where subject != .mail {
            #expect(findings.contains { $0.subject == subject && $0.severity == .ok }, "\(subject)")
        }
    }

    struct Fault: Sendable {
        var name: String
        /// Whose records are left out, `NAME TYPE`.
        var without = "-"
        var zone = ""
        var severity = DeliverabilityFinding.Severity.error
        var subject: DeliverabilityFinding.Subject
        var words: String
        /// The line that mends it; empty when there is none.
        var record = ""
    }

    static let faults: [Fault] = [
        Fault(
            name: "no SPF", without: "shop.example TXT", subject: .spf, words: "has no SPF record",
            record: "shop.example. IN TXT \"v=spf1 ip4:192.0.2.10 -all\""),
        Fault(
            name: "two SPF", zone: "shop.example TXT v=spf1 mx ~all", subject: .spf, words: "has 2 SPF records",
            record: "shop.example. IN TXT \"v=spf1 ip4:192.0.2.10 mx ~all\""),
        Fault(
            name: "broken SPF", without: "shop.example TXT", zone: "shop.example TXT v=spf1 ipv4:192.0.2.10 -all",
            subject: .spf, words: "`ipv4:192.0.2.10`: there is no such mechanism",
            record: "shop.example. IN TXT \"v=spf1 ip4:192.0.2.10 -all\""),
        Fault(
            name: "another address", without: "shop.example TXT", zone: "shop.example TXT v=spf1 ip4:192.0.2.9 -all",
            subject: .spf, words: "192.0.2.10 may not send for shop.example: the result of SPF is fail",
            record: "shop.example. IN TXT \"v=spf1 ip4:192.0.2.10 ip4:192.0.2.9 -all\""),
        Fault(
            name: "everybody", without: "shop.example TXT", zone: "shop.example TXT v=spf1 mx +all",
            severity: .warning, subject: .spf, words: "lets everybody send in its name",
            record: "shop.example. IN TXT \"v=spf1 mx -all\""),
        Fault(
            name: "no all", without: "shop.example TXT", zone: "shop.example TXT v=spf1 mx", severity: .warning,
            subject: .spf, words: "has no `all`", record: "shop.example. IN TXT \"v=spf1 mx ~all\""),
        Fault(
            name: "behind all", without: "shop.example TXT", zone: "shop.example TXT v=spf1 mx -all a",
            severity: .warning, subject: .spf, words: "terms behind `all`"),
        Fault(
            name: "ptr", without: "shop.example TXT", zone: "shop.example TXT v=spf1 mx ptr -all", severity: .warning,
            subject: .spf, words: "`ptr` is slow"),
        Fault(
            name: "one void", without: "shop.example TXT", zone: "shop.example TXT v=spf1 mx a:gone.example -all",
            severity: .warning, subject: .spf, words: "asks for what is not there"),
        Fault(
            name: "three voids", without: "shop.example TXT",
            zone: "shop.example TXT v=spf1 mx a:a.gone.example a:b.gone.example a:c.gone.example -all", subject: .spf,
            words: "receivers give up after 2"),
        Fault(
            name: "eleven lookups", without: "shop.example TXT",
            zone: "shop.example TXT v=spf1 \(Array(repeating: "mx", count: 11).joined(separator: " ")) -all",
            subject: .spf, words: "asks the DNS 11 times; receivers give up after 10"),
        Fault(
            name: "SPF unknown", without: "shop.example TXT", zone: "shop.example TXT !", severity: .warning,
            subject: .spf, words: "nobody knows"),
        Fault(
            name: "no key", without: "post._domainkey.shop.example TXT", subject: .dkim, words: "there is no key at"),
        Fault(
            name: "revoked", without: "post._domainkey.shop.example TXT",
            zone: "post._domainkey.shop.example TXT v=DKIM1; p=", subject: .dkim, words: "was withdrawn"),
        Fault(
            name: "broken key", without: "post._domainkey.shop.example TXT",
            zone: "post._domainkey.shop.example TXT v=DKIM1; p=AAAA", subject: .dkim,
            words: "is broken: `p` is no RSA key"
        ),
        Fault(
            name: "two keys", zone: "post._domainkey.shop.example TXT v=DKIM1; p=", subject: .dkim,
            words: "has 2 TXT records"),
        Fault(
            name: "testing", without: "post._domainkey.shop.example TXT",
            zone:
                "post._domainkey.shop.example TXT v=DKIM1; t=y; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
            severity: .warning, subject: .dkim, words: "for tests",
            record:
                "post._domainkey.shop.example. IN TXT \"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\""
        ),
        Fault(
            name: "no DMARC", without: "_dmarc.shop.example TXT", subject: .dmarc, words: "has no DMARC record",
            record: "_dmarc.shop.example. IN TXT \"v=DMARC1; p=none; rua=mailto:postmaster@shop.example\""),
        Fault(
            name: "two DMARC", zone: "_dmarc.shop.example TXT v=DMARC1; p=none", subject: .dmarc,
            words: "has 2 DMARC records",
            record: "_dmarc.shop.example. IN TXT \"v=DMARC1; p=reject; rua=mailto:dmarc@shop.example\""),
        Fault(
            name: "broken DMARC", without: "_dmarc.shop.example TXT", zone: "_dmarc.shop.example TXT v=DMARC1; p=all",
            subject: .dmarc, words: "is broken",
            record: "_dmarc.shop.example. IN TXT \"v=DMARC1; p=none; rua=mailto:postmaster@shop.example\""),
        Fault(
            name: "DMARC none", without: "_dmarc.shop.example TXT",
            zone: "_dmarc.shop.example TXT v=DMARC1; p=none; rua=mailto:a@shop.example", severity: .warning,
            subject: .dmarc, words: "p=none",
            record: "_dmarc.shop.example. IN TXT \"v=DMARC1; p=quarantine; rua=mailto:a@shop.example\""),
        Fault(
            name: "DMARC for a part", without: "_dmarc.shop.example TXT",
            zone: "_dmarc.shop.example TXT v=DMARC1; p=reject; pct=10; rua=mailto:a@shop.example", severity: .warning,
            subject: .dmarc, words: "10 %",
            record: "_dmarc.shop.example. IN TXT \"v=DMARC1; p=reject; pct=100; rua=mailto:a@shop.example\""),
        Fault(
            name: "reports to strangers", without: "_dmarc.shop.example TXT",
            zone: "_dmarc.shop.example TXT v=DMARC1; p=reject; rua=mailto:a@reports.example", severity: .warning,
            subject: .dmarc, words: "do not go to reports.example",
            record: "shop.example._report._dmarc.reports.example. IN TXT \"v=DMARC1\""),
        Fault(
            name: "no MX", without: "shop.example MX", subject: .mx, words: "takes no mail",
            record: "shop.example. IN MX 10 mail.shop.example."),
        Fault(
            name: "address in place of MX", without: "shop.example MX", zone: "shop.example A 192.0.2.1",
            severity: .warning, subject: .mx, words: "has no MX record",
            record: "shop.example. IN MX 10 shop.example."),
        Fault(
            name: "null MX", without: "shop.example MX", zone: "shop.example MX 0 .", subject: .mx,
            words: "says that it takes no mail", record: "shop.example. IN MX 10 mail.shop.example."),
        Fault(
            name: "null MX beside others", zone: "shop.example MX 0 .", subject: .mx, words: "beside others"),
        Fault(
            name: "MX is an alias",
            zone: "shop.example MX 20 alias.shop.example\nalias.shop.example CNAME mail.shop.example",
            severity: .warning, subject: .mx, words: "is an alias",
            record: "shop.example. IN MX 20 mail.shop.example."),
        Fault(
            name: "MX is an address", zone: "shop.example MX 20 192.0.2.1", subject: .mx, words: "must be a name",
            record: "shop.example. IN MX 20 mail.shop.example."),
        Fault(
            name: "MX without address", zone: "shop.example MX 20 gone.shop.example", subject: .mx,
            words: "has no address", record: "gone.shop.example. IN A 192.0.2.1"),
        Fault(
            name: "MX within", zone: "shop.example MX 20 in.shop.example\nin.shop.example A 10.0.0.1",
            severity: .warning,
            subject: .mx, words: "no address that others can reach"),
        Fault(
            name: "no PTR", without: "10.2.0.192.in-addr.arpa PTR", subject: .ptr, words: "has no name",
            record: "10.2.0.192.in-addr.arpa. IN PTR mail.shop.example."),
        Fault(
            name: "PTR to elsewhere", without: "10.2.0.192.in-addr.arpa PTR",
            zone: "10.2.0.192.in-addr.arpa PTR other.example", subject: .ptr, words: "does not lead back",
            record: "other.example. IN A 192.0.2.10"),
        Fault(
            name: "PTR of numbers", without: "10.2.0.192.in-addr.arpa PTR",
            zone: "10.2.0.192.in-addr.arpa PTR ip-192-0-2-10.isp.example\nip-192-0-2-10.isp.example A 192.0.2.10",
            severity: .warning, subject: .ptr, words: "made of its numbers",
            record: "10.2.0.192.in-addr.arpa. IN PTR mail.shop.example."),
    ]

    @Test(arguments: faults)
    func aFaultIsNamedWithTheRecordThatMendsIt(_ fault: Fault) async {
        let findings = await Self.run(fault.zone, without: fault.without)
        let found = findings.first { $0.subject == fault.subject && $0.message.contains(fault.words) }
        #expect(found?.severity == fault.severity, "\(fault.name): \(findings)")
        #expect(found?.record?.line ?? "" == fault.record, "\(fault.name)")
    }

    @Test func theSignatureMustCoverWhatOneClickNeeds() async throws {
        let open = await Self.run("") { $0.mail = Self.mail(covering: "from:list-unsubscribe") }
        let finding = try #require(open.first { $0.subject == .unsubscribe })
        #expect(finding.severity == .error)
        #expect(finding.message.contains("does not cover List-Unsubscribe-Post"))
        #expect(finding.mend.contains("SignHeaders *,+List-Unsubscribe,+List-Unsubscribe-Post"))
        let both = await Self.run("") { $0.mail = Self.mail(covering: "from") }
        #expect(both.contains { $0.message.contains("List-Unsubscribe and List-Unsubscribe-Post") })
        let none = await Self.run("") { question in question.mail?.fields = ["from"] }
        #expect(none.contains { $0.severity == .warning && $0.message.contains("bears no List-Unsubscribe;") })
        let half = await Self.run("") { question in question.mail?.fields.remove("list-unsubscribe-post") }
        #expect(half.contains { $0.severity == .warning && $0.mend.contains("https") })
    }

    @Test func aMailWithoutSignatureOrWithAStrangersIsNoDomainsMail() async {
        let bare = await Self.run("") { $0.mail?.signatures = [] }
        #expect(bare.contains { $0.severity == .error && $0.message == "the mail bears no DKIM signature" })
        let foreign = await Self.run("") { question in
            question.mail?.signatures = ["v=1; a=rsa-sha1; d=other.example; s=x; h=from; bh=AAAA; b=AAAA"]
        }
        #expect(foreign.contains { $0.severity == .error && $0.message.contains("says nothing for shop.example") })
        #expect(foreign.contains { $0.message.contains("no key at x._domainkey.other.example") })
        let broken = await Self.run("") { $0.mail?.signatures = ["v=1; a=b"] }
        #expect(broken.contains { $0.severity == .error && $0.message.contains("signature of the mail is broken") })
        let weak = await Self.run("") { question in
            question.mail?.signatures = [
                "v=1; a=rsa-sha1; d=shop.example; s=post; l=5; x=1; h=from; bh=AAAA; b=AAAA"
            ]
        }
        for words in ["rsa-sha1", "`l=`", "expired"] {
            #expect(weak.contains { $0.subject == .dkim && $0.message.contains(words) }, "\(words)")
        }
    }

    @Test func strictAlignmentAsksForTheVeryDomain() async {
        let strict = "_dmarc.news.shop.example TXT v=DMARC1; p=reject; adkim=s; aspf=s; rua=mailto:a@shop.example"
        let findings = await Self.run(strict) { question in
            question.domain = "news.shop.example"
            question.mail?.fromDomain = "news.shop.example"
            question.returnDomains = ["shop.example"]
            question.selectors = []
        }
        #expect(findings.contains { $0.subject == .dkim && $0.message.contains("(adkim=s)") }, "\(findings)")
        #expect(findings.contains { $0.subject == .spf && $0.message.contains("(aspf=s)") }, "\(findings)")
        let relaxed = await Self.run("") { question in
            question.domain = "news.shop.example"
            question.mail?.fromDomain = "news.shop.example"
            question.returnDomains = ["shop.example"]
            question.selectors = []
        }
        #expect(!relaxed.contains { $0.message.contains("says nothing for") }, "\(relaxed)")
        // The policy is the organizational domain's.
        #expect(relaxed.contains { $0.subject == .dmarc && $0.severity == .ok }, "\(relaxed)")
    }

    @Test func whatIsNotKnownIsSaid() async {
        let findings = await Self.run("") { question in
            question.selectors = []
            question.addresses = []
            question.mail = nil
        }
        #expect(findings.contains { $0.subject == .dkim && $0.mend.contains("--selector") })
        #expect(findings.contains { $0.subject == .ptr && $0.mend.contains("--ip") })
        #expect(findings.contains { $0.subject == .mail && $0.mend.contains("--send") })
        #expect(!findings.contains { $0.severity == .error }, "\(findings)")
    }

    @Test func aDNSThatSaysNothingIsNobodysFault() async {
        let zone = ["shop.example MX", "shop.example TXT", "_dmarc.shop.example TXT", "10.2.0.192.in-addr.arpa PTR"]
            .map { "\($0) !" }.joined(separator: "\n")
        let names = KnownNames("\(zone)\npost._domainkey.shop.example TXT !")
        var question = Deliverability.Question(domain: "shop.example", now: 0)
        question.selectors = ["post"]
        question.addresses = IPAddress("192.0.2.10").map { [$0] } ?? []
        let findings = await Deliverability(question, names: names).run()
        #expect(!findings.contains { $0.severity == .error }, "\(findings)")
        #expect(findings.count { $0.message.contains("nobody knows:") } == 5, "\(findings)")
    }

    @Test func eachQuestionIsAskedOnce() async {
        let names = KnownNames(Self.sound)
        var question = Deliverability.Question(domain: "shop.example", now: 0)
        question.selectors = ["post", "post"]
        question.addresses = ["192.0.2.10", "192.0.2.10"].compactMap { IPAddress($0) }
        _ = await Deliverability(question, names: names).run()
        let questions = await names.questions
        #expect(Set(questions).count == questions.count)
    }

    @Test func longTextsBecomeSeveralStrings() {
        let record = DeliverabilityFinding.Record("a.example", "TXT", String(repeating: "x", count: 300) + "\"")
        #expect(
            record.line
                == "a.example. IN TXT \"\(String(repeating: "x", count: 255))\" \"\(String(repeating: "x", count: 45))\\\"\""
        )
    }

    @Test func whatWasSeenOfAMailIsKeptInItsRow() throws {
        let message = ReceivedMessage(headers: [
            HeaderField("DKIM-Signature", " v=1; a=b;\r\n\td=c"), HeaderField("From", " A <a@M\u{FC}ller.example>"),
            HeaderField("List-Unsubscribe", " <https://x>"),
        ])
        let seen = Deliverability.SeenMail(message)
        #expect(seen.fromDomain == "xn--mller-kva.example")
        #expect(seen.fields == ["dkim-signature", "from", "list-unsubscribe"])
        #expect(Deliverability.SeenMail(seen.json) == seen)
        #expect(Deliverability.SeenMail(nil) == nil && Deliverability.SeenMail(JSON.int(1)) == nil)
    }
}
