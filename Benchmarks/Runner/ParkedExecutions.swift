import Engine
import Foundation
import JSONValue
import SQLStore
import ServerTestKit

/// What 10⁶ executions that wait for an event or its timeout cost the daemon that does not touch them: resident memory
/// more than with an empty database, and time to start.
struct ParkedExecutions {
    let programs: Programs

    private static let rounds = 3
    private static let executions = 1_000_000
    /// MB.
    private static let limit = 50.0

    func run() async throws -> BenchmarkResult {
        let directory = try ServerDirectory.temporary()
        let empty = try await makeDatabase(directory, "empty.db", parked: 0)
        let full = try await makeDatabase(directory, "parked.db", parked: Self.executions)
        var growth: [Double] = []
        var starts: [Double] = []
        for number in 1...Self.rounds {
            let before = try await measure(empty, directory)
            let after = try await measure(full, directory)
            growth.append(after.memory - before.memory)
            starts.append(after.start)
            say(
                "  round \(number): \(short(before.memory)) MB and \(short(before.start)) s with none, "
                    + "\(short(after.memory)) MB and \(short(after.start)) s with \(Self.executions)")
        }
        try await directory.remove()
        return BenchmarkResult(
            value: median(growth), unit: "MB", against: "limit of 50 MB", ratio: median(growth) / Self.limit,
            more: [("startSeconds", median(starts))])
    }

    private func measure(
        _ database: String, _ directory: ServerDirectory
    ) async throws -> (memory: Double, start: Double) {
        let daemon = try await DaemonUnderTest.start(programs, database: database, in: directory)
        let memory = try await daemon.idleMemory()
        try await daemon.stop()
        return (memory, daemon.startSeconds)
    }

    /// One contact for each parked execution: a contact has at most one under way in a workflow.
    private func makeDatabase(_ directory: ServerDirectory, _ name: String, parked: Int) async throws -> String {
        let path = directory.path(name)
        let took = try await seconds {
            let engine = try await EngineUnderTest(database: path)
            try await engine.apply(Self.workflow)
            if parked > 0 {
                try await engine.track("cart.abandoned", email: "first@example.org", data: ["total": 129.5])
            }
            try engine.store.close()
            if parked > 0 { _ = try await programs.run("copy-executions", [path, "\(parked)", "\(parked)"]) }
        }
        if parked > 0 { say("  \(parked) waiting executions written in \(short(took)) s") }
        return path
    }

    /// A wait for `order.placed` after `cart.abandoned`.
    static let workflow: JSON = [
        "workflow": "carts", "name": "Carts", "enabled": true, "trigger": ["event": "cart.abandoned"],
        "steps": [
            "trigger": ["type": "TRIGGER", "next": "wait"],
            "wait": [
                "type": "WAIT_FOR_EVENT", "config": ["eventName": "order.placed", "timeout": 2_592_000],
                "next": ["event": "done"],
            ],
            "done": ["type": "EXIT"],
        ],
    ]
}
