extension PostfixCheck {
    /// Addresses that bounces and answers come to are of use only when Postfix takes mail for them.
    func returns(_ parameters: PostfixParameters) -> [Finding] {
        let returns = configuration.returns
        let all = [returns.addresses] + returns.projects.sorted { $0.key < $1.key }.map(\.value)
        let addresses = all.flatMap { [$0.bounce, $0.reply].compactMap(\.self) }
        guard !addresses.isEmpty else { return bouncesToFrom(parameters) }
        var seen: Set<String> = []
        let domains = addresses.map { String($0.lowercased().drop { $0 != "@" }.dropFirst()) }
            .filter { seen.insert($0).inserted }
        return [delimiter(parameters)] + domains.flatMap { domain($0, parameters) }
    }

    private func finding(
        _ severity: Finding.Severity, _ key: String, _ parameters: PostfixParameters, _ message: String,
        _ mend: String
    ) -> Finding {
        Finding(
            severity, file: mainFile, line: parameters.line(key), key: key, message: message, mend: mend)
    }

    /// Without it Postfix looks for a mailbox of the whole name, token included.
    private func delimiter(_ parameters: PostfixParameters) -> Finding {
        let key = "recipient_delimiter"
        let ours = configuration.returns.delimiter
        let theirs = parameters.value(key)
        if theirs.contains(ours) {
            return finding(.ok, key, parameters, "Postfix knows \(ours) as the start of an address's token", "")
        }
        return finding(
            .warning, key, parameters,
            "is \(theirs.isEmpty ? "empty" : theirs), so Postfix takes mail with a token only where every name is taken",
            "postconf -e \(ShellText.quoted("\(key)=\(theirs)\(ours)"))")
    }

    /// The parameters that name the domains whose mail ends here.
    private static let lists = [
        "mydestination", "virtual_mailbox_domains", "virtual_alias_domains", "relay_domains",
    ]

    private func domain(_ domain: String, _ parameters: PostfixParameters) -> [Finding] {
        var hasTable = false
        for key in Self.lists {
            for item in PostfixText.list(parameters.value(key)) {
                if item.lowercased() == domain {
                    return [
                        finding(
                            .ok, key, parameters, "Postfix takes mail for \(domain), where bounces or answers come to",
                            "")
                    ]
                }
                // A table, a file, or a pattern: what is in it is not looked up here.
                if item.contains(":") || item.contains("/") || item.hasPrefix(".") { hasTable = true }
            }
        }
        // The default of mydestination is this host's own name, which only Postfix knows.
        let name = parameters.value("myhostname")
        if parameters.written("mydestination") == nil, name.lowercased() == domain { return [] }
        let message =
            "no list of this Postfix names \(domain), so bounces and answers there do not come back"
        return [
            finding(
                hasTable ? .ok : .warning, "virtual_mailbox_domains", parameters,
                hasTable ? "\(domain) is in no list; it must be in one of the tables" : message,
                hasTable
                    ? "" : "postconf -e \(ShellText.quoted("virtual_mailbox_domains=\(domain)")), and see bounces.md")
        ]
    }

    /// With nothing configured bounces go to From, and are understood when a route leads there.
    private func bouncesToFrom(_ parameters: PostfixParameters) -> [Finding] {
        guard Hostname.isLoopback(configuration.smtp.host), let from = configuration.mail.defaultFrom else { return [] }
        let address = from.lowercased().split(whereSeparator: { $0 == "<" || $0 == ">" || $0 == " " }).last ?? ""
        let domain = String(address.drop { $0 != "@" }.dropFirst())
        let isRouted = configuration.routes.contains { route in
            switch route.target {
            case .recipient(let recipient): recipient.lowercased() == address
            case .domain(let routed): routed.lowercased() == domain
            // Whoever writes one knows whom it is for.
            case .wildcard, .pattern: true
            }
        }
        guard !isRouted else { return [] }
        return [
            Finding(
                .warning, file: mainFile, key: "returns.bounce_address",
                message:
                    "is not set and no route leads to \(address), so bounces and complaints of mail are not heard of",
                mend: "set returns.bounce_address (Documentation/bounces.md)")
        ]
    }
}
