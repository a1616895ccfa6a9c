import MailModel
import Testing

/// When two results in fields of a trusted service show that one of them is forged.
struct AuthenticationConflictTests {
    private func verdicts(_ fields: String...) -> AuthenticationVerdicts {
        AuthenticationVerdicts(
            fields.compactMap { AuthenticationResults("mx.ours.example; " + $0) }, trustedServices: ["mx.ours.example"])
    }

    /// RFC 7208 asks about the reverse path and about HELO, and a checker may report both.
    @Test(arguments: [
        "spf=fail smtp.mailfrom=ann@example.org; spf=pass smtp.helo=mx.example.org",
        "spf=pass smtp.mailfrom=ann@example.org; spf=fail smtp.helo=mx.example.org",
    ])
    func twoIdentitiesHaveTwoResults(text: String) {
        let found = verdicts(text)
        #expect(!found.isConflicting)
        #expect(found.spf == .fail)
    }

    @Test(arguments: [
        ["spf=fail smtp.mailfrom=ann@example.org", "spf=pass smtp.mailfrom=ann@example.org"],
        ["spf=fail smtp.helo=a.example", "spf=pass smtp.helo=b.example"],
        ["spf=fail smtp.mailfrom=ann@example.org", "spf=pass"], ["spf=fail", "spf=pass smtp.helo=a.example"],
        ["spf=fail", "spf=pass"], ["dmarc=fail header.from=a.example", "dmarc=pass header.from=a.example"],
    ])
    func oneIdentityHasOneResult(fields: [String]) {
        #expect(verdicts(fields[0], fields[1]).isConflicting)
        #expect(verdicts(fields.joined(separator: "; ")).isConflicting)
    }
}
