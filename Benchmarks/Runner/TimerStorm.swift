import Engine
import Foundation
import JSONValue
import SQLStore
import ServerTestKit
import WorkflowModel

/// 10⁵ delays that end at the same moment, each followed by a mail: how fast they are moved on, against a bare loop over
/// SQLite that makes the same changes; what that does to memory; and how long an event that arrives meanwhile takes to
/// become durable.
struct TimerStorm {
    let programs: Programs

    private static let rounds = 3
    private static let delays = 100_000

    private struct Drain {
        var seconds: Double
        var transactions: Int
        /// MB of resident memory more than before.
        var growth: Double
        /// Milliseconds of each event that arrived meanwhile.
        var latencies: [Double]
    }

    func run() async throws -> BenchmarkResult {
        let directory = try ServerDirectory.temporary()
        let base = directory.path("base.db")
        let clock = StandingClock()
        let took = try await seconds {
            let engine = try await EngineUnderTest(database: base, clock: clock)
            try await engine.apply(Self.workflow)
            try await engine.track("signed_up", contacts: Self.delays)
            try engine.store.close()
        }
        say("  \(Self.delays) delays begun in \(short(took)) s")
        clock.advance(seconds: 3600)
        let bare = try await BareReplay(programs, base: base, in: directory) { path in
            _ = try await Self.drain(path, clock: clock, withEvents: false)
        }
        var drains: [(ours: Drain, bare: Double)] = []
        for number in 1...Self.rounds {
            let path = directory.path("ours.db")
            try Database.copy(base, to: path)
            let ours = try await Self.drain(path, clock: clock, withEvents: true)
            let other = try await bare.seconds(transactions: ours.transactions)
            drains.append((ours, other))
            say(
                "  round \(number): ours \(short(Double(Self.delays) / ours.seconds))/s, "
                    + "bare loop \(short(Double(Self.delays) / other))/s, memory +\(short(ours.growth)) MB, "
                    + "\(ours.latencies.count) events meanwhile, median \(short(median(ours.latencies))) ms")
        }
        try await directory.remove()
        return BenchmarkResult(
            value: median(drains.map { Double(Self.delays) / $0.ours.seconds }), unit: "timers/s",
            against: "bare loop over sqlite3", ratio: median(drains.map { $0.bare / $0.ours.seconds }),
            more: [
                ("bareLoop", median(drains.map { Double(Self.delays) / $0.bare })),
                ("growthMB", median(drains.map(\.ours.growth))),
                ("eventMilliseconds", median(drains.map { median($0.ours.latencies) })),
            ])
    }

    private static func drain(_ path: String, clock: StandingClock, withEvents: Bool) async throws -> Drain {
        let engine = try await EngineUnderTest(database: path, clock: clock)
        let before = residentMemory()
        let commits = engine.store.commitCount
        let drain = try await withThrowingTaskGroup(of: [Double].self) { group in
            if withEvents {
                group.addTask {
                    var latencies: [Double] = []
                    while !Task.isCancelled {
                        let took = try await seconds {
                            try await engine.track(
                                "contact.seen", email: "contact-\(latencies.count)@example.org", data: [:])
                        }
                        latencies.append(took * 1000)
                        try? await Task.sleep(for: .milliseconds(10))
                    }
                    return latencies
                }
            }
            let took = try await seconds {
                let moved = try await engine.drainTimers()
                guard moved == delays else { throw BenchmarkFailure("\(moved) timers fired") }
            }
            let growth = residentMemory() - before
            group.cancelAll()
            let latencies = try await group.reduce(into: [Double]()) { $0 += $1 }
            return Drain(
                seconds: took, transactions: engine.store.commitCount - commits, growth: growth, latencies: latencies)
        }
        let done = try await engine.executions(of: "storm")
        guard done[.completed] == delays else { throw BenchmarkFailure("executions did not end: \(done)") }
        try engine.store.close()
        return drain
    }

    private static let workflow: JSON = [
        "workflow": "storm", "name": "Storm", "enabled": true, "trigger": ["event": "signed_up"],
        "templates": ["tips": ["type": "MARKETING", "subject": "Tips", "text": "Some tips for {{ contact.email }}."]],
        "steps": [
            "trigger": ["type": "TRIGGER", "next": "later"],
            "later": ["type": "DELAY", "config": ["amount": 1, "unit": "hours"], "next": "tips"],
            "tips": ["type": "SEND_EMAIL", "config": ["template": "tips"]],
        ],
    ]
}

/// MB (10⁶ bytes) of this process (proc(5), statm).
func residentMemory() -> Double {
    let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
    let pages = text.split(separator: " ").dropFirst().first.flatMap { Double($0) } ?? .nan
    return pages * Double(sysconf(Int32(_SC_PAGESIZE))) / 1e6
}
