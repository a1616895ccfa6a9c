/// Why a mail was not delivered. The raw value is stored and shown, so it is never reused.
package enum BounceReason: String, Hashable, Sendable, CaseIterable {
    /// No such mailbox.
    case userUnknown = "user_unknown"
    /// No such domain, or nobody takes mail for it.
    case hostUnknown = "host_unknown"
    /// The mailbox is somewhere else now (5.1.6).
    case moved
    /// The host says that it takes no mail at all (RFC 7504, RFC 7505).
    case noMailAccepted = "no_mail_accepted"
    /// The mailbox exists and is closed: suspended, inactive, disabled.
    case mailboxDisabled = "mailbox_disabled"
    case mailboxFull = "mailbox_full"
    /// The recipient, or a filter of his, refuses this mail.
    case recipientRefused = "recipient_refused"
    case tooLarge = "too_large"
    /// It was tried until its time was over.
    case expired
    /// Name service, connection, routing.
    case network
    /// A loop of forwardings or too many hops.
    case loop
    /// The other system failed: disk full, configuration, a program of its.
    case system
    /// Too much at once, from us or for the mailbox.
    case rateLimited = "rate_limited"
    case greylisted
    /// Sent from an address or network that is not wanted there.
    case blocked
    /// SPF, DKIM, DMARC or the sender's reverse name service.
    case unauthenticated
    case spam
    case virus
    /// Form or kind of the content.
    case content
    case policy
    /// The other side does not relay for us.
    case relaying
    /// The reverse path or author is refused.
    case senderRefused = "sender_refused"
    /// One side did not speak SMTP as the other expects it.
    case syntax
    /// It arrived: a report of success.
    case delivered
    /// It is still being tried, and nobody said why.
    case delayed
    case undefined

    /// What to do about a reason.
    package enum Kind: String, Hashable, Sendable, CaseIterable {
        /// The address is no good: write to it no more.
        case address
        /// May pass: count it.
        case transient
        /// Content, policy or reputation: the operator must know, the address is good.
        case policy
        /// Something of ours is wrong.
        case configuration
        case unknown
        /// No failure at all.
        case none
    }

    /// See `Kind`.
    package var kind: Kind {
        switch self {
        case .userUnknown, .hostUnknown, .moved, .noMailAccepted: .address
        case .mailboxDisabled, .mailboxFull, .tooLarge, .expired, .network, .loop, .system, .rateLimited, .greylisted:
            .transient
        case .blocked, .spam, .virus, .content, .policy, .recipientRefused: .policy
        case .unauthenticated, .relaying, .senderRefused, .syntax: .configuration
        case .delivered, .delayed: .none
        case .undefined: .unknown
        }
    }

    /// The code of RFC 3463 that says most of it, for a report that gave none.
    package func status(category: Int) -> EnhancedStatus? {
        let (subject, detail) =
            switch self {
            case .userUnknown: (1, 1)
            case .hostUnknown: (1, 2)
            case .moved: (1, 6)
            case .noMailAccepted: (1, 10)
            case .mailboxDisabled: (2, 1)
            case .mailboxFull: (2, 2)
            case .recipientRefused: (2, 0)
            case .tooLarge: (3, 4)
            case .expired: (4, 7)
            case .network: (4, 0)
            case .loop: (4, 6)
            case .system: (3, 0)
            case .rateLimited, .greylisted, .blocked, .policy, .spam, .virus, .relaying, .unauthenticated: (7, 0)
            case .content: (6, 0)
            case .senderRefused: (1, 8)
            case .syntax: (5, 0)
            case .delivered, .delayed, .undefined: (0, 0)
            }
        return EnhancedStatus(category, subject, detail)
    }
}
