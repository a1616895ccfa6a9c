import Synchronization
import WorkflowModel

/// How often something may happen: a bucket that holds `burst` tokens and gets `perSecond` new ones.
package struct Rate: Hashable, Sendable {
    package var perSecond: Double
    package var burst: Int

    package init(perSecond: Double, burst: Int) {
        self.perSecond = perSecond
        self.burst = burst
    }
}

/// Token buckets by name. A bucket that nobody has used for long is a full one and is forgotten.
package final class TokenBuckets<Name: Hashable & Sendable>: Sendable {
    /// What a bucket holds after a token was asked of it.
    package struct Standing: Hashable, Sendable {
        package var limit: Int
        /// Whole tokens that are left.
        package var remaining: Int
        /// Seconds until it is full.
        package var reset: Int64
        /// Seconds until there is a token, at least 1; nil when there was one.
        package var retryAfter: Int64?

        package init(limit: Int, remaining: Int, reset: Int64, retryAfter: Int64?) {
            self.limit = limit
            self.remaining = remaining
            self.reset = reset
            self.retryAfter = retryAfter
        }
    }

    private struct Bucket {
        var tokens: Double
        var at: Timestamp
    }

    private let buckets = Mutex<[Name: Bucket]>([:])
    private let limit: Int

    /// - Parameter limit: buckets that are kept.
    package init(limit: Int = 10_000) { self.limit = limit }

    /// Takes a token, if there is one.
    package func take(_ name: Name, _ rate: Rate, at now: Timestamp) -> Standing {
        buckets.withLock { buckets in
            var tokens = Self.tokens(buckets[name], rate, at: now)
            var retryAfter: Int64?
            if tokens >= 1 {
                tokens -= 1
            } else {
                retryAfter = max(1, Self.seconds((1 - tokens) / rate.perSecond))
            }
            return keep(tokens, name, rate, at: now, retryAfter: retryAfter, &buckets)
        }
    }

    /// Takes that many tokens, or all there are.
    package func take(upTo count: Int, _ name: Name, _ rate: Rate, at now: Timestamp) -> Standing {
        buckets.withLock { buckets in
            let tokens = Self.tokens(buckets[name], rate, at: now)
            return keep(tokens - Double(min(count, Int(tokens))), name, rate, at: now, retryAfter: nil, &buckets)
        }
    }

    private func keep(
        _ tokens: Double, _ name: Name, _ rate: Rate, at now: Timestamp, retryAfter: Int64?,
        _ buckets: inout [Name: Bucket]
    ) -> Standing {
        if buckets[name] == nil, buckets.count >= limit { Self.forget(&buckets, rate, at: now) }
        buckets[name] = Bucket(tokens: tokens, at: now)
        return Standing(
            limit: rate.burst, remaining: Int(tokens),
            reset: Self.seconds((Double(rate.burst) - tokens) / rate.perSecond), retryAfter: retryAfter)
    }

    /// Whether there is a token, without taking it.
    package func hasToken(_ name: Name, _ rate: Rate, at now: Timestamp) -> Bool {
        buckets.withLock { Self.tokens($0[name], rate, at: now) >= 1 }
    }

    /// Whole seconds that are enough; what rounding adds to them does not count.
    private static func seconds(_ exact: Double) -> Int64 { Int64((exact - 1e-6).rounded(.up)) }

    private static func tokens(_ bucket: Bucket?, _ rate: Rate, at now: Timestamp) -> Double {
        guard let bucket else { return Double(rate.burst) }
        // A clock that was set back gives nothing and takes nothing.
        let elapsed = Double(max(0, now.microseconds - bucket.at.microseconds)) / 1_000_000
        return min(Double(rate.burst), bucket.tokens + elapsed * rate.perSecond)
    }

    /// Full ones first; everything when none is.
    private static func forget(_ buckets: inout [Name: Bucket], _ rate: Rate, at now: Timestamp) {
        let before = buckets.count
        buckets = buckets.filter { tokens($0.value, rate, at: now) < Double(rate.burst) }
        if buckets.count == before { buckets.removeAll() }
    }
}
