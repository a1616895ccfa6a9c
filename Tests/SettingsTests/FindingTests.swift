import Testing

@testable import Settings

/// One wrong text, and what must be said about it: line, key, and a part of message or mend.
struct BadText: Sendable, CustomTestStringConvertible {
    let text: String
    let findings: [String]

    init(_ text: String, _ findings: String...) {
        self.text = text
        self.findings = findings
    }

    var testDescription: String { text.prefix(60).replacing("\n", with: "⏎").description }
}

@Suite struct FindingTests {
    private static let values = [
        BadText("milter:\n  body_limit: 10 MB\n", "2 milter.body_limit `10 MB` is no size"),
        BadText("milter:\n  body_limit: 10485760\n", "2 milter.body_limit `10485760` is no size"),
        BadText("milter:\n  body_limit: 2GiB\n", "2 milter.body_limit 2GiB is out of range"),
        BadText("milter:\n  body_limit: 99999999999999GiB\n", "2 milter.body_limit `99999999999999GiB` is no size"),
        BadText("milter:\n  commit_deadline: 5\n", "2 milter.commit_deadline `5` is no duration"),
        BadText("milter:\n  commit_deadline: 2h\n", "2 milter.commit_deadline 2h is out of range"),
        BadText("milter:\n  socket_mode: 0888\n", "2 milter.socket_mode `0888` is no octal mode"),
        BadText("milter:\n  socket: \"\"\n", "2 milter.socket is empty"),
        BadText(
            "milter:\n  socket: /\(String(repeating: "x", count: 107))\n",
            "2 milter.socket is 108 bytes long; the kernel takes 107"),
        BadText("milter:\n  tcp: 8471\n", "2 milter.tcp `8471` is no host and port"),
        BadText(
            "milter:\n  tcp: 0.0.0.0:8471\n",
            "2 milter.tcp 0.0.0.0 can be reached from other machines, and the milter protocol knows no login"),
        BadText(
            "milter:\n  on_failure: tempfial\n",
            "2 milter.on_failure `tempfial` is none of the choices tempfail or accept"),
        BadText("http:\n  port: 65536\n", "2 http.port 65536 is out of range"),
        BadText("http:\n  port: 80.0\n", "2 http.port `80.0` is no whole number"),
        BadText("http:\n  port:\n", "2 http.port has no value"),
        BadText("http:\n  port: ~\n", "2 http.port has no value"),
        BadText("http:\n  address: everywhere\n", "2 http.address `everywhere` is no IP address"),
        BadText("http:\n  public_url: mail.example.com\n", "2 http.public_url `mail.example.com` is no base URL"),
        BadText(
            "http:\n  public_url: https://a.example/?x=1\n", "2 http.public_url `https://a.example/?x=1` is no base URL"
        ),
        BadText("smtp:\n  verify: yes\n", "2 smtp.verify `yes` is neither true nor false"),
        BadText("smtp:\n  host: smtp.example.com:587\n", "2 smtp.host `smtp.example.com:587` is no host"),
        BadText("smtp:\n  ehlo_name: \"a\\nb\"\n", "2 smtp.ehlo_name holds a control character"),
        BadText(
            "webhooks:\n  allowed_hosts: [\"https://a.example/\", \"a.example:0\", \"a.example:65536\", 10.0.0.0/8]\n",
            "2 webhooks.allowed_hosts[1] `https://a.example/` is no host",
            "2 webhooks.allowed_hosts[2] `a.example:0` is no host",
            "2 webhooks.allowed_hosts[3] `a.example:65536` is no host",
            "2 webhooks.allowed_hosts[4] `10.0.0.0/8` is no host"),
        BadText("dns:\n  server: localhost\n", "2 dns.server `localhost` is no IPv4 address, with or without a port"),
        BadText("dns:\n  server: \"::1\"\n", "2 dns.server `::1` is no IPv4 address"),
        BadText("dns:\n  server: 127.0.0.1:0\n", "2 dns.server `127.0.0.1:0` is no IPv4 address"),
        BadText("dns:\n  server: 127.0.0.1:53:1\n", "2 dns.server `127.0.0.1:53:1` is no IPv4 address"),
        BadText("webhooks:\n  timeout: 61s\n", "2 webhooks.timeout 61s is out of range"),
        BadText("webhooks:\n  concurrency: 0\n", "2 webhooks.concurrency 0 is out of range"),
        BadText("webhooks:\n  per_receiver: 65\n", "2 webhooks.per_receiver 65 is out of range"),
        BadText("mail:\n  default_from: somebody\n", "2 mail.default_from `somebody` is no mailbox"),
        BadText(
            "own_addresses: [a@b.example, nobody, a@B.example]\n", "1 own_addresses[2] `nobody` is no mail address",
            "1 own_addresses[3] `a@b.example` is listed twice"),
    ]

