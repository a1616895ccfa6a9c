extension Configuration.Verdicts {
    init(_ reading: inout Reading) {
        var sources = Configuration.VerdictSource.all(&reading)
        if reading.value(Schema.Verdicts.rspamdHeaders) {
            if sources.contains(where: { $0.kind == .rspamdHeaders }) {
                reading.complain(
                    at: reading.origin(of: "verdicts.rspamd_headers"), "repeats a source of verdicts.sources",
                    "remove one of them")
            }
            sources.append(.init(kind: .rspamdHeaders))
        }
        let services = reading.values(Schema.Verdicts.authservIDs)
        if !services.isEmpty {
            if sources.contains(where: { $0.kind == .authres }) {
                reading.complain(
                    at: reading.origin(of: "verdicts.authserv_ids"), "repeats a source of verdicts.sources",
                    "name them all in one of the two")
            }
            var source = Configuration.VerdictSource(kind: .authres)
            source.authservIDs = services
            sources.append(source)
        }
        self.sources = sources
        strippedAtBorder = reading.value(Schema.Verdicts.strippedAtBorder)
        localNetworks = reading.values(Schema.Verdicts.localNetworks)
        deadline = reading.value(Schema.Verdicts.deadline)
        scans = reading.value(Schema.Verdicts.scans)
    }
}

extension Configuration.VerdictSource {
    /// Largest password file, in bytes.
    private static let passwordLimit = 4096

    static func all(_ reading: inout Reading) -> [Self] {
        var sources: [Self] = []
        for var entry in reading.mappings(Schema.Verdicts.sources) {
            if let source = read(&entry) {
                if source.kind.isHeader, sources.contains(where: { $0.kind == source.kind }) {
                    entry.complain(at: entry.start, "repeats \(source.kind.rawValue)", "make one source of them")
                }
                sources.append(source)
            }
            reading.absorb(entry)
        }
        return sources
    }

    private static func read(_ entry: inout Reading) -> Self? {
        let name = entry.value(Schema.Verdicts.Source.source)
        guard let kind = VerdictSourceKind(rawValue: name) else {
            if !entry.isSet("source") {
                entry.complain(at: entry.start, "does not say which source it is", "add source: rspamd-headers")
            }
            return nil
        }
        var source = Self(kind: kind)
        source.address = entry.value(Schema.Verdicts.Source.address)
        source.password = password(&entry)
        source.timeout = entry.value(Schema.Verdicts.Source.timeout)
        source.sizeLimit = entry.value(Schema.Verdicts.Source.sizeLimit)
        source.authservIDs = entry.values(Schema.Verdicts.Source.authservIDs)
        source.virusSymbols = entry.values(Schema.Verdicts.Source.virusSymbols)
        source.grayMinimum = Double(entry.value(Schema.Verdicts.Source.grayMin))
        source.takesHeuristicsAsGray = entry.value(Schema.Verdicts.Source.grayHeuristics)
        source.check(&entry)
        return source
    }

    /// What each source needs, and what would have no effect.
    private func check(_ entry: inout Reading) {
        if kind == .authres, authservIDs.isEmpty {
            entry.complain(
                at: entry.start, "names no authserv_ids: whose fields are to be believed?",
                "add authserv_ids: [mx.example.com]")
        }
        if !kind.isHeader, address.isEmpty, !entry.isSet("address") {
            entry.complain(at: entry.start, "does not say where \(kind.rawValue) listens", "add address: host:port")
        }
        let fitting: [String: [VerdictSourceKind]] = [
            "address": [.rspamdHTTP, .spamd, .clamd], "timeout": [.rspamdHTTP, .spamd, .clamd],
            "size_limit": [.rspamdHTTP, .spamd, .clamd], "password_file": [.rspamdHTTP], "authserv_ids": [.authres],
            "virus_symbols": [.rspamdHeaders, .rspamdHTTP], "gray_min": [.spamAssassinHeaders, .spamd],
            "gray_heuristics": [.clamAVHeaders, .clamd],
        ]
        for (key, kinds) in fitting.sorted(by: { $0.key < $1.key }) where entry.isSet(key) && !kinds.contains(kind) {
            entry.complain(at: entry.origin(of: key), "has no meaning for \(kind.rawValue)", "remove it")
        }
    }

