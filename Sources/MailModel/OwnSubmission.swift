/// A mail that says it is one of ours, at its end.
package struct OwnSubmission: Hashable, Sendable {
    /// The header field that marks our own submissions, so that the milter knows them when the MTA shows them to it. Its
    /// value is a signed token of the outbox entry.
    package static let markerField = "X-Postrider-Delivery"

    /// The value of its mark.
    package var marker: String
    package var queueID: String
    package var reversePath: String
    package var recipients: [String]
    package var clientAddress: String
    /// The name that the client authenticated with.
    package var authenticatedUser: String?

    package init(
        marker: String, queueID: String, reversePath: String, recipients: [String], clientAddress: String,
        authenticatedUser: String?
    ) {
        self.marker = marker
        self.queueID = queueID
        self.reversePath = reversePath
        self.recipients = recipients
        self.clientAddress = clientAddress
        self.authenticatedUser = authenticatedUser
    }

    /// Whether it comes from where our own submissions come from.
    package var isFromHere: Bool {
        authenticatedUser != nil || ClientNetwork(address: clientAddress) != .public
    }
}
