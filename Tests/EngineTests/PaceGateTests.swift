import Testing
import WorkflowModel

@testable import Engine

@Suite struct PaceGateTests {
    private let start = Timestamp(seconds: 1_800_000_000)

    /// How many pass within so many seconds when somebody asks every millisecond.
    private func passing(_ gate: inout PaceGate, milliseconds: Int64) -> Int {
        var count = 0
        for millisecond in 0..<milliseconds {
            let now = start.adding(microseconds: millisecond * 1000)
            while gate.opening(at: now) == .now {
                gate.enter(at: now)
                gate.leave()
                count += 1
            }
        }
        return count
    }

    @Test(arguments: [
        (count: 20, seconds: Int64(1), inTen: 219), (count: 60, seconds: 60, inTen: 10),
        (count: 1, seconds: 3600, inTen: 1), (count: 600, seconds: 60, inTen: 109),
    ])
    func rateIsKeptAndItsBurstIsOneSecond(rate: (count: Int, seconds: Int64, inTen: Int)) {
        var gate = PaceGate(Pace(rate: .init(count: rate.count, seconds: rate.seconds)))
        #expect(passing(&gate, milliseconds: 10_000) == rate.inTen)
    }

    @Test func gateSaysWhenItOpens() {
        var gate = PaceGate(Pace(rate: .init(count: 6, seconds: 60)))
        gate.enter(at: start)
        #expect(gate.opening(at: start) == .at(start.adding(seconds: 10)))
        #expect(gate.opening(at: start.adding(seconds: 10)) == .now)
        gate.undo()
        #expect(gate.opening(at: start) == .now && gate.running == 0)
    }

    @Test func connectionsAreCounted() {
        var gate = PaceGate(Pace(connections: 2))
        gate.enter(at: start)
        #expect(gate.opening(at: start) == .now)
        gate.enter(at: start)
        #expect(gate.opening(at: start) == .afterAnEnd)
        gate.leave()
        #expect(gate.opening(at: start) == .now)
    }

    @Test func warmUpGrowsByTheDayAndThenTheUsualCeilingHolds() {
        let day = PaceGate.day(of: start)
        var pace = Pace(perDay: 10)
        pace.warmUp = [2, 3]
        pace.warmUpStart = day
        var gate = PaceGate(pace)
        var passed: [Int] = []
        for offset: Int64 in [-1, 0, 1, 2, 3] {
            let now = Timestamp(seconds: (day + offset) * 86_400 + 3600)
            var count = 0
            while gate.opening(at: now) == .now {
                gate.enter(at: now)
                gate.leave()
                count += 1
            }
            passed.append(count)
            #expect(gate.opening(at: now) == .at(Timestamp(seconds: (day + offset + 1) * 86_400)))
        }
        #expect(passed == [2, 2, 3, 10, 10])
    }

    @Test func warmUpWithoutACeilingEnds() {
        var pace = Pace()
        pace.warmUp = [1]
        pace.warmUpStart = PaceGate.day(of: start) - 1
        #expect(PaceGate(pace).opening(at: start) == .now)
    }

    @Test func dayGoesOnAfterARestart() {
        let day = PaceGate.day(of: start)
        let gate = PaceGate(Pace(perDay: 3), day: day, countOfDay: 3)
        #expect(gate.opening(at: start) == .at(Timestamp(seconds: (day + 1) * 86_400)))
        #expect(PaceGate(Pace(perDay: 3), day: day - 1, countOfDay: 3).opening(at: start) == .now)
    }

    @Test func membersShareAPaceUnlessEachHasItsOwn() {
        var gates = PaceGates([
            PacingRule(.domains(["gmail.com", "googlemail.com"]), Pace(connections: 1)),
            PacingRule(.eachDomain, Pace(connections: 1)),
        ])
        let names = ["GMAIL.com", "googlemail.com", "a.example", "b.example"].map {
            gates.gates(ofLane: MailLane.of(domain: $0))
        }
        gates.enter(names[0], at: start)
        gates.enter(names[2], at: start)
        #expect(
            names.map { gates.opening(of: $0, at: start).opening } == [.afterAnEnd, .afterAnEnd, .afterAnEnd, .now])
        gates.leave(names[0])
        #expect(gates.opening(of: names[1], at: start).opening == .now)
    }

    /// A ceiling for each of very many domains: what they got yesterday is not kept.
    @Test func gatesOfEarlierDaysAreForgotten() {
        var gates = PaceGates([PacingRule(.eachDomain, Pace(perDay: 2))])
        for lane in 0..<Int64(50_001) {
            let names = gates.gates(ofLane: lane)
            gates.enter(names, at: start)
            gates.leave(names)
        }
        gates.tidy(at: start)
        #expect(gates.count == 50_001, "today's count")
        let tomorrow = start.adding(seconds: 86_400)
        for lane in 0..<Int64(60_000) {
            let names = gates.gates(ofLane: 1_000_000 + lane)
            gates.enter(names, at: tomorrow)
            gates.leave(names)
            gates.tidy(at: tomorrow)
        }
        #expect(gates.count == 60_000)
    }

    @Test func senderIsFoundByAddressAndByDomain() {
        let gates = PaceGates([
            PacingRule(.senders(["news@example.com"]), Pace(connections: 1)),
            PacingRule(.senders(["example.org"]), Pace(connections: 1)),
        ])
        let found = ["news@example.com", "other@example.com", "anybody@example.org", ""].map {
            gates.gates(ofSender: $0).map(\.rule)
        }
        #expect(found == [[0], [], [1], []])
    }

    @Test func domainsAreNumbersThatNeverChange() {
        // The database keeps them.
        #expect(MailLane.of("Ann <ann@Example.ORG>") == MailLane.of(domain: "example.org"))
        #expect(MailLane.of(domain: "example.org") == -1265124041687449775)
        #expect(MailLane.of("ann@bücher.example") == MailLane.of(domain: "xn--bcher-kva.example"))
        #expect(MailLane.of("nobody") == 0)
    }
}
