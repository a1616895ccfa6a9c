extension Schema {
    enum Relay {
        static let name = Entry.text(
            "name", .relayName, example: "main", "How logs, pauses and /healthz call it. Needed; no two have the same.")
        static let host = Entry.text("host", .host, example: "smtp.example.com", "The relay. Needed.")
        static let port = Entry.integer("port", 1...65_535, default: 25, example: 587, "Its port.")
        static let ehloName = Entry.text(
            "ehlo_name", .host, example: "app.example.com",
            "The name said in EHLO; empty says the name of this machine."
        )
        static let tls = Entry<TLSMode>.choice(
            "tls", default: .none, example: .required, "As smtp.tls.")
        static let verify = Entry.flag("verify", default: true, "As smtp.verify.")
        static let caFile = Entry.text("ca_file", .path, example: "/etc/postrider/relay-ca.pem", "As smtp.ca_file.")
        static let username = Entry.text(
            "username", .any, example: "postrider",
            "The name to log in with; empty means no login. A relay that offers no login gets no mail then.")
        static let passwordFile = Entry.text(
            "password_file", .path, example: "/etc/postrider/smtp-password", "As smtp.password_file.")
        static let connections = Entry.integer(
            "connections", 1...20, default: 4, unit: "connections", example: 8,
            "How many messages are handed to it at the same time.")
        static let connectTimeout = Entry.duration(
            "connect_timeout", .seconds(1)...(.seconds(600)), default: .seconds(30), example: .seconds(10),
            "As smtp.connect_timeout.")
        static let replyTimeout = Entry.duration(
            "reply_timeout", .seconds(5)...(.seconds(3600)), default: .seconds(600), example: .seconds(300),
            "As smtp.reply_timeout.")
        static let weight = Entry.integer(
            "weight", 1...1000, default: 1, example: 3,
            "Its share of the mail in relation to the other relays for the same mail.")
        static let backup = Entry.flag(
            "backup", default: false, "Whether it gets mail only while the other relays for that mail are out of order."
        )
        static let senderDomains = ListEntry(
            "sender_domains", of: .domain, example: ["example.com"],
            "Mail whose From is at one of these domains goes over this relay, and not over one that names none.")
        static let projects = ListEntry(
            "projects", of: .any, example: ["newsletter"],
            "Mail of these projects goes over this relay, and not over one that names none.")

        static let settings = [
            name.setting, host.setting, port.setting, ehloName.setting, tls.setting, verify.setting, caFile.setting,
            username.setting, passwordFile.setting, connections.setting, connectTimeout.setting, replyTimeout.setting,
            weight.setting, backup.setting, senderDomains.setting, projects.setting,
        ]
        static let list = Setting(
            path: "relays", shape: .mappings(settings), type: "list of mappings", defaultText: "[]",
            meaning:
                """
                Several relays instead of the one of `smtp`, whose keys for retries hold for all of them. A mail goes over \
                one of the relays that fit it best: those that name its sender's domain, else those that name its project, \
                else those that name neither. A relay that cannot be reached is left alone for a while, and its mail goes \
                over the others that fit as well.
                """,
            example:
                "[{name: main, host: 127.0.0.1}, {name: spare, host: smtp.example.com, tls: required, backup: true}]"
        )
    }

    enum Pacing {
        static let relays = ListEntry(
            "relays", of: .any, example: ["main"],
            "Exactly one of relays, projects, domains, mail_servers and senders is needed.")
        static let projects = ListEntry(
            "projects", of: .any, example: ["newsletter"], "Projects; \"*\" gives each one this pace for itself.")
        static let domains = ListEntry(
            "domains", of: .domainOrEach, example: ["gmail.com", "googlemail.com"],
            """
            Domains of recipients; those of one provider belong together. "*" gives each domain that is not listed \
            elsewhere this pace for itself.
            """)
        static let mailServers = ListEntry(
            "mail_servers", of: .mailServer, example: ["*.google.com", "*.googlemail.com"],
            """
            Mail servers, or with *. in front all whose names end so: the domains whose MX is one of them share this \
            pace, unless another entry names them. Found in the DNS beside the mail; until then, and where the DNS says \
            nothing, a domain goes at its own pace.
            """)
        static let senders = ListEntry(
            "senders", of: .senderOrEach, example: ["news@example.com"],
            "Addresses or domains in From; \"*\" gives each address this pace for itself.")
        static let rate = Entry.text(
            "rate", .rate, example: "20/s", "How many attempts in a second, minute, hour or day, evenly.")
        static let connections = Entry.integer(
            "connections", 0...1000, default: 0, unit: "attempts", example: 4,
            "How many at the same time; 0: any number.")
        static let perDay = Entry.integer(
            "per_day", 0...1_000_000_000, default: 0, unit: "attempts", example: 50_000,
            "How many in a day (UTC); 0: any number.")
        static let warmUp = ListEntry(
            "warm_up", of: .count, example: ["50", "100", "500", "1000", "5000"],
            "How many on the first day, on the second and so on; per_day holds afterwards.")
        static let warmUpFrom = Entry.text(
            "warm_up_from", .day, example: "2027-01-11", "The first of these days. Needed with warm_up.")

        static let settings = [
            relays.setting, projects.setting, domains.setting, mailServers.setting, senders.setting, rate.setting,
            connections.setting,
            perDay.setting, warmUp.setting, warmUpFrom.setting,
        ]
        static let list = Setting(
            path: "pacing", shape: .mappings(settings), type: "list of mappings", defaultText: "[]",
            meaning:
                """
                How fast mail may leave. What one entry lists shares its limits; a mail waits until all entries that \
                concern it let it go.
                """,
            example: "[{domains: [\"*\"], connections: 4}, {domains: [gmail.com, googlemail.com], rate: 20/s}]"
        )
    }
}

