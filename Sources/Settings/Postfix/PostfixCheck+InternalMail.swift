extension PostfixCheck {
    /// Bounces Postfix writes itself pass `non_smtpd_milters` only, and only when `internal_mail_filter_classes`
    /// names them. A site that submits its mail to this Postfix would otherwise never hear of most hard bounces.
    func internalMail(_ services: [PostfixService], _ parameters: PostfixParameters) -> [Finding] {
        guard let cleanup = services.first(where: { $0.command == "cleanup" }) else { return [] }
        let view = View(cleanup, parameters, self, listName: "non_smtpd_milters")
        guard let ours = view.references.first(where: view.isOurs) else { return missing(view) }
        var findings: [Finding] = []
        let action = ours.settings["default_action"] ?? view.parameters.value("milter_default_action")
        if action != "accept" {
            findings.append(
                view.finding(
                    .warning, view.listName,
                    "default_action is \(action) here, so a bounce written while Postrider is down is lost or delayed",
                    view.setList(view.written { $0 == ours.text ? acceptingEndpoint(view) ?? $0 : $0 })))
        }
        return findings + [classes(view)]
    }

    /// Only a site whose mail leaves through this Postfix gets its bounces from it.
    private func missing(_ view: View) -> [Finding] {
        guard Hostname.isLoopback(configuration.smtp.host), let endpoint = acceptingEndpoint(view) else { return [] }
        return [
            view.finding(
                .warning, view.listName,
                "bounces that this Postfix writes itself do not reach Postrider: smtpd_milters never sees them",
                view.setList(view.writtenItems + [endpoint])),
            classes(view),
        ]
    }

    /// A refusal would lose the bounce, so this list always accepts.
    private func acceptingEndpoint(_ view: View) -> String? {
        view.ourEndpoint.map { "{ \($0), default_action=accept }" }
    }

    private func classes(_ view: View) -> Finding {
        let name = "internal_mail_filter_classes"
        let classes = PostfixText.list(view.parameters.value(name))
        if classes.contains("bounce") {
            return view.finding(.ok, name, "Postfix shows the bounces it writes to non_smtpd_milters", "")
        }
        let list = (classes + ["bounce"]).joined(separator: ", ")
        return view.finding(
            .warning, name, "without bounce, Postfix shows no milter the bounces it writes itself",
            "postconf -e \(ShellText.quoted("\(name)=\(list)"))")
    }

    /// `verdicts.stripped_at_border` is a promise; `header_checks` is where it is usually kept.
    func border(_ parameters: PostfixParameters) -> [Finding] {
        guard configuration.verdicts.strippedAtBorder, parameters.value("header_checks").isEmpty else { return [] }
        return [
            Finding(
                .warning, file: mainFile, line: parameters.line("header_checks"), key: "header_checks",
                message:
                    "is empty, but verdicts.stripped_at_border says that incoming copies of verdict fields are removed",
                mend: "postconf -e header_checks=regexp:/etc/postfix/header_checks.postrider")
        ]
    }
}
