import Testing
import WorkflowModel

@testable import Engine

/// Every row of the table at the head of `CircuitBreaker`.
@Suite struct CircuitBreakerTests {
    private let start = Timestamp(seconds: 1_800_000_000)
    private var breaker = CircuitBreaker(threshold: 3, firstPause: 10, longestPause: 35)

    @Test func failuresInARowOpenItAndASuccessBetweenForgetsThem() {
        var breaker = breaker
        for _ in 0..<2 { breaker.failed(at: start) }
        breaker.succeeded()
        for _ in 0..<2 { breaker.failed(at: start) }
        #expect(breaker.state == .closed(failures: 2) && breaker.opening(at: start) == .now)
        breaker.failed(at: start)
        #expect(breaker.state == .open(until: start.adding(seconds: 10)))
        #expect(breaker.opening(at: start) == .at(start.adding(seconds: 10)))
    }

    @Test func onlyOneProbeGoesWhenThePauseIsOver() {
        var breaker = breaker
        for _ in 0..<3 { breaker.failed(at: start) }
        let later = start.adding(seconds: 10)
        #expect(breaker.opening(at: later) == .now)
        breaker.begin(at: later)
        #expect(breaker.state == .probing && breaker.opening(at: later) == .afterAnEnd)
        breaker.succeeded()
        #expect(breaker.isUntouched && breaker.opening(at: later) == .now)
    }

    @Test func failedProbesDoubleThePauseUpToTheLongest() {
        var breaker = breaker
        var now = start
        for _ in 0..<3 { breaker.failed(at: now) }
        for pause: Int64 in [10, 20, 35, 35] {
            #expect(breaker.opening(at: now) == .at(now.adding(seconds: pause)))
            now = now.adding(seconds: pause)
            breaker.begin(at: now)
            breaker.failed(at: now)
        }
        now = now.adding(seconds: 35)
        breaker.begin(at: now)
        breaker.succeeded()
        for _ in 0..<3 { breaker.failed(at: now) }
        #expect(breaker.opening(at: now) == .at(now.adding(seconds: 10)))
    }

    @Test func failureOfWhatBeganBeforeDoesNotLengthenIt() {
        var breaker = breaker
        for _ in 0..<9 { breaker.failed(at: start) }
        #expect(breaker.state == .open(until: start.adding(seconds: 10)))
        breaker.succeeded()
        #expect(breaker.isUntouched)
    }

    @Test func probeThatToldNothingIsFollowedByAnother() {
        var breaker = breaker
        for _ in 0..<3 { breaker.failed(at: start) }
        let later = start.adding(seconds: 10)
        breaker.begin(at: later)
        breaker.toldNothing(at: later)
        #expect(breaker.opening(at: later) == .now && !breaker.isClosed)
    }

    @Test func jitterLengthensAPauseByAQuarterAtMost() {
        var breaker = breaker
        for _ in 0..<3 { breaker.failed(at: start, jitter: 1) }
        #expect(breaker.opening(at: start) == .at(start.adding(microseconds: 12_500_000)))
    }
}
