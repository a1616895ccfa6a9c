extension Configuration {
    /// Reads the configuration file at `path`, overlaid by `environment`, and the secrets it points to.
    ///
    /// - Parameters:
    ///   - path: relative paths in the file are resolved against its directory; nil reads no file at all.
    ///   - environment: of the process; only variables that begin with `POSTRIDER_` are looked at.
    /// - Throws: `ConfigurationError` with everything that is wrong, in the order of the file.
    package static func load(
        path: String?, environment: [String: String]
    ) throws(ConfigurationError) -> Configuration {
        guard let path else { return try parse("", file: "defaults", environment: environment) }
        switch RegularFile.read(path, limit: Document.sizeLimit) {
        case .success(let bytes):
            guard let text = String(validating: bytes.dropByteOrderMark, as: UTF8.self) else {
                throw Self.unreadable(path, "is no UTF-8 text", "save it as UTF-8")
            }
            return try parse(text, file: path, environment: environment)
        case .failure(let failure):
            throw unreadable(path, failure.message, failure.mend)
        }
    }

    /// Like `load`, for a text in memory.
    ///
    /// - Parameter file: the text's name in findings.
    package static func parse(
        _ text: String, file: String = "postrider.yaml", environment: [String: String] = [:]
    ) throws(ConfigurationError) -> Configuration {
        var reading = Reading(document: Document(text: text, file: file), file: file, environment: environment)
        var configuration = Configuration(&reading)
        configuration.check(&reading)
        let findings = reading.sortedFindings
        guard !findings.contains(where: { $0.severity == .error }) else {
            throw ConfigurationError(code: .invalid, findings: findings)
        }
        configuration.warnings = findings
        return configuration
    }

    private static func unreadable(_ path: String, _ message: String, _ mend: String) -> ConfigurationError {
        let finding = Finding(.error, file: path, key: "", message: message, mend: mend)
        return ConfigurationError(code: .unreadable, findings: [finding])
    }

    init(_ reading: inout Reading) {
        database = Database(path: reading.path(Schema.Database.path))
        milter = Milter(&reading)
        http = HTTP(&reading)
        smtp = SMTP(&reading)
        postfix = Postfix(&reading)
        webhooks = Webhooks(&reading)
        mail = Mail(
            defaultFrom: reading.optional(Schema.Mail.defaultFrom),
            messageIDDomain: reading.optional(Schema.Mail.messageIDDomain),
            autoReplyFrom: reading.optional(Schema.Mail.autoReplyFrom))
        returns = Returns(&reading)
        autoReplies = AutoReplies(&reading)
        rawMail = RawMail(&reading)
        verdicts = Verdicts(&reading)
        tracking = Tracking(
            opens: reading.value(Schema.Tracking.opens), clicks: reading.value(Schema.Tracking.clicks),
            isAnonymous: reading.value(Schema.Tracking.anonymous),
            url: reading.optional(Schema.Tracking.url),
            prefetchWindow: reading.value(Schema.Tracking.prefetchWindow),
            maxHitsPerMail: reading.value(Schema.Tracking.maxHitsPerMail))
        suppression = Suppression(
            bounces: reading.value(Schema.Suppression.bounces),
            complaints: reading.value(Schema.Suppression.complaints),
            softLimit: reading.value(Schema.Suppression.softLimit),
            softWindow: reading.value(Schema.Suppression.softWindow),
            softDuration: reading.value(Schema.Suppression.softDuration))
        log = Log(level: reading.value(Schema.Log.level), format: reading.value(Schema.Log.format))
        limits = Limits(
            eventData: reading.value(Schema.Limits.eventData), generations: reading.value(Schema.Limits.generations))
        rates = Rates(
            isEnabled: reading.value(Schema.Rates.enabled),
            track: .init(
                perSecond: reading.value(Schema.Rates.track), burst: reading.value(Schema.Rates.trackBurst)),
            send: .init(perSecond: reading.value(Schema.Rates.send), burst: reading.value(Schema.Rates.sendBurst)),
            contacts: .init(
                perSecond: reading.value(Schema.Rates.contacts), burst: reading.value(Schema.Rates.contactsBurst)),
            unknownKeys: reading.value(Schema.Rates.unknownKeys))
        dns = DNS(server: reading.optional(Schema.DNS.server))
        verify = Verify(dns: reading.value(Schema.Verify.dns), timeout: reading.value(Schema.Verify.timeout))
        relays = Relay.all(&reading, smtp: smtp)
        pacing = Pacing.all(&reading, relays: relays)
        routes = Route.all(&reading)
        recipientDelimiter = reading.value(Schema.Route.delimiter).character
        unknownRecipients = UnknownRecipients.all(&reading)
        ownAddresses = reading.values(Schema.ownAddresses)
    }
}

