extension Schema {
    enum SMTP {
        static let host = Entry.text(
            "smtp.host", .host, default: "127.0.0.1", example: "smtp.example.com", "The relay.")
        static let port = Entry.integer(
            "smtp.port", 1...65_535, default: 25, example: 587,
            "Its port: 25, 587 for submission, 465 with smtp.tls: implicit.")
        static let ehloName = Entry.text(
            "smtp.ehlo_name", .host, example: "app.example.com",
            "The name said in EHLO; empty says the name of this machine.")
        static let tls = Entry<TLSMode>.choice(
            "smtp.tls", default: .none, example: .required,
            """
            none: no encryption. opportunistic: STARTTLS when the relay offers it. required: STARTTLS, or no mail. \
            implicit: TLS from the first byte (port 465).
            """
        )
        static let verify = Entry.flag(
            "smtp.verify", default: true,
            """
            Whether the relay's certificate must be valid for smtp.host. Without it TLS protects from listeners, and \
            from nobody who can redirect the connection.
            """
        )
        static let caFile = Entry.text(
            "smtp.ca_file", .path, example: "/etc/postrider/relay-ca.pem",
            "Certificates (PEM) that the relay's one must descend from; empty means the system's.")
        static let username = Entry.text(
            "smtp.username", .any, example: "postrider", "The name to log in with; empty means no login.")
        static let passwordFile = Entry.text(
            "smtp.password_file", .path, example: "/etc/postrider/smtp-password",
            """
            A file that holds the password and nothing else; one line end at its end is ignored. With systemd, \
            LoadCredential= keeps it out of sight of other users.
            """
        )
        static let password = Entry.text(
            "smtp.password", .any, example: "correct horse",
            "The password itself. Discouraged: configuration files travel. Use smtp.password_file.")
        static let workers = Entry.integer(
            "smtp.workers", 1...20, default: 4, unit: "connections", example: 8,
            "How many messages are handed to the relay at the same time, each over a connection of its own.")
        static let connectTimeout = Entry.duration(
            "smtp.connect_timeout", .seconds(1)...(.seconds(600)), default: .seconds(30), example: .seconds(10),
            "How long a connection may take, TLS included.")
        static let replyTimeout = Entry.duration(
            "smtp.reply_timeout", .seconds(5)...(.seconds(3600)), default: .seconds(600), example: .seconds(300),
            """
            How long one reply may take. RFC 5321 section 4.5.3.2.6 asks for ten minutes after the final dot: a \
            shorter wait can send a message twice.
            """
        )
        static let maxLifetime = Entry.duration(
            "smtp.max_lifetime", .seconds(60)...(.seconds(2_592_000)), default: .seconds(432_000),
            example: .seconds(172_800),
            """
            How long a deferred message is tried before it counts as expired. RFC 5321 section 4.5.4.1 advises at \
            least four to five days.
            """
        )
        static let firstRetry = Entry.duration(
            "smtp.first_retry", .seconds(1)...(.seconds(86_400)), default: .seconds(60), example: .seconds(300),
            "The wait after the first deferral; it grows with every further one.")
        static let maxRetry = Entry.duration(
            "smtp.max_retry", .seconds(1)...(.seconds(86_400)), default: .seconds(14_400), example: .seconds(3600),
            "The longest wait between two attempts.")

        static let settings = [
            host.setting, port.setting, ehloName.setting, tls.setting, verify.setting, caFile.setting, username.setting,
            passwordFile.setting, password.setting, workers.setting, connectTimeout.setting, replyTimeout.setting,
            maxLifetime.setting, firstRetry.setting, maxRetry.setting,
        ]
    }

