import Testing

@testable import SMTPAdapter

@Suite struct WriteDeadlineTests {
    private let start = ContinuousClock.now

    /// How long a relay is borne that takes so many bytes in every so many seconds; nil when a day is over before.
    private func patience(bytes: Int, every seconds: Int) -> Int? {
        var deadline = WriteDeadline(limit: .seconds(600), from: start)
        for second in stride(from: seconds, to: 86_400, by: seconds) {
            let now = start.advanced(by: .seconds(second))
            if deadline.isOver(at: now) { return second }
            deadline.wrote(bytes, at: now)
        }
        return nil
    }

    @Test func aFewBytesNowAndThenAreNotEnough() {
        #expect(patience(bytes: 10, every: 540) == 1080)
        #expect((patience(bytes: 400, every: 1) ?? .max) <= 3600)
    }

    @Test func aSlowRelayIsBorne() {
        #expect(patience(bytes: 500, every: 1) == nil)
        #expect(patience(bytes: 65_536, every: 120) == nil)
    }

    @Test func hasteIsNoCreditForAStandstill() {
        var deadline = WriteDeadline(limit: .seconds(600), from: start)
        deadline.wrote(100_000_000, at: start)
        #expect(!deadline.isOver(at: start.advanced(by: .seconds(599))))
        #expect(deadline.isOver(at: start.advanced(by: .seconds(600))))
    }
}
