extension Schema {
    /// The Postfix that mail leaves through, as far as it is looked at.
    enum Postfix {
        static let log = Entry.text(
            "postfix.log", .any, example: "/var/log/mail.log",
            """
            The log that Postfix writes on this machine: a file, or the word journal for systemd's. Empty follows none. \
            With it every mail shows what became of it, and mail that came in past Postrider is found. The daemon's user \
            must be able to read it (group adm on Debian; systemd-journal for the journal).
            """
        )
        static let exactlyOnce = Entry.flag(
            "postfix.exactly_once", default: true,
            """
            Whether outgoing mail is noted when Postfix shows it to the milter, so that a crash sends nothing twice. It costs \
            a commit for each mail, and works only where smtp.host is a Postfix that lists this milter.
            """
        )
        static let proofWait = Entry.duration(
            "postfix.proof_wait", .seconds(0)...(.seconds(600)), default: .seconds(10), example: .seconds(60),
            """
            How long, after a crash, a mail that was noted and is neither in the queue nor in the log is waited for before \
            it is sent again. Longer than filters behind Postrider in Postfix's list take.
            """
        )
        static let postqueue = Entry.text(
            "postfix.postqueue", .path, default: "/usr/sbin/postqueue", allowsEmpty: true,
            example: "/usr/local/sbin/postqueue",
            """
            postqueue(1), which lists what is in the queue. Empty asks nobody. Where the unit forbids new privileges, the \
            daemon's user needs the group postdrop.
            """
        )
        static let configurationDirectory = Entry.text(
            "postfix.config_directory", .path, example: "/etc/postfix-out",
            "The configuration directory of that Postfix, when there are several instances; empty means the usual one.")

        static let settings = [
            log.setting, exactlyOnce.setting, proofWait.setting, postqueue.setting, configurationDirectory.setting,
        ]
    }
}