    enum Webhooks {
        static let allowedHosts = ListEntry(
            "webhooks.allowed_hosts", of: .hostMaybePort, example: ["hooks.internal.example", "127.0.0.1:8080"],
            """
            Receivers that you vouch for: they may be called over plain http and at private addresses. A host without a \
            port stands for all its ports. All others are called over https and at public addresses only.
            """
        )
        static let timeout = Entry.duration(
            "webhooks.timeout", .seconds(1)...(.seconds(60)), default: .seconds(10), example: .seconds(5),
            "How long one attempt may take as a whole, from looking up the name to the last byte of the answer.")
        static let concurrency = Entry.integer(
            "webhooks.concurrency", 1...64, default: 16, unit: "calls", example: 32,
            "How many calls are made at the same time.")
        static let perReceiver = Entry.integer(
            "webhooks.per_receiver", 1...64, default: 4, unit: "calls", example: 8,
            """
            How many of them may go to the same host and port, so that a slow receiver leaves places for the others.
            """
        )
        static let caFile = Entry.text(
            "webhooks.ca_file", .path, example: "/etc/postrider/webhook-ca.pem",
            "Certificates (PEM) that receivers' ones must descend from; empty means the system's.")

        static let settings = [
            allowedHosts.setting, timeout.setting, concurrency.setting, perReceiver.setting, caFile.setting,
        ]
    }

    enum Mail {
        static let defaultFrom = Entry.text(
            "mail.default_from", .mailbox, example: "Example Shop <hello@example.com>",
            "The From of mail whose template and step name none. Empty: such a step fails and says so.")
        static let messageIDDomain = Entry.text(
            "mail.message_id_domain", .domain, example: "mail.example.com",
            "The part of Message-ID after the @; empty means the domain of From.")
        static let autoReplyFrom = Entry.text(
            "mail.auto_reply_from", .mailbox, example: "Example Support <support@example.com>",
            "The From of automatic replies; empty means the address the message was written to.")

        static let settings = [defaultFrom.setting, messageIDDomain.setting, autoReplyFrom.setting]
    }

    enum Returns {
        static let bounceAddress = Entry.text(
            "returns.bounce_address", .tokenAddress, example: "bounce@mail.example.com",
            """
            Where bounces go. Each mail gets a reverse path of its own, bounce+TOKEN@mail.example.com, by which its bounce is \
            known beyond doubt; mail to these addresses must pass the milter. Empty: the reverse path is the From address.
            """
        )
        static let replyAddress = Entry.text(
            "returns.reply_address", .tokenAddress, example: "reply@mail.example.com",
            """
            Where people answer to when neither step nor template says so. Each mail gets a Reply-To of its own, \
            reply+TOKEN@mail.example.com, for programs that drop In-Reply-To. Empty: they answer to From.
            """
        )
        static let delimiter = Entry.text(
            "returns.delimiter", .delimiter, default: "+", example: "-",
            "What parts the name from the token. Postfix must know it: recipient_delimiter.")
        static let project = Entry.text(
            "project", .any, example: "newsletter", "The project. It is needed.")
        static let projectBounceAddress = Entry.text(
            "bounce_address", .tokenAddress, example: "bounce@news.example.com", "As returns.bounce_address.")
        static let projectReplyAddress = Entry.text(
            "reply_address", .tokenAddress, example: "reply@news.example.com", "As returns.reply_address.")
        static let projectSettings = [project.setting, projectBounceAddress.setting, projectReplyAddress.setting]
        static let projects = Setting(
            path: "returns.projects", shape: .mappings(projectSettings), type: "list of mappings", defaultText: "[]",
            meaning: "Projects with addresses of their own; what one of them leaves out is as above.",
            example: "[{project: newsletter, bounce_address: bounce@news.example.com}]")

        static let settings = [bounceAddress.setting, replyAddress.setting, delimiter.setting, projects]
    }

