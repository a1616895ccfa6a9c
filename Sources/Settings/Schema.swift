/// The configuration, declared once: every key with its path, type, default, range, meaning and example.
///
/// Out of this come the sample file (`sampleFile()`), the reference page (`referencePage()`), the errors of
/// `Configuration.load` and the typed values of `Configuration`. The tests compare the generated files with those
/// in the tree, and the keys declared here with those `Configuration` reads.
package enum Schema {
    /// A mapping of the top level and what belongs into it.
    package struct Section: Sendable {
        /// Key of the top level; empty for the keys that stand there themselves.
        package let name: String
        /// What the section is about, in sentences.
        package let meaning: String
        package let settings: [Setting]
    }

    /// All sections in the order of the sample file.
    package static let sections: [Section] = [
        Section(
            name: "database", meaning: "Where contacts, events, workflows and the outbox are kept.",
            settings: [Database.path.setting]),
        Section(
            name: "milter", meaning: "The entrance for inbound mail: Postfix talks to it for every message.",
            settings: Milter.settings),
        Section(
            name: "http", meaning: "API, dashboard, tracking pixel and unsubscribe pages.", settings: HTTP.settings),
        Section(
            name: "smtp", meaning: "The relay that outgoing mail is handed to, usually the Postfix of this machine.",
            settings: SMTP.settings),
        Section(
            name: "postfix", meaning: "The Postfix of this machine, as far as it is looked at.",
            settings: Postfix.settings),
        Section(
            name: "webhooks", meaning: "The HTTP calls that WEBHOOK steps make.", settings: Webhooks.settings),
        Section(name: "mail", meaning: "What outgoing mail says about itself.", settings: Mail.settings),
        Section(
            name: "returns",
            meaning:
                """
                Where mail comes back to. With these, bounces and answers are matched with their mail by a signed token in \
                the address they come to.
                """,
            settings: Returns.settings),
        Section(
            name: "auto_replies",
            meaning:
                """
                How far automatic replies go. Whatever refuses one is the output of its step, and counted in /healthz.
                """,
            settings: AutoReplies.settings),
        Section(
            name: "raw_mail",
            meaning: "Received mail as it came, kept so that it can be received again. See Documentation/raw-mail.md.",
            settings: RawMail.settings),
        Section(
            name: "verdicts",
            meaning:
                """
                Whose word about spam, viruses and authentication counts. What is not declared here is reported as DISABLED, \
                never as PASS.
                """,
            settings: Verdicts.settings),
        Section(
            name: "tracking",
            meaning:
                """
                What is recorded of readers who open mail and follow links, at most: a project or template can only \
                record less.
                """,
            settings: Tracking.settings),
        Section(
            name: "suppression", meaning: "When mail that does not arrive ends further mail to its address.",
            settings: Suppression.settings),
        Section(name: "log", meaning: "What the daemon writes to standard error.", settings: Log.settings),
        Section(
            name: "limits", meaning: "Bounds that keep one event or one workflow from taking everything.",
            settings: Limits.settings),
        Section(
            name: "rates", meaning: "How often the API may be called; a refused request is answered with 429.",
            settings: Rates.settings),
        Section(name: "dns", meaning: "Whom the daemon asks for the mail servers of domains.", settings: DNS.settings),
        Section(name: "verify", meaning: "The check of mail addresses (/v1/verify).", settings: Verify.settings),
        Section(
            name: "",
            meaning:
                """
                Over which relays mail leaves and how fast, which inbound mail becomes events, and which addresses are \
                our own.
                """,
            settings: [
                Relay.list, Pacing.list, Route.list, Route.delimiter.setting, Unknown.list, ownAddresses.setting,
            ]),
    ]

    /// Every key of every section.
    package static var settings: [Setting] { sections.flatMap(\.settings) }

    enum Database {
        static let path = Entry.text(
            "database.path", .path, default: "/var/lib/postrider/postrider.db", example: "/srv/postrider/postrider.db",
            """
            The SQLite database. It is made at the first start; its directory must exist and be writable by the \
            daemon.
            """
        )
    }

    static let ownAddresses = ListEntry(
        "own_addresses", of: .mailAddress, example: ["support@example.com", "bounces@example.com"],
        """
        Addresses the daemon itself sends from or listens to. A message from one of them is never answered \
        automatically.
        """
    )
}
