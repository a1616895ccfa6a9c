import MailModel
import WorkflowModel

/// What an attempt's outcome means for the mail: done, given up, or when to try again.
struct RetrySchedule {
    private let configuration: EngineConfiguration

    init(_ configuration: EngineConfiguration) { self.configuration = configuration }

    func decide(_ outcome: DeliveryOutcome, entry: OutboxEntry, now: Timestamp) -> AttemptRecord {
        switch outcome {
        case .delivered(let reply, let queueID):
            AttemptRecord(status: .delivered, at: now, reply: Self.text(reply), relayQueueID: queueID)
        case .rejected(let reply):
            AttemptRecord(status: .bounced, at: now, reply: Self.text(reply))
        case .refused(let reason), .unsupported(let reason):
            AttemptRecord(status: .failed, at: now, reply: reason)
        case .deferred(let reply):
            again(entry, now: now, reply: Self.text(reply), isUncertain: false)
        case .unreachable(let reason):
            again(entry, now: now, reply: reason, isUncertain: false)
        case .unknown(let reason):
            again(entry, now: now, reply: reason, isUncertain: true)
        }
    }

    private func again(_ entry: OutboxEntry, now: Timestamp, reply: String, isUncertain: Bool) -> AttemptRecord {
        let due = now.adding(microseconds: pause(after: entry.attempts + 1, entry: entry))
        // From the first attempt on: a mail may have waited for its turn, its window or a pause.
        let start = entry.firstAttemptAt ?? (entry.attempts > 0 ? entry.createdAt : now)
        guard due <= start.adding(seconds: configuration.maximalLifetime) else {
            return AttemptRecord(status: .expired, at: now, reply: reply, isUncertain: isUncertain)
        }
        return AttemptRecord(status: .pending, dueAt: due, at: now, reply: reply, isUncertain: isUncertain)
    }

    /// Doubles from the first pause to the longest, up to a quarter longer by the id's own random bits, so that mails
    /// that failed together do not come back together.
    private func pause(after attempt: Int, entry: OutboxEntry) -> Int64 {
        var seconds = configuration.firstRetry
        for _ in 1..<max(1, min(attempt, 40)) where seconds < configuration.longestRetry { seconds *= 2 }
        seconds = min(seconds, configuration.longestRetry)
        let jitter = Int64(entry.id.low & 0xFF) * seconds * 1_000_000 / 1024
        return seconds * 1_000_000 + jitter
    }

    private static func text(_ reply: Reply) -> String {
        [String(reply.code), reply.enhancedCode, reply.text].compactMap(\.self).joined(separator: " ")
    }
}