extension Configuration.Milter {
    init(_ reading: inout Reading) {
        socket = reading.path(Schema.Milter.socket)
        if socket.utf8.count > 107 {
            reading.complain(
                at: reading.origin(of: "milter.socket"), "\(socket) is longer than the 107 bytes the kernel takes",
                "choose a shorter path")
        }
        socketMode = UInt32(reading.value(Schema.Milter.socketMode), radix: 8) ?? 0o660
        socketGroup = reading.optional(Schema.Milter.socketGroup)
        tcp = reading.optional(Schema.Milter.tcp).flatMap(HostPort.init)
        bodyLimit = reading.value(Schema.Milter.bodyLimit)
        headerLimit = reading.value(Schema.Milter.headerLimit)
        headerBytesLimit = reading.value(Schema.Milter.headerBytesLimit)
        recipientLimit = reading.value(Schema.Milter.recipientLimit)
        partLimit = reading.value(Schema.Milter.partLimit)
        nestingLimit = reading.value(Schema.Milter.nestingLimit)
        inFlightBytes = reading.value(Schema.Milter.inFlightBytes)
        inFlightMessages = reading.value(Schema.Milter.inFlightMessages)
        clientBytes = reading.value(Schema.Milter.clientBytes)
        clientMessages = reading.value(Schema.Milter.clientMessages)
        commitDeadline = reading.value(Schema.Milter.commitDeadline)
        onFailure = reading.value(Schema.Milter.onFailure)
        if reading.value(Schema.Milter.tcpBeyondLoopback) == false, let tcp, !Hostname.isLoopback(tcp.host) {
            reading.complain(
                at: reading.origin(of: "milter.tcp"),
                "\(tcp.host) can be reached from other machines, and the milter protocol knows no login",
                "listen on 127.0.0.1, or set milter.tcp_beyond_loopback: true and keep strangers out with a firewall")
        }
    }
}

extension Configuration.Returns {
    init(_ reading: inout Reading) {
        addresses = .init(
            bounce: reading.optional(Schema.Returns.bounceAddress), reply: reading.optional(Schema.Returns.replyAddress)
        )
        delimiter = reading.value(Schema.Returns.delimiter)
        var projects: [String: Addresses] = [:]
        for var entry in reading.mappings(Schema.Returns.projects) {
            let addresses = Addresses(
                bounce: entry.optional(Schema.Returns.projectBounceAddress),
                reply: entry.optional(Schema.Returns.projectReplyAddress))
            if let project = entry.optional(Schema.Returns.project) {
                if projects[project] != nil {
                    entry.complain(at: entry.start, "\(project) is there already", "make one entry of both")
                }
                projects[project] = addresses
            } else if !entry.isSet("project") {
                entry.complain(at: entry.start, "names no project", "add project: newsletter")
            }
            reading.absorb(entry)
        }
        self.projects = projects
        check(&reading)
    }

    /// An address stands for one thing: what comes there is either a bounce or an answer, and belongs to one project.
    private func check(_ reading: inout Reading) {
        var seen: Set<String> = []
        for one in [addresses] + projects.sorted(by: { $0.key < $1.key }).map(\.value) {
            for address in [one.bounce, one.reply].compactMap({ $0?.lowercased() }) where !seen.insert(address).inserted
            {
                reading.complain(
                    at: reading.origin(of: "returns.bounce_address"), "\(address) is there twice",
                    "give each kind and each project an address of its own")
            }
        }
    }
}

