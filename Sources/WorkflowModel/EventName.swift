/// The names of events: the system's own, their aliases, and which of them only we may record.
package enum EventName {
    package static let emailReceived = "email.received"
    package static let emailSent = "email.sent"
    package static let emailOpened = "email.opened"
    package static let emailClicked = "email.clicked"
    package static let contactUpdated = "contact.updated"
    package static let emailBounced = "email.bounced"
    package static let emailFailed = "email.failed"
    package static let contactCreated = "contact.created"
    package static let contactSubscribed = "contact.subscribed"
    package static let contactUnsubscribed = "contact.unsubscribed"

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
    package static let rule = "at most \(lengthLimit) bytes on one line"

    /// Whether it can name an event: stored lists of names are one a line.
    package static func isUsable(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= lengthLimit && name.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
    }

    /// Names that clients may not track, because they would claim something that only this system can know.
    package static func isReserved(_ name: String) -> Bool {
        name.hasPrefix("email.") || name == contactSubscribed || name == contactUnsubscribed
            || name.hasPrefix("segment.") && (name.hasSuffix(".entry") || name.hasSuffix(".exit"))
    }
}
