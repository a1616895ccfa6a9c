/// When mail that does not arrive ends all further mail to its address.
package struct SuppressionPolicy: Hashable, Sendable {
    /// Whether an address that does not exist is suppressed at the first bounce.
    package var suppressesBounces = true
    /// Whether an address whose owner complained is suppressed.
    package var suppressesComplaints = true
    /// Mails that could not be delivered for now, until the address is suppressed for a while; 0: never.
    package var softLimit = 5
    /// On how many different days (UTC) they must have been.
    package var softDays = 3
    /// How long such a mail counts, in seconds.
    package var softWindow: Int64 = 30 * 86_400
    /// How long the address then gets no mail, in seconds.
    package var softDuration: Int64 = 30 * 86_400

    package init() {}
}

/// The address of a mail's recipient as suppressions and contacts know it.
enum RecipientAddress {
    /// In lower case and without the display name that a step's `to` may have.
    static func normal(_ recipient: String) -> String {
        let isPlain = recipient.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "<"), UInt8(ascii: "("), UInt8(ascii: "\""), UInt8(ascii: ","), UInt8(ascii: ";"): false
            default: byte > 0x20
            }
        }
        if isPlain { return AddressText.normal(recipient) }
        return AddressText.normal(MailBuilder.address(in: recipient) ?? recipient)
    }
}
