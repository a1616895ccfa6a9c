import Logging
import MailModel

/// What verdicts become on the wire.
extension MilterContext {
    /// - Parameters:
    ///   - isInternal: the message is the MTA's own, or of sendmail(1).
    ///   - mayQuarantine: the MTA has given the right to hold messages.
    func replies(to verdict: Verdict, isInternal: Bool, mayQuarantine: Bool) -> [MilterReply] {
        // Refusing or dropping the MTA's own mail would lose a bounce, and there is no client to hear of it (postconf(5),
        // internal_mail_filter_classes).
        guard !isInternal else {
            if case .tempfail = verdict {
                meters.count { $0.failedOpen += 1 }
                logger.warning("mail of the MTA itself went on without having been recorded")
            }
            return [.continue]
        }
        switch verdict {
        case .continue: return [.continue]
        case .discard: return [.discard]
        case .reject(let refusal):
            meters.count { $0.rejected += 1 }
            return [.refusal(.permanent(refusal))]
        case .tempfail(let refusal): return [tempfail(refusal)]
        case .quarantine(let reason):
            guard mayQuarantine else {
                logger.error("quarantine is not allowed by the configuration or the MTA")
                return [tempfail(Self.cannotQuarantine)]
            }
            meters.count { $0.quarantined += 1 }
            return [.quarantine(reason: ReplyLine.printable(reason, otherwise: "held by mail filter")), .continue]
        }
    }

    /// To a mail of our own, which is dropped or put off, and nothing else.
    func reply(toOwn verdict: Verdict) -> MilterReply {
        switch verdict {
        case .discard: .discard
        case .tempfail(let refusal): tempfail(refusal)
        case .continue, .reject, .quarantine: .continue
        }
    }

    func tempfail(_ reply: Reply) -> MilterReply {
        meters.count { $0.tempfails += 1 }
        return .refusal(.temporary(reply))
    }
}
