import MailModel

/// Looks at what receivers see of a domain that sends mail: SPF, DKIM, DMARC, the names of its addresses, its mail servers,
/// and a mail of its own as it goes out.
package struct Deliverability: Sendable {
    /// What is looked at.
    package struct Question: Sendable {
        /// The domain in From, in ASCII and lower case.
        package var domain: String
        /// Of DKIM keys, beside those that the mail names.
        package var selectors: [String] = []
        /// The addresses from which receivers get the mail.
        package var addresses: [IPAddress] = []
        /// The domains of reverse paths; empty: that of From.
        package var returnDomains: [String] = []
        /// The name in the EHLO of whoever hands the mail to its receivers, where it is known.
        package var greeting: String?
        /// A mail that has gone out; nil: there is none.
        package var mail: SeenMail?
        /// Seconds since 1970.
        package var now: Int64

        package init(domain: String, now: Int64) {
            self.domain = domain
            self.now = now
        }
    }

    let question: Question
    let names: any NameService

    package init(_ question: Question, names: any NameService) {
        self.question = question
        self.names = RememberedNames(names)
    }

    /// All there is to say, in the order in which it should be mended.
    package func run() async -> [DeliverabilityFinding] {
        let signatures = SignedMail.read(question.mail)
        let policy = await dmarc()
        var findings = await exchangers()
        findings += await senders(policy.record)
        findings += await keys(signatures)
        findings += policy.findings
        findings += await addressNames()
        findings += mail(signatures, policy.record)
        return findings
    }

    /// What a question without an answer leaves to say.
    func unknown(_ subject: DeliverabilityFinding.Subject, _ name: String, _ reason: String) -> DeliverabilityFinding {
        DeliverabilityFinding(
            .warning, subject, "\(name): nobody knows: \(reason)", mend: "try again, or ask another with --resolver")
    }
}