    enum HTTP {
        static let address = Entry.text(
            "http.address", .address, default: "127.0.0.1", example: "::1",
            """
            The address to listen on. Keep it on loopback behind a web server that does TLS; 0.0.0.0 is every address \
            of the machine.
            """
        )
        static let port = Entry.integer(
            "http.port", 0...65_535, default: 8480, example: 8080,
            "The port to listen on; 0 takes any free one and logs it.")
        static let publicURL = Entry.text(
            "http.public_url", .url, example: "https://mail.example.com",
            """
            How recipients reach this server; it stands in every pixel and unsubscribe link. Empty derives it from \
            http.address and http.port, which is good for trials on one machine only.
            """
        )
        static let bodyLimit = Entry.bytes(
            "http.body_limit", 1024...(256 << 20), default: 1 << 20, example: 4 << 20,
            "The largest request body; a larger one is answered with 413.")
        static let importLimit = Entry.bytes(
            "http.import_limit", 1024...(64 << 30), default: 1 << 30, example: 8 << 30,
            """
            The largest file of contacts; a larger one is answered with 413. Until its import has ended it lies beside \
            the database.
            """
        )

        static let trustsForwardedFor = Entry.flag(
            "http.trust_forwarded_for", default: false,
            """
            Whether a client's address is taken from X-Forwarded-For. Only right behind a proxy of yours that sets this \
            field itself; anybody else could write what they like.
            """
        )

        static let pages = Entry.text(
            "http.pages", .path, example: "/etc/postrider/pages",
            """
            The folder with the pages that readers of mail see: unsubscribe, preferences. Empty means the one that came \
            with the program.
            """
        )

        static let settings = [
            address.setting, port.setting, publicURL.setting, bodyLimit.setting, importLimit.setting,
            trustsForwardedFor.setting, pages.setting,
        ]
    }

    enum Tracking {
        static let opens = Entry.flag(
            "tracking.opens", default: true, "Whether mail carries a pixel, and email.opened is recorded.")
        static let clicks = Entry.flag(
            "tracking.clicks", default: true,
            "Whether links in mail lead over this server, and email.clicked is recorded. Old links lead on in any case."
        )
        static let anonymous = Entry.flag(
            "tracking.anonymous", default: false,
            """
            Whether opens and clicks are only counted, for all mails of a template version and step together: pixels \
            and links carry nothing of anybody, nothing is recorded of who and when, and there are no events.
            """
        )
        static let url = Entry.text(
            "tracking.url", .url, example: "https://t.example.com",
            """
            Where pixels and links lead, in place of http.public_url: a host name of its own, which a web server hands on \
            to the same port. Pages to unsubscribe stay at http.public_url.
            """
        )
        static let prefetchWindow = Entry.duration(
            "tracking.prefetch_window", .seconds(0)...(.seconds(3600)), default: .seconds(5), example: .seconds(30),
            """
            A pixel fetched sooner than this after delivery was fetched by a scanner; it is recorded as machine and \
            fires no email.opened. For links it is twice that time. Where postfix.log is followed, delivery is also \
            when the next server took the mail.
            """
        )
        static let maxHitsPerMail = Entry.integer(
            "tracking.max_hits_per_mail", 1...100_000, default: 100, unit: "hits", example: 20,
            "How many fetches of one mail's pixel within 90 days are recorded; later ones get the image and leave no row."
        )

        static let settings = [
            opens.setting, clicks.setting, anonymous.setting, url.setting, prefetchWindow.setting,
            maxHitsPerMail.setting,
        ]
    }

    enum Suppression {
        static let bounces = Entry.flag(
            "suppression.bounces", default: true,
            "Whether an address that does not exist gets no more mail after the first bounce.")
        static let complaints = Entry.flag(
            "suppression.complaints", default: true,
            "Whether an address whose owner reports a mail as unwanted gets no more mail.")
        static let softLimit = Entry.integer(
            "suppression.soft_limit", 0...1000, default: 5, unit: "mails", example: 10,
            """
            After so many mails that an address did not take for now (a full mailbox, say), on at least three days, it \
            gets none for a while; 0 never does that.
            """
        )
        static let softWindow = Entry.duration(
            "suppression.soft_window", .seconds(86_400)...(.seconds(365 * 86_400)), default: .seconds(30 * 86_400),
            example: .seconds(14 * 86_400), "How long such a mail counts.")
        static let softDuration = Entry.duration(
            "suppression.soft_duration", .seconds(3600)...(.seconds(365 * 86_400)), default: .seconds(30 * 86_400),
            example: .seconds(7 * 86_400), "How long such an address then gets no mail.")

