import JSONValue
import MailModel
import WorkflowModel

/// A mail of our own, sent through the entrance for strangers with verdict fields that a forger would write: those that
/// arrive can be forged by anybody. It becomes no event and reaches no mailbox.
package enum CanaryMail {
    /// The field that marks it, with a signed token.
    package static let field = "X-Postrider-Canary"

    /// The fields it bears, by the source that would believe them.
    ///
    /// - Parameter service: the authserv-id that is believed.
    package static func fields(token: String, service: String?) -> [(source: String, field: HeaderField)] {
        var fields: [(String, HeaderField)] = [
            (RspamdHeaders.name, HeaderField("X-Rspamd-Action", " \(token)")),
            (RspamdHeaders.name, HeaderField("X-Spamd-Result", " default: False [0.00 / 15.00]; \(token)")),
            (RspamdHeaders.name, HeaderField("X-Spam", " No \(token)")),
            (SpamAssassinHeaders.name, HeaderField("X-Spam-Status", " No, score=0.0 required=5.0 tests=\(token)")),
            (SpamAssassinHeaders.name, HeaderField("X-Spam-Flag", " NO \(token)")),
            (ClamAVHeaders.name, HeaderField("X-Virus-Status", " Clean \(token)")),
            (ReceivedSPF.name, HeaderField("Received-SPF", " Pass (\(token))")),
        ]
        if let service {
            fields.append(
                (
                    AuthenticationVerdicts.name,
                    HeaderField("Authentication-Results", " \(service); spf=pass reason=\"\(token)\"")
                ))
        }
        return fields
    }

    /// The id of a canary that we have sent; nil for any other mail.
    static func token(of message: ReceivedMessage, tokens: TokenSigner) -> Identifier? {
        message.header(field).flatMap { tokens.verify($0, kind: .canary) }
    }

    /// Of the fields it bore, those that have arrived, each once.
    static func survivors(of message: ReceivedMessage) -> [String] {
        guard let token = message.header(field) else { return [] }
        let known = fields(token: token, service: "known").map(\.field.name)
        var names: [String] = []
        for field in message.headers where !field.isNamed(Self.field) && field.text.contains(token) {
            guard known.contains(where: field.isNamed) else { continue }
            if !names.contains(field.name) { names.append(field.name) }
        }
        return names
    }

    /// The authserv-ids whose Authentication-Results have arrived, of those it bore, each once: the border may remove those
    /// of one and forget another's.
    static func services(of message: ReceivedMessage) -> [String] {
        guard let token = message.header(field) else { return [] }
        let texts = message.headers(named: "Authentication-Results").filter { $0.contains(token) }
        var services: [String] = []
        for text in texts {
            guard let service = AuthenticationResults(text)?.authservID, !services.contains(service) else { continue }
            services.append(service)
        }
        return services
    }
}

extension Intake {
    /// What has arrived of a canary, for whoever sent it.
    func recording(ofCanary id: Identifier, _ message: ReceivedMessage) -> MessageRecording {
        { completion in
            context.submit { transaction in
                guard let project = transaction.catalog.project(slug: Project.defaultSlug) else { return }
                let names = CanaryMail.survivors(of: message).map { JSON.string($0) }
                let services = CanaryMail.services(of: message).map { JSON.string($0) }
                try transaction.store.insert(
                    InboundOutcome(
                        id: id, kind: .canary, recipient: message.recipients.first ?? "",
                        sender: message.reversePath, queueID: message.queueID, at: transaction.now,
                        detail: [
                            "survived": .array(names), "services": .array(services),
                            "clientAddress": .string(message.clientAddress),
                            "seen": Deliverability.SeenMail(message).json,
                        ]),
                    in: project.id)
            } completion: { _ in
                completion(.discard)
            }
        }
    }
}
