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
    /// This relay never takes such a mail: it does not offer an extension that the mail needs. Nothing was said of the mail,
    /// and another relay may offer it.
    case unsupported(reason: String)
    /// The mail cannot be sent as it is (an address that would inject commands, credentials that would travel in clear).
    case refused(reason: String)

    /// Another relay may be asked at once: this one has not got the mail, and what stood against it was not the mail's recipient.
    package var mayGoElsewhere: Bool {
        switch self {
        case .unreachable, .unsupported: true
        case .delivered, .rejected, .deferred, .unknown, .refused: false
        }
    }
}

/// A message ready for the wire, for one recipient.
package struct OutgoingMail: Sendable {
    /// MAIL FROM without angle brackets; empty for the null reverse path.
    package let reversePath: String
    /// RCPT TO without angle brackets.
    package let recipient: String
    /// The whole message: header, blank line, body. CRLF line ends, lines of at most 998 bytes, 7-bit but for addresses in the
    /// header of a mail that needs SMTPUTF8.
    package let bytes: [UInt8]
    /// An address of the envelope or the header is outside ASCII, so that the relay must offer SMTPUTF8 (RFC 6531).
    package let needsSMTPUTF8: Bool
    /// Asked once, when the relay is ready for the message itself, by a thread that may be kept waiting. False ends the
    /// attempt: the relay has got nothing. Nil sends in any case.
    package var mayDepart: (@Sendable () -> Bool)?
    /// Somebody waits for it: it goes before others that were handed over and have not begun.
    package var isUrgent = false

    /// - Parameter hasUTF8Header: the header of the message is not all ASCII (RFC 6532). The envelope is looked at here.
    package init(
        reversePath: String, recipient: String, bytes: [UInt8], hasUTF8Header: Bool = false,
        mayDepart: (@Sendable () -> Bool)? = nil
    ) {
        self.reversePath = reversePath
        self.recipient = recipient
        self.bytes = bytes
        needsSMTPUTF8 =
            hasUTF8Header || !recipient.utf8.allSatisfy { $0 < 0x80 } || !reversePath.utf8.allSatisfy { $0 < 0x80 }
        self.mayDepart = mayDepart
    }
}
