import MailModel
import Testing

@Suite struct PassiveSourcesTests {
    private func message(
        _ headers: [(String, String)], client: String = "203.0.113.9", user: String? = nil
    ) -> ReceivedMessage {
        ReceivedMessage(
            clientAddress: client, authenticatedUser: user, headers: headers.map { HeaderField($0.0, $0.1) })
    }

    private static let all = PassiveSources([
        .rspamd(RspamdHeaders(virusSymbols: ["CLAM_VIRUS"])), .spamAssassin(SpamAssassinHeaders()),
        .clamAV(ClamAVHeaders()), .authentication(services: ["mx.ours.example"]), .receivedSPF,
    ])

    private static let good: [(String, String)] = [
        ("X-Rspamd-Action", "no action"), ("X-Spam-Status", "No, score=0.1 required=5.0 tests=NONE"),
        ("X-Virus-Status", "Clean"), ("Received-SPF", "Pass (ok) client-ip=203.0.113.9; helo=x"),
        ("Authentication-Results", "mx.ours.example; dkim=pass header.d=example.org; dmarc=pass"),
        ("From", "Ann <ann@mail.example.org>"),
    ]

    @Test func nobodyIsBelievedWhoIsNotListed() {
        #expect(PassiveSources([]).verdicts(of: message(Self.good)) == ScanVerdicts())
    }

    @Test func everySourceHasItsSay() {
        let verdicts = Self.all.verdicts(of: message(Self.good))
        for check in [VerdictCheck.spam, .virus, .spf, .dkim, .dmarc] { #expect(verdicts[check] == .pass, "\(check)") }
        #expect(verdicts.isDKIMAligned == true && !verdicts.isConflicting && verdicts.dmarcPolicy == nil)
        #expect(
            verdicts.findings.map(\.source) == [
                "rspamd-headers", "spamassassin-headers", "clamav-headers", "authres", "authres", "received-spf-first",
            ])
    }

    @Test(arguments: ["", "127.0.0.1", "::1", "10.1.2.3", "192.168.1.1", "fe80::1", "junk"])
    func localClientsAreSilent(client: String) {
        #expect(Self.all.verdicts(of: message(Self.good, client: client)) == ScanVerdicts())
    }

