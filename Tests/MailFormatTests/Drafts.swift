import MailFormat
import MailModel

/// Drafts that several tests start from.
enum Drafts {
    static func address(_ text: String) -> MailAddress {
        guard let address = MailAddress.parse(text) else { preconditionFailure("The test's own address: \(text)") }
        return address
    }

    static func mailbox(_ text: String, name: String? = nil) -> Mailbox { Mailbox(name: name, address: address(text)) }

    static func plain(subject: String = "Hello", text: String = "Hello world.\n") -> MailDraft {
        MailDraft(
            from: mailbox("shop@example.org", name: "Example Shop"), to: [mailbox("ann@example.net")], subject: subject,
            date: 1_700_000_000_000_000, messageID: "m1@example.org", text: text, boundary: "b1")
    }

    static func alternative() -> MailDraft {
        var draft = plain(subject: "Grüße aus Köln", text: "Schöne Grüße\nvon uns.\n")
        draft.html = "<html><body><p>Sch\u{F6}ne Gr\u{FC}\u{DF}e</p></body></html>"
        return draft
    }
}
