extension PostfixCheck {
    /// Whether smtpd and cleanup, as the user they run as, can get to the socket and write to it.
    func socketAccess(_ services: [PostfixService], _ parameters: PostfixParameters) -> [Finding] {
        let users = services.filter { $0.isInbound || $0.command == "cleanup" }
        let references = users.flatMap { service in
            let name = service.command == "cleanup" ? "non_smtpd_milters" : "smtpd_milters"
            let view = View(service, parameters, self, listName: name)
            return view.references.filter(view.isOurs)
        }
        // With only a TCP entrance in use, the socket's modes are nobody's concern.
        if !references.isEmpty, references.allSatisfy({ if case .inet = $0.endpoint { true } else { false } }) {
            return []
        }
        let owner = parameters.value("mail_owner")
        guard let identity = files.identity(of: owner) else {
            return [
                finding(
                    .warning, "there is no user \(owner) here, so access to the socket was not checked",
                    "run this where Postfix runs")
            ]
        }
        let queue = PathText.normalised(parameters.value("queue_directory"))
        let isChrooted = !users.isEmpty && users.allSatisfy(\.isChrooted)
        // A socket outside the chroot has an error of its own, and no way to it that could be walked.
        if isChrooted, !socketPath.hasPrefix(queue + "/") { return [] }
        let walk = Walk(owner: owner, identity: identity, start: isChrooted ? queue : "/")
        return directories(walk) ?? [socket(walk)]
    }

    private struct Walk {
        let owner: String
        let identity: UserIdentity
        /// The first directory that must be searchable: a chrooted service never looks above its root.
        let start: String
    }

    private var socketPath: String { PathText.normalised(configuration.milter.socket) }

    private func finding(_ severity: Finding.Severity, _ message: String, _ mend: String) -> Finding {
        Finding(severity, file: socketPath, key: "milter.socket", message: message, mend: mend)
    }

    /// The directories from the start to the socket, outermost first.
    private func ancestors(from start: String) -> [String] {
        var path = ""
        var all = ["/"]
        for part in socketPath.split(separator: "/").dropLast() {
            path += "/\(part)"
            all.append(path)
        }
        return start == "/" ? all : all.filter { $0 == start || $0.hasPrefix(start + "/") }
    }

    /// What keeps the user from the socket's directory; nil when nothing does.
    private func directories(_ walk: Walk) -> [Finding]? {
        for directory in ancestors(from: walk.start) {
            switch files.status(of: directory) {
            case .missing:
                return [
                    finding(
                        .error, "the directory \(directory) does not exist",
                        "install -d -o postrider -g \(walk.owner) -m 2750 \(directory)")
                ]
            case .hidden:
                return [
                    finding(
                        .warning, "this user may not look at \(directory), so access was not checked",
                        "run this as root")
                ]
            case .found(.socket, _, _, _), .found(.other, _, _, _):
                return [
                    finding(
                        .error, "\(directory) is no directory",
                        "remove it, then install -d -o postrider -g \(walk.owner) -m 2750 \(directory)")
                ]
            case .found(.directory, _, _, _) where files.status(of: directory).grants(1, to: walk.identity) != true:
                return [
                    finding(
                        .error, "the user \(walk.owner) may not enter \(directory)",
                        "chgrp \(walk.owner) \(directory) && chmod g+x \(directory)")
                ]
            case .found: continue
            }
        }
        return nil
    }

    private func socket(_ walk: Walk) -> Finding {
        let status = files.status(of: socketPath)
        switch status {
        case .missing:
            return finding(
                .warning, "there is no socket; the daemon is not running, or listens elsewhere",
                "systemctl start postrider")
        case .hidden:
            return finding(
                .warning, "this user may not look at the socket, so access was not checked", "run this as root")
        case .found(.socket, _, _, _):
            guard status.grants(2, to: walk.identity) == true else {
                return finding(
                    .error, "the user \(walk.owner) may not write to the socket",
                    """
                    set milter.socket_group: \(walk.owner) and milter.socket_mode: "0660", \
                    then systemctl restart postrider
                    """
                )
            }
            return finding(.ok, "the user \(walk.owner) can reach the socket and write to it", "")
        case .found: return finding(.error, "is no socket", "remove it and start the daemon")
        }
    }
}
