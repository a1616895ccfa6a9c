import MailModel
import Synchronization
import Testing
import WorkflowModel

@testable import Engine
import EngineTestKit

/// Domains that share a pace because one provider takes their mail.
@Suite struct MailServerGroupTests {
    private let start = Timestamp(seconds: 1_800_000_000)
    private static let one = Pace(connections: 1)

    /// What was told of domains, in order.
    private final class Told: Sendable {
        private let rows = Mutex<[(servers: [String], lane: Int64)]>([])
        func note(_ servers: [String], _ lane: Int64) { rows.withLock { $0.append((servers, lane)) } }
        var all: [[String]] { rows.withLock { $0.map(\.servers) } }

        func wait(for count: Int) async {
            for _ in 0..<5000 where all.count < count { await Task.yield() }
        }
    }

    // MARK: The pace

    @Test func domainsOfOneProviderShareItsPace() {
        var gates = PaceGates([
            PacingRule(.mailServers(["*.google.com", "mx.other.example"]), Self.one), PacingRule(.eachDomain, Self.one),
            PacingRule(.domains(["named.example"]), Self.one),
        ])
        #expect(gates.groupsByServer)
        let lanes = ["a.example", "b.example", "c.example", "named.example"].map { MailLane.of(domain: $0) }
        // Before anybody knows, each goes at its own pace.
        #expect(gates.gates(ofLane: lanes[0]).map(\.rule) == [1])
        let answers = [
            ["aspmx.l.google.com", "alt1.aspmx.l.google.com"], ["mx.other.example"],
            ["notgoogle.com", "google.com.evil.example", "google.com"], ["aspmx.l.google.com"],
        ]
        var changes: [Bool] = []
        for (lane, servers) in zip(lanes, answers) { changes.append(gates.know(servers: servers, of: lane)) }
        #expect(changes == [true, true, false, true])
        #expect(lanes.map { gates.gates(ofLane: $0).map(\.rule) } == [[0], [0], [1], [2]])
        gates.enter(gates.gates(ofLane: lanes[0]), at: start)
        let openings = [1, 2].map { gates.opening(of: gates.gates(ofLane: lanes[$0]), at: start).opening }
        #expect(openings == [.afterAnEnd, .now])
        // A domain that moves away goes at its own pace again; the same answer is no change.
        let again = gates.know(servers: ["mx.other.example"], of: lanes[1])
        let moved = gates.know(servers: ["mx.elsewhere.example"], of: lanes[1])
        #expect(!again && moved)
        #expect(gates.gates(ofLane: lanes[1]).map(\.rule) == [1])
    }

    @Test func theBestServerDecides() {
        var gates = PaceGates([
            PacingRule(.mailServers(["*.second.example"]), Self.one),
            PacingRule(.mailServers(["*.first.example"]), Self.one),
        ])
        let lane = MailLane.of(domain: "a.example")
        _ = gates.know(servers: ["mx.first.example", "mx.second.example"], of: lane)
        #expect(gates.gates(ofLane: lane).map(\.rule) == [1])
        _ = gates.know(servers: [], of: lane)
        #expect(gates.gates(ofLane: lane).isEmpty)
    }

    // MARK: Finding out

    private func note(_ groups: MailServerGroups, _ domains: String...) {
        for domain in domains { groups.note("ann@\(domain)", lane: MailLane.of(domain: domain)) }
    }

    @Test func aDomainIsAskedAboutOnceForAsLongAsItsRecordHolds() async {
        let names = KnownNames("a.example MX 20 mx2.google.com\na.example MX 10 mx1.google.com\nb.example A 192.0.2.1")
        let clock = VirtualClock()
        let told = Told()
        let groups = MailServerGroups(names: names, clock: clock) { told.note($0, $1) }
        note(groups, "a.example", "A.example", "b.example", "gone.example")
        await told.wait(for: 3)
        #expect(Set(told.all) == [["mx1.google.com", "mx2.google.com"], ["b.example"], []])
        note(groups, "a.example", "b.example")
        #expect(await names.questions.count == 3)
        // Its records hold for a minute; nobody is asked again within five.
        clock.advance(seconds: 299)
        note(groups, "a.example")
        #expect(await names.questions.count == 3)
        clock.advance(seconds: 2)
        note(groups, "a.example")
        await told.wait(for: 4)
        #expect(await names.questions.count == 4)
    }

    @Test func whatTheDNSDoesNotSayChangesNothingAndIsAskedAgainLater() async {
        let names = KnownNames("a.example MX !")
        let clock = VirtualClock()
        let told = Told()
        let groups = MailServerGroups(names: names, clock: clock) { told.note($0, $1) }
        note(groups, "a.example")
        for _ in 0..<1000 where await names.questions.isEmpty { await Task.yield() }
        for _ in 0..<100 { await Task.yield() }
        #expect(told.all.isEmpty)
        clock.advance(seconds: 599)
        note(groups, "a.example")
        #expect(await names.questions.count == 1)
        clock.advance(seconds: 2)
        note(groups, "a.example")
        for _ in 0..<1000 where await names.questions.count < 2 { await Task.yield() }
        #expect(await names.questions.count == 2)
    }

    @Test func manyDomainsAreAskedAboutAFewAtATime() async {
        let names = SlowNames()
        let told = Told()
        let groups = MailServerGroups(names: names, clock: VirtualClock()) { told.note($0, $1) }
        for number in 0..<200 { note(groups, "d\(number).example") }
        await told.wait(for: 200)
        #expect(told.all.count == 200)
        #expect(await names.most <= 8)
        // What is no domain is asked of nobody.
        groups.note("nobody", lane: 0)
        groups.note("a@[192.0.2.1", lane: 1)
    }

    /// Counts who asks at the same time.
    private actor SlowNames: NameService {
        private(set) var most = 0
        private var open = 0

        func ask(_ name: String, _ type: NameRecordType) async -> NameAnswer {
            open += 1
            most = max(most, open)
            for _ in 0..<3 { await Task.yield() }
            open -= 1
            return NameAnswer(.found, records: [.exchanger(preference: 1, host: "mx.\(name)")], lifetime: 600)
        }
    }
}
