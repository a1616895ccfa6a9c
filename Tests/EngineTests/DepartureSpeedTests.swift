import EngineTestKit
import MailModel
import Testing
import WorkflowModel

@testable import Engine

@Suite struct DepartureSpeedTests {
    private let start = Timestamp(microseconds: 1_800_000_000_000_000)

    /// Mails that end one after the other.
    private func speed(every interval: Int64, count: Int64) -> (DepartureSpeed, Timestamp) {
        var speed = DepartureSpeed()
        var now = start
        for _ in 0..<count {
            now = now.adding(microseconds: interval)
            speed.ended(at: now)
        }
        return (speed, now)
    }

    @Test func whatARelayEndsInTwentyMillisecondsIsMadeReady() {
        let (speed, now) = speed(every: 500, count: 2000)
        #expect(speed.mails(at: now) == 40)
    }

    @Test func slowRelayIsNotServedAhead() {
        let (speed, now) = speed(every: 50_000, count: 100)
        #expect(speed.mails(at: now) == 0)
    }

    @Test func nothingIsKnownBeforeTheFirstWindowHasPassed() {
        let (speed, now) = speed(every: 500, count: 100)
        #expect(speed.mails(at: now) == 0)
    }

    @Test func whatWasMeasuredASecondAgoSaysNothing() {
        let (speed, now) = speed(every: 500, count: 2000)
        #expect(speed.mails(at: now.adding(seconds: 2)) == 0)
    }

    @Test func clockThatStandsStillOrGoesBackIsNoSpeed() {
        var speed = DepartureSpeed()
        for _ in 0..<10_000 { speed.ended(at: start) }
        #expect(speed.mails(at: start) == 0)
        speed.ended(at: start.adding(seconds: -5))
        #expect(speed.mails(at: start.adding(seconds: -5)) == 0)
    }

    // MARK: On the board

    private static let delivered = DeliveryOutcome.delivered(
        reply: Reply(code: 250, enhancedCode: "2.0.0", text: "Ok"), queueID: "4ABC")

    /// A relay with two places that ends a mail every half millisecond.
    private func fastBoard() -> (RelayBoard, PaceGates, Timestamp) {
        var gates = PaceGates([])
        var board = RelayBoard([(rules: RelayRules(name: "main"), places: 2)], gates: gates)
        var now = start
        for _ in 0..<1000 {
            now = now.adding(microseconds: 500)
            board.begin(0, gates: &gates, at: now)
            board.end(0, Self.delivered, lane: 1, gates: &gates, at: now, jitter: 0)
        }
        return (board, gates, now)
    }

    @Test func fastRelayIsServedAheadUpToSixForEachPlace() {
        var (board, _, now) = fastBoard()
        #expect(board.free == 2)
        board.lookAhead(at: now)
        #expect(board.free == 2 + 12)
    }

    @Test func withSeveralProjectsOneMailForTwoPlacesIsMadeReady() {
        var (board, _, now) = fastBoard()
        board.keepsPlaces = true
        board.lookAhead(at: now)
        #expect(board.free == 2 + 1)
    }

    @Test func moreIsLookedForWhenHalfOfWhatWasAheadHasGone() {
        var (board, gates, now) = fastBoard()
        board.lookAhead(at: now)
        for _ in 0..<14 { board.begin(0, gates: &gates, at: now) }
        #expect(board.free == 0 && !board.wantsMail)
        for _ in 0..<5 { board.end(0, Self.delivered, lane: 1, gates: &gates, at: now, jitter: 0) }
        #expect(!board.wantsMail)
        board.end(0, Self.delivered, lane: 1, gates: &gates, at: now, jitter: 0)
        #expect(board.wantsMail)
    }

    @Test func relayThatFallsSilentIsNotServedAheadAnyMore() {
        var (board, gates, now) = fastBoard()
        board.lookAhead(at: now)
        for _ in 0..<14 { board.begin(0, gates: &gates, at: now) }
        now = now.adding(seconds: 3)
        board.lookAhead(at: now)
        #expect(board.free == 0 && !board.wantsMail)
        // What is under way ends at last, and then it is looked again.
        for _ in 0..<13 { board.end(0, Self.delivered, lane: 1, gates: &gates, at: now, jitter: 0) }
        #expect(board.wantsMail)
    }
}
