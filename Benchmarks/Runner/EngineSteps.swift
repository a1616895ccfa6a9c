import Engine
import Foundation
import JSONValue
import SQLStore
import ServerTestKit
import WorkflowModel

/// Durable steps a second over a graph of all kinds: TRIGGER, CONDITION, UPDATE_CONTACT, DELAY, WAIT_FOR_EVENT, SEND_EMAIL,
/// EXIT, taken by events and timers; against a bare loop over SQLite that makes the same changes to the same rows in
/// transactions of the same size.
struct EngineSteps {
    let programs: Programs

    private static let rounds = 3
    private static let executions = 10_000
    private static let steps = 7

    func run() async throws -> BenchmarkResult {
        let directory = try ServerDirectory.temporary()
        let base = directory.path("base.db")
        let engine = try await EngineUnderTest(database: base)
        try await engine.apply(Self.workflow)
        try await engine.track("contact.seen", contacts: Self.executions)
        try engine.store.close()
        let bare = try await BareReplay(programs, base: base, in: directory) { _ = try await Self.work($0) }
        var rates: [(ours: Double, bare: Double)] = []
        let count = Double(Self.executions * Self.steps)
        for number in 1...Self.rounds {
            let path = directory.path("ours.db")
            try Database.copy(base, to: path)
            let ours = try await Self.work(path)
            let other = try await bare.seconds(transactions: ours.transactions)
            rates.append((count / ours.seconds, count / other))
            say(
                "  round \(number): ours \(short(count / ours.seconds)) steps/s in \(ours.transactions) transactions, "
                    + "bare loop \(short(count / other))/s")
        }
        try await directory.remove()
        return BenchmarkResult(
            value: median(rates.map(\.ours)), unit: "steps/s", against: "bare loop over sqlite3",
            ratio: median(rates.map { $0.ours / $0.bare }),
            more: [
                ("bareLoop", median(rates.map(\.bare))),
                ("changedRowsPerStep", Double(bare.changes) / count),
            ])
    }

    /// Takes every contact through the whole graph.
    private static func work(_ path: String) async throws -> (seconds: Double, transactions: Int) {
        let clock = StandingClock()
        let engine = try await EngineUnderTest(database: path, clock: clock)
        let commits = engine.store.commitCount
        let took = try await seconds {
            try await engine.track("signed_up", contacts: executions, data: ["total": 129.5])
            clock.advance(seconds: 3600)
            _ = try await engine.drainTimers()
            try await engine.track("order.placed", contacts: executions, data: ["item": "Weatherproof lamp"])
        }
        let transactions = engine.store.commitCount - commits
        let done = try await engine.executions(of: "mixed")
        guard done[.exited] == executions else { throw BenchmarkFailure("executions did not end: \(done)") }
        try engine.store.close()
        return (took, transactions)
    }

    private static let workflow: JSON = [
        "workflow": "mixed", "name": "Mixed", "enabled": true, "trigger": ["event": "signed_up"],
        "templates": [
            "thanks": ["type": "TRANSACTIONAL", "subject": "Thank you", "text": "Your {{ event.item }} is on its way."]
        ],
        "steps": [
            "trigger": ["type": "TRIGGER", "next": "large"],
            "large": [
                "type": "CONDITION", "config": ["field": "event.total", "operator": "greaterThan", "value": 100],
                "next": ["yes": "note"],
            ],
            "note": ["type": "UPDATE_CONTACT", "config": ["data": ["stage": "large"]], "next": "later"],
            "later": ["type": "DELAY", "config": ["amount": 1, "unit": "hours"], "next": "ordered"],
            "ordered": [
                "type": "WAIT_FOR_EVENT", "config": ["eventName": "order.placed", "timeout": 2_592_000],
                "next": ["event": "thanks"],
            ],
            "thanks": ["type": "SEND_EMAIL", "config": ["template": "thanks"], "next": "done"],
            "done": ["type": "EXIT", "config": ["reason": "ordered"]],
        ],
    ]
}
