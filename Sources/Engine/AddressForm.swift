import Foundation
import MailModel

extension AddressText {
    /// The form under which an address is one contact: in lower case, with letters and their marks composed, so that
    /// what looks the same is the same (Unicode Standard Annex 15, NFC; RFC 6532 section 3.1), and with a domain in another script
    /// as xn-- labels, as it is in mail that comes in.
    package static func normal(_ email: String) -> String {
        // Nearly every address has it already.
        if email.utf8.allSatisfy({ $0 < 0x80 && !(UInt8(ascii: "A")...UInt8(ascii: "Z") ~= $0) }) { return email }
        let lower = email.lowercased()
        if lower.utf8.allSatisfy({ $0 < 0x80 }) { return lower }
        let composed = lower.precomposedStringWithCanonicalMapping
        guard let at = composed.unicodeScalars.lastIndex(of: "@"),
            let domain = MailDomain.ascii(String(composed.unicodeScalars[composed.unicodeScalars.index(after: at)...]))
        else { return composed }
        return String(composed.unicodeScalars[...at]) + domain
    }

    /// The form under which a domain is one, wherever it is named: as in `normal`.
    package static func normalDomain(_ domain: String) -> String {
        let lower = domain.lowercased()
        if lower.utf8.allSatisfy({ $0 < 0x80 }) { return lower }
        let composed = lower.precomposedStringWithCanonicalMapping
        return MailDomain.ascii(composed) ?? composed
    }

    /// Whether its local part is outside ASCII: mail to it needs a server that offers SMTPUTF8 (RFC 6531) on the whole way,
    /// which ours does not ask for.
    package static func needsSMTPUTF8(_ email: String) -> Bool {
        email.utf8.prefix { $0 != UInt8(ascii: "@") }.contains { $0 >= 0x80 }
    }

    /// A sentence without its subject.
    package static let smtpUTF8Rule = "must have an ASCII local part: mail for others needs SMTPUTF8, which is not used"
}
