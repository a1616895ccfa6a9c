/// Compares Postfix's configuration with ours: does every message reach the milter, in the right order, and does a
/// daemon that is down do what the administrator expects?
///
/// Reads main.cf, master.cf and the modes of the socket's directories; changes nothing and starts nothing. A mend is
/// the exact command where there is one. What the words mean: postconf(5), master(5) and Postfix's MILTER_README.
package struct PostfixCheck: Sendable {
    let directory: String
    let configuration: Configuration
    let files: any FileProbe

    /// - Parameters:
    ///   - directory: Postfix's configuration directory, usually `/etc/postfix`.
    ///   - configuration: ours.
    ///   - files: where files and users are looked up.
    package init(directory: String, configuration: Configuration, files: any FileProbe = SystemFiles()) {
        self.directory = directory
        self.configuration = configuration
        self.files = files
    }

    /// Everything found, errors first; `ok` findings name what was looked at and is right.
    package func findings() -> [Finding] {
        guard let main = files.text(of: mainFile) else { return [unreadable(mainFile)] }
        guard let master = files.text(of: masterFile) else { return [unreadable(masterFile)] }
        let parameters = PostfixParameters(main)
        let level = Double(parameters.value("compatibility_level")) ?? 0
        let services = PostfixService.all(in: master, chrootsByDefault: level < 1)
        let findings =
            listeners(services, parameters) + internalMail(services, parameters)
            + socketAccess(services, parameters) + border(parameters) + returns(parameters)
            + submission(services, parameters)
        let order: [Finding.Severity] = [.error, .warning, .ok]
        return order.flatMap { severity in findings.filter { $0.severity == severity } }
    }

    var mainFile: String { "\(directory)/main.cf" }
    var masterFile: String { "\(directory)/master.cf" }

    private func unreadable(_ file: String) -> Finding {
        Finding(
            .error, file: file, key: "", message: "cannot be read",
            mend: "name Postfix's configuration directory, as a user who may read it")
    }
}

// MARK: Listeners

extension PostfixCheck {
    private func listeners(_ services: [PostfixService], _ parameters: PostfixParameters) -> [Finding] {
        let inbound = services.filter(\.isInbound)
        var findings = inbound.flatMap { inboundListener(View($0, parameters, self)) }
        if inbound.isEmpty {
            findings.append(
                Finding(
                    .error, file: masterFile, key: "smtp/inet", message: "no service receives mail on port 25",
                    mend: "postconf -M 'smtp/inet=smtp inet n - y - - smtpd'"))
        }
        for service in services where service.command == "smtpd" && !service.isInbound {
            findings += otherListener(View(service, parameters, self))
        }
        return findings
    }

    private func inboundListener(_ view: View) -> [Finding] {
        if PostfixText.list(view.parameters.value("receive_override_options")).contains("no_milters") {
            return [
                view.finding(
                    .error, "receive_override_options", "no_milters keeps this listener's mail from every milter",
                    "remove no_milters")
            ]
        }
        guard let ours = view.references.firstIndex(where: view.isOurs) else { return [notListed(view)] }
        var findings = [
            view.finding(.ok, view.listName, "\(view.service.path) shows every message to Postrider", "")
        ]
        findings += order(of: ours, view) + settings(of: view.references[ours], view)
        if !view.parameters.value("smtpd_proxy_filter").isEmpty {
            findings.append(
                view.finding(
                    .error, "smtpd_proxy_filter", "with a proxy filter milters see neither header fields nor body",
                    "use content_filter, or a milter, instead"))
        }
        if !view.parameters.value("smtpd_milter_maps").isEmpty {
            findings.append(
                view.finding(
                    .warning, "smtpd_milter_maps", "clients listed there with DISABLE or another list bypass Postrider",
                    "check that only clients of your own are listed"))
        }
        return findings
    }

    private func notListed(_ view: View) -> Finding {
        guard let endpoint = view.ourEndpoint else {
            return view.finding(
                .error, view.listName,
                """
                \(view.service.path) runs chrooted in \(view.queueDirectory) and cannot reach \
                \(configuration.milter.socket)
                """,
                "set milter.socket: \(view.queueDirectory)/postrider/milter.sock in Postrider's configuration")
        }
        let wanted = "{ \(endpoint), default_action=\(configuration.milter.onFailure.rawValue) }"
        if let stray = view.nearMiss {
            return view.finding(
                .error, view.listName,
                """
                \(stray.text) leads to \(view.resolved(stray) ?? "nowhere"), but Postrider listens on \
                \(configuration.milter.socket)
                """,
                view.setList(view.written { $0 == stray.text ? wanted : $0 }))
        }
        return view.finding(
            .error, view.listName, "\(view.service.path) does not show its mail to Postrider",
            view.setList(view.writtenItems + [wanted]))
    }

    /// A listener for our own users, or one that mail comes back through from a filter.
    private func otherListener(_ view: View) -> [Finding] {
        guard let ours = view.references.first(where: view.isOurs) else { return [] }
        if PostfixText.list(view.parameters.value("receive_override_options")).contains("no_milters") { return [] }
        let rest = view.references.filter { $0 != ours }.map(\.text)
        return [
            view.finding(
                .warning, view.listName,
                """
                \(view.service.path) shows its mail to Postrider too, so what your own users and programs submit \
                becomes email.received when it matches a route
                """,
                view.setOverride(rest))
        ]
    }

    /// A milter that follows can still refuse or change what has become an event already.
    private func order(of ours: Int, _ view: View) -> [Finding] {
        let references = view.references
        let rspamd = references.firstIndex(where: \.looksLikeRspamd)
        let moved = { view.setList(view.written(movingLast: references[ours].text)) }
        if configuration.verdicts.rspamdHeaders, rspamd == nil {
            return [
                view.finding(
                    .warning, view.listName, "verdicts.rspamd_headers is true, and no milter here looks like rspamd",
                    "list rspamd before Postrider, or set verdicts.rspamd_headers: false")
            ]
        }
        if let rspamd, rspamd > ours {
            let severity: Finding.Severity = configuration.verdicts.rspamdHeaders ? .error : .warning
            return [
                view.finding(
                    severity, view.listName, "rspamd comes after Postrider, so its verdict is not there yet", moved())
            ]
        }
        guard ours == references.count - 1 else {
            return [
                view.finding(
                    .warning, view.listName,
                    """
                    \(references[references.count - 1].text) comes after Postrider and can still refuse a message \
                    whose event is stored
                    """,
                    moved())
            ]
        }
        return [view.finding(.ok, view.listName, "Postrider is the last milter", "")]
    }
}
