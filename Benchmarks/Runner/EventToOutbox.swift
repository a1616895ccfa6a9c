import Engine
import Foundation
import JSONValue
import SQLStore
import ServerTestKit

/// How many tracked events a second become durable, each with the execution that it starts, advanced through TRIGGER,
/// CONDITION and SEND_EMAIL, and the mail in the outbox; against a bare loop over SQLite that writes the same rows in
/// transactions of the same size. Also whether that is as fast with 10⁶ executions in the database as with 10⁴.
///
/// The contacts exist, and the events tell nothing new about them; each round begins with a copy of the same database.
struct EventToOutbox {
    let programs: Programs

    private static let rounds = 5
    private static let events = 20_000
    /// Callers at the same time: enough that a full transaction waits while the one before it is written.
    private static let callers = 512
    private static let small = (executions: 10_000, contacts: 1000)
    private static let large = (executions: 1_000_000, contacts: 100_000)

    private struct Round {
        /// Events a second of ours, of the bare loop, and of ours in the large database.
        var ours: Double
        var bare: Double
        var large: Double
    }

    func run() async throws -> BenchmarkResult {
        let directory = try ServerDirectory.temporary()
        let small = try await makeHistory(directory, "small.db", Self.small)
        let large = try await makeHistory(directory, "large.db", Self.large)
        var rounds: [Round] = []
        for number in 1...Self.rounds {
            let round = try await measure(directory, small: small, large: large)
            say(
                "  round \(number): ours \(short(round.ours))/s, bare loop \(short(round.bare))/s, "
                    + "ours with 10⁶ executions \(short(round.large))/s")
            rounds.append(round)
        }
        try await directory.remove()
        return BenchmarkResult(
            value: median(rounds.map(\.ours)), unit: "events/s", against: "bare loop over sqlite3",
            ratio: median(rounds.map { $0.ours / $0.bare }),
            more: [
                ("flatness", median(rounds.map { $0.ours / $0.large })),
                ("bareLoop", median(rounds.map(\.bare))), ("large", median(rounds.map(\.large))),
            ])
    }

    /// A database with that many finished executions, their events, steps and delivered mails.
    private func makeHistory(
        _ directory: ServerDirectory, _ name: String, _ size: (executions: Int, contacts: Int)
    ) async throws -> String {
        let path = directory.path(name)
        let took = try await seconds {
            let engine = try await EngineUnderTest(database: path)
            try await engine.apply(Self.workflow)
            try await engine.track("order.placed", email: "first@example.org", data: Self.data)
            try await engine.emptyOutbox()
            try engine.store.close()
            _ = try await programs.run("copy-executions", [path, "\(size.executions)", "\(size.contacts)"])
        }
        say("  \(size.executions) executions written in \(short(took)) s")
        return path
    }

    private func measure(_ directory: ServerDirectory, small: String, large: String) async throws -> Round {
        let ours = directory.path("ours.db")
        let bare = directory.path("bare.db")
        for copy in [ours, bare] {
            for part in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: copy + part) }
            try FileManager.default.copyItem(atPath: small, toPath: copy)
        }
        let (rate, perTransaction) = try await track(ours, contacts: Self.small.contacts)
        let printed = try await programs.run("bare-loop", [bare, ours, "\(perTransaction)"])
        let figures = printed.split(separator: " ").compactMap {
            Double($0.trimmingCharacters(in: .whitespacesAndNewlines))
        }
        guard figures.count == 4, Int(figures[0]) == Self.events, Int(figures[1]) == 6 * Self.events else {
            throw BenchmarkFailure("bare-loop did not write what the engine wrote: \(printed)")
        }
        let (largeRate, _) = try await track(large, contacts: Self.large.contacts)
        return Round(ours: rate, bare: figures[0] / figures[3], large: largeRate)
    }

    /// - Returns: events a second, and how many shared a transaction.
    private func track(_ path: String, contacts: Int) async throws -> (rate: Double, perTransaction: Int) {
        let engine = try await EngineUnderTest(database: path)
        let commits = engine.store.commitCount
        let took = try await seconds {
            try await withThrowingTaskGroup { group in
                for caller in 0..<Self.callers {
                    group.addTask {
                        for number in stride(from: caller, to: Self.events, by: Self.callers) {
                            // A prime step spreads the contacts over their whole range.
                            let contact = number * 7919 % contacts
                            try await engine.track(
                                "order.placed", email: "contact-\(contact)@example.org", data: Self.data)
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
        let transactions = max(1, engine.store.commitCount - commits)
        try engine.store.close()
        return (Double(Self.events) / took, (Self.events + transactions / 2) / transactions)
    }

    private static let data: JSONObject = [
        "plan": "pro", "total": 129.5, "currency": "EUR", "item": "Weatherproof lamp", "firstName": "Ann",
    ]

    private static let workflow: JSON = [
        "workflow": "orders", "name": "Orders", "enabled": true, "allowReentry": true,
        "trigger": ["event": "order.placed"],
        "templates": [
            "thanks": [
                "type": "TRANSACTIONAL", "subject": "Thank you, {{ data.firstName }}",
                "text": "Your {{ data.item }} for {{ data.total }} {{ data.currency }} is on its way.",
            ]
        ],
        "steps": [
            "trigger": ["type": "TRIGGER", "next": "large"],
            "large": [
                "type": "CONDITION", "config": ["field": "data.total", "operator": "greaterThan", "value": 100],
                "next": ["yes": "thanks"],
            ],
            "thanks": ["type": "SEND_EMAIL", "config": ["template": "thanks"]],
        ],
    ]
}