    private static let shapes = [
        BadText("http: 8480\n", "1 http is a section and holds keys, not a value"),
        BadText("http:\n  port: [1]\n", "2 http.port takes one value, not a list or mapping"),
        BadText("routes: support@example.com\n", "1 routes takes a list"),
        BadText("routes:\n  - support@example.com\n", "2 routes[1] is no mapping"),
        BadText("own_addresses:\n  - {a: b}\n", "2 own_addresses[1] is no text"),
        BadText("- http\n", "1  is no mapping of sections"),
        BadText("just words\n", "1  is no mapping of sections"),
        BadText("http: {port: 1\n", "2  is no valid YAML"),
        BadText("http:\n\tport: 1\n", "2  is no valid YAML"),
        BadText("a: \u{1}\n", "1  is no valid YAML"),
        BadText("http: {port: 1}\n---\nhttp: {port: 2}\n", "2  is no valid YAML"),
        BadText("http: &h {port: 1}\n", "1 http has an anchor"),
        BadText("http:\n  port: &p 1\nsmtp:\n  port: *p\n", "2 http.port has an anchor"),
        BadText("http: *none\n", "1  is no valid YAML: found undefined alias"),
        BadText("? [a]\n: b\n", "1  has a key that is no plain word"),
        BadText(
            "a: " + String(repeating: "[", count: 40) + String(repeating: "]", count: 40) + "\n", "1 a is no section",
            "is nested deeper than 16 levels"),
    ]

    private static let keys = [
        BadText("mitler:\n  socket: x\n", "1 mitler is no section (did you mean milter?)"),
        BadText("milter:\n  body_limti: 1MiB\n", "2 milter.body_limti is no key of milter (did you mean body_limit?)"),
        BadText("milter:\n  workers: 3\n", "2 milter.workers is no key of milter (did you mean smtp.workers?)"),
        BadText("workers: 3\n", "1 workers is no section (did you mean smtp.workers?)"),
        BadText(
            "routes:\n  - recipent: a@b.example\n", "2 routes[1] has neither recipient nor domain",
            "2 routes[1].recipent is no key of routes[1] (did you mean recipient?)"),
        BadText("http:\n  port: 1\n  port: 2\n", "3 http.port is set a second time; the first is in line 2"),
        BadText("http: {port: 1}\nsmtp: {}\nhttp: {port: 2}\n", "3 http is set a second time; the first is in line 1"),
        BadText(
            "http: {port: 1, \"port\": 2}\nsmtp:\n  port: 1\n  port: 2\n  port: 3\n",
            "1 http.port is set a second time; the first is in line 1", "4 smtp.port is set a second time",
            "5 smtp.port is set a second time"),
    ]