        static let settings = [
            bounces.setting, complaints.setting, softLimit.setting, softWindow.setting, softDuration.setting,
        ]
    }

    enum Log {
        static let level = Entry<LogLevel>.choice(
            "log.level", default: .info, example: .debug, "The least serious event that is logged.")
        static let format = Entry<LogFormat>.choice(
            "log.format", default: .text, example: .json, "One line of text or one JSON object per event.")

        static let settings = [level.setting, format.setting]
    }

    enum DNS {
        static let server = Entry.text(
            "dns.server", .nameServer, example: "127.0.0.1:5353",
            """
            The name server to ask, by its IPv4 address, with a port when it is not 53; empty: those of the system \
            (/etc/resolv.conf). It is asked for pacing by mail_servers, by verify.dns and by postrider doctor.
            """)

        static let settings = [server.setting]
    }

    enum Verify {
        static let dns = Entry.flag(
            "verify.dns", default: false,
            "Whether the DNS is asked for the servers of the domain; without it hasMxRecords is null.")
        static let timeout = Entry.duration(
            "verify.timeout", .seconds(1)...(.seconds(30)), default: .seconds(3), example: .seconds(1),
            "How long one question to a name server may take.")

        static let settings = [dns.setting, timeout.setting]
    }

    enum Rates {
        static let enabled = Entry.flag(
            "rates.enabled", default: false, "Whether the requests of a key are counted; the rest needs it.")
        static let track = Entry.integer(
            "rates.track", 1...100_000, default: 100, unit: "per second", example: 500,
            "Requests to track events, one or a batch of them, that a key may make.")
        static let trackBurst = Entry.integer(
            "rates.track_burst", 1...1_000_000, default: 200, unit: "requests", example: 1000,
            "How many of them may come at once after a pause.")
        static let send = Entry.integer(
            "rates.send", 1...100_000, default: 20, unit: "per second", example: 5,
            "Requests to send mail that a key may make.")
        static let sendBurst = Entry.integer(
            "rates.send_burst", 1...1_000_000, default: 50, unit: "requests", example: 10,
            "How many of them may come at once after a pause.")
        static let contacts = Entry.integer(
            "rates.contacts", 1...100_000, default: 50, unit: "per second", example: 200,
            "Requests to change contacts that a key may make.")
        static let contactsBurst = Entry.integer(
            "rates.contacts_burst", 1...1_000_000, default: 100, unit: "requests", example: 500,
            "How many of them may come at once after a pause.")
        static let unknownKeys = Entry.integer(
            "rates.unknown_keys", 0...100_000, default: 60, unit: "per minute", example: 10,
            """
            How many keys that nobody has one network (/24, /48) may try; keys in use still count. 0: any number. It does \
            not depend on rates.enabled, and clients on this machine are not counted.
            """
        )

        static let settings = [
            enabled.setting, track.setting, trackBurst.setting, send.setting, sendBurst.setting, contacts.setting,
            contactsBurst.setting, unknownKeys.setting,
        ]
    }

    enum Limits {
        static let eventData = Entry.bytes(
            "limits.event_data", 1024...(16 << 20), default: 64 << 10, example: 256 << 10,
            "The largest data of one event, as JSON; a larger one is refused with 422.")
        static let generations = Entry.integer(
            "limits.generations", 1...100, default: 10, unit: "generations", example: 5,
            """
            How deep events caused by workflows may cause further executions; the next one stops with a visible \
            reason.
            """
        )

        static let settings = [eventData.setting, generations.setting]
    }
}
