/// An address with the name it bears in a From, To or Reply-To field (RFC 5322 section 3.4).
package struct Mailbox: Hashable, Sendable {
    /// Decoded; nil when there is none. Never holds a control character after reading.
    package var name: String?
    /// The address behind the name.
    package var address: MailAddress

    /// A mailbox, with a name or without.
    package init(name: String? = nil, address: MailAddress) {
        self.name = name
        self.address = address
    }
}