    private static let contradictions = [
        BadText(
            "verdicts:\n  rspamd_headers: true\n", "2 verdicts.rspamd_headers any sender can write X-Rspamd-Action"),
        BadText(
            "verdicts:\n  authserv_ids: [mx.example]\n",
            "2 verdicts.authserv_ids any sender can write Authentication-Results"),
        BadText(
            "verdicts:\n  sources: [{source: spamassassin-headers}]\n",
            "2 verdicts.sources any sender can write X-Spam-Status"),
        BadText(
            "verdicts:\n  sources: [{source: received-spf-first}, {source: clamav-headers}]\n",
            "2 verdicts.sources any sender can write Received-SPF",
            "2 verdicts.sources any sender can write X-Virus-Status"),
        BadText(
            "verdicts:\n  stripped_at_border: true\n  sources: [{source: rspamd-headers}]\n  rspamd_headers: true\n",
            "4 verdicts.rspamd_headers repeats a source of verdicts.sources"),
        BadText(
            "verdicts:\n  stripped_at_border: true\n  sources:\n    - source: authres\n",
            "4 verdicts.sources[1] names no authserv_ids"),
        BadText(
            "verdicts:\n  sources:\n    - source: clamd\n", "3 verdicts.sources[1] does not say where clamd listens"),
        BadText(
            "verdicts:\n  local_networks: [192.0.2.0/24, 192.0.2.0/33, example.com, '::ffff:192.0.2.0/120']\n",
            "2 verdicts.local_networks[2] `192.0.2.0/33` is no IP address and no network",
            "2 verdicts.local_networks[3] `example.com` is no IP address and no network",
            "2 verdicts.local_networks[4] `::ffff:192.0.2.0/120` is an IPv4 network in a mapping"),
        BadText("verdicts:\n  sources:\n    - timeout: 1s\n", "3 verdicts.sources[1] does not say which source it is"),
        BadText(
            "verdicts:\n  sources:\n    - {source: spamd, address: nowhere}\n",
            "3 verdicts.sources[1].address `nowhere` is neither host and port nor a path"),
        BadText(
            "verdicts:\n  sources:\n    - {source: spam, address: /s}\n",
            "3 verdicts.sources[1].source `spam` is none of the choices"),
        BadText(
            "verdicts:\n  sources:\n    - {source: clamd, address: /s, virus_symbols: [X]}\n",
            "3 virus_symbols has no meaning for clamd"),
        BadText(
            "verdicts:\n  sources:\n    - {source: spamd, address: /s, gray_min: much}\n",
            "3 verdicts.sources[1].gray_min `much` is no number"),
        BadText(
            "verdicts:\n  sources:\n    - {source: rspamd-http, address: /s, password_file: /nonexistent/p}\n",
            "3 verdicts.sources[1].password_file /nonexistent/p does not exist"),
        BadText("routes:\n  - {domain: b.example, when: [spam=FAIL]}\n", "2 when has no effect"),
        BadText(
            "routes:\n  - {domain: b.example, disposition: reject, when: [ham=FAIL]}\n",
            "2 when[1] `ham=FAIL` is no verdict"),
        BadText("unknown_recipients:\n  - answer: reject\n", "2 unknown_recipients[1] has no domain"),
        BadText(
            "unknown_recipients:\n  - {domain: b.example}\n  - {domain: B.example}\n",
            "3 unknown_recipients[2] repeats b.example"),
        BadText("smtp:\n  username: u\n", "2 smtp.username has no password"),
        BadText(
            "smtp:\n  password_file: /nonexistent/secret\n", "2 smtp.password_file /nonexistent/secret does not exist"),
        BadText(
            "smtp:\n  password: p\n", "2 smtp.password is a secret in a file that travels",
            "2 smtp.password has no user name beside it"),
        BadText(
            "smtp:\n  host: relay.example\n  tls: opportunistic\n  username: u\n  password: p\n",
            "3 smtp.tls opportunistic can send the password for relay.example in clear", "5 smtp.password is a secret"),
        BadText("smtp: {first_retry: 5h}\n", "1 smtp.first_retry is longer than smtp.max_retry"),
        BadText("smtp: {max_lifetime: 1h}\n", "smtp.max_retry is longer than smtp.max_lifetime"),
        BadText(
            "routes:\n  - recipient: a@b.example\n    domain: b.example\n", "2 routes[1] has both recipient and domain"),
        BadText("routes:\n  - project: p\n", "2 routes[1] has neither recipient nor domain"),
        BadText("routes:\n  - {recipient: here}\n", "2 routes[1].recipient `here` is no mail address"),
        BadText("routes:\n  - {domain: b.example}\n  - {domain: B.example}\n", "3 routes[2] repeats an earlier route"),
        BadText(
            "routes:\n  - {domain: b.example}\n  - {domain: b.example, project: p, disposition: discard}\n",
            "3 routes[2] differs in disposition"),
        BadText(
            "routes:\n  - {domain: b.example, disposition: bounce}\n",
            "2 routes[1].disposition `bounce` is none of the choices continue, discard, quarantine or reject"),
    ]

