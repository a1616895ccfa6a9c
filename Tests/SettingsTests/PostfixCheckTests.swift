import Foundation
import Testing

@testable import Settings

/// Files of a temporary directory, and statuses and users from a table.
struct TableProbe: FileProbe {
    var statuses: [String: FileStatus] = [:]
    var users: [String: UserIdentity] = ["postfix": UserIdentity(user: 102, groups: [105])]

    func text(of path: String) -> String? { SystemFiles().text(of: path) }
    func status(of path: String) -> FileStatus { statuses[path] ?? .missing }
    func identity(of user: String) -> UserIdentity? { users[user] }

    static func directory(_ mode: UInt32, _ owner: UInt32 = 0, _ group: UInt32 = 0) -> FileStatus {
        .found(kind: .directory, mode: mode, owner: owner, group: group)
    }

    /// Debian's tree with our directory and socket as the tmpfiles line and the daemon make them.
    static let sound = TableProbe(statuses: [
        "/": directory(0o755), "/var": directory(0o755), "/var/spool": directory(0o755),
        "/var/spool/postfix": directory(0o755),
        "/var/spool/postfix/postrider": directory(0o2750, 110, 105),
        "/var/spool/postfix/postrider/milter.sock": .found(kind: .socket, mode: 0o660, owner: 110, group: 105),
    ])
}

/// One state of Postfix, and the findings that are no `ok`.
struct PostfixCase: Sendable, CustomTestStringConvertible {
    static let listed = "smtpd_milters = { unix:postrider/milter.sock, default_action=accept }\n"
    static let internalMail =
        "non_smtpd_milters = { unix:postrider/milter.sock, default_action=accept }\ninternal_mail_filter_classes = bounce\n"
    static let sound = listed + internalMail
    static let master = "smtp inet n - y - - smtpd\ncleanup unix n - y - 0 cleanup\n"

    var testDescription: String
    var main = sound
    var master = Self.master
    var ours = ""
    var findings: [String] = []

    init(_ name: String, main: String = sound, master: String = Self.master, ours: String = "", _ findings: String...) {
        testDescription = name
        self.main = main
        self.master = master
        self.ours = ours
        self.findings = findings
    }

    func run(_ probe: TableProbe = .sound) throws -> [Finding] {
        let folder = try TemporaryFolder()
        try folder.write(main, to: "main.cf")
        try folder.write(master, to: "master.cf")
        // Whether our own mail is shown to us is asked by cases of its own.
        let settings = ours.contains("postfix:") ? ours : ours + "\npostfix: {exactly_once: false}"
        return try PostfixCheck(directory: folder.path, configuration: Configuration.parse(settings), files: probe)
            .findings()
    }
}

