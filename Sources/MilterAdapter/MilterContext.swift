import Dispatch
import Engine
import Logging
import MailModel
import Synchronization

/// What every session shares: limits, the intake, the gauges, the log.
///
/// libmilter has no place for a pointer of ours next to its callbacks, so one context per process stands in `current`.
/// It is never taken away again: `smfi_main` returns while workers may still be inside a callback.
final class MilterContext: Sendable {
    static let current = Mutex<MilterContext?>(nil)

    let configuration: MilterConfiguration
    let intake: any MessageIntake
    let meters = MilterMeters()
    let readAhead: ReadAhead
    let inFlight: InFlight
    /// Large messages are read two at a time: each takes as much again while it is.
    private let largeReading = DispatchSemaphore(value: 2)
    let logger: Logger

    init(configuration: MilterConfiguration, intake: any MessageIntake, logger: Logger) {
        self.configuration = configuration
        self.intake = intake
        self.logger = logger
        readAhead = ReadAhead(intake: intake)
        inFlight = InFlight(limits: configuration.inFlight)
    }

    /// Hands one message to the intake and blocks the calling libmilter worker until the verdict or the deadline.
    /// - Parameter recording: of the same message, when it has been read before its end.
    func decide(_ message: ReceivedMessage, recording: MessageRecording?) -> Verdict {
        let isTruncated = message.isBodyTruncated || message.areHeadersTruncated
        meters.count { gauges in
            gauges.messages += 1
            gauges.messagesWaiting += 1
            if isTruncated { gauges.truncated += 1 }
        }
        defer { meters.count { $0.messagesWaiting -= 1 } }
        return verdict(of: recording ?? read(message), queueID: message.queueID)
    }

    /// The same for a mail of our own.
    func decide(_ submission: OwnSubmission) -> Verdict {
        meters.count { $0.messagesWaiting += 1 }
        defer { meters.count { $0.messagesWaiting -= 1 } }
        // Not counting itself, which waits.
        let others = meters.messagesOnTheirWay
        return verdict(of: intake.read(submission, others: others), queueID: submission.queueID)
    }

    private func verdict(of recording: MessageRecording, queueID: String) -> Verdict {
        let wait = CommitWait()
        let (meters, logger) = (self.meters, self.logger)
        recording { verdict in
            guard !wait.fulfil(verdict) else { return }
            meters.count { $0.lateCommits += 1 }
            logger.warning("commit came after the deadline", metadata: ["queueID": "\(queueID)"])
        }
        guard let verdict = wait.verdict(within: configuration.commitDeadline) else {
            meters.count { $0.timeouts += 1 }
            logger.warning(
                "commit did not come in time",
                metadata: ["queueID": "\(queueID)", "fallback": "\(configuration.fallback.rawValue)"])
            return withFallback(.tempfail(Self.notCommitted))
        }
        return withFallback(verdict)
    }

    /// Bytes of a body that is large.
    private static let largeBody = 1 << 20

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
