import MailModel
import Testing
import WorkflowModel

@testable import Engine

@Suite struct RelayBoardTests {
    private let start = Timestamp(seconds: 1_800_000_000)
    private let project = Identifier(high: 1, low: 1)
    private var gates = PaceGates([])

    private func board(_ relays: [(RelayRules, Int)]) -> RelayBoard {
        RelayBoard(relays.map { (rules: $0.0, places: $0.1) }, gates: PaceGates([]))
    }

    private func choose(
        _ board: inout RelayBoard, slug: String? = "shop", sender: String? = "example.com", isNewcomer: Bool = true,
        excluding tried: Set<Int> = [], pauses: PauseBoard = PauseBoard(), at now: Timestamp? = nil
    ) -> RelayBoard.Choice {
        var gates = gates
        return board.choose(
            project: project, slug: slug, senderDomain: sender, isNewcomer: isNewcomer, excluding: tried,
            pauses: pauses, gates: &gates, at: now ?? start)
    }

    private func fail(_ board: inout RelayBoard, _ index: Int, times: Int = 5, at now: Timestamp? = nil) {
        var gates = gates
        for _ in 0..<times {
            board.begin(index, gates: &gates, at: now ?? start)
            board.end(
                index, .unreachable(reason: "no connection"), lane: 1, gates: &gates, at: now ?? start, jitter: 0)
        }
    }

    @Test func sharesFollowTheWeights() {
        var board = board([(RelayRules(name: "a", weight: 3), 100), (RelayRules(name: "b"), 100)])
        var counts = [0, 0]
        for _ in 0..<100 { if case .relay(let index) = choose(&board) { counts[index] += 1 } }
        #expect(counts == [75, 25])
    }

    @Test func senderGoesBeforeProjectAndProjectBeforeEverybody() {
        var board = board([
            (RelayRules(name: "all"), 1), (RelayRules(name: "project", projects: ["shop"]), 1),
            (RelayRules(name: "sender", senderDomains: ["example.com"]), 1),
            (RelayRules(name: "both", senderDomains: ["example.net"], projects: ["shop"]), 1),
        ])
        #expect(choose(&board) == .relay(2))
        #expect(choose(&board, sender: "example.org") == .relay(1))
        #expect(choose(&board, slug: "other", sender: "example.org") == .relay(0))
        #expect(choose(&board, sender: "example.net") == .relay(3))
        #expect(choose(&board, slug: "other", sender: "example.net") == .relay(0))
    }

    @Test func mailThatNoRelayIsForHasNone() {
        var board = board([(RelayRules(name: "sender", senderDomains: ["example.com"]), 1)])
        #expect(choose(&board, sender: "example.org") == .none)
    }