@Suite struct PostfixCheckTests {
    private static let list = [
        PostfixCase("all is well"),
        PostfixCase(
            "nothing is listed", main: "",
            "error main.cf smtpd_milters: smtp/inet does not show its mail to Postrider (postconf -e 'smtpd_milters={ unix:postrider/milter.sock, default_action=tempfail }')",
            "warning main.cf non_smtpd_milters: bounces that this Postfix writes itself do not reach Postrider: smtpd_milters never sees them (postconf -e 'non_smtpd_milters={ unix:postrider/milter.sock, default_action=accept }')",
            "warning main.cf internal_mail_filter_classes: without bounce, Postfix shows no milter the bounces it writes itself (postconf -e internal_mail_filter_classes=bounce)"
        ),
        PostfixCase(
            "an existing milter is kept and named by the mend",
            main: "smtpd_milters = $spam\nspam = inet:localhost:11332\n" + PostfixCase.internalMail,
            "error main.cf:1 smtpd_milters: smtp/inet does not show its mail to Postrider (postconf -e 'smtpd_milters=$spam, { unix:postrider/milter.sock, default_action=tempfail }')"
        ),
        PostfixCase(
            "absolute path inside the chroot",
            main: "smtpd_milters = unix:/var/spool/postfix/postrider/milter.sock\n" + PostfixCase.internalMail,
            "error main.cf:1 smtpd_milters: unix:/var/spool/postfix/postrider/milter.sock leads to /var/spool/postfix/var/spool/postfix/postrider/milter.sock, but Postrider listens on /var/spool/postfix/postrider/milter.sock (postconf -e 'smtpd_milters={ unix:postrider/milter.sock, default_action=tempfail }')"
        ),
        PostfixCase(
            "absolute path counted from the chroot",
            main: "smtpd_milters = unix:/postrider/milter.sock\n" + PostfixCase.internalMail),
        PostfixCase(
            "no chroot needs the whole path or a relative one",
            main: "smtpd_milters = unix:/postrider/milter.sock\n" + PostfixCase.internalMail,
            master: "smtp inet n - n - - smtpd\ncleanup unix n - n - 0 cleanup\n",
            "error main.cf:1 smtpd_milters: unix:/postrider/milter.sock leads to /postrider/milter.sock, but Postrider listens on /var/spool/postfix/postrider/milter.sock (postconf -e 'smtpd_milters={ unix:postrider/milter.sock, default_action=tempfail }')"
        ),
        PostfixCase(
            "whole path without chroot",
            main: "smtpd_milters = unix:/var/spool/postfix/postrider/milter.sock\n" + PostfixCase.internalMail,
            master: "smtp inet n - n - - smtpd\ncleanup unix n - n - 0 cleanup\n"),
        PostfixCase(
            "dash in the chroot column means no since compatibility level 1",
            main: "compatibility_level = 3.6\nsmtpd_milters = unix:/var/spool/postfix/postrider/milter.sock\n"
                + PostfixCase.internalMail,
            master: "smtp inet n - - - - smtpd\ncleanup unix n - n - 0 cleanup\n"),
        PostfixCase(
            "socket outside the chroot", main: PostfixCase.internalMail, ours: "milter: {socket: /run/postrider.sock}",
            "error main.cf smtpd_milters: smtp/inet runs chrooted in /var/spool/postfix and cannot reach /run/postrider.sock (set milter.socket: /var/spool/postfix/postrider/milter.sock in Postrider's configuration)"
        ),
        PostfixCase(
            "TCP entrance",
            main:
                "smtpd_milters = { inet:localhost:8471, default_action=accept }\nnon_smtpd_milters = $smtpd_milters\ninternal_mail_filter_classes = notify bounce\n",
            ours: "milter: {tcp: 127.0.0.1:8471}"),
        PostfixCase(
            "TCP on another port", main: "smtpd_milters = inet:localhost:8472\n" + PostfixCase.internalMail,
            ours: "milter: {tcp: 127.0.0.1:8471}",
            "error main.cf:1 smtpd_milters: smtp/inet does not show its mail"),
        PostfixCase(
            "bounces come back to an address of their own",
            main: PostfixCase.sound
                + "recipient_delimiter = -+\nvirtual_mailbox_domains = example.net, Mail.Example.com\n",
            ours: "returns: {bounce_address: bounce@mail.example.com, reply_address: reply@mail.example.com}"),
        PostfixCase(
            "nobody takes mail for the address of bounces, and its token is a mailbox",
            ours: "returns: {bounce_address: bounce@mail.example.com}",
            "warning main.cf recipient_delimiter: is empty, so Postfix takes mail with a token only where every name is taken (postconf -e 'recipient_delimiter=+')",
            "warning main.cf virtual_mailbox_domains: no list of this Postfix names mail.example.com"),
        PostfixCase(
            "another delimiter, and the domain of a project",
            main: PostfixCase.sound + "recipient_delimiter = +\nrelay_domains = news.example.com\n",
            ours:
                "returns: {delimiter: \"-\", projects: [{project: news, bounce_address: b@news.example.com}, {project: shop, reply_address: r@shop.example.com}]}",
            "warning main.cf:4 recipient_delimiter: is +, so Postfix takes mail with a token only where every name is taken (postconf -e 'recipient_delimiter=+-')",
            "warning main.cf virtual_mailbox_domains: no list of this Postfix names shop.example.com"),
        PostfixCase(
            "the domain may be in a table",
            main: PostfixCase.sound + "recipient_delimiter = +\nvirtual_mailbox_domains = hash:/etc/postfix/domains\n",
            ours: "returns: {bounce_address: bounce@mail.example.com}"),
        PostfixCase(
            "bounces go to From, and nobody hears of them", ours: "mail: {default_from: Shop <shop@example.com>}",
            "warning main.cf returns.bounce_address: is not set and no route leads to shop@example.com, so bounces and complaints of mail are not heard of (set returns.bounce_address (Documentation/bounces.md))"
        ),
        PostfixCase(
            "bounces go to From, which is a route",
            ours: "mail: {default_from: Shop <shop@example.com>}\nroutes: [{domain: example.com}]"),
        PostfixCase(
            "several findings in one list",
            main:
                "smtpd_milters = { unix:postrider/milter.sock, default_action=reject, protocol=4, content_timeout=2s }, inet:127.0.0.1:11332\n"
                + PostfixCase.internalMail,
            "error main.cf:1 smtpd_milters: reject: while Postrider is down, inbound mail is refused for good (postconf -e 'smtpd_milters={ unix:postrider/milter.sock, protocol=4, content_timeout=2s, default_action=tempfail }, inet:127.0.0.1:11332')",
            "error main.cf:1 smtpd_milters: protocol 4 is too old; Postrider needs 6",
            "warning main.cf:1 smtpd_milters: rspamd comes after Postrider, so its verdict is not there yet (postconf -e 'smtpd_milters=inet:127.0.0.1:11332, { unix:postrider/milter.sock, default_action=reject, protocol=4, content_timeout=2s }')",
            "warning main.cf:1 smtpd_milters: content_timeout is 2s; Postfix gives up before Postrider can answer (milter.commit_deadline is 2s)"
        ),
        PostfixCase(
            "another milter comes last",
            main: "smtpd_milters = unix:postrider/milter.sock, unix:opendkim/sock\n" + PostfixCase.internalMail,
            "warning main.cf:1 smtpd_milters: unix:opendkim/sock comes after Postrider and can still refuse a message whose event is stored (postconf -e 'smtpd_milters=unix:opendkim/sock, unix:postrider/milter.sock')"
        ),
        PostfixCase(
            "parameters instead of braces",
            main:
                "smtpd_milters = unix:postrider/milter.sock\nmilter_protocol = 2\nmilter_default_action = quarantine\nmilter_content_timeout = soon\n"
                + PostfixCase.internalMail,
            "error main.cf:2 milter_protocol: protocol 2 is too old; Postrider needs 6 (postconf -e milter_protocol=6)",
            "error main.cf:4 milter_content_timeout: `soon` is no time (postconf -e 'smtpd_milters={ unix:postrider/milter.sock, content_timeout=30s }')",
            "warning main.cf:3 milter_default_action: quarantine"),
        PostfixCase(
            "blanks around the equals sign",
            main: "smtpd_milters = { unix:postrider/milter.sock, default_action = accept }\n"
                + PostfixCase.internalMail,
            "error main.cf:1 smtpd_milters: `default_action = accept` inside the braces is no setting"),
        PostfixCase(
            "blanks in braces of their own",
            main: "smtpd_milters = { unix:postrider/milter.sock, { default_action = accept } }\n"
                + PostfixCase.internalMail),
    ]

