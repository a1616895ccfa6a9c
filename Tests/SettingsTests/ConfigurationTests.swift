import Testing

@testable import Settings

@Suite struct ConfigurationTests {
    @Test func addressesForWhatComesBackAreRead() throws {
        let returns = try Configuration.parse(
            """
            returns:
              bounce_address: Bounce@mail.example.com
              delimiter: "-"
              projects:
                - {project: news, reply_address: reply@news.example.com}
            """
        ).returns
        #expect(returns.addresses == .init(bounce: "Bounce@mail.example.com", reply: nil) && returns.delimiter == "-")
        #expect(returns.projects == ["news": .init(bounce: nil, reply: "reply@news.example.com")])
        #expect(try Configuration.parse("").returns.delimiter == "+")
    }

    @Test(arguments: [
        ("{bounce_address: much-too-long@example.com}", "leaves no room for a token"),
        ("{bounce_address: a+b@example.com}", "leaves no room for a token"),
        ("{bounce_address: bounce}", "mail address"), ("{delimiter: \"++\"}", "is no delimiter"),
        ("{bounce_address: a@example.com, reply_address: A@example.com}", "is there twice"),
        ("{projects: [{bounce_address: a@example.com}]}", "names no project"),
        ("{projects: [{project: a, bounce_address: a@example.com}, {project: a}]}", "is there already"),
    ])
    func addressesThatCannotBearATokenAreRefused(text: String, message: String) {
        let error = #expect(throws: ConfigurationError.self) { try Configuration.parse("returns: \(text)") }
        let found = error?.findings.map { $0.message + $0.mend } ?? []
        #expect(found.contains { $0.contains(message) }, "\(found)")
    }

