extension Configuration {
    /// An entry of `relays`.
    package struct Relay: Hashable, Sendable {
        /// `name`.
        package let name: String
        /// How it is reached. The keys for retries are those of `smtp`.
        package let smtp: SMTP
        /// `weight`.
        package let weight: Int
        /// `backup`.
        package let isBackup: Bool
        /// `sender_domains`, in lower case.
        package let senderDomains: [String]
        /// `projects`, by slug.
        package let projects: [String]
    }

    /// An entry of `pacing`.
    package struct Pacing: Hashable, Sendable {
        /// What the limits are for.
        package enum Subject: Hashable, Sendable {
            case relays([String])
            case projects([String])
            case domains([String])
            case mailServers([String])
            case senders([String])
            case eachProject, eachDomain, eachSender
        }

        package let subject: Subject
        /// `rate`: so many in so many seconds.
        package let rate: Rate?
        /// `connections`. nil: any number.
        package let connections: Int?
        /// `per_day`. nil: any number.
        package let perDay: Int?
        /// `warm_up`.
        package let warmUp: [Int]
        /// `warm_up_from`, in days since 1970.
        package let warmUpFrom: Int64?

        /// A number in a time.
        package struct Rate: Hashable, Sendable {
            package let count: Int
            package let seconds: Int64
        }
    }
}

extension Configuration.Relay {
    /// - Parameter smtp: whose keys for retries hold for all relays.
    static func all(_ reading: inout Reading, smtp: Configuration.SMTP) -> [Self] {
        var relays: [Self] = []
        for var entry in reading.mappings(Schema.Relay.list) {
            if let relay = read(&entry, smtp: smtp) {
                if relays.contains(where: { $0.name == relay.name }) {
                    entry.complain(at: entry.start, "has the name of an earlier relay", "give it another name")
                }
                relays.append(relay)
            }
            reading.absorb(entry)
        }
        check(relays, &reading)
        return relays
    }

    private static func read(_ entry: inout Reading, smtp: Configuration.SMTP) -> Self? {
        let ca = entry.path(Schema.Relay.caFile)
        let relay = Self(
            name: entry.value(Schema.Relay.name),
            smtp: Configuration.SMTP(
                host: entry.value(Schema.Relay.host), port: entry.value(Schema.Relay.port),
                ehloName: entry.optional(Schema.Relay.ehloName), tls: entry.value(Schema.Relay.tls),
                verify: entry.value(Schema.Relay.verify), caFile: ca.isEmpty ? nil : ca, login: login(&entry),
                workers: entry.value(Schema.Relay.connections),
                connectTimeout: entry.value(Schema.Relay.connectTimeout),
                replyTimeout: entry.value(Schema.Relay.replyTimeout), maxLifetime: smtp.maxLifetime,
                firstRetry: smtp.firstRetry, maxRetry: smtp.maxRetry),
            weight: entry.value(Schema.Relay.weight), isBackup: entry.value(Schema.Relay.backup),
            senderDomains: entry.values(Schema.Relay.senderDomains), projects: entry.values(Schema.Relay.projects))
        // A value that was written and refused has a finding of its own.
        if relay.name.isEmpty, !entry.isSet("name") {
            entry.complain(at: entry.start, "has no name", "add name: main")
        }
        if relay.smtp.host.isEmpty, !entry.isSet("host") {
            entry.complain(at: entry.start, "has no host", "add host: smtp.example.com")
        }
        guard !relay.name.isEmpty, !relay.smtp.host.isEmpty else { return nil }
        let origin = entry.isSet("tls") ? entry.origin(of: "tls") : entry.start
        relay.smtp.checkRelay(&entry, at: origin, "tls")
        return relay
    }

    private static func login(_ entry: inout Reading) -> Configuration.Login? {
        let username = entry.optional(Schema.Relay.username)
        let file = entry.path(Schema.Relay.passwordFile)
        switch (username, file.isEmpty) {
        case (let username?, false):
            let origin = entry.origin(of: "password_file")
            return Configuration.Login.password(in: file, at: origin, &entry).map {
                Configuration.Login(username: username, password: Secret($0))
            }
        case (_?, true): entry.complain(at: entry.origin(of: "username"), "has no password", "set password_file")
        case (nil, false):
            entry.complain(at: entry.origin(of: "password_file"), "has no user name beside it", "set username")
        case (nil, true): break
        }
        return nil
    }

