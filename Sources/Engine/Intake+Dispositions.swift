import MailModel

/// What becomes of the message itself. A milter has one answer for all recipients.
extension Intake {
    /// The answer of which all recipients' routes agree; without that the message goes on, and what a route wanted instead is
    /// recorded for its recipient.
    /// - Parameter consumed: a recipient of a report about a mail of ours, which is done with when it is recorded; nobody has
    ///   a mailbox of that name.
    func verdict(
        _ message: ReceivedMessage, _ arrivals: [Arrival], _ verdicts: ScanVerdicts, consumed: String? = nil
    ) -> Verdict {
        guard !message.hasFurtherRecipients else { return .continue }
        var wishes = Set(arrivals.map { $0.disposition(message, verdicts) })
        let routed = Set(arrivals.map { $0.recipient.lowercased() })
        for recipient in message.recipients where !routed.contains(recipient.lowercased()) {
            // Whoever has no route wants his mail.
            guard
                recipient.lowercased() == consumed?.lowercased()
                    || configuration.routes.ruleForUnknown(recipient) == .discard
            else { return .continue }
            wishes.insert(.discard)
        }
        guard wishes.count == 1, let wish = wishes.first else { return .continue }
        switch wish {
        case .continue: return .continue
        case .discard: return .discard
        case .quarantine: return .quarantine(reason: Self.reason(verdicts))
        case .reject:
            let text = arrivals.lazy.compactMap(\.route.rejectText).first
            return .reject(Reply(code: 550, enhancedCode: "5.7.1", text: text ?? "Message refused"))
        }
    }

    /// For the operator who looks at held mail.
    private static func reason(_ verdicts: ScanVerdicts) -> String {
        let failed = VerdictCheck.allCases.filter { verdicts[$0] == .fail }.map { "\($0.rawValue)=FAIL" }
        return failed.isEmpty ? "held by its route" : "held by its route: " + failed.joined(separator: " ")
    }

    package func refusal(of recipient: String) -> Reply? {
        configuration.routes.ruleForUnknown(recipient) == .reject ? Self.unknownRecipient : nil
    }

    /// RFC 3463 section 3.2: X.1.1, bad destination mailbox address.
    private static let unknownRecipient = Reply(code: 550, enhancedCode: "5.1.1", text: "No such recipient here")
}