    @Test func valuesArriveTyped() throws {
        let configuration = try Configuration.parse(
            """
            database: {path: /srv/mail.db}
            milter:
              socket: run/milter.sock
              socket_mode: 0600
              socket_group: ""
              tcp: "[::1]:8471"
              body_limit: 25MiB
              commit_deadline: 1500ms
              on_failure: accept
            http: {address: "::1", port: 0, public_url: "https://Mail.example.com/p/"}
            smtp: {host: Relay.Example, port: 465, tls: implicit, workers: 20, max_lifetime: 2d}
            webhooks:
              allowed_hosts: [Hooks.Example, "127.0.0.1:8080", "::1", "[FD00::1]:9", 192.0.2.1]
              timeout: 3s
              ca_file: ca.pem
            verdicts: {rspamd_headers: true, stripped_at_border: true, authserv_ids: [MX.example.com]}
            routes:
              - {recipient: Support@EXAMPLE.com, project: news}
              - domain: in.example.com
                disposition: discard
            own_addresses: [a@b.example]
            log: {level: debug, format: json}
            """, file: "/etc/postrider/postrider.yaml")
        #expect(configuration.database.path == "/srv/mail.db")
        #expect(configuration.milter.socket == "/etc/postrider/run/milter.sock")
        #expect(configuration.milter.socketMode == 0o600)
        #expect(configuration.milter.socketGroup == nil)
        #expect(configuration.milter.tcp == HostPort(host: "::1", port: 8471))
        #expect(configuration.milter.bodyLimit == 25 << 20)
        #expect(configuration.milter.commitDeadline == .milliseconds(1500))
        #expect(configuration.milter.onFailure == .accept)
        #expect(configuration.http.publicURL == "https://Mail.example.com/p")
        #expect(configuration.smtp.host == "relay.example")
        #expect(configuration.smtp.tls == .implicit)
        #expect(configuration.smtp.maxLifetime == .seconds(172_800))
        #expect(
            configuration.webhooks
                == .init(
                    allowedHosts: ["hooks.example", "127.0.0.1:8080", "::1", "[fd00::1]:9", "192.0.2.1"],
                    timeout: .seconds(3), concurrency: 16, perReceiver: 4, caFile: "/etc/postrider/ca.pem"))
        #expect(configuration.verdicts.authservIDs == ["mx.example.com"])
        #expect(
            configuration.routes == [
                .init(target: .recipient("Support@example.com"), project: "news", disposition: .continue),
                .init(target: .domain("in.example.com"), project: "default", disposition: .discard),
            ])
        #expect(configuration.ownAddresses == ["a@b.example"])
        #expect(configuration.log == .init(level: .debug, format: .json))
        #expect(configuration.warnings.isEmpty)
    }

    @Test(arguments: [
        ("127.0.0.1", 8480, "http://127.0.0.1:8480"), ("::1", 9, "http://[::1]:9"),
        ("0.0.0.0", 80, "http://127.0.0.1:80"),
    ])
    func publicURLIsDerivedFromTheBoundPort(address: String, port: Int, expected: String) throws {
        let configuration = try Configuration.parse("http: {address: \"\(address)\", port: 0}")
        #expect(configuration.http.baseURL(port: port) == expected)
    }

    @Test func environmentWinsOverTheFile() throws {
        let configuration = try Configuration.parse(
            "milter: {body_limit: 1MiB}",
            environment: [
                "POSTRIDER_MILTER_BODY_LIMIT": "2MiB", "POSTRIDER_HTTP_PORT": "0", "HOME": "/root",
                "POSTRIDER_CORPORA": "/x",
            ])
        #expect(configuration.milter.bodyLimit == 2 << 20)
        #expect(configuration.http.port == 0)
        #expect(configuration.warnings.isEmpty)
    }

    @Test func environmentMistakesNameTheVariable() throws {
        let error = #expect(throws: ConfigurationError.self) {
            try Configuration.parse(
                "", environment: ["POSTRIDER_HTTP_PORT": "http", "POSTRIDER_ROUTES": "a", "POSTRIDER_SMTP_HOTS": "b"])
        }
        let findings = try #require(error).findings
        #expect(findings.map(\.key) == ["POSTRIDER_ROUTES", "POSTRIDER_SMTP_HOTS", "POSTRIDER_HTTP_PORT"])
        #expect(findings.map(\.severity) == [.error, .warning, .error])
        #expect(findings[1].mend == "did you mean POSTRIDER_SMTP_HOST?")
        #expect(findings.allSatisfy { $0.place == "environment" })
    }

    @Test func environmentReplacesAWrongValueOfTheFile() throws {
        let configuration = try Configuration.parse("http: {port: much}", environment: ["POSTRIDER_HTTP_PORT": "81"])
        #expect(configuration.http.port == 81)
    }

    @Test(arguments: [
        ("smtp: {host: relay.example}", "smtp.tls", "mail travels to relay.example in clear"),
        (
            "smtp: {port: 465, tls: required}", "smtp.tls",
            "port 465 speaks TLS from the first byte (RFC 8314 section 3.3)"
        ),
        ("smtp: {username: u, password: p}", "smtp.password", "is a secret in a file that travels"),
        (
            "http: {address: 0.0.0.0}", "http.public_url",
            "is not set, so pixels and links in mail work on this machine only"
        ),
    ])
    func doubtfulSettingsWarn(text: String, key: String, message: String) throws {
        let warnings = try Configuration.parse(text).warnings
        #expect(warnings.map(\.key) == [key])
        #expect(warnings.map(\.message) == [message])
        #expect(warnings.allSatisfy { $0.severity == .warning })
    }
}