    @Test func relayThatCannotBeReachedIsLeftAloneAndProbedOnce() {
        var board = board([(RelayRules(name: "a"), 5), (RelayRules(name: "b"), 5)])
        fail(&board, 0)
        for _ in 0..<4 { #expect(choose(&board) == .relay(1)) }
        fail(&board, 1)
        #expect(choose(&board) == .closed(.at(start.adding(seconds: 10)), gate: nil))
        let later = start.adding(seconds: 10)
        var gates = gates
        board.begin(0, gates: &gates, at: later)
        board.begin(1, gates: &gates, at: later)
        #expect(choose(&board, at: later) == .closed(.afterAnEnd, gate: nil))
        board.end(
            0, .deferred(reply: Reply(code: 450, enhancedCode: nil, text: "later")), lane: 1, gates: &gates, at: later,
            jitter: 0)
        #expect(choose(&board, at: later) == .relay(0))
    }

    @Test func backupIsForTroubleAndNotForHaste() {
        var board = board([(RelayRules(name: "a"), 1), (RelayRules(name: "spare", isBackup: true), 1)])
        var gates = gates
        board.begin(0, gates: &gates, at: start)
        #expect(choose(&board) == .closed(.afterAnEnd, gate: nil))
        board.end(0, .unknown(reason: "lost"), lane: 1, gates: &gates, at: start, jitter: 0)
        fail(&board, 0, times: 4)
        #expect(choose(&board) == .relay(1))
        let pause = OutboxPause(projectID: nil, object: .relay("a"), pausedAt: start)
        var healthy = self.board([(RelayRules(name: "a"), 1), (RelayRules(name: "spare", isBackup: true), 1)])
        #expect(choose(&healthy, pauses: PauseBoard([pause])) == .relay(1))
    }

    @Test func refusalOfMailIsNoTroubleOfTheRelayButOneOfEverybodyIs() {
        var board = board([(RelayRules(name: "a"), 9)])
        var gates = gates
        func answer(_ outcome: DeliveryOutcome, lane: Int64) {
            board.begin(0, gates: &gates, at: start)
            board.end(0, outcome, lane: lane, gates: &gates, at: start, jitter: 0)
        }
        let busy = DeliveryOutcome.deferred(reply: Reply(code: 421, enhancedCode: "4.3.2", text: "busy"))
        for _ in 0..<20 { answer(.rejected(reply: Reply(code: 550, enhancedCode: "5.1.1", text: "no")), lane: 1) }
        for _ in 0..<20 { answer(busy, lane: 1) }
        #expect(choose(&board) == .relay(0))
        for lane: Int64 in 1...7 { answer(busy, lane: lane) }
        #expect(choose(&board) == .closed(.at(start.adding(seconds: 10)), gate: nil))
    }

    /// It cannot keep what it was given: that is the relay's own trouble, whoever the mail is for.
    @Test func relayThatCannotKeepMessagesIsLeftAlone() {
        var board = board([(RelayRules(name: "a"), 9), (RelayRules(name: "spare", isBackup: true), 9)])
        var gates = gates
        let full = Reply(code: 451, enhancedCode: "4.3.0", text: "queue file write error", isToContent: true)
        var before = full
        before.isToContent = false
        var tooLarge = full
        tooLarge.enhancedCode = "4.3.4"
        for reply in [before, tooLarge] {
            for lane: Int64 in 1...20 {
                board.begin(0, gates: &gates, at: start)
                board.end(0, .deferred(reply: reply), lane: lane, gates: &gates, at: start, jitter: 0)
            }
            #expect(choose(&board) == .relay(0))
        }
        for _ in 1...5 {
            #expect(choose(&board) == .relay(0))
            board.begin(0, gates: &gates, at: start)
            board.end(0, .deferred(reply: full), lane: 1, gates: &gates, at: start, jitter: 0)
        }
        #expect(choose(&board) == .relay(1))
    }

    /// Its queue has no room: that is the relay's own trouble, and the spare one gets the mail.
    @Test func relayWithoutRoomIsLeftAloneWhoeverTheMailIsFor() {
        var board = board([(RelayRules(name: "a"), 9), (RelayRules(name: "spare", isBackup: true), 9)])
        var gates = gates
        let full = DeliveryOutcome.deferred(
            reply: Reply(code: 452, enhancedCode: "4.3.1", text: "Insufficient system storage"))
        for _ in 0..<5 {
            #expect(choose(&board) == .relay(0))
            board.begin(0, gates: &gates, at: start)
            board.end(0, full, lane: 1, gates: &gates, at: start, jitter: 0)
        }
        #expect(choose(&board) == .relay(1))
        #expect(RelayHealth(board.relays[0]).lastFailure == "452 Insufficient system storage")
    }

    @Test func lastPlacesAreForThoseWhoHaveNothingUnderWay() {
        var board = board([(RelayRules(name: "a"), 16)])
        var gates = gates
        for _ in 0..<14 { board.begin(0, gates: &gates, at: start) }
        #expect(choose(&board, isNewcomer: false) == .relay(0))
        board.keepsPlaces = true
        #expect(choose(&board, isNewcomer: false) == .closed(.afterAnEnd, gate: nil))
        #expect(choose(&board) == .relay(0))
    }

    @Test func pauseOfAProjectsRelayStopsNobodyElse() {
        var board = board([(RelayRules(name: "a"), 1)])
        let other = Identifier(high: 1, low: 2)
        let pauses = PauseBoard([OutboxPause(projectID: other, object: .relay("a"), pausedAt: start)])
        #expect(choose(&board, pauses: pauses) == .relay(0))
        #expect(pauses.stops(relay: "a", for: other) && !pauses.stops(relay: "b", for: other))
    }

    @Test func triedRelayIsNotTriedAgain() {
        var board = board([(RelayRules(name: "a"), 1), (RelayRules(name: "b"), 1)])
        #expect(choose(&board, excluding: [0]) == .relay(1))
        #expect(choose(&board, excluding: [0, 1]) == .closed(.at(.never), gate: nil))
    }
}