extension TextRule {
    static let relayName = TextRule(name: "name of letters, digits, - and _, at most 32") { text throws(Complaint) in
        let isPlain = text.utf8.allSatisfy { byte in
            (0x61...0x7A).contains(byte) || (0x41...0x5A).contains(byte) || (0x30...0x39).contains(byte)
                || byte == 0x2D || byte == 0x5F
        }
        guard isPlain, text.utf8.count <= 32 else {
            throw Complaint(message: "`\(text)` is no name of a relay", mend: "write letters, digits, - and _ only")
        }
        return text
    }

    static let domainOrEach = TextRule(name: "domain name or \"*\"") { text throws(Complaint) in
        text == "*" ? text : try domain.normalise(text)
    }

    static let mailServer = TextRule(name: "host name, or \"*.\" and a domain name") { text throws(Complaint) in
        guard text.hasPrefix("*.") else { return try domain.normalise(text).lowercased() }
        return "*." + (try domain.normalise(String(text.dropFirst(2)))).lowercased()
    }

    static let senderOrEach = TextRule(name: "mail address, domain name or \"*\"") { text throws(Complaint) in
        if text == "*" { return text }
        return text.contains("@") ? try mailAddress.normalise(text).lowercased() : try domain.normalise(text)
    }

    static let rate = TextRule(name: "rate like 20/s, 600/m, 1000/h or 5000/d") { text throws(Complaint) in
        guard RateText.parse(text) != nil else {
            throw Complaint(
                message: "`\(text)` is no rate", mend: "write a whole number from 1 and /s, /m, /h or /d, like 20/s")
        }
        return text
    }

    static let count = TextRule(name: "whole number from 1") { text throws(Complaint) in
        guard let number = Int(text), (1...1_000_000_000).contains(number) else {
            throw Complaint(message: "`\(text)` is no whole number from 1", mend: "write for example 500")
        }
        return text
    }

    static let day = TextRule(name: "date like 2027-01-11") { text throws(Complaint) in
        guard DayText.parse(text) != nil else {
            throw Complaint(message: "`\(text)` is no date", mend: "write year, month and day, like 2027-01-11")
        }
        return text
    }
}

/// Rates as they are written: a whole number, a slash and a unit of time.
enum RateText {
    private static let units: [String: Int64] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]

    static func parse(_ text: String) -> (count: Int, seconds: Int64)? {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let count = Int(parts[0]), (1...1_000_000).contains(count),
            let seconds = units[String(parts[1])]
        else { return nil }
        return (count, seconds)
    }
}

/// Days as they are written, in days since 1970.
enum DayText {
    static func parse(_ text: String) -> Int64? {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false).map { Int64($0) ?? -1 }
        guard text.utf8.count == 10, parts.count == 3, (1970...9999).contains(parts[0]), (1...12).contains(parts[1]),
            (1...31).contains(parts[2])
        else { return nil }
        let (year, month, day) = (parts[0], parts[1], parts[2])
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let lengths: [Int64] = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        guard day <= lengths[Int(month) - 1] else { return nil }
        let before = year - 1
        let leapDays = before / 4 - before / 100 + before / 400 - (1969 / 4 - 1969 / 100 + 1969 / 400)
        let days = (year - 1970) * 365 + leapDays
        return days + lengths.prefix(Int(month) - 1).reduce(0, +) + day - 1
    }
}
