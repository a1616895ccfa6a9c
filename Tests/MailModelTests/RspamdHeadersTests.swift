import MailModel
import Testing

struct RspamdHeadersTests {
    private func message(
        _ headers: [(String, String)], client: String = "203.0.113.9", user: String? = nil
    ) -> ReceivedMessage {
        ReceivedMessage(
            clientAddress: client, authenticatedUser: user, headers: headers.map { HeaderField($0.0, $0.1) })
    }

    private static let source = RspamdHeaders(trustedServices: ["mx.ours.example"], virusSymbols: ["CLAM_VIRUS"])

    static let spamCases: [([(String, String)], ScanVerdict, Bool)] = [
        ([], .disabled, false),
        ([("X-Rspamd-Action", "no action")], .pass, false), ([("x-rspamd-action", " No Action ")], .pass, false),
        ([("X-Rspamd-Action", "add header")], .fail, false), ([("X-Rspamd-Action", "rewrite subject")], .fail, false),
        ([("X-Rspamd-Action", "reject")], .fail, false), ([("X-Rspamd-Action", "quarantine")], .fail, false),
        ([("X-Rspamd-Action", "discard")], .fail, false), ([("X-Rspamd-Action", "greylist")], .gray, false),
        ([("X-Rspamd-Action", "soft reject")], .processingFailed, false), ([("X-Rspamd-Action", "mine")], .gray, false),
        ([("X-Rspamd-Action", "")], .gray, false),
        ([("X-Spam", "Yes")], .fail, false), ([("X-Spam", "No")], .disabled, false),
        ([("X-Rspamd-Action", "no action"), ("X-Spam", "Yes")], .fail, true),
        ([("X-Rspamd-Action", "no action"), ("X-Rspamd-Action", "no action")], .gray, true),
        ([("X-Rspamd-Action", "no action"), ("X-Rspamd-Action", "reject")], .gray, true),
        ([("X-Spamd-Result", "default: False [1.20 / 15.00]")], .gray, false),
        ([("X-Spamd-Result", "default: True [20.0 / 15.00]")], .fail, false),
        ([("X-Rspamd-Action", "no action"), ("X-Spamd-Result", "default: True [20 / 15]")], .gray, true),
        (
            [
                ("X-Rspamd-Action", "no action"), ("X-Spamd-Result", "a: False [1/15]"),
                ("X-Spamd-Result", "b: False [2/15]"),
            ], .gray, true
        ),
        ([("X-Spam-Status", "No, score=0.1")], .disabled, false),
    ]

    @Test(arguments: spamCases)
    func spamVerdictIsReadCarefully(headers: [(String, String)], spam: ScanVerdict, isConflicting: Bool) {
        let verdicts = Self.source.verdicts(of: message(headers))
        #expect(verdicts.spam == spam)
        #expect(verdicts.isConflicting == isConflicting)
    }

    @Test(arguments: [
        "", "127.0.0.1", "::1", "10.1.2.3", "192.168.1.1", "172.20.0.1", "fe80::1", "fd00::1", "::ffff:10.0.0.1",
        "junk",
    ])
    func localClientsAreDisabled(client: String) {
        let headers = [("X-Rspamd-Action", "no action"), ("Authentication-Results", "mx.ours.example; spf=pass")]
        #expect(Self.source.verdicts(of: message(headers, client: client)) == ScanVerdicts())
    }

    @Test(arguments: [
        "203.0.113.9", "2001:db8::1", "[203.0.113.9]", "IPv6:2001:db8::1", "::ffff:203.0.113.9", "172.32.0.1",
    ])
    func outsideClientsAreRead(client: String) {
        #expect(Self.source.verdicts(of: message([("X-Rspamd-Action", "no action")], client: client)).spam == .pass)
    }

    @Test func authenticatedAndDeclaredLocalClientsAreDisabled() {
        let headers = [("X-Rspamd-Action", "no action")]
        #expect(Self.source.verdicts(of: message(headers, user: "ann")) == ScanVerdicts())
        #expect(Self.source.verdicts(of: message(headers), isLocalClient: true) == ScanVerdicts())
        var scanning = Self.source
        scanning.scansPrivateNetworks = true
        #expect(scanning.verdicts(of: message(headers, client: "10.0.0.1")).spam == .pass)
        #expect(scanning.verdicts(of: message(headers, client: "127.0.0.1")).spam == .disabled)
    }

