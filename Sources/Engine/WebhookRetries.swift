import WorkflowModel

/// What the outcome of an attempt means for a call: its end, or when to try again.
struct WebhookRetries {
    enum Decision: Hashable {
        case end(WebhookAnswer)
        case retry(at: Timestamp, reason: String)
    }

    static let attemptLimit = 5
    /// Seconds after the first attempt; four times as many after each further one.
    private static let firstPause: Int64 = 1
    /// The longest that a receiver's Retry-After is followed, in seconds.
    static let longestRetryAfter: Int64 = 3600

    static func decide(_ outcome: WebhookOutcome, call: WebhookCall, now: Timestamp) -> Decision {
        let attempts = call.attempts + 1
        switch outcome {
        case .answered(let response) where (200..<300).contains(response.status):
            return .end(
                .succeeded(
                    call: call.id, status: response.status, headers: response.headers,
                    body: String(decoding: response.body, as: UTF8.self), isBodyTruncated: response.isBodyTruncated,
                    attempts: attempts))
        case .answered(let response):
            let reason = reason(for: response)
            guard isTemporary(response.status) else {
                return .end(.failed(call: call.id, reason: reason, status: response.status, attempts: attempts))
            }
            let asked = response.headers["retry-after"].flatMap { RetryAfter.parse($0, now: now) }
            return retry(call, attempts: attempts, reason: reason, status: response.status, asked: asked, now: now)
        case .failed(let reason, isTemporary: true):
            return retry(call, attempts: attempts, reason: reason, status: nil, asked: nil, now: now)
        case .failed(let reason, isTemporary: false):
            return .end(.failed(call: call.id, reason: reason, status: nil, attempts: attempts))
        }
    }

    /// Request Timeout, Too Early, Too Many Requests, and whatever is the server's own trouble.
    private static func isTemporary(_ status: Int) -> Bool {
        status == 408 || status == 425 || status == 429 || (500..<600).contains(status)
    }

    static func reason(for response: WebhookResponse) -> String {
        let isRedirect = (300..<400).contains(response.status) && response.headers["location"] != nil
        return "answered \(response.status)" + (isRedirect ? ", and redirects are not followed" : "")
    }

    private static func retry(
        _ call: WebhookCall, attempts: Int, reason: String, status: Int?, asked: Timestamp?, now: Timestamp
    ) -> Decision {
        guard attempts < attemptLimit else {
            return .end(
                .failed(
                    call: call.id, reason: "\(reason) (\(attempts) attempts)", status: status, attempts: attempts))
        }
        let due = now.adding(microseconds: pause(after: attempts, call: call))
        let latest = now.adding(seconds: longestRetryAfter)
        return .retry(at: max(due, min(asked ?? due, latest)), reason: reason)
    }

    /// Up to a quarter longer by the id's own random bits, others for each attempt, so that calls that failed together do
    /// not come back together.
    private static func pause(after attempts: Int, call: WebhookCall) -> Int64 {
        var seconds = firstPause
        for _ in 1..<max(1, attempts) { seconds *= 4 }
        let bits = Int64(truncatingIfNeeded: call.id.low >> UInt64(8 * (attempts - 1))) & 0xFF
        return seconds * 1_000_000 + bits * seconds * 1_000_000 / 1024
    }
}
