import Dispatch
import Engine
import Logging
import MailModel
import Synchronization

/// What every connection shares: limits, the intake, the gauges, the log.
final class MilterContext: Sendable {
    let configuration: MilterConfiguration
    let intake: any MessageIntake
    let meters = MilterMeters()
    let inFlight: InFlight
    /// Large messages are read two at a time: each takes as much again while it is.
    private let largeReading = DispatchSemaphore(value: 2)
    let logger: Logger

    init(configuration: MilterConfiguration, intake: any MessageIntake, logger: Logger) {
        self.configuration = configuration
        self.intake = intake
        self.logger = logger
        inFlight = InFlight(limits: configuration.inFlight)
    }

    /// Hands one message to the intake.
    /// - Parameters:
    ///   - ahead: the recording of the same message, when it has been read before its end.
    ///   - answer: tells the MTA, from any thread, once.
    func record(
        _ message: ReceivedMessage, ahead: MessageRecording?, answer: @escaping @Sendable (Verdict) -> Void
    ) -> AwaitedVerdict {
        let isTruncated = message.isBodyTruncated || message.areHeadersTruncated
        meters.count { gauges in
            gauges.messages += 1
            gauges.messagesWaiting += 1
            if isTruncated { gauges.truncated += 1 }
        }
        return wait(for: ahead ?? read(message), queueID: message.queueID, answer: answer)
    }

    /// The same for a mail of our own.
    func record(_ submission: OwnSubmission, answer: @escaping @Sendable (Verdict) -> Void) -> AwaitedVerdict {
        meters.count { $0.messagesWaiting += 1 }
        // Not counting itself, which waits.
        let others = meters.messagesOnTheirWay
        return wait(
            for: intake.read(submission, others: others), queueID: submission.queueID, answer: answer)
    }

    private func wait(
        for recording: MessageRecording, queueID: String, answer: @escaping @Sendable (Verdict) -> Void
    ) -> AwaitedVerdict {
        let awaited = AwaitedVerdict(queueID: queueID) { [self] verdict in
            answer(withFallback(verdict))
            meters.count { $0.messagesWaiting -= 1 }
        }
        recording { [self] verdict in
            guard !awaited.settle(verdict) else { return }
            meters.count { $0.lateCommits += 1 }
            logger.warning("commit came after the deadline", metadata: ["queueID": "\(queueID)"])
        }
        return awaited
    }

    /// The commit did not come within its deadline: whoever waits gets the fallback, unless the verdict has come in this moment.
    func giveUp(_ awaited: AwaitedVerdict) {
        let isFirst = awaited.settle(.tempfail(Self.notCommitted)) { meters.count { $0.timeouts += 1 } }
        guard isFirst else { return }
        logger.warning(
            "commit did not come in time",
            metadata: ["queueID": "\(awaited.queueID)", "fallback": "\(configuration.fallback.rawValue)"])
    }

    /// Bytes of a body that is large.
    private static let largeBody = 1 << 20

    /// Reads a message before its end, when that has a price in time alone: nil for a large one, which would be held twice until the end
    /// comes.
    func readAhead(_ message: ReceivedMessage) -> MessageRecording? {
        guard message.body.count <= Self.largeBody else { return nil }
        // Not counting this one.
        return intake.read(message, others: max(0, meters.messagesOnTheirWay - 1))
    }

    private func read(_ message: ReceivedMessage) -> MessageRecording {
        // Counted before the reading: those that come to their end meanwhile are the ones to share a commit with.
        let others = meters.messagesOnTheirWay
        guard message.body.count > Self.largeBody else { return intake.read(message, others: others) }
        // As many wait as there are large messages in flight, each for the reading of those before it.
        largeReading.wait()
        defer { largeReading.signal() }
        return intake.read(message, others: others)
    }

    /// Failing open: the administrator chose that mail flows when we cannot decide, and a tempfail of the intake is
    /// its word for "I could not".
    private func withFallback(_ verdict: Verdict) -> Verdict {
        guard case .tempfail = verdict, configuration.fallback == .accept else { return verdict }
        meters.count { $0.failedOpen += 1 }
        return .continue
    }

    /// RFC 3463 section 3.4: X.3.0, other or undefined mail system status.
    static let notCommitted = Reply(code: 451, enhancedCode: "4.3.0", text: "Message could not be recorded in time")

    /// RFC 3463 section 3.4: X.3.1, mail system full.
    static let busy = Reply(code: 452, enhancedCode: "4.3.1", text: "Too much mail at once, try again later")

    /// RFC 3463 section 3.8: X.7.1, refused by policy; the wish to hold the message cannot be fulfilled.
    static let cannotQuarantine = Reply(code: 451, enhancedCode: "4.7.1", text: "Message cannot be put on hold now")
}