    private static func password(_ entry: inout Reading) -> Secret? {
        let file = entry.path(Schema.Verdicts.Source.passwordFile)
        guard !file.isEmpty else { return nil }
        switch RegularFile.read(file, limit: passwordLimit) {
        case .failure(let failure):
            entry.complain(at: entry.origin(of: "password_file"), "\(file) \(failure.message)", failure.mend)
            return nil
        case .success(let bytes):
            var text = String(decoding: bytes, as: UTF8.self)
            if text.last?.isNewline == true { text.removeLast() }
            guard !text.isEmpty, !text.contains(where: \.isNewline) else {
                entry.complain(
                    at: entry.origin(of: "password_file"), "\(file) does not hold one line",
                    "write the password into it, and nothing else")
                return nil
            }
            return Secret(text)
        }
    }
}

extension Configuration.Route {
    static func all(_ reading: inout Reading) -> [Self] {
        var routes: [Self] = []
        for var entry in reading.mappings(Schema.Route.list) {
            if let route = read(&entry) {
                check(route, against: routes, &entry)
                routes.append(route)
            }
            reading.absorb(entry)
        }
        return routes
    }

    private static func read(_ entry: inout Reading) -> Self? {
        let target = target(&entry)
        var route = target.map {
            Self(
                target: $0, project: entry.value(Schema.Route.project),
                disposition: entry.value(Schema.Route.disposition))
        }
        route?.conditions = entry.values(Schema.Route.when)
        route?.rejectText = entry.optional(Schema.Route.rejectText)
        route?.spam = entry.value(Schema.Route.spam)
        route?.answersBlindCopies = entry.value(Schema.Route.replyToBcc)
        route?.requiresAuthentication = entry.value(Schema.Route.requireAuthentication)
        route?.rawMail = RawMailKeep(rawValue: entry.value(Schema.Route.rawMail).rawValue)
        if let route, route.disposition == .continue, !route.conditions.isEmpty {
            entry.complain(
                at: entry.origin(of: "when"), "has no effect, because the disposition is to continue anyway",
                "add disposition: reject, or remove it")
        }
        return route
    }

    private static func target(_ entry: inout Reading) -> Target? {
        let targets: [Target?] = [
            entry.optional(Schema.Route.recipient).map { .recipient($0) },
            entry.optional(Schema.Route.domain).map { .domain($0) },
            entry.optional(Schema.Route.wildcard).map { .wildcard($0) },
            entry.optional(Schema.Route.pattern).map { .pattern($0) },
        ]
        let written = targets.compactMap { $0 }
        if written.count == 1 { return written[0] }
        let keys = ["recipient", "domain", "wildcard", "pattern"]
        if written.count > 1 {
            let names = keys.filter(entry.isSet).joined(separator: " and ")
            entry.complain(
                at: entry.start, "has both \(names)", "make \(written.count == 2 ? "two" : "several") routes of it")
        } else if !keys.contains(where: entry.isSet) {
            // A value that was written and refused has a finding of its own.
            entry.complain(
                at: entry.start, "has neither recipient nor domain, wildcard or pattern",
                "add recipient: support@example.com")
        }
        return nil
    }

    private static func check(_ route: Self, against others: [Self], _ entry: inout Reading) {
        for other in others where other.target == route.target {
            if other.project == route.project {
                return entry.complain(at: entry.start, "repeats an earlier route", "remove one of them")
            }
            if other.disposition != route.disposition || other.conditions != route.conditions {
                return entry.complain(
                    at: entry.start,
                    "differs in disposition from an earlier route of the same recipients: one message has one fate",
                    "give both the same disposition")
            }
        }
    }
}

extension Configuration.UnknownRecipients {
    static func all(_ reading: inout Reading) -> [Self] {
        var rules: [Self] = []
        for var entry in reading.mappings(Schema.Unknown.list) {
            let domain = entry.value(Schema.Unknown.domain)
            let rule = Self(
                domain: domain, answer: entry.value(Schema.Unknown.answer),
                project: entry.value(Schema.Unknown.project))
            if domain.isEmpty {
                if !entry.isSet("domain") {
                    entry.complain(at: entry.start, "has no domain", "add domain: inbound.example.com")
                }
            } else if rules.contains(where: { $0.domain == domain }) {
                entry.complain(at: entry.start, "repeats \(domain)", "keep one of them")
            } else {
                rules.append(rule)
            }
            reading.absorb(entry)
        }
        return rules
    }
}