    private static func check(_ relays: [Self], _ reading: inout Reading) {
        guard !relays.isEmpty else { return }
        let origin = reading.origin(of: "relays")
        if !relays.contains(where: { $0.senderDomains.isEmpty && $0.projects.isEmpty }) {
            reading.complain(
                .warning, at: origin, "every relay is for certain senders or projects, so other mail has none",
                "leave out sender_domains and projects of one of them, unless that is meant")
        }
        if relays.allSatisfy(\.isBackup) {
            reading.complain(at: origin, "every relay is a backup", "leave out backup of one of them")
        }
        if relays.reduce(0, { $0 + $1.smtp.workers }) > 100 {
            reading.complain(
                at: origin, "the relays have more than 100 connections together", "lower their connections")
        }
        for key in ["host", "port", "tls", "username", "workers", "ca_file", "ehlo_name"]
        where reading.isSet("smtp.\(key)") {
            reading.complain(
                .warning, at: reading.origin(of: "smtp.\(key)"), "is not looked at while relays are listed",
                "move it to an entry of relays, or remove it")
        }
    }
}

extension Configuration.Pacing {
    static func all(_ reading: inout Reading, relays: [Configuration.Relay]) -> [Self] {
        var rules: [Self] = []
        for var entry in reading.mappings(Schema.Pacing.list) {
            if let rule = read(&entry, relays: relays.isEmpty ? ["smtp"] : relays.map(\.name)) { rules.append(rule) }
            reading.absorb(entry)
        }
        return rules
    }

    private static func read(_ entry: inout Reading, relays: [String]) -> Self? {
        let warmUp = entry.values(Schema.Pacing.warmUp, unique: false).compactMap { Int($0) }
        let from = entry.optional(Schema.Pacing.warmUpFrom).flatMap(DayText.parse)
        let rate = entry.optional(Schema.Pacing.rate).flatMap(RateText.parse)
        let connections = entry.value(Schema.Pacing.connections)
        let perDay = entry.value(Schema.Pacing.perDay)
        if warmUp.isEmpty != (from == nil), !entry.isSet("warm_up") || !entry.isSet("warm_up_from") {
            entry.complain(
                at: entry.start, "needs both warm_up and warm_up_from or neither",
                "add the one that is missing, for example warm_up_from: 2027-01-11")
        }
        if !["rate", "connections", "per_day", "warm_up"].contains(where: entry.isSet) {
            entry.complain(at: entry.start, "limits nothing", "add for example rate: 20/s or connections: 4")
        }
        guard let subject = subject(&entry, relays: relays) else { return nil }
        return Self(
            subject: subject, rate: rate.map { Rate(count: $0.count, seconds: $0.seconds) },
            connections: connections > 0 ? connections : nil, perDay: perDay > 0 ? perDay : nil, warmUp: warmUp,
            warmUpFrom: from)
    }

    private static func subject(_ entry: inout Reading, relays known: [String]) -> Subject? {
        let keys = ["relays", "projects", "domains", "mail_servers", "senders"].filter(entry.isSet)
        let relays = entry.values(Schema.Pacing.relays)
        let projects = entry.values(Schema.Pacing.projects)
        let domains = entry.values(Schema.Pacing.domains)
        let servers = entry.values(Schema.Pacing.mailServers)
        let senders = entry.values(Schema.Pacing.senders)
        guard keys.count == 1, let key = keys.first else {
            entry.complain(
                at: entry.start, keys.isEmpty ? "does not say for what" : "has both \(keys.joined(separator: " and "))",
                "write exactly one of relays, projects, domains, mail_servers and senders")
            return nil
        }
        let names = relays + projects + domains + servers + senders
        if names.isEmpty || names.contains("*") && names.count > 1 {
            entry.complain(
                at: entry.origin(of: key), names.isEmpty ? "lists nothing" : "lists names beside \"*\"",
                names.isEmpty ? "name at least one" : "make two entries of it")
            return nil
        }
        switch key {
        case "relays":
            for name in relays where !known.contains(name) {
                entry.complain(
                    at: entry.origin(of: key), "there is no relay \(name)",
                    "write one of \(known.joined(separator: ", "))")
            }
            return .relays(relays)
        case "projects": return names == ["*"] ? .eachProject : .projects(projects)
        case "mail_servers": return .mailServers(servers)
        case "domains": return names == ["*"] ? .eachDomain : .domains(domains)
        default: return names == ["*"] ? .eachSender : .senders(senders)
        }
    }
}