    private static let services = [
        PostfixCase(
            "no listener", master: "cleanup unix n - y - 0 cleanup\n",
            "error master.cf smtp/inet: no service receives mail on port 25"),
        PostfixCase(
            "postscreen hands to a pass listener",
            master: "smtp inet n - y - 1 postscreen\nsmtpd pass - - y - - smtpd\ncleanup unix n - y - 0 cleanup\n"),
        PostfixCase(
            "submission inherits the list",
            master: PostfixCase.master + "submission inet n - y - - smtpd\n  -o smtpd_sasl_auth_enable=yes\n",
            "warning main.cf:1 smtpd_milters: submission/inet shows its mail to Postrider too, so what your own users and programs submit becomes email.received when it matches a route (postconf -P submission/inet/smtpd_milters=)"
        ),
        PostfixCase(
            "submission has a list of its own",
            master: PostfixCase.master
                + "465 inet n - y - - smtpd\n# comment\n\n  -o { smtpd_milters = inet:localhost:8891, unix:postrider/milter.sock }\n",
            "warning master.cf:3 smtpd_milters: 465/inet shows its mail to Postrider too, so what your own users and programs submit becomes email.received when it matches a route (postconf -P 465/inet/smtpd_milters=inet:localhost:8891)"
        ),
        PostfixCase(
            "submission without milters",
            master: PostfixCase.master + "submission inet n - y - - smtpd -o smtpd_milters=\n"),
        PostfixCase(
            "re-injection without milters",
            master: PostfixCase.master
                + "127.0.0.1:10025 inet n - y - - smtpd -o receive_override_options=no_header_body_checks,no_milters\n"),
        PostfixCase(
            "the listener overrides the list",
            master: "smtp inet n - y - - smtpd -o smtpd_milters=inet:localhost:1\ncleanup unix n - y - 0 cleanup\n",
            "error master.cf:1 smtpd_milters: smtp/inet does not show its mail to Postrider (postconf -P 'smtp/inet/smtpd_milters=inet:localhost:1,{unix:postrider/milter.sock,default_action=tempfail}')"
        ),
        PostfixCase(
            "the listener switches milters off", main: PostfixCase.sound + "receive_override_options = no_milters\n",
            "error main.cf:4 receive_override_options: no_milters keeps"),
        PostfixCase(
            "proxy filter and milter maps",
            main: PostfixCase.sound + "smtpd_proxy_filter = 127.0.0.1:10024\nsmtpd_milter_maps = cidr:/x\n",
            "error main.cf:4 smtpd_proxy_filter: with a proxy filter",
            "warning main.cf:5 smtpd_milter_maps: clients listed"),
        PostfixCase(
            "internal mail may be refused",
            main:
                "smtpd_milters = unix:postrider/milter.sock\nnon_smtpd_milters = $smtpd_milters\ninternal_mail_filter_classes = notify\n",
            "warning main.cf:2 non_smtpd_milters: default_action is tempfail here, so a bounce written while Postrider is down is lost or delayed (postconf -e 'non_smtpd_milters={ unix:postrider/milter.sock, default_action=accept }')",
            "warning main.cf:3 internal_mail_filter_classes: without bounce, Postfix shows no milter the bounces it writes itself (postconf -e 'internal_mail_filter_classes=notify, bounce')"
        ),
        PostfixCase(
            "mail leaves elsewhere, so its bounces come from elsewhere", main: PostfixCase.listed,
            ours: "smtp: {host: relay.example, tls: required}"),
    ]

