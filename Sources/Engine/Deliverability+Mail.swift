import MailModel

/// One DKIM-Signature field of a mail.
enum SignedMail: Sendable {
    case read(DKIMSignature)
    case malformed(MalformedRecord)

    static func read(_ mail: Deliverability.SeenMail?) -> [SignedMail] {
        (mail?.signatures ?? []).map { text in
            do throws(MalformedRecord) { return .read(try DKIMSignature(text)) } catch { return .malformed(error) }
        }
    }
}

extension Deliverability {
    private typealias Finding = DeliverabilityFinding

    /// The fields of one-click unsubscription (RFC 8058).
    private static let unsubscribeFields = ["List-Unsubscribe", "List-Unsubscribe-Post"]

    /// Who has signed a mail of ours, and what.
    func mail(_ signatures: [SignedMail], _ policy: DMARCRecord?) -> [DeliverabilityFinding] {
        guard let mail = question.mail else {
            return [
                Finding(
                    .warning, .mail, "no mail was looked at, so nobody knows who signs it, and what",
                    mend: "send one to yourself with --send, or show one that has arrived with --mail FILE")
            ]
        }
        var findings: [DeliverabilityFinding] = []
        if let from = mail.fromDomain, from != question.domain {
            findings.append(
                Finding(.warning, .mail, "the mail is from \(from), not from \(question.domain)"))
        }
        guard !signatures.isEmpty else {
            findings.append(
                Finding(
                    .error, .dkim, "the mail bears no DKIM signature", mend: Self.howToSign(question.domain)))
            return findings + unsubscribe(mail, [], isSigned: false)
        }
        for case .malformed(let error) in signatures {
            findings.append(Finding(.error, .dkim, "a DKIM signature of the mail is broken: \(error)"))
        }
        let read = signatures.compactMap { if case .read(let signature) = $0 { signature } else { nil } }
        let isStrict = policy?.isStrictDKIM ?? false
        let domain = mail.fromDomain ?? question.domain
        let aligned = read.filter { OrganizationalDomain.isAligned($0.domain, domain, isStrict: isStrict) }
        if aligned.isEmpty, !read.isEmpty {
            findings.append(
                Finding(
                    .error, .dkim,
                    "the mail is signed by \(read.map(\.domain).joined(separator: ", ")), which says nothing for \(domain)\(isStrict ? " (adkim=s)" : "")",
                    mend: Self.howToSign(domain)))
        }
        let problems = aligned.flatMap { remarks($0) }
        findings += problems
        if let first = aligned.first, problems.isEmpty {
            findings.append(Finding(.ok, .dkim, "the mail is signed by \(first.domain) with \(first.selector)"))
        }
        return findings + unsubscribe(mail, aligned, isSigned: true)
    }

    private func remarks(_ signature: DKIMSignature) -> [DeliverabilityFinding] {
        var findings: [DeliverabilityFinding] = []
        if signature.algorithm == "rsa-sha1" {
            findings.append(
                Finding(
                    .error, .dkim, "the mail is signed with rsa-sha1, which receivers must not take (RFC 8301)",
                    mend: "opendkim.conf: SignatureAlgorithm rsa-sha256"))
        }
        if signature.isPartial {
            findings.append(
                Finding(
                    .warning, .dkim, "the signature covers a part of the body (`l=`): anybody may add to it",
                    mend: "opendkim.conf: remove BodyLengthDB"))
        }
        if let expiry = signature.expiry, expiry < question.now {
            findings.append(
                Finding(
                    .warning, .dkim, "the signature has expired (`x=`)", mend: "opendkim.conf: raise SignatureTTL"))
        }
        return findings
    }

    private func unsubscribe(
        _ mail: SeenMail, _ signatures: [DKIMSignature], isSigned: Bool
    ) -> [DeliverabilityFinding] {
        var findings: [DeliverabilityFinding] = []
        let missing = Self.unsubscribeFields.filter { !mail.fields.contains($0.lowercased()) }
        if missing.count == 2 {
            findings.append(
                Finding(
                    .warning, .unsubscribe, "the mail bears no List-Unsubscribe; mail to many must",
                    mend: "look at a mail of a MARKETING template"))
        } else if !missing.isEmpty {
            findings.append(
                Finding(
                    .warning, .unsubscribe,
                    "the mail bears no \(missing.joined(separator: ", ")), so there is no one-click",
                    mend: "http.public_url must be https"))
        }
        let present = Self.unsubscribeFields.filter { mail.fields.contains($0.lowercased()) }
        guard !present.isEmpty, isSigned else { return findings }
        let open = present.filter { field in !signatures.contains { $0.covers(field) } }
        guard open.isEmpty else {
            return findings + [
                Finding(
                    .error, .unsubscribe,
                    "the signature does not cover \(open.joined(separator: " and ")), so receivers show no button (RFC 8058 section 4)",
                    mend: Self.howToCover)
            ]
        }
        if findings.isEmpty {
            findings.append(Finding(.ok, .unsubscribe, "the signature covers \(present.joined(separator: " and "))"))
        }
        return findings
    }

    /// opendkim signs the fields of RFC 6376 section 5.4.1 by itself, List-Unsubscribe-Post is younger.
    private static let howToCover =
        "opendkim.conf: SignHeaders *,+List-Unsubscribe,+List-Unsubscribe-Post; "
        + "rspamd, local.d/dkim_signing.conf: sign_headers = \"(o)from:(x)sender:(o)reply-to:(o)subject:(x)date:(x)message-id:"
        + "(o)to:(o)cc:(x)mime-version:(x)content-type:(x)content-transfer-encoding:(x)in-reply-to:(x)references:"
        + "list-id:(o)list-unsubscribe:(o)list-unsubscribe-post\";"

    private static func howToSign(_ domain: String) -> String {
        "let the signer come before Postrider in smtpd_milters of the Postfix that takes our mail; "
            + "opendkim.conf: Domain \(domain), Selector and KeyFile, and our client in InternalHosts; "
            + "rspamd, local.d/dkim_signing.conf: domain { \(domain) { selector = \"…\"; path = \"…\"; } }"
    }
}