@Suite struct SecretTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func load(_ text: String, environment: [String: String] = [:]) throws -> Configuration {
        try Configuration.load(path: folder.write(text, to: "postrider.yaml"), environment: environment)
    }

    @Test func passwordComesFromAFileBesideTheConfiguration() throws {
        try folder.write("hunter2 \n", to: "secret")
        let configuration = try load("smtp: {username: u, password_file: secret}")
        #expect(configuration.smtp.login?.password.value == "hunter2 ")
        #expect(configuration.warnings.isEmpty)
    }

    @Test func passwordFileMayComeFromTheEnvironment() throws {
        let file = try folder.write("x", to: "elsewhere/secret")
        let configuration = try load("smtp: {username: u}", environment: ["POSTRIDER_SMTP_PASSWORD_FILE": file])
        #expect(configuration.smtp.login?.password.value == "x")
    }

    @Test func passwordFileForEverybodyWarns() throws {
        try folder.write("x", to: "secret", mode: 0o644)
        #expect(
            try load("smtp: {username: u, password_file: secret}").warnings.map(\.mend) == [
                "chmod 0600 \(folder.path)/secret"
            ])
    }

    @Test(arguments: [
        ("", "does not hold one line"), ("a\nb\n", "does not hold one line"),
        (String(repeating: "x", count: 5000), "is larger than 4KiB"),
    ])
    func uselessPasswordFileIsRefused(content: String, message: String) throws {
        try folder.write(content, to: "secret")
        let error = #expect(throws: ConfigurationError.self) {
            try load("smtp:\n  username: u\n  password_file: secret\n")
        }
        #expect(error?.findings.map(\.line) == [3])
        #expect(error?.findings.first?.message == "\(folder.path)/secret \(message)")
    }

    @Test func missingFileAndDirectoryAreUnreadable() throws {
        for (path, message) in [("\(folder.path)/none", "does not exist"), (folder.path, "is no regular file")] {
            let error = #expect(throws: ConfigurationError.self) {
                try Configuration.load(path: path, environment: [:])
            }
            #expect(error?.code == .unreadable)
            #expect(error?.findings.map(\.message) == [message])
        }
    }

    @Test func byteOrderMarkIsSkippedAndOtherBytesRefused() throws {
        #expect(try load("\u{FEFF}http: {port: 1}").http.port == 1)
        let path = "\(folder.path)/latin1.yaml"
        try #require(TemporaryFolder.writeBytes([0x61, 0xE9], to: path))
        let error = #expect(throws: ConfigurationError.self) { try Configuration.load(path: path, environment: [:]) }
        #expect(error?.findings.map(\.message) == ["is no UTF-8 text"])
    }

    @Test func secretsDoNotPrint() throws {
        try folder.write("hunter2", to: "secret")
        let configuration = try load("smtp: {username: u, password_file: secret}")
        var dumped = ""
        dump(configuration, to: &dumped)
        #expect(!dumped.contains("hunter2"))
        #expect(!String(reflecting: configuration).contains("hunter2"))
        let error = #expect(throws: ConfigurationError.self) { try Configuration.parse("smtp: {password: hunter2}") }
        #expect(error?.description.contains("hunter2") == false)
    }

    @Test func inboundSettingsAreTyped() throws {
        let configuration = try Configuration.parse(
            """
            verdicts:
              stripped_at_border: true
              deadline: 2m
              local_networks: [192.0.2.0/24, "2001:DB8::/32", "::1"]
              sources:
                - {source: spamassassin-headers, gray_min: 3.5}
                - {source: authres, authserv_ids: [MX.example.com]}
                - {source: rspamd-http, address: "127.0.0.1:11333", timeout: 3s, virus_symbols: [CLAM_VIRUS]}
                - {source: clamd, address: /run/clamav/clamd.ctl, size_limit: 1MiB, gray_heuristics: true}
            recipient_delimiter: minus
            unknown_recipients: [{domain: In.example.com, answer: event, project: news}]
            routes:
              - wildcard: "*@*.example.com"
                disposition: quarantine
                when: [Spam=fail, virus=GRAY]
                spam: fail
                raw_mail: never
                reply_to_bcc: true
              - pattern: "x[0-9]+@example.com"
            """)
        #expect(configuration.verdicts.localNetworks == ["192.0.2.0/24", "2001:db8::/32", "::1"])
        let sources = configuration.verdicts.sources
        #expect(sources.map(\.kind) == [.spamAssassinHeaders, .authres, .rspamdHTTP, .clamd])
        #expect(sources[0].grayMinimum == 3.5 && configuration.verdicts.authservIDs == ["mx.example.com"])
        #expect(sources[2].address == "127.0.0.1:11333" && sources[2].timeout == .seconds(3))
        #expect(sources[2].virusSymbols == ["CLAM_VIRUS"])
        #expect(sources[3].sizeLimit == 1 << 20 && sources[3].takesHeuristicsAsGray)
        #expect(configuration.verdicts.deadline == .seconds(120) && configuration.recipientDelimiter == "-")
        #expect(configuration.unknownRecipients == [.init(domain: "in.example.com", answer: .event, project: "news")])
        let route = try #require(configuration.routes.first)
        #expect(route.target == .wildcard("*@*.example.com") && route.conditions == ["spam=FAIL", "virus=GRAY"])
        #expect(route.disposition == .quarantine && route.spam == .fail && route.rawMail == .never)
        #expect(route.answersBlindCopies && !route.requiresAuthentication)
        #expect(configuration.routes.last?.target == .pattern("x[0-9]+@example.com"))
    }
}
