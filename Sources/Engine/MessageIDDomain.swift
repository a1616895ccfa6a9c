import MailModel
import WorkflowModel

/// Chooses the right side of a Message-ID (RFC 5322 section 3.6.4): the configured one, else the domain the mail comes
/// from, else this host's name.
struct MessageIDDomain {
    private let configuration: EngineConfiguration
    private let catalog: Catalog

    init(_ transaction: EngineTransaction) {
        self.init(configuration: transaction.context.configuration, catalog: transaction.catalog)
    }

    init(configuration: EngineConfiguration, catalog: Catalog) {
        self.configuration = configuration
        self.catalog = catalog
    }

    func messageID(for request: MailRequest, project: Identifier) -> String {
        "\(request.id)@\(domain(for: request, project: project))"
    }

    private func domain(for request: MailRequest, project: Identifier) -> String {
        if let domain = configuration.messageIDDomain { return domain }
        let template = catalog.templates.first { $0.current.id == request.templateVersionID }
        let candidates = [
            request.from, request.answers?.writtenTo, template?.current.content.from, configuration.defaultFrom,
        ]
        return candidates.lazy.compactMap { $0.flatMap(Self.domain) }.first ?? configuration.hostName
    }

    /// The domain of the last address in a header value; nil when there is none or it is no plain ASCII name.
    private static func domain(of value: String) -> String? {
        // Bytes, not characters: this runs for every mail, and the answer is ASCII or nothing.
        let bytes = value.utf8
        guard let at = bytes.lastIndex(of: UInt8(ascii: "@")) else { return nil }
        let domain = bytes[bytes.index(after: at)...].prefix { $0 != UInt8(ascii: ">") && $0 != UInt8(ascii: " ") }
        let isPlain = domain.allSatisfy { byte in
            byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-") || byte &- UInt8(ascii: "0") < 10
                || (byte | 0x20) &- UInt8(ascii: "a") < 26
        }
        return isPlain && !domain.isEmpty ? String(Substring(domain)).lowercased() : nil
    }
}
