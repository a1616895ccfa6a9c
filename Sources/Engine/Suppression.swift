import JSONValue
import WorkflowModel

/// A rule that an address gets no more mail: of any kind, or of the kind that needs a subscription.
package struct Suppression: Hashable, Sendable {
    /// Why. The raw values are what database, API and files show.
    package enum Reason: String, Hashable, Sendable, CaseIterable {
        /// The address does not exist, or did not take mail for long.
        case bounce
        /// Its owner called a mail of ours unwanted.
        case complaint
        /// Its owner wants no more mail to many.
        case unsubscribe
        /// Somebody here said so.
        case manual

        /// Whether it stands against a mail.
        package func stops(_ kind: TemplateSummary.Kind) -> Bool { self != .unsubscribe || kind != .transactional }
    }

    package var projectID: Identifier
    /// In lower case.
    package var address: String
    package var reason: Reason
    /// What it follows from: codes, replies, ids, notes.
    package var evidence: JSONObject
    package var createdAt: Timestamp
    /// From then on it stops nothing; nil: for good.
    package var expiresAt: Timestamp?

    /// Whether it stops anything at that time.
    func isLive(at time: Timestamp) -> Bool { expiresAt.map { $0 > time } ?? true }

    package init(
        projectID: Identifier, address: String, reason: Reason, evidence: JSONObject = [:], createdAt: Timestamp,
        expiresAt: Timestamp? = nil
    ) {
        self.projectID = projectID
        self.address = address
        self.reason = reason
        self.evidence = evidence
        self.createdAt = createdAt
        self.expiresAt = expiresAt
    }
}

/// Where a list of suppressions goes on: after this address and reason.
package struct SuppressionPosition: Hashable, Sendable, LosslessStringConvertible {
    package var address: String
    package var reason: Suppression.Reason

    package init(address: String, reason: Suppression.Reason) {
        self.address = address
        self.reason = reason
    }

    package init(_ suppression: Suppression) { self.init(address: suppression.address, reason: suppression.reason) }

    /// Opaque to clients; no address in a log of requests.
    package var description: String { Base64URL.encode(Array("\(reason.rawValue) \(address)".utf8)) }

    package init?(_ description: String) {
        guard let bytes = Base64URL.decode(description), let text = String(validating: bytes, as: UTF8.self),
            let blank = text.firstIndex(of: " "), let reason = Suppression.Reason(rawValue: String(text[..<blank]))
        else { return nil }
        self.init(address: String(text[text.index(after: blank)...]), reason: reason)
    }
}

/// The store's operations on suppressed addresses, links that were followed and the tracking of projects, inside one write
/// transaction.
package protocol OutboundTransaction: OutboundReader {
    /// Adds it, or replaces the one with the same address and reason.
    func save(_ suppression: Suppression) throws
    /// - Parameter reason: nil for all.
    /// - Returns: how many there were.
    @discardableResult
    func deleteSuppressions(of address: String, reason: Suppression.Reason?, in project: Identifier) throws -> Int
    /// The same for what was kept by the hash of an address.
    @discardableResult
    func deleteKeptSuppressions(of hash: [UInt8], reason: Suppression.Reason?, in project: Identifier) throws -> Int
    /// Stores the hit unless the mail already has `limit` of them.
    /// - Returns: the mail's clicks with this one; nil when it is none of a person, or the same look as the one before.
    func record(_ hit: ClickHit, limit: Int) throws -> ClickCount?
    /// Notes a mail that could not be delivered for now; a second note of one mail counts once. Forgets those of the
    /// address that are older than `start`.
    /// - Returns: the times of all that count.
    func noteSoftBounce(
        of entry: Identifier, address: String, in project: Identifier, at time: Timestamp, since start: Timestamp
    ) throws -> [Timestamp]
    /// Mail has reached the address: nothing counts against it any more.
    func forgetSoftBounces(of address: String, in project: Identifier) throws
}

/// Reads of suppressed addresses, links that were followed and the tracking of projects, on a snapshot.
package protocol OutboundReader: AnyObject {
    /// The reason that stands against a mail of that kind now; the gravest when there are several.
    func suppression(
        of address: String, in project: Identifier, for kind: TemplateSummary.Kind, at time: Timestamp
    ) throws -> Suppression.Reason?
    /// Of one address, whether they have ended or not.
    func suppressions(of address: String, in project: Identifier) throws -> [Suppression]
    /// By address and reason, those that have not ended.
    func suppressions(
        in project: Identifier, reason: Suppression.Reason?, after position: SuppressionPosition?, limit: Int,
        at time: Timestamp
    ) throws -> [Suppression]
    /// Whether any contact's address was erased at all, so that nobody has to make a hash in vain.
    func hasSuppressedAddresses(in project: Identifier) throws -> Bool
    /// What stood against mail to an address when its contact was erased, whether it has ended or not.
    /// - Parameter address: that of the hash; what is returned bears it.
    func keptSuppressions(of address: String, hash: [UInt8], in project: Identifier) throws -> [Suppression]
    /// Whether that is the hash of an address whose contact was erased.
    func isErasedAddress(_ hash: [UInt8], in project: Identifier) throws -> Bool
    func project(_ id: Identifier) throws -> Project?
    func entry(_ id: Identifier) throws -> OutboxEntry?
}