    @Test func pointsAndActionAreKept() {
        let result = "default: False [-1.20 / 15.00];\n\tR_SPF_ALLOW(-0.20)[+mx];\n\tCLAM_VIRUS_FAIL(0.00)[a;b]"
        let verdicts = Self.source.verdicts(
            of: message([("X-Rspamd-Action", "no action"), ("X-Spamd-Result", result)]))
        #expect(verdicts.spamAction == "no action")
        #expect(verdicts.spamScore == -1.2)
        #expect(verdicts.spamThreshold == 15)
        #expect(verdicts.virus == .processingFailed)
    }

    @Test(arguments: [
        ("CLAM_VIRUS(15)[Eicar]", ScanVerdict.fail), ("CLAM_VIRUS_ENCRYPTED(0)", .gray), ("CLAM_VIRUS_MACRO(0)", .gray),
        ("OTHER(0)", .pass), ("OTHER(0)[x; CLAM_VIRUS]", .pass),
    ])
    func virusSymbolsAreRead(symbol: String, verdict: ScanVerdict) {
        let fields = message([
            ("X-Rspamd-Action", "no action"), ("X-Spamd-Result", "default: False [0 / 15]; \(symbol)"),
        ])
        #expect(Self.source.verdicts(of: fields).virus == verdict)
        #expect(RspamdHeaders().verdicts(of: fields).virus == .disabled)
    }

    static let authenticationCases: [([String], ScanVerdict, ScanVerdict, ScanVerdict, Bool)] = [
        (
            ["mx.ours.example; spf=pass smtp.mailfrom=a@b; dkim=pass header.d=b; dmarc=pass header.from=b"], .pass,
            .pass, .pass, false
        ),
        (
            ["MX.Ours.Example 1; SPF=Fail (x; dkim=pass) smtp.helo=\"a;dmarc=pass\"; dmarc = fail reason=\"a; b\""],
            .fail, .disabled, .fail, false
        ),
        (["evil.example; spf=pass; dkim=pass; dmarc=pass"], .disabled, .disabled, .disabled, false),
        (["mx.ours.example; none"], .disabled, .disabled, .disabled, false),
        (
            ["mx.ours.example; dkim=pass header.b=ab==", "mx.ours.example; dmarc=none (p=none dis=none)"], .disabled,
            .pass, .gray, false
        ),
        (["mx.ours.example; dkim=fail; dkim=pass; spf=softfail"], .gray, .pass, .disabled, false),
        (
            ["mx.ours.example; dkim=fail; dkim=none; spf=temperror; dmarc=permerror"], .processingFailed, .fail,
            .processingFailed, false
        ),
        (
            ["mx.ours.example; dkim=temperror; dkim=permerror; dmarc=bestguesspass; spf=none"], .gray,
            .processingFailed, .gray, false
        ),
        (["mx.ours.example; spf=pass", "mx.ours.example; spf=fail"], .fail, .disabled, .disabled, true),
        (["\"mx.ours.example\"; dkim/1=pass; dkim-atps=neutral"], .disabled, .pass, .disabled, false),
        ([""], .disabled, .disabled, .disabled, false), ([";;=;spf=pass"], .disabled, .disabled, .disabled, false),
        (["mx.ours.example; spf=pass (unended"], .pass, .disabled, .disabled, false),
    ]

    @Test(arguments: authenticationCases)
    func authenticationResultsAreRead(
        fields: [String], spf: ScanVerdict, dkim: ScanVerdict, dmarc: ScanVerdict, isConflicting: Bool
    ) {
        let verdicts = Self.source.verdicts(of: message(fields.map { ("Authentication-Results", $0) }))
        #expect(verdicts.spf == spf)
        #expect(verdicts.dkim == dkim)
        #expect(verdicts.dmarc == dmarc)
        #expect(verdicts.isConflicting == isConflicting)
    }

    @Test func propertiesOfAChecksAreKept() throws {
        let field = try #require(
            AuthenticationResults("a.example; dkim=pass header.d=B.example header.b=\"x y\" (c); auth=pass"))
        #expect(field.authservID == "a.example")
        #expect(field.checks.map(\.method) == ["dkim", "auth"])
        #expect(field.checks.first?.property("header.d") == "B.example")
        #expect(field.checks.first?.property("header.b") == "x y")
    }
}
