extension PostfixCheck {
    /// Mail of ours is sent exactly once only where the Postfix that takes it shows it to us.
    func submission(_ services: [PostfixService], _ parameters: PostfixParameters) -> [Finding] {
        guard configuration.postfix.isExactlyOnce, Hostname.isLoopback(configuration.smtp.host) else { return [] }
        guard let service = services.first(where: { $0.command == "smtpd" && $0.listens(on: configuration.smtp.port) })
        else { return [] }
        let view = View(service, parameters, self)
        let bypasses = PostfixText.list(view.parameters.value("receive_override_options")).contains("no_milters")
        guard !bypasses, let ours = view.references.first(where: view.isOurs) else {
            return [
                view.finding(
                    .warning, view.listName,
                    """
                    \(service.path) takes Postrider's own mail and does not show it to Postrider: after a crash a mail \
                    may go out twice
                    """,
                    "list Postrider's milter for \(service.path), or set postfix.exactly_once: false")
            ]
        }
        let action = ours.settings["default_action"] ?? view.parameters.value("milter_default_action")
        guard action == "accept", configuration.postfix.log == nil else {
            return [
                view.finding(
                    .ok, view.listName, "\(service.path) shows Postrider's own mail to Postrider: it is sent once", "")
            ]
        }
        return [
            view.finding(
                .warning, view.listName,
                """
                with default_action=accept a mail that is handed over at the moment of a crash leaves no trace here, and \
                may go out twice
                """,
                "set postfix.log in Postrider's configuration")
        ]
    }
}

extension PostfixService {
    fileprivate func listens(on port: Int) -> Bool {
        guard type == "inet" else { return false }
        let text = name.split(separator: ":").last.map(String.init) ?? name
        let names = ["smtp": 25, "submission": 587, "submissions": 465, "smtps": 465]
        return Int(text) == port || names[text] == port
    }
}
