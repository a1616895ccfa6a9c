import JSONValue
import MailFormat
import MailModel
import WorkflowModel

extension Deliverability {
    /// What is known of a mail that has gone out.
    package struct SeenMail: Hashable, Sendable {
        /// The domain in From, in ASCII and lower case; nil when it could not be read.
        package var fromDomain: String?
        /// The values of its DKIM-Signature fields, from the top.
        package var signatures: [String]
        /// Names of its header fields, in lower case.
        package var fields: Set<String>

        package init(fromDomain: String?, signatures: [String], fields: Set<String>) {
            self.fromDomain = fromDomain
            self.signatures = signatures
            self.fields = fields
        }
    }
}

extension Deliverability.SeenMail {
    /// Signatures and fields that are looked at: more than any mail has, and little enough for a row.
    private static let limit = 100

    /// A mail as an MTA or a mailbox has it.
    package init(_ message: ReceivedMessage) {
        let from = message.headers(named: "From").flatMap(HeaderAddresses.parse).first
        self.init(
            fromDomain: from.flatMap { $0.asciiDomain ?? $0.domain.lowercased() },
            signatures: Array(message.headers(named: "DKIM-Signature").prefix(10)).map { String($0.prefix(4096)) },
            fields: Set(message.headers.prefix(Self.limit).map { $0.name.lowercased() }.filter { $0.utf8.count <= 76 }))
    }

    /// As the row of a canary keeps it.
    var json: JSON {
        var object: JSONObject = [
            "signatures": .array(signatures.map { .string($0) }),
            "fields": .array(fields.sorted().map { .string($0) }),
        ]
        object["fromDomain"] = fromDomain.map { .string($0) }
        return .object(object)
    }

    /// Nil for what is no such row.
    package init?(_ json: JSON?) {
        guard let object = json?.objectValue else { return nil }
        self.init(
            fromDomain: object["fromDomain"]?.stringValue,
            signatures: object["signatures"]?.arrayValue?.compactMap(\.stringValue) ?? [],
            fields: Set(object["fields"]?.arrayValue?.compactMap(\.stringValue) ?? []))
    }
}

/// A mail of our own that goes out as mail to many does and comes back to our milter, which tells who has signed it. It
/// becomes no event and reaches no mailbox.
package struct LoopedMail: Sendable {
    package let id: Identifier
    package let mail: OutgoingMail

    /// - Parameters:
    ///   - domain: the domain in From.
    ///   - recipient: an address whose mail is shown to our milter.
    ///   - base: where readers reach us, https; nil stands the domain itself in.
    /// - Throws: `CompositionError`, or `MailAddress.Failure` when From would be no address.
    package init(from domain: String, to recipient: MailAddress, base: String?, context: EngineContext) throws {
        let now = context.clock.now()
        id = context.identifiers.make(at: now)
        let from = try MailAddress("postmaster@\(domain)")
        let link = "\(base ?? "https://\(domain)")/u/\(context.tokens.token(.unsubscribe, for: id))"
        let draft = MailDraft(
            from: Mailbox(address: from), to: [Mailbox(address: recipient)], subject: "Postrider test",
            date: now.microseconds, messageID: "\(id)@\(domain)", text: "A test of Postrider's own.\n",
            extraHeaders: [
                HeaderField(CanaryMail.field, context.tokens.token(.canary, for: id)),
                HeaderField("Auto-Submitted", "auto-generated"), HeaderField("Precedence", "bulk"),
                HeaderField("List-Unsubscribe", "<\(link)>"),
                HeaderField("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
            ],
            boundary: "postrider-\(id)")
        let message = try MessageComposer.composition(of: draft)
        mail = OutgoingMail(
            reversePath: "postmaster@\(domain)", recipient: recipient.smtpForm ?? "\(recipient)", bytes: message.bytes,
            hasUTF8Header: message.hasUTF8Header)
    }
}
