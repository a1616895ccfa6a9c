import Engine
import Foundation
import JSONValue
import SQLStore
import ServerTestKit
import WorkflowModel

/// What it adds to an event that one execution waits for it: milliseconds more than for an event nobody waits for, with
/// 10⁴ and with 10⁶ executions waiting.
struct WaitResume {
    let programs: Programs

    private static let events = 400
    private static let small = 10_000
    private static let large = 1_000_000
    /// Milliseconds.
    private static let limit = 1.0

    private struct Added {
        var plain: Double
        var resuming: Double
        var milliseconds: Double { resuming - plain }
    }

    func run() async throws -> BenchmarkResult {
        let directory = try ServerDirectory.temporary()
        let small = try await makeDatabase(directory, "small.db", waiting: Self.small)
        let large = try await makeDatabase(directory, "large.db", waiting: Self.large)
        var added: [(small: Added, large: Added)] = []
        for number in 1...3 {
            // Every round takes other contacts: an execution is resumed once.
            let offset = (number - 1) * Self.events
            let pair = (
                small: try await measure(small, offset: offset, of: Self.small),
                large: try await measure(large, offset: offset, of: Self.large)
            )
            added.append(pair)
            say(
                "  round \(number): with \(Self.small) waiting \(short(pair.small.plain)) ms and "
                    + "+\(short(pair.small.milliseconds)), with \(Self.large) \(short(pair.large.plain)) ms and "
                    + "+\(short(pair.large.milliseconds))")
        }
        try await directory.remove()
        let milliseconds = median(added.map(\.large.milliseconds))
        return BenchmarkResult(
            value: milliseconds, unit: "ms", against: "limit of 1 ms", ratio: milliseconds / Self.limit,
            more: [
                ("added10k", median(added.map(\.small.milliseconds))),
                // Of the whole event: what is added is a difference of two small numbers.
                ("flatness", median(added.map { $0.large.resuming / $0.small.resuming })),
                ("plain", median(added.map(\.large.plain))),
            ])
    }

    /// Events one after the other, of both kinds in turn.
    private func measure(_ path: String, offset: Int, of count: Int) async throws -> Added {
        let engine = try await EngineUnderTest(database: path)
        var plain: [Double] = []
        var resuming: [Double] = []
        for number in 0..<Self.events {
            // A prime step spreads the contacts over their whole range.
            let email = "contact-\((offset + number) * 7919 % count)@example.org"
            plain.append(try await seconds { try await engine.track("contact.seen", email: email, data: [:]) })
            resuming.append(try await seconds { try await engine.track("order.placed", email: email, data: [:]) })
        }
        let ended = try await engine.executions(of: "carts")[.exited] ?? 0
        try engine.store.close()
        guard ended == offset + Self.events else { throw BenchmarkFailure("\(ended) executions were resumed") }
        return Added(plain: median(plain) * 1000, resuming: median(resuming) * 1000)
    }

    private func makeDatabase(_ directory: ServerDirectory, _ name: String, waiting: Int) async throws -> String {
        let path = directory.path(name)
        let took = try await seconds {
            let engine = try await EngineUnderTest(database: path)
            try await engine.apply(ParkedExecutions.workflow)
            try await engine.track("cart.abandoned", email: "first@example.org", data: ["total": 129.5])
            try engine.store.close()
            _ = try await programs.run("copy-executions", [path, "\(waiting)", "\(waiting)"])
        }
        say("  \(waiting) waiting executions written in \(short(took)) s")
        return path
    }
}
