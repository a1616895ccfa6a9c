import Foundation
import MailModel

extension AddressText {
    /// The form under which an address is one contact: in lower case, with letters and their marks composed, so that
    /// what looks the same is the same (Unicode Standard Annex 15, NFC; RFC 6532 section 3.1), and with a domain in another script
    /// as xn-- labels, as it is in mail that comes in. The local part stays in its letters: it has no other form.
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
}

extension MailAddress {
    /// With letters and their marks composed, as it is written (RFC 6532 section 3.1); the case of letters stays. Domains are only
    /// made into xn-- labels right from there.
    var composed: MailAddress {
        let text = description
        if text.utf8.allSatisfy({ $0 < 0x80 }) { return self }
        return MailAddress.parse(received: text.precomposedStringWithCanonicalMapping) ?? self
    }
}
