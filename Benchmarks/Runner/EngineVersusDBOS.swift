import Engine
import Foundation
import JSONValue
import SQLStore
import ServerTestKit
import WorkflowModel

/// Workflows of two steps a second, every step's outcome durable, against DBOS with SQLite: each side as fast as it goes,
/// which for DBOS is one workflow after the other and for us is many callers.
struct EngineVersusDBOS {
    let programs: Programs

    private static let rounds = 3
    private static let workflows = 20_000
    private static let dbosWorkflows = 200

    func run() async throws -> BenchmarkResult {
        let directory = try ServerDirectory.temporary()
        let base = directory.path("base.db")
        let engine = try await EngineUnderTest(database: base)
        try await engine.apply(Self.workflow)
        try await engine.track("contact.seen", contacts: Self.workflows)
        try engine.store.close()
        var rates: [(ours: Double, dbos: Double)] = []
        for number in 1...Self.rounds {
            let ours = try await ours(base, directory)
            let dbos = try await dbos()
            rates.append((ours, dbos))
            say("  round \(number): ours \(short(ours)) workflows/s, DBOS \(short(dbos))/s")
        }
        try await directory.remove()
        return BenchmarkResult(
            value: median(rates.map(\.ours)), unit: "workflows/s", against: "DBOS on SQLite",
            ratio: median(rates.map { $0.ours / $0.dbos }), more: [("dbos", median(rates.map(\.dbos)))])
    }

    private func ours(_ base: String, _ directory: ServerDirectory) async throws -> Double {
        let path = directory.path("ours.db")
        try Database.copy(base, to: path)
        let engine = try await EngineUnderTest(database: path)
        let took = try await seconds {
            try await engine.track("signed_up", contacts: Self.workflows, data: ["number": 1])
        }
        let done = try await engine.executions(of: "two-steps")
        guard done[.completed] == Self.workflows else { throw BenchmarkFailure("executions did not end: \(done)") }
        try engine.store.close()
        return Double(Self.workflows) / took
    }

    private func dbos() async throws -> Double {
        let directory = try ServerDirectory.temporary()
        let printed = try await programs.run(
            "python/bin/python", [programs.path("two-steps.py"), directory.path, "\(Self.dbosWorkflows)", "1"])
        try await directory.remove()
        let figures = printed.split(separator: " ").compactMap {
            Double($0.trimmingCharacters(in: .whitespacesAndNewlines))
        }
        guard figures.count == 2, figures[1] > 0 else { throw BenchmarkFailure("two-steps.py printed \(printed)") }
        return figures[0] / figures[1]
    }

    private static let workflow: JSON = [
        "workflow": "two-steps", "name": "Two steps", "enabled": true, "trigger": ["event": "signed_up"],
        "steps": [
            "trigger": ["type": "TRIGGER", "next": "first"],
            "first": ["type": "UPDATE_CONTACT", "config": ["data": ["first": "{{ event.number }}"]], "next": "second"],
            "second": ["type": "UPDATE_CONTACT", "config": ["data": ["second": "{{ contact.first }}"]]],
        ],
    ]
}
