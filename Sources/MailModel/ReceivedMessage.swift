/// One message as the MTA showed it to us in one mail transaction, at the end of the message, before anybody read it.
package struct ReceivedMessage: Sendable {
    /// The MTA's queue id (macro `i`); a retry of the same mail gets another one.
    package var queueID: String
    /// The client's IP address as text; empty when it has none (mail from sendmail(1)).
    package var clientAddress: String
    /// The client's verified host name, or `[address]`, or `localhost`.
    package var clientName: String
    /// What the client said in HELO or EHLO.
    package var helo: String
    /// The SASL login name; nil when the client did not authenticate.
    package var authenticatedUser: String?
    /// MAIL FROM without angle brackets, empty for the null reverse path.
    package var reversePath: String
    /// RCPT TO without angle brackets, in order, as the client said them (before aliases).
    package var recipients: [String]
    /// True when the message has more recipients than these; none of those is wanted.
    package var hasFurtherRecipients: Bool
    /// Mail of the MTA itself or of sendmail(1): there is no client that could be refused.
    package var isInternal: Bool
    /// Header fields in order, the MTA's own top `Received` not among them.
    package var headers: [HeaderField]
    /// The body with CRLF line ends, up to the configured size.
    package var body: [UInt8]
    /// True when the body was longer than the configured size and the rest was not collected.
    package var isBodyTruncated: Bool
    /// True when there were more header fields, or longer ones, than the limits allow; the surplus was dropped.
    package var areHeadersTruncated: Bool

    package init(
        queueID: String = "", clientAddress: String = "", clientName: String = "", helo: String = "",
        authenticatedUser: String? = nil, reversePath: String = "", recipients: [String] = [],
        hasFurtherRecipients: Bool = false, isInternal: Bool = false, headers: [HeaderField] = [], body: [UInt8] = [],
        isBodyTruncated: Bool = false,
        areHeadersTruncated: Bool = false
    ) {
        self.queueID = queueID
        self.clientAddress = clientAddress
        self.clientName = clientName
        self.helo = helo
        self.authenticatedUser = authenticatedUser
        self.reversePath = reversePath
        self.recipients = recipients
        self.hasFurtherRecipients = hasFurtherRecipients
        self.isInternal = isInternal
        self.headers = headers
        self.body = body
        self.isBodyTruncated = isBodyTruncated
        self.areHeadersTruncated = areHeadersTruncated
    }

    /// The text of the first field of that name (ASCII case ignored); nil when there is none.
    package func header(_ name: String) -> String? { headers.first { $0.isNamed(name) }?.text }

    /// The texts of all fields of that name, in order.
    package func headers(named name: String) -> [String] { headers.filter { $0.isNamed(name) }.map(\.text) }
}