    /// Whether a crash sends nothing twice.
    private static let ownMail = [
        PostfixCase(
            "our own mail enters where no milter is", main: PostfixCase.internalMail + "smtpd_milters =\n",
            ours: "postfix: {exactly_once: true}",
            "error main.cf:3 smtpd_milters: smtp/inet does not show its mail to Postrider",
            "warning main.cf:3 smtpd_milters: smtp/inet takes Postrider's own mail and does not show it to Postrider"),
        PostfixCase("our own mail is shown and its log is read", ours: "postfix: {log: /var/log/mail.log}"),
        PostfixCase(
            "our own mail is shown and no log is read", ours: "postfix: {exactly_once: true}",
            "warning main.cf:1 smtpd_milters: with default_action=accept a mail that is handed over at the moment of a crash"
        ),
        PostfixCase(
            "our own mail is shown to a milter that must answer",
            main: PostfixCase.sound.replacing("accept", with: "tempfail", maxReplacements: 1),
            ours: "postfix: {exactly_once: true}"),
    ]

    private static let verdicts = [
        PostfixCase(
            "rspamd is believed and not there", main: PostfixCase.sound + "header_checks = regexp:/x\n",
            ours: "verdicts: {rspamd_headers: true, stripped_at_border: true}",
            "warning main.cf:1 smtpd_milters: verdicts.rspamd_headers is true, and no milter here looks like rspamd"),
        PostfixCase(
            "rspamd is believed and comes later",
            main:
                "smtpd_milters = { unix:postrider/milter.sock, default_action=accept }, unix:rspamd/proxy.sock\nheader_checks = regexp:/x\n"
                + PostfixCase.internalMail,
            ours: "verdicts: {rspamd_headers: true, stripped_at_border: true}",
            "error main.cf:1 smtpd_milters: rspamd comes after Postrider"),
        PostfixCase(
            "border promises to strip and does not",
            ours: "verdicts: {authserv_ids: [mx.example], stripped_at_border: true}",
            "warning main.cf header_checks: is empty, but verdicts.stripped_at_border says"),
    ]

