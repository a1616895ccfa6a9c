import JSONValue
import Logging
import MailModel
import WorkflowModel

/// When mail that does not arrive ends all further mail to its address.
package struct SuppressionPolicy: Hashable, Sendable {
    /// Whether an address that does not exist is suppressed at the first bounce.
    package var suppressesBounces = true
    /// Whether an address whose owner complained is suppressed.
    package var suppressesComplaints = true
    /// Mails that could not be delivered for now, until the address is suppressed for a while; 0: never.
    package var softLimit = 5
    /// On how many different days (UTC) they must have been.
    package var softDays = 3
    /// How long such a mail counts, in seconds.
    package var softWindow: Int64 = 30 * 86_400
    /// How long the address then gets no mail, in seconds.
    package var softDuration: Int64 = 30 * 86_400

    package init() {}
}

/// What a bounce says about the address, and not about the mail, its sender or us.
package enum AddressFailure: Sendable {
    /// It does not exist or takes no mail for good.
    case final
    /// It took no mail this time.
    case passing

    /// From a relay's answer (RFC 3463): only what is said of address and mailbox counts. A refusal of content or policy says
    /// nothing of the address, and neither does one without an enhanced code.
    init?(_ outcome: DeliveryOutcome) {
        switch outcome {
        case .rejected(let reply):
            switch reply.enhancedCode {
            case "5.1.0", "5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1", "5.4.4": self = .final
            case let code? where code.hasPrefix("5.2."): self = .passing
            default: return nil
            }
        case .deferred(let reply):
            guard let code = reply.enhancedCode, code.hasPrefix("4.1.") || code.hasPrefix("4.2.") else { return nil }
            self = .passing
        case .delivered, .unreachable, .unknown, .refused: return nil
        }
    }
}

extension EngineTransaction {
    /// A mail came back, or was refused for good or for so long that it is given up: suppresses its address as the policy
    /// says. To be called for proven bounces only: what anybody could have written must not end mail to an address.
    /// - Parameters:
    ///   - entry: the mail; counts once.
    ///   - evidence: codes and texts.
    func addressFailed(_ failure: AddressFailure, _ entry: OutboxEntry, evidence: JSONObject) throws {
        let policy = context.configuration.suppression
        let address = RecipientAddress.normal(entry.request.recipient)
        var evidence = evidence
        evidence["emailId"] = .string("\(entry.id)")
        switch failure {
        case .final:
            guard policy.suppressesBounces else { return }
            try suppress(address, .bounce, in: entry.projectID, evidence: evidence)
        case .passing:
            guard policy.softLimit > 0 else { return }
            let times = try store.noteSoftBounce(
                of: entry.id, address: address, in: entry.projectID, at: now,
                since: now.adding(seconds: -policy.softWindow))
            let days = Set(times.map { $0.microseconds / 86_400_000_000 })
            guard times.count >= policy.softLimit, days.count >= policy.softDays else { return }
            evidence["softBounces"] = .int(Int64(times.count))
            try suppress(
                address, .bounce, in: entry.projectID, evidence: evidence,
                until: now.adding(seconds: policy.softDuration))
        }
    }

    /// The owner of a mail's address called it unwanted.
    func addressComplained(_ entry: OutboxEntry, evidence: JSONObject) throws {
        guard context.configuration.suppression.suppressesComplaints else { return }
        var evidence = evidence
        evidence["emailId"] = .string("\(entry.id)")
        try suppress(
            RecipientAddress.normal(entry.request.recipient), .complaint, in: entry.projectID, evidence: evidence)
    }

    /// What is there for good is not shortened.
    private func suppress(
        _ address: String, _ reason: Suppression.Reason, in project: Identifier, evidence: JSONObject,
        until end: Timestamp? = nil
    ) throws {
        let known = try store.suppressions(of: address, in: project).first { $0.reason == reason }
        if let known, known.expiresAt == nil { return }
        try store.save(
            Suppression(
                projectID: project, address: address, reason: reason, evidence: evidence, createdAt: now,
                expiresAt: end))
        try store.count("addresses_suppressed", by: 1)
        context.logger.notice(
            "address suppressed", metadata: ["project": "\(project)", "reason": "\(reason.rawValue)"])
    }
}

/// The address of a mail's recipient as suppressions and contacts know it.
enum RecipientAddress {
    /// In lower case and without the display name that a step's `to` may have.
    static func normal(_ recipient: String) -> String {
        let isPlain = recipient.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "<"), UInt8(ascii: "("), UInt8(ascii: "\""), UInt8(ascii: ","), UInt8(ascii: ";"): false
            default: byte > 0x20
            }
        }
        if isPlain { return recipient.lowercased() }
        return (MailBuilder.address(in: recipient) ?? recipient).lowercased()
    }
}
