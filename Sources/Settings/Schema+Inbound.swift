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
        static let commitDeadline = Entry.duration(
            "milter.commit_deadline", .milliseconds(100)...(.seconds(60)), default: .seconds(2), example: .seconds(5),
            """
            How long the end of a message may wait until its event is stored. A waiting message occupies a worker of \
            libmilter, so keep it short; milter.on_failure says what happens then.
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
            commitDeadline.setting, onFailure.setting,
        ]
    }

    enum Verdicts {
        static let rspamdHeaders = Entry.flag(
            "verdicts.rspamd_headers", default: false,
            """
            Believe X-Rspamd-Action and X-Spamd-Result. rspamd adds them with extended_spam_headers = true, and must \
            be listed before Postrider in smtpd_milters.
            """
        )
        static let strippedAtBorder = Entry.flag(
            "verdicts.stripped_at_border", default: false,
            """
            Confirms that Postfix removes incoming copies of verdict fields before any milter runs \
            (conf/postfix/header_checks). Every such field can be written by a spammer, and rspamd leaves forged ones \
            in place, so header sources are refused without it.
            """
        )
        static let authservIDs = ListEntry(
            "verdicts.authserv_ids", of: .domain, example: ["mx.example.com"],
            """
            Names that our own checkers put first in Authentication-Results (RFC 8601 section 2.5), usually Postfix's \
            myhostname. Fields with any other name are ignored.
            """
        )

        static let settings = [rspamdHeaders.setting, strippedAtBorder.setting, authservIDs.setting]
    }

    enum Route {
        static let recipient = Entry.text(
            "recipient", .mailAddress, example: "support@example.com",
            "One address. Exactly one of recipient and domain is needed.")
        static let domain = Entry.text(
            "domain", .domain, example: "inbound.example.com",
            "Every address of one domain, without those of its subdomains.")
        static let project = Entry.text(
            "project", .any, default: "default", example: "newsletter", "The project that receives the events.")
        static let disposition = Entry<Disposition>.choice(
            "disposition", default: .continue, example: .discard,
            """
            What becomes of the message itself once the event is stored. continue: it goes on to its mailbox. discard: \
            it ends here.
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
            recipient.setting, domain.setting, project.setting, disposition.setting, replyToBcc.setting,
            requireAuthentication.setting, rawMail.setting,
        ]
        static let list = Setting(
            path: "routes", shape: .mappings(settings), type: "list of mappings", defaultText: "[]",
            meaning:
                """
                Recipients whose mail becomes email.received events. Mail for anybody else passes untouched and is not \
                stored. An address may have several routes when they lead to different projects.
                """,
            example:
                """
                [{recipient: support@example.com}, {domain: inbound.example.com, project: newsletter, disposition: \
                discard}]
                """
        )
    }
}
