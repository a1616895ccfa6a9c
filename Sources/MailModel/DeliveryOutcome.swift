/// The result of one delivery attempt of one message to one recipient.
package enum DeliveryOutcome: Hashable, Sendable {
    /// The relay took the message (250 after the final dot). `queueID` is its "queued as", when it said one.
    case delivered(reply: Reply, queueID: String?)
    /// The relay refused for good (5xx).
    case rejected(reply: Reply)
    /// The relay refused for now (4xx).
    case deferred(reply: Reply)
    /// No answer that decides: network, timeout, TLS, login. Nothing was accepted, so a second attempt is no second copy.
    case unreachable(reason: String)
    /// The connection broke after DATA was open: the relay may have the message. A second attempt must bear the same
    /// Message-ID and counts as a possible duplicate.
    case unknown(reason: String)
    /// The mail cannot be sent as it is (an address that would inject commands, credentials that would travel in clear).
    case refused(reason: String)
}

/// A message ready for the wire, for one recipient.
package struct OutgoingMail: Sendable {
    /// MAIL FROM without angle brackets; empty for the null reverse path.
    package var reversePath: String
    /// RCPT TO without angle brackets.
    package var recipient: String
    /// The whole message: header, blank line, body. CRLF line ends, 7-bit, lines of at most 998 bytes.
    package var bytes: [UInt8]
    /// Asked once, when the relay is ready for the message itself, by a thread that may be kept waiting. False ends the
    /// attempt: the relay has got nothing. Nil sends in any case.
    package var mayDepart: (@Sendable () -> Bool)?
    /// Somebody waits for it: it goes before others that were handed over and have not begun.
    package var isUrgent = false

    package init(
        reversePath: String, recipient: String, bytes: [UInt8], mayDepart: (@Sendable () -> Bool)? = nil
    ) {
        self.reversePath = reversePath
        self.recipient = recipient
        self.bytes = bytes
        self.mayDepart = mayDepart
    }
}