extension Configuration.HTTP {
    init(_ reading: inout Reading) {
        address = reading.value(Schema.HTTP.address)
        port = reading.value(Schema.HTTP.port)
        publicURL = reading.optional(Schema.HTTP.publicURL)
        bodyLimit = reading.value(Schema.HTTP.bodyLimit)
        importLimit = reading.value(Schema.HTTP.importLimit)
        trustsForwardedFor = reading.value(Schema.HTTP.trustsForwardedFor)
        let folder = reading.path(Schema.HTTP.pages)
        pages = folder.isEmpty ? nil : folder
    }
}

extension Configuration.SMTP {
    init(_ reading: inout Reading) {
        host = reading.value(Schema.SMTP.host)
        port = reading.value(Schema.SMTP.port)
        ehloName = reading.optional(Schema.SMTP.ehloName)
        tls = reading.value(Schema.SMTP.tls)
        verify = reading.value(Schema.SMTP.verify)
        let ca = reading.path(Schema.SMTP.caFile)
        caFile = ca.isEmpty ? nil : ca
        login = Configuration.Login.read(&reading)
        workers = reading.value(Schema.SMTP.workers)
        connectTimeout = reading.value(Schema.SMTP.connectTimeout)
        replyTimeout = reading.value(Schema.SMTP.replyTimeout)
        maxLifetime = reading.value(Schema.SMTP.maxLifetime)
        firstRetry = reading.value(Schema.SMTP.firstRetry)
        maxRetry = reading.value(Schema.SMTP.maxRetry)
    }
}

extension Configuration.Webhooks {
    init(_ reading: inout Reading) {
        allowedHosts = reading.values(Schema.Webhooks.allowedHosts)
        timeout = reading.value(Schema.Webhooks.timeout)
        concurrency = reading.value(Schema.Webhooks.concurrency)
        perReceiver = reading.value(Schema.Webhooks.perReceiver)
        let ca = reading.path(Schema.Webhooks.caFile)
        caFile = ca.isEmpty ? nil : ca
    }
}

extension Configuration.Login {
    /// Largest password file, in bytes.
    private static let passwordLimit = 4096

    static func read(_ reading: inout Reading) -> Self? {
        let username = reading.optional(Schema.SMTP.username)
        let file = reading.path(Schema.SMTP.passwordFile)
        let inline = reading.optional(Schema.SMTP.password)
        if inline != nil { discourage(inlineBeside: file, &reading) }
        let password =
            file.isEmpty
            ? inline : password(in: file, at: reading.origin(of: "smtp.password_file"), &reading) ?? inline
        switch (username, password) {
        case (let username?, let password?): return Self(username: username, password: Secret(password))
        case (_?, nil):
            if file.isEmpty {
                reading.complain(at: reading.origin(of: "smtp.username"), "has no password", "set smtp.password_file")
            }
        case (nil, _?):
            let path = file.isEmpty ? "smtp.password" : "smtp.password_file"
            reading.complain(at: reading.origin(of: path), "has no user name beside it", "set smtp.username")
        case (nil, nil): break
        }
        return nil
    }

    private static func discourage(inlineBeside file: String, _ reading: inout Reading) {
        let origin = reading.origin(of: "smtp.password")
        guard file.isEmpty else {
            return reading.complain(at: origin, "is set beside smtp.password_file", "keep smtp.password_file")
        }
        reading.complain(
            .warning, at: origin, "is a secret in a file that travels", "move it to a file and set smtp.password_file")
    }

    /// What a file with a password holds; nil when it cannot be used, with the reason as a finding.
    static func password(in file: String, at origin: Reading.Origin, _ reading: inout Reading) -> String? {
        switch RegularFile.read(file, limit: passwordLimit) {
        case .failure(let failure):
            reading.complain(at: origin, "\(file) \(failure.message)", failure.mend)
            return nil
        case .success(let bytes):
            var text = String(decoding: bytes, as: UTF8.self)
            if text.last?.isNewline == true { text.removeLast() }
            guard !text.isEmpty, !text.contains(where: \.isNewline) else {
                reading.complain(
                    at: origin, "\(file) does not hold one line", "write the password into it, and nothing else")
                return nil
            }
            if RegularFile.isReadableByAnybody(file) {
                reading.complain(.warning, at: origin, "\(file) can be read by every user", "chmod 0600 \(file)")
            }
            return text
        }
    }
}
