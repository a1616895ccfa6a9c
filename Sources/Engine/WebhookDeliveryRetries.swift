import WorkflowModel

/// What the outcome of an attempt means for a delivery: its end, or when to try again. Whatever is no success is tried
/// again, because most of what receivers answer by mistake is mended within the day.
enum WebhookDeliveryRetries {
    /// Seconds from each attempt to the next. They begin as Standard Webhooks suggests
    /// (github.com/standard-webhooks/standard-webhooks, "Retry schedule"); the last one makes them a day.
    static let pauses: [Int64] = [5, 300, 1800, 7200, 18_000, 36_000, 23_095]
    /// After so many seconds of nothing but failures a subscription is paused.
    static let patience: Int64 = 86_400

    struct Verdict {
        /// As it is after the attempt.
        var delivery: WebhookDelivery
        /// What came of it counts for or against the receiver.
        var isTheReceivers: Bool
        /// The receiver has asked never to be called again (RFC 9110 section 15.5.11).
        var isGone: Bool
    }

    static func decide(_ outcome: WebhookOutcome, _ delivery: WebhookDelivery, now: Timestamp) -> Verdict {
        var after = delivery
        after.attempts += 1
        after.answer = nil
        after.reason = nil
        var asked: Timestamp?
        switch outcome {
        case .answered(let response):
            after.answer = response.status
            if (200..<300).contains(response.status) {
                end(&after, as: .delivered, now: now)
                return Verdict(delivery: after, isTheReceivers: true, isGone: false)
            }
            after.reason = WebhookRetries.reason(for: response)
            asked = response.headers["retry-after"].flatMap { RetryAfter.parse($0, now: now) }
        case .failed(let reason, _): after.reason = reason
        }
        if after.attempts <= pauses.count {
            let due = now.adding(microseconds: pause(after: after.attempts, of: delivery.id))
            let latest = now.adding(seconds: WebhookRetries.longestRetryAfter)
            after.status = .pending
            after.dueAt = max(due, min(asked ?? due, latest))
        } else {
            end(&after, as: .failed, now: now)
        }
        return Verdict(delivery: after, isTheReceivers: true, isGone: after.answer == 410)
    }

    /// There is nothing to send, which is nobody's fault at the other end.
    static func giveUp(_ delivery: WebhookDelivery, because reason: String, now: Timestamp) -> Verdict {
        var after = delivery
        after.answer = nil
        after.reason = reason
        end(&after, as: .failed, now: now)
        return Verdict(delivery: after, isTheReceivers: false, isGone: false)
    }

    private static func end(_ delivery: inout WebhookDelivery, as status: WebhookDelivery.Status, now: Timestamp) {
        delivery.status = status
        delivery.endedAt = now
        let keeps = status == .delivered ? WebhookDelivery.keepsDelivered : WebhookDelivery.keepsFailed
        delivery.keptUntil = now.adding(seconds: keeps)
    }

    /// Up to a quarter longer by the id's own random bits, at most ten minutes, so that what failed together does not come
    /// back together.
    private static func pause(after attempts: Int, of id: Identifier) -> Int64 {
        let seconds = pauses[min(max(attempts, 1), pauses.count) - 1]
        let bits = Int64(truncatingIfNeeded: id.low >> UInt64(8 * (min(attempts, 7) - 1))) & 0xFF
        return seconds * 1_000_000 + bits * min(seconds, 2400) * 1_000_000 / 1024
    }
}