    @Test(arguments: values + shapes + keys + contradictions)
    func wrongTextIsReportedWithLineAndMend(bad: BadText) throws {
        let error = #expect(throws: ConfigurationError.self) { try Configuration.parse(bad.text) }
        let findings = try #require(error).findings
        let written = findings.map { finding in
            "\(finding.line.map { "\($0) " } ?? "")\(finding.key) \(finding.message) (\(finding.mend))"
        }
        #expect(written.count == bad.findings.count, "\(written)")
        for expected in bad.findings {
            #expect(written.contains { $0.contains(expected) }, "\(expected) not in \(written)")
        }
        #expect(findings.allSatisfy { !$0.mend.isEmpty && $0.file == "postrider.yaml" })
    }

    @Test func everythingWrongIsReportedAtOnceInOrder() throws {
        let error = #expect(throws: ConfigurationError.self) {
            try Configuration.parse("smtp:\n  port: x\n  tsl: none\nhttp:\n  port: -1\nverdict: {}\n")
        }
        #expect(error?.findings.map(\.line) == [2, 3, 5, 6])
        #expect(
            error?.description.split(separator: "\n").first
                == "postrider.yaml:2: error: smtp.port: `x` is no whole number (write a number from 1 to 65535)")
    }

    @Test func tooLargeATextIsNotParsed() throws {
        let error = #expect(throws: ConfigurationError.self) {
            try Configuration.parse("#" + String(repeating: "x", count: 1 << 20))
        }
        #expect(error?.findings.map(\.message) == ["is larger than 1MiB"])
    }

    @Test func aliasBombIsRefusedWithoutUnfolding() throws {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...20 {
            text +=
                "a\(level): &a\(level) [" + Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
                + "]\n"
        }
        let error = #expect(throws: ConfigurationError.self) { try Configuration.parse(text) }
        #expect(error?.findings.contains { $0.message.hasPrefix("has an anchor") } == true)
    }

    @Test(arguments: [("[", "]"), ("{a: ", "}"), ("{", ": b}"), ("- ", ""), ("? ", "")])
    func deepNestingIsRefused(open: String, close: String) throws {
        for depth in [20, 900, 5000] {
            let text =
                "- " + String(repeating: open, count: depth) + "x" + String(repeating: close, count: depth) + "\n"
            #expect(throws: ConfigurationError.self) { try Configuration.parse(text) }
        }
    }

    @Test func relativeSocketPathIsMeasuredWhole() throws {
        let error = #expect(throws: ConfigurationError.self) {
            try Configuration.parse(
                "milter:\n  socket: milter.sock\n", file: "/\(String(repeating: "d", count: 100))/p.yaml")
        }
        #expect(error?.findings.map(\.line) == [2])
    }

    @Test func manyRepetitionsEndInOneFinding() throws {
        let error = #expect(throws: ConfigurationError.self) {
            try Configuration.parse("http:\n" + String(repeating: "  port: 1\n", count: 100))
        }
        #expect(error?.findings.map(\.message) == ["repeats more than 20 keys"])
    }
}
