import Engine
import Testing
import WorkflowModel

@Suite struct TokenBucketTests {
    private let start = Timestamp(seconds: 1_800_000_000)

    @Test func aBucketGivesItsBurstAndThenItsRate() {
        let buckets = TokenBuckets<Int>()
        let rate = Rate(perSecond: 2, burst: 3)
        #expect(
            buckets.take(1, rate, at: start) == .init(limit: 3, remaining: 2, reset: 1, retryAfter: nil))
        #expect(buckets.take(1, rate, at: start).remaining == 1)
        #expect(buckets.take(1, rate, at: start).remaining == 0)
        #expect(buckets.take(1, rate, at: start) == .init(limit: 3, remaining: 0, reset: 2, retryAfter: 1))
        #expect(!buckets.hasToken(1, rate, at: start) && buckets.hasToken(2, rate, at: start))
        // A refusal takes nothing.
        let half = start.adding(microseconds: 500_000)
        #expect(buckets.take(1, rate, at: half).retryAfter == nil)
        #expect(buckets.take(1, rate, at: half).retryAfter == 1)
        #expect(buckets.take(1, rate, at: start.adding(seconds: 60)).remaining == 2)
        #expect(buckets.take(1, rate, at: start).retryAfter == nil, "a clock that was set back takes nothing")
    }

    @Test func whatTurnsOutToBeManyTakesAsManyAsThereAre() {
        let buckets = TokenBuckets<Int>()
        let rate = Rate(perSecond: 1, burst: 10)
        _ = buckets.take(1, rate, at: start)
        #expect(buckets.take(upTo: 0, 1, rate, at: start).remaining == 9)
        #expect(buckets.take(upTo: 4, 1, rate, at: start) == .init(limit: 10, remaining: 5, reset: 5, retryAfter: nil))
        #expect(
            buckets.take(upTo: 400, 1, rate, at: start) == .init(limit: 10, remaining: 0, reset: 10, retryAfter: nil))
        #expect(buckets.take(1, rate, at: start).retryAfter == 1)
    }

    @Test func aSlowRateSaysHowLong() {
        let buckets = TokenBuckets<Int>()
        let rate = Rate(perSecond: 0.01, burst: 1)
        _ = buckets.take(1, rate, at: start)
        #expect(buckets.take(1, rate, at: start).retryAfter == 100)
        #expect(buckets.take(1, rate, at: start.adding(seconds: 99)).retryAfter == 1)
    }

    @Test func bucketsAreBounded() {
        let buckets = TokenBuckets<Int>(limit: 10)
        let rate = Rate(perSecond: 1, burst: 2)
        for number in 0..<1000 { _ = buckets.take(number, rate, at: start) }
        #expect(buckets.take(999, rate, at: start).remaining == 0, "who came last is remembered")
    }
}