    @Test(arguments: list + services + verdicts + ownMail)
    func findingsNamePlaceAndMend(state: PostfixCase) throws {
        let written = try state.run().filter { $0.severity != .ok }.map { finding in
            let place =
                finding.key == "milter.socket" ? finding.place : String(finding.place.split(separator: "/").last ?? "")
            return "\(finding.severity.rawValue) \(place) \(finding.key): \(finding.message) (\(finding.mend))"
        }
        #expect(written.count == state.findings.count, "\(written.joined(separator: "\n"))")
        for expected in state.findings {
            #expect(
                written.contains { $0.hasPrefix(expected) }, "\(expected)\nnot in\n\(written.joined(separator: "\n"))")
        }
    }

    @Test(arguments: ["/var/spool/postfix", "/var/spool/postfix/postrider", "/var/spool/postfix/postrider/milter.sock"])
    func whatIsMissingOnTheWayIsNamed(path: String) throws {
        var probe = TableProbe.sound
        probe.statuses[path] = nil
        let finding = try #require(try PostfixCase("").run(probe).first)
        #expect(finding.severity == (path.hasSuffix(".sock") ? .warning : .error))
        #expect(
            path.hasSuffix(".sock")
                ? finding.message.hasPrefix("there is no socket")
                : finding.message == "the directory \(path) does not exist")
        #expect(path.hasSuffix(".sock") || finding.mend == "install -d -o postrider -g postfix -m 2750 \(path)")
    }

    @Test(
        arguments: [
            (
                "/var/spool/postfix/postrider", TableProbe.directory(0o2750, 110, 110),
                "the user postfix may not enter /var/spool/postfix/postrider"
            ),
            (
                "/var/spool/postfix/postrider", TableProbe.directory(0o2705, 110, 105),
                "the user postfix may not enter /var/spool/postfix/postrider"
            ),
            (
                "/var/spool/postfix/postrider/milter.sock", .found(kind: .socket, mode: 0o600, owner: 110, group: 105),
                "the user postfix may not write to the socket"
            ),
            (
                "/var/spool/postfix/postrider/milter.sock", .found(kind: .socket, mode: 0o755, owner: 110, group: 110),
                "the user postfix may not write to the socket"
            ),
            (
                "/var/spool/postfix/postrider/milter.sock", .found(kind: .socket, mode: 0o070, owner: 102, group: 105),
                "the user postfix may not write to the socket"
            ),
            (
                "/var/spool/postfix/postrider/milter.sock", .found(kind: .other, mode: 0o666, owner: 110, group: 105),
                "is no socket"
            ),
            (
                "/var/spool/postfix/postrider", .found(kind: .other, mode: 0o666, owner: 0, group: 0),
                "/var/spool/postfix/postrider is no directory"
            ),
        ] as [(String, FileStatus, String)])
    func missingPermissionIsAnError(path: String, status: FileStatus, message: String) throws {
        var probe = TableProbe.sound
        probe.statuses[path] = status
        let errors = try PostfixCase("").run(probe).filter { $0.severity == .error }
        #expect(errors.map(\.message) == [message])
        #expect(errors.allSatisfy { !$0.mend.isEmpty })
    }

    @Test func chrootedServiceNeedsNoPermissionAboveItsRoot() throws {
        var probe = TableProbe.sound
        probe.statuses["/var/spool"] = TableProbe.directory(0o700)
        #expect(try PostfixCase("").run(probe).allSatisfy { $0.severity == .ok })
        let unchrooted = PostfixCase("", master: "smtp inet n - n - - smtpd\ncleanup unix n - y - 0 cleanup\n")
        #expect(try unchrooted.run(probe).first?.message == "the user postfix may not enter /var/spool")
    }

    @Test func whatCannotBeLookedAtIsAWarning() throws {
        var probe = TableProbe.sound
        probe.statuses["/var/spool/postfix/postrider/milter.sock"] = .hidden
        #expect(try PostfixCase("").run(probe).first?.mend == "run this as root")
        probe.users = [:]
        #expect(try PostfixCase("").run(probe).first?.message.hasPrefix("there is no user postfix") == true)
    }

    @Test func missingDirectoryIsOneFinding() throws {
        let check = try PostfixCheck(
            directory: "/nonexistent", configuration: Configuration.parse(""), files: SystemFiles())
        #expect(check.findings().map(\.place) == ["/nonexistent/main.cf"])
    }

    @Test func deliveredFragmentIsFoundSound() throws {
        let fragment = try PackageTree.text(of: "conf/postfix/main.cf")
        let state = PostfixCase(
            "", main: fragment, ours: "verdicts: {stripped_at_border: true, authserv_ids: [mx.example.com]}")
        #expect(try state.run().map(\.severity).allSatisfy { $0 == .ok })
        let withRspamd = fragment.replacing("#   {", with: "    {")
        let believed = PostfixCase(
            "", main: withRspamd, ours: "verdicts: {stripped_at_border: true, rspamd_headers: true}")
        #expect(try believed.run().map(\.severity).allSatisfy { $0 == .ok })
    }
}
