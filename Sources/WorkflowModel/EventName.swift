/// The names of events: the system's own, their aliases, and which of them only we may record.
package enum EventName {
    package static let emailReceived = "email.received"
    package static let emailSent = "email.sent"
    package static let emailDelivered = "email.delivered"
    package static let emailOpened = "email.opened"
    package static let emailClicked = "email.clicked"
    package static let contactUpdated = "contact.updated"
    package static let emailBounced = "email.bounced"
    package static let emailComplained = "email.complained"
    /// A person answered a mail.
    package static let emailReplied = "email.replied"
    /// A program answered a mail for a person.
    package static let emailAutoReplied = "email.auto_replied"
    package static let emailFailed = "email.failed"
    package static let contactCreated = "contact.created"
    package static let contactSubscribed = "contact.subscribed"
    package static let contactUnsubscribed = "contact.unsubscribed"
    /// Recorded when somebody tries a webhook out, and when we have stopped calling one.
    package static let webhookTest = "webhook.test"
    package static let webhookPaused = "webhook.paused"

    /// What may happen to a mail: every name that begins with `email.`.
    package static let ofMail: Set<String> = [
        emailReceived, emailSent, emailDelivered, emailOpened, "email.clicked", emailBounced, emailComplained,
        emailReplied, emailAutoReplied, emailFailed,
    ]

    /// Longest event name, in bytes.
    package static let lengthLimit = 200

    /// The canonical spelling: older clients say `email.open` where we say `email.opened`.
    package static func canonical(_ name: String) -> String {
        switch name {
        case "email.open": "email.opened"
        case "email.click": "email.clicked"
        case "email.delivery": "email.delivered"
        case "email.bounce": "email.bounced"
        case "email.complaint": "email.complained"
        default: name
        }
    }

    /// The rule for names, for error messages.
    package static let rule = "not blank, at most \(lengthLimit) bytes on one line"

    /// Whether it can name an event: stored lists of names are one a line, and a name that nobody can see is a mistake.
    package static func isUsable(_ name: String) -> Bool {
        !isBlank(name) && name.utf8.count <= lengthLimit && name.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
    }

    /// Whether there is nothing in it but blanks, those outside ASCII included.
    package static func isBlank(_ name: String) -> Bool {
        // What begins with a visible ASCII character, as nearly every name does, is not.
        if let first = name.utf8.first, (0x21...0x7E).contains(first) { return false }
        return name.unicodeScalars.allSatisfy(\.properties.isWhitespace)
    }

    /// Names that clients may not track, because they would claim something that only this system can know.
    package static func isReserved(_ name: String) -> Bool {
        name.hasPrefix("email.") || name == contactSubscribed || name == contactUnsubscribed
            || name == webhookTest || name == webhookPaused
            || name.hasPrefix("segment.") && (name.hasSuffix(".entry") || name.hasSuffix(".exit"))
    }
}
