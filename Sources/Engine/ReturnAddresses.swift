import MailModel
import WorkflowModel

/// The addresses by which mail comes back: the reverse path that bounces go to, and the address that people answer to. Each
/// mail gets its own, with a signed token in the local part (`bounce+TOKEN@example.com`).
package struct ReturnAddresses: Sendable {
    /// Of one project, or of all that have none of their own.
    package struct Addresses: Hashable, Sendable {
        /// `bounce@example.com`; nil leaves the From address as reverse path.
        package var returnPath: MailAddress?
        /// `reply@example.com`; nil lets people answer to From.
        package var replies: MailAddress?

        package init(returnPath: MailAddress? = nil, replies: MailAddress? = nil) {
            self.returnPath = returnPath
            self.replies = replies
        }
    }

    /// A recipient of incoming mail that is one of these addresses with something behind its delimiter.
    package struct Match: Hashable, Sendable {
        /// `bounce` or `reply`.
        package var kind: TokenSigner.Kind
        /// What stands in the place of the token.
        package var token: String
        /// The slug of the project that the address belongs to; nil: of all that have none of their own.
        package var project: String?
    }

    /// What parts the name of the address from the token; the same as Postfix's `recipient_delimiter`.
    package let delimiter: Character
    private let everywhere: Addresses
    private let byProject: [String: Addresses]
    /// By `local@domain` in lower case.
    private let kinds: [String: (kind: TokenSigner.Kind, project: String?)]

    /// Bytes of the longest local part that still leaves room for delimiter and token.
    package static let localPartLimit = 64 - 1 - TokenSigner.addressTextLength

    /// - Parameter byProject: by the project's slug.
    package init(
        _ everywhere: Addresses = Addresses(), byProject: [String: Addresses] = [:], delimiter: Character = "+"
    ) {
        self.everywhere = everywhere
        self.byProject = byProject
        self.delimiter = delimiter
        var kinds: [String: (TokenSigner.Kind, String?)] = [:]
        let all = byProject.sorted { $0.key < $1.key }.map { (Optional($0.key), $0.value) } + [(nil, everywhere)]
        for (project, addresses) in all {
            if let address = addresses.returnPath { kinds[AddressText.normal(address.normalized)] = (.bounce, project) }
            if let address = addresses.replies { kinds[AddressText.normal(address.normalized)] = (.reply, project) }
        }
        self.kinds = kinds
    }

    /// All of them, without tokens, in lower case.
    var all: Set<String> { Set(kinds.keys) }

    /// Whether there is any.
    package var isEmpty: Bool { kinds.isEmpty }

    // MARK: Outgoing

    /// The reverse path of one mail; nil when there is none of its own.
    func returnPath(of entry: Identifier, project: String?, tokens: TokenSigner) -> String? {
        addresses(of: project, \.returnPath).map { address($0, .bounce, entry, tokens) }
    }

    /// Where one mail is answered; nil when there is no address of its own.
    func replyAddress(of entry: Identifier, project: String?, tokens: TokenSigner) -> String? {
        addresses(of: project, \.replies).map { address($0, .reply, entry, tokens) }
    }

    private func addresses(
        of project: String?, _ member: (Addresses) -> MailAddress?
    ) -> MailAddress? {
        project.flatMap { byProject[$0] }.flatMap(member) ?? member(everywhere)
    }

    private func address(
        _ base: MailAddress, _ kind: TokenSigner.Kind, _ entry: Identifier, _ tokens: TokenSigner
    ) -> String {
        "\(base.localPart)\(delimiter)\(tokens.addressToken(kind, for: entry))@\(base.asciiDomain ?? base.domain)"
    }

    // MARK: Incoming

    /// Nil for every other address, and for one of these without anything behind it.
    package func match(_ recipient: String) -> Match? {
        guard !kinds.isEmpty, let at = recipient.lastIndex(of: "@") else { return nil }
        let localPart = recipient[..<at]
        // The token has no such character; the name before it may.
        guard let end = localPart.lastIndex(of: delimiter), end > localPart.startIndex else { return nil }
        let base = AddressText.normal("\(localPart[..<end])\(recipient[at...])")
        guard let found = kinds[base] else { return nil }
        return Match(
            kind: found.kind, token: String(localPart[localPart.index(after: end)...]), project: found.project)
    }
}
