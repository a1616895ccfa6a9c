extension Configuration {
    /// What no single value shows: settings that contradict each other.
    func check(_ reading: inout Reading) {
        checkVerdicts(&reading)
        if relays.isEmpty { smtp.checkRelay(&reading, at: reading.origin(of: "smtp.tls"), "smtp.tls") }
        checkRetries(&reading)
        checkPublicURL(&reading)
    }

    /// Header sources are believed only behind a border that strips forged copies.
    private func checkVerdicts(_ reading: inout Reading) {
        guard !verdicts.strippedAtBorder else { return }
        let mend = "remove incoming copies with conf/postfix/header_checks, then set verdicts.stripped_at_border: true"
        let claims: [VerdictSourceKind: String] = [
            .rspamdHeaders:
                "any sender can write X-Rspamd-Action, and rspamd leaves forged ones on mail of local and authenticated "
                + "clients",
            .spamAssassinHeaders: "any sender can write X-Spam-Status, and SpamAssassin's milter rewrites it in place",
            .clamAVHeaders: "any sender can write X-Virus-Status",
            .authres:
                "any sender can write Authentication-Results with our name; only the border can remove it (RFC 8601 "
                + "section 5)",
            .receivedSPF:
                "any sender can write Received-SPF, and it is the first one where no policy server added another",
        ]
        let short: [VerdictSourceKind: String] = [
            .rspamdHeaders: "verdicts.rspamd_headers", .authres: "verdicts.authserv_ids",
        ]
        for source in verdicts.sources {
            guard let claim = claims[source.kind] else { continue }
            let path = short[source.kind].flatMap { reading.isSet($0) ? $0 : nil } ?? "verdicts.sources"
            reading.complain(at: reading.origin(of: path), claim, mend)
        }
    }

    private func checkRetries(_ reading: inout Reading) {
        if smtp.firstRetry > smtp.maxRetry {
            reading.complain(
                at: reading.origin(of: "smtp.first_retry"), "is longer than smtp.max_retry",
                "make it shorter, or smtp.max_retry longer")
        }
        if smtp.maxRetry > smtp.maxLifetime {
            reading.complain(
                at: reading.origin(of: "smtp.max_retry"), "is longer than smtp.max_lifetime",
                "make it shorter, or smtp.max_lifetime longer")
        }
    }

    private func checkPublicURL(_ reading: inout Reading) {
        guard http.publicURL == nil, !Hostname.isLoopback(http.address) else { return }
        reading.complain(
            .warning, at: reading.origin(of: "http.public_url"),
            "is not set, so pixels and links in mail work on this machine only",
            "set it to the address recipients reach")
    }
}

extension Configuration.SMTP {
    /// - Parameter path: the key that chooses the encryption.
    func checkRelay(_ reading: inout Reading, at origin: Reading.Origin, _ path: String) {
        let isLocal = Hostname.isLoopback(host)
        let isEncrypted = tls == .required || tls == .implicit
        if login != nil, !isLocal, !isEncrypted {
            reading.complain(
                at: origin, "\(tls.rawValue) can send the password for \(host) in clear",
                "set \(path): required, or implicit for port 465")
        } else if tls == .none, !isLocal {
            reading.complain(
                .warning, at: origin, "mail travels to \(host) in clear",
                "set \(path): required when the relay offers STARTTLS")
        }
        if port == 465, tls == .required || tls == .opportunistic {
            reading.complain(
                .warning, at: origin, "port 465 speaks TLS from the first byte (RFC 8314 section 3.3)",
                "set \(path): implicit")
        }
    }
}

extension Reading {
    /// Findings in the order of the file; those without a line first, those of the environment last.
    var sortedFindings: [Finding] {
        let keyed = findings.enumerated().map { index, finding in
            (rank: finding.file == "environment" ? Int.max : finding.line ?? 0, index: index, finding: finding)
        }
        return keyed.sorted { ($0.rank, $0.index) < ($1.rank, $1.index) }.map(\.finding)
    }
}
