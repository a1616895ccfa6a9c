extension Schema {
    enum Milter {
        static let socket = Entry.text(
            "milter.socket", .socketPath, default: "/var/spool/postfix/postrider/milter.sock",
            example: "/var/spool/postfix/agent/milter.sock",
            """
            The Unix socket Postfix connects to. Debian runs smtpd chrooted in /var/spool/postfix, so the socket must \
            lie below it, and smtpd_milters names it without that prefix: unix:postrider/milter.sock.
            """
        )
        static let socketMode = Entry.text(
            "milter.socket_mode", .mode, default: "0660", example: "0660",
            "Mode of the socket. The user postfix needs write permission, through the group as a rule.")
        static let socketGroup = Entry.text(
            "milter.socket_group", .group, default: "postfix", allowsEmpty: true, example: "mail",
            "Group the socket is given to; empty leaves the group the directory or the process gives it.")
        static let tcp = Entry.text(
            "milter.tcp", .hostPort, example: "127.0.0.1:8471",
            """
            A second entrance over TCP, for a Postfix in another container. Any user who can reach it can invent mail, \
            so prefer the socket.
            """
        )
        static let tcpBeyondLoopback = Entry.flag(
            "milter.tcp_beyond_loopback", default: false,
            """
            Permits an address in milter.tcp that other machines can reach. The milter protocol knows no login: a \
            firewall must keep strangers out.
            """
        )
        static let bodyLimit = Entry.bytes(
            "milter.body_limit", 1024...(1 << 30), default: 10 << 20, example: 25 << 20,
            """
            How much of a message's body is kept. The rest still travels to the mailbox; the event is marked as \
            truncated.
            """
        )
        static let headerLimit = Entry.integer(
            "milter.header_limit", 10...100_000, default: 1000, unit: "header fields", example: 500,
            "How many header fields of a message are kept.")
        static let headerBytesLimit = Entry.bytes(
            "milter.header_bytes_limit", 1024...(64 << 20), default: 1 << 20, example: 256 << 10,
            "How many bytes of header fields are kept, names and values together.")
        static let recipientLimit = Entry.integer(
            "milter.recipient_limit", 1...100_000, default: 1000, unit: "recipients", example: 100,
            "How many recipients of one message are kept; one too many is put off (452). Postfix's own smtpd_recipient_limit is 1000: below that each recipient is answered on its own, which costs every mail a round trip; from there on the whole message is put off."
        )
        static let partLimit = Entry.integer(
            "milter.part_limit", 1...100_000, default: 1000, unit: "parts", example: 200,
            "How many MIME parts of a message are read; the event names the defect too_many_parts beyond it.")
        static let nestingLimit = Entry.integer(
            "milter.nesting_limit", 1...100, default: 32, unit: "levels", example: 10,
            "How deep parts inside each other are read; the event names the defect nested_too_deeply beyond it.")
        static let inFlightBytes = Entry.bytes(
            "milter.in_flight_bytes", (1 << 20)...(64 << 30), default: 512 << 20, example: 1 << 30,
            """
            How many bytes of bodies may be held at once by all messages that are being received. A message that would \
            pass it is put off (452); the sender tries again.
            """
        )
        static let inFlightMessages = Entry.integer(
            "milter.in_flight_messages", 1...100_000, default: 1000, unit: "messages", example: 200,
            "How many wanted messages may be under way at once; one too many is put off (452).")
        static let clientBytes = Entry.bytes(
            "milter.client_bytes", (1 << 20)...(64 << 30), default: 256 << 20, example: 64 << 20,
            """
            The same as milter.in_flight_bytes for the messages of one client address. This machine's own addresses are \
            not counted.
            """
        )
        static let clientMessages = Entry.integer(
            "milter.client_messages", 1...100_000, default: 50, unit: "messages", example: 20,
            """
            The same as milter.in_flight_messages for one client address. Postfix itself lets a client have 50 \
            connections (smtpd_client_connection_count_limit).
            """
        )
        static let commitDeadline = Entry.duration(
            "milter.commit_deadline", .milliseconds(100)...(.seconds(60)), default: .seconds(2), example: .seconds(5),
            """
            How long the end of a message may wait until its event is stored. The sending server waits so long for its \
            answer, so keep it short; milter.on_failure says what happens then.
            """
        )
        static let onFailure = Entry<OnFailure>.choice(
            "milter.on_failure", default: .tempfail, example: .accept,
            """
            The answer when the event cannot be stored in time. tempfail: the sender keeps the message and tries \
            again, so neither mail nor event is lost. accept: mail flows on and the event is lost.
            """
        )

        static let settings = [
            socket.setting, socketMode.setting, socketGroup.setting, tcp.setting, tcpBeyondLoopback.setting,
            bodyLimit.setting, headerLimit.setting, headerBytesLimit.setting, recipientLimit.setting,
            partLimit.setting, nestingLimit.setting, inFlightBytes.setting, inFlightMessages.setting,
            clientBytes.setting, clientMessages.setting,
            commitDeadline.setting, onFailure.setting,
        ]
    }

    enum Verdicts {
        static let sources = Setting(
            path: "verdicts.sources", shape: .mappings(Source.settings), type: "list of mappings", defaultText: "[]",
            meaning:
                """
                Whose word counts, and nobody else's. Sources that stand in the message: rspamd-headers, \
                spamassassin-headers (amavis too), clamav-headers, authres, received-spf-first. They need \
                stripped_at_border and say nothing about mail of local clients and logged-in users. Sources that are asked \
                after the message was accepted, while its event waits: rspamd-http, spamd, clamd. Where two disagree, \
                FAIL goes before PROCESSING_FAILED before GRAY before PASS.
                """,
            example:
                """
                [{source: spamd, address: "127.0.0.1:783"}, {source: clamd, address: /run/clamav/clamd.ctl}]
                """
        )
        static let rspamdHeaders = Entry.flag(
            "verdicts.rspamd_headers", default: false,
            """
            Short for a source rspamd-headers without settings of its own: believe X-Rspamd-Action and X-Spamd-Result. \
            rspamd adds them with extended_spam_headers = true, and must be listed before Postrider in smtpd_milters.
            """
        )
        static let strippedAtBorder = Entry.flag(
            "verdicts.stripped_at_border", default: false,
            """
            Confirms that Postfix removes incoming copies of verdict fields before any milter runs \
            (conf/postfix/header_checks). Every such field can be written by a spammer, and rspamd leaves forged ones \
            in place, so header sources are refused without it. `postrider check --canary` tries it.
            """
        )
        static let authservIDs = ListEntry(
            "verdicts.authserv_ids", of: .domain, example: ["mx.example.com"],
            """
            Short for a source authres with these authserv_ids: names that our own checkers put first in \
            Authentication-Results (RFC 8601 section 2.5), usually Postfix's myhostname. Fields with any other name are \
            ignored.
            """
        )
        static let localNetworks = ListEntry(
            "verdicts.local_networks", of: .network, example: ["192.0.2.0/24"],
            """
            Networks with public addresses whose mail your scanners or the border leave alone, as rspamd does with its \
            local_addrs, SpamAssassin with trusted_networks and some with Postfix's mynetworks: header sources say nothing \
            about mail from there, because nobody has removed forged fields. Loopback and private networks always are local.
            """
        )
        static let deadline = Entry.duration(
            "verdicts.deadline", .seconds(1)...(.seconds(3600)), default: .seconds(60), example: .seconds(120),
            """
            How long after its reception the event of a message waits for the sources that are asked. A scanner that \
            does not answer is asked again until then; afterwards its verdict is PROCESSING_FAILED.
            """
        )
        static let scans = Entry.integer(
            "verdicts.scans", 1...64, default: 4, unit: "messages", example: 8,
            "How many messages are shown to the scanners at once.")

        static let settings = [
            sources, rspamdHeaders.setting, strippedAtBorder.setting, authservIDs.setting, localNetworks.setting,
            deadline.setting, scans.setting,
        ]

        /// One entry of `verdicts.sources`.
        enum Source {
            static let source = Entry.text(
                "source", .oneOf(VerdictSourceKind.allCases.map(\.rawValue)), example: "rspamd-headers",
                "Which source this is.")
            static let address = Entry.text(
                "address", .scannerAddress, example: "127.0.0.1:11333",
                """
                Where a source that is asked listens: host:port, or the path of its Unix socket. Needed for rspamd-http, \
                spamd and clamd.
                """
            )
            static let passwordFile = Entry.text(
                "password_file", .path, example: "/etc/postrider/rspamd-password",
                "The password of rspamd's controller, for rspamd-http on its port.")
            static let timeout = Entry.duration(
                "timeout", .milliseconds(100)...(.seconds(300)), default: .seconds(20), example: .seconds(5),
                "How long one answer of a source that is asked may take.")
            static let sizeLimit = Entry.bytes(
                "size_limit", 1024...(1 << 30), default: 25 << 20, example: 1 << 20,
                "Messages that are larger are not shown to this source; its verdict is PROCESSING_FAILED.")
            static let authservIDs = ListEntry(
                "authserv_ids", of: .domain, example: ["mx.example.com"],
                "For authres: names that our own checkers put first in Authentication-Results.")
            static let virusSymbols = ListEntry(
                "virus_symbols", of: .any, example: ["CLAM_VIRUS"],
                """
                For rspamd-headers and rspamd-http: symbols of rspamd's antivirus module, which is declared active by \
                naming them. Without, the virus verdict is DISABLED.
                """
            )
            static let grayMin = Entry.text(
                "gray_min", .number, example: "3.0",
                "For spamassassin-headers and spamd: points from which a mail that is no spam is GRAY.")
            static let grayHeuristics = Entry.flag(
                "gray_heuristics", default: false,
                """
                For clamav-headers and clamd: a finding named Heuristics.… is GRAY. Encrypted archives always are.
                """
            )

            static let settings = [
                source.setting, address.setting, passwordFile.setting, timeout.setting, sizeLimit.setting,
                authservIDs.setting, virusSymbols.setting, grayMin.setting, grayHeuristics.setting,
            ]
        }
    }

    enum Route {
        static let recipient = Entry.text(
            "recipient", .mailAddress, example: "support@example.com",
            "One address, and the same with a tag behind recipient_delimiter.")
        static let domain = Entry.text(
            "domain", .domain, example: "inbound.example.com",
            "Every address of one domain, without those of its subdomains.")
        static let wildcard = Entry.text(
            "wildcard", .any, example: "sales-*@example.com",
            "Every address that fits, in lower case; * stands for any characters but @, ? for one.")
        static let pattern = Entry.text(
            "pattern", .any, example: "(sales|support)[0-9]{1,4}@example\\.com",
            """
            Every whole address, in lower case, that fits a regular expression: sets, groups, |, * + ? {m,n}. It is \
            matched in time that grows with the address alone; back references and looking around are refused.
            """
        )
        static let project = Entry.text(
            "project", .any, default: "default", example: "newsletter", "The project that receives the events.")
        static let disposition = Entry<Disposition>.choice(
            "disposition", default: .continue, example: .discard,
            """
            What becomes of the message itself once the event is stored. continue: it goes on to its mailbox. discard: \
            it ends here. quarantine: Postfix puts it on hold. reject: it is refused, and no event. The last three only \
            when all recipients of the message agree; the last two never for bounces.
            """
        )
        static let when = ListEntry(
            "when", of: .verdictCondition, example: ["spam=FAIL", "virus=FAIL"],
            """
            The disposition applies when one of these verdicts is there at the end of the message, so only those that \
            stand in the message count. Empty: always.
            """
        )
        static let rejectText = Entry.text(
            "reject_text", .any, example: "We do not take this kind of mail",
            "What the sender reads when the message is refused.")
        static let spam = Entry<SpamMode>.choice(
            "spam", default: .none, example: .mark,
            """
            What becomes of the event when the spam or virus verdict is FAIL. none: it is an event like any other. mark: \
            the event says isSpam. quarantine: no event, the message is put on hold. fail: no event, the message is \
            refused. What the verdict comes too late for is recorded.
            """
        )
        static let replyToBcc = Entry.flag(
            "reply_to_bcc", default: false,
            """
            Whether mail that names its recipient neither in To nor in Cc is answered automatically too: blind copies, and \
            lists that say of themselves nothing (RFC 3834 section 2).
            """
        )
        static let requireAuthentication = Entry.flag(
            "require_authentication", default: false,
            "Whether only senders whom DMARC or SPF verified get automatic replies here.")

        static let rawMail = Entry<RouteRawMail>.choice(
            "raw_mail", default: .standard, example: .always,
            "Which of its mail is kept as it came: never, failures or always; default is as raw_mail.keep says.")

        static let settings = [
            recipient.setting, domain.setting, wildcard.setting, pattern.setting, project.setting, disposition.setting,
            when.setting, rejectText.setting, spam.setting, replyToBcc.setting, requireAuthentication.setting,
            rawMail.setting,
        ]
        static let list = Setting(
            path: "routes", shape: .mappings(settings), type: "list of mappings", defaultText: "[]",
            meaning:
                """
                Recipients whose mail becomes email.received events. Mail for anybody else passes untouched and is not \
                stored. Each names exactly one of recipient, wildcard, pattern and domain, and in this order they go \
                before each other; wildcards and patterns among themselves in the order of the file. An address may have \
                several routes when they lead to different projects.
                """,
            example:
                """
                [{recipient: support@example.com}, {domain: inbound.example.com, project: newsletter, disposition: \
                discard}]
                """
        )
        static let delimiter = Entry<RecipientDelimiter>.choice(
            "recipient_delimiter", default: .plus, example: .minus,
            """
            What separates an address from its tag, as in Postfix: with plus, mail for support+42@example.com takes the \
            route of support@example.com, and the event says mailboxHash: 42. none knows no tags.
            """
        )
    }

    enum Unknown {
        static let domain = Entry.text("domain", .domain, example: "inbound.example.com", "A domain that is all ours.")
        static let answer = Entry<UnknownAnswer>.choice(
            "answer", default: .continue, example: .reject,
            """
            continue: the mail passes untouched. reject: the recipient is refused with 550 5.1.1. discard: the mail ends \
            here, when it is nobody else's. event: it is an event of the project, marked isUnknownRecipient.
            """
        )
        static let project = Entry.text(
            "project", .any, default: "default", example: "newsletter", "The project that receives the events.")

        static let settings = [domain.setting, answer.setting, project.setting]
        static let list = Setting(
            path: "unknown_recipients", shape: .mappings(settings), type: "list of mappings", defaultText: "[]",
            meaning: "What becomes of mail for addresses of a domain that no route fits.",
            example: "[{domain: inbound.example.com, answer: reject}]")
    }
}