    /// Whom the scanners leave alone although his address is public.
    @Test(arguments: [
        ("203.0.113.9", true), ("[203.0.113.9]", true), ("::ffff:203.0.113.9", true), ("IPv6:2001:db8::1", true),
        ("203.0.114.9", false), ("2001:db9::1", false),
    ])
    func declaredLocalClientsAreSilent(client: String, isLocal: Bool) throws {
        let networks = try ["203.0.113.0/24", "2001:db8::/32"].map { try #require(IPNetwork(text: $0)) }
        let sources = PassiveSources(Self.all.sources, localNetworks: networks)
        let verdicts = sources.verdicts(of: message(Self.good, client: client))
        #expect((verdicts == ScanVerdicts()) == isLocal)
        #expect(verdicts.findings.isEmpty == isLocal)
    }

    @Test func loggedInUsersAreSilent() {
        #expect(Self.all.verdicts(of: message(Self.good, user: "ann")) == ScanVerdicts())
    }

    // MARK: SpamAssassin

    static let statusCases: [([(String, String)], ScanVerdict, Bool)] = [
        ([], .disabled, false),
        ([("X-Spam-Status", "Yes, score=7.1 required=5.0 tests=A,B autolearn=no version=4.0.1")], .fail, false),
        ([("X-Spam-Status", "No, score=-1.9 required=6.31 tagged_above=2 tests=[A=1]")], .pass, false),
        ([("X-Spam-Status", "No, hits=1.0 required=5.0")], .pass, false),
        ([("X-Spam-Status", "No, score=4.0 required=5.0")], .gray, false),
        ([("X-Spam-Status", "Maybe")], .gray, false), ([("X-Spam-Status", "")], .gray, false),
        ([("X-Spam-Flag", "YES")], .fail, false), ([("X-Spam-Flag", "NO")], .disabled, false),
        ([("X-Spam-Flag", "YES"), ("X-Spam-Status", "No, score=0 required=5")], .fail, true),
        ([("X-Spam-Flag", "NO"), ("X-Spam-Status", "Yes, score=9 required=5")], .fail, true),
        ([("X-Spam-Status", "No, score=0 required=5"), ("X-Spam-Status", "No, score=0 required=5")], .gray, true),
        ([("X-Spam-Flag", "NO"), ("X-Spam-Flag", "NO")], .gray, true),
        ([("X-Spam-Status", "No, score=nan required=5")], .pass, false),
        ([("X-Spam-Level", "*****")], .disabled, false),
    ]

    @Test(arguments: statusCases)
    func spamAssassinIsReadCarefully(_ headers: [(String, String)], _ spam: ScanVerdict, _ isConflicting: Bool) {
        let verdicts = PassiveSources([.spamAssassin(SpamAssassinHeaders(grayMinimum: 3))])
            .verdicts(of: message(headers))
        #expect(verdicts.spam == spam && verdicts.isConflicting == isConflicting)
    }

    /// rspamd's imitation has no `required`, and neither of the two is the other's second.
    @Test func bothScannersMayWriteAStatus() {
        let headers = [
            ("X-Rspamd-Action", "no action"), ("X-Spam-Status", "No, score=0.90"),
            ("X-Spam-Status", "Yes, score=7 required=5 tests=A"),
        ]
        let both = PassiveSources([.rspamd(RspamdHeaders()), .spamAssassin(SpamAssassinHeaders())])
        let verdicts = both.verdicts(of: message(headers))
        #expect(verdicts.spam == .fail && !verdicts.isConflicting)
        #expect(verdicts.findings.map(\.verdict) == [.pass, .fail])
        #expect(PassiveSources([.rspamd(RspamdHeaders())]).verdicts(of: message(headers)).isConflicting)
    }

    @Test(arguments: [
        ("no action", "Yes, score=7.1", ScanVerdict.fail, true), ("add header", "Yes, score=7.1", .fail, false),
        ("greylist", "No, score=4.5", .gray, false),
    ])
    func rspamdsStatusContradictsItsAction(
        _ action: String, _ status: String, _ spam: ScanVerdict, _ isConflicting: Bool
    ) {
        let verdicts = RspamdHeaders()
            .verdicts(of: message([("X-Rspamd-Action", action), ("X-Spam-Status", status)]))
        #expect(verdicts.spam == spam && verdicts.isConflicting == isConflicting)
    }

    // MARK: ClamAV

    static let virusCases: [([(String, String)], ScanVerdict, Bool)] = [
        ([], .disabled, false), ([("X-Virus-Status", "Clean")], .pass, false),
        ([("X-Virus-Status", "Infected (Eicar-Test-Signature)")], .fail, false),
        ([("X-Virus-Status", "Infected")], .fail, false),
        ([("X-Virus-Status", "Infected (Heuristics.Encrypted.Zip)")], .gray, false),
        ([("X-Virus-Status", "Infected (Heuristics.Phishing)")], .fail, false),
        ([("X-Virus-Status", "?")], .gray, false),
        ([("X-Virus-Status", "Clean"), ("X-Virus-Status", "Clean")], .gray, true),
        ([("X-Virus-Scanned", "Debian amavisd-new at example.com")], .disabled, false),
    ]

    @Test(arguments: virusCases)
    func virusStatusIsReadCarefully(_ headers: [(String, String)], _ virus: ScanVerdict, _ isConflicting: Bool) {
        let verdicts = PassiveSources([.clamAV(ClamAVHeaders())]).verdicts(of: message(headers))
        #expect(verdicts.virus == virus && verdicts.isConflicting == isConflicting)
    }

    // MARK: Received-SPF

    @Test(arguments: [
        ("Pass (sender SPF authorized) identity=mailfrom; client-ip=203.0.113.9; helo=x", ScanVerdict.pass),
        ("pass", .pass), ("Fail (x)", .fail), ("SoftFail (x)", .gray), ("Neutral (x)", .gray), ("None (x)", .gray),
        ("TempError (x)", .processingFailed), ("PermError (x)", .processingFailed), ("", .gray),
        // Another client: an earlier hop's.
        ("Pass (x) client-ip=198.51.100.1;", .disabled),
        // In a comment it says nothing.
        ("Fail (client-ip=198.51.100.1) client-ip=203.0.113.9", .fail),
    ])
    func firstReceivedSPFCounts(_ field: String, _ spf: ScanVerdict) {
        let mail = message([("Received-SPF", field), ("Received-SPF", "Pass (forged)")])
        #expect(PassiveSources([.receivedSPF]).verdicts(of: mail).spf == spf)
    }

    @Test func clientsOfIPv6AreComparedByValue() {
        let mail = message(
            [("Received-SPF", "Pass (x) client-ip=2001:0db8:0:0:0:0:0:1;")], client: "2001:db8::1")
        #expect(PassiveSources([.receivedSPF]).verdicts(of: mail).spf == .pass)
    }

    // MARK: Authentication-Results

    @Test func severalServicesAndFieldsAreMerged() {
        let mail = message([
            ("Authentication-Results", "mx.ours.example; dmarc=fail (p=reject dis=none) header.from=example.org"),
            ("Authentication-Results", "dkim.ours.example; dkim=pass header.d=other.example; dkim=fail"),
            ("Authentication-Results", "evil.example; dmarc=pass; spf=pass"), ("From", "ann@example.org"),
        ])
        let sources = PassiveSources([.authentication(services: ["mx.ours.example", "DKIM.ours.example"])])
        let verdicts = sources.verdicts(of: mail)
        #expect(verdicts.dmarc == .fail && verdicts.dkim == .pass && verdicts.spf == .disabled)
        #expect(verdicts.dmarcPolicy == "reject" && verdicts.isDKIMAligned == false)
        #expect(verdicts.findings.first { $0.check == .dkim }?.value == "pass, fail")
    }

    @Test(
        arguments: [
            ("dmarc=fail reason=\"x\" header.from=a (policy=quarantine)", "quarantine"),
            ("dmarc=fail (p=none dis=none)", "none"), ("dmarc=fail policy.dmarc=Reject", "reject"),
            ("dmarc=fail (policy=everything)", nil), ("dmarc=pass (policy=reject)", nil),
        ] as [(String, String?)])
    func policyIsNamedWhereItFailed(_ text: String, _ policy: String?) {
        let mail = message([("Authentication-Results", "mx.ours.example; \(text)")])
        let verdicts = PassiveSources([.authentication(services: ["mx.ours.example"])]).verdicts(of: mail)
        #expect(verdicts.dmarcPolicy == policy)
    }

    // MARK: Merging

    /// FAIL before PROCESSING_FAILED before GRAY before PASS; DISABLED has no say.
    @Test func worseVerdictCountsAndBothAreListed() {
        let order: [ScanVerdict] = [.disabled, .pass, .gray, .processingFailed, .fail]
        for (rank, verdict) in order.enumerated() {
            for (otherRank, other) in order.enumerated() {
                #expect(verdict.merged(with: other) == order[max(rank, otherRank)])
                var merged = ScanVerdicts()
                merged.add(VerdictFinding(.spam, source: "a", verdict: verdict))
                merged.add(VerdictFinding(.spam, source: "b", verdict: other))
                #expect(merged.spam == order[max(rank, otherRank)])
                #expect(merged.findings.count == [verdict, other].count { $0 != .disabled })
            }
        }
    }

    @Test func aForgedFieldMakesItsNeighboursGray() {
        let headers = [("X-Rspamd-Action", "no action"), ("X-Rspamd-Action", "no action"), ("X-Virus-Status", "Clean")]
        let verdicts = Self.all.verdicts(of: message(headers))
        #expect(verdicts.spam == .gray && verdicts.virus == .gray && verdicts.isConflicting)
    }

    @Test func conditionsNameACheckAndAVerdict() {
        #expect(VerdictCondition("spam=FAIL") == VerdictCondition(.spam, .fail))
        #expect(VerdictCondition("Dmarc=processing_failed") == VerdictCondition(.dmarc, .processingFailed))
        for text in ["", "spam", "spam=", "spam=NO", "ham=FAIL", "spam=FAIL=1"] {
            #expect(VerdictCondition(text) == nil, "\(text)")
        }
        #expect(VerdictCondition(.spam, .fail).holds(for: ScanVerdicts(spam: .fail)))
        #expect(!VerdictCondition(.spam, .fail).holds(for: ScanVerdicts()))
    }
}
