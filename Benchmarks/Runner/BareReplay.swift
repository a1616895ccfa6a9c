import Foundation
import ServerTestKit

/// The other side of a benchmark that changes rows: the engine works once on a database with triggers that write down
/// every changed row, and a bare loop then does the same changes to a copy.
struct BareReplay {
    let programs: Programs
    private let base: String
    private let recorded: String
    private let target: String
    /// Rows that the engine changed.
    let changes: Int

    /// - Parameters:
    ///   - base: the database before the work; it is copied.
    ///   - work: the engine's work on the database at that path.
    init(
        _ programs: Programs, base: String, in directory: ServerDirectory, work: (String) async throws -> Void
    ) async throws {
        self.programs = programs
        self.base = base
        recorded = directory.path("recorded.db")
        target = directory.path("bare.db")
        try Database.copy(base, to: recorded)
        _ = try await programs.run("replay-changes", ["record", recorded])
        try await work(recorded)
        try Database.copy(base, to: target)
        changes = Int(try await Self.play(programs, target, recorded, perTransaction: 1000).changes)
    }

    /// Seconds for all the changes, in transactions of the size that the engine's had.
    func seconds(transactions: Int) async throws -> Double {
        try Database.copy(base, to: target)
        let size = max(1, changes / max(1, transactions))
        return try await Self.play(programs, target, recorded, perTransaction: size).seconds
    }

    private static func play(
        _ programs: Programs, _ target: String, _ recorded: String, perTransaction size: Int
    ) async throws -> (changes: Double, seconds: Double) {
        let printed = try await programs.run("replay-changes", ["play", target, recorded, "\(size)"])
        let figures = printed.split(separator: " ").compactMap {
            Double($0.trimmingCharacters(in: .whitespacesAndNewlines))
        }
        guard figures.count == 3, figures[0] > 0 else { throw BenchmarkFailure("replay-changes printed \(printed)") }
        return (figures[0], figures[2])
    }
}

/// Database files of a benchmark.
enum Database {
    /// Copies a database that nobody has open over another one.
    static func copy(_ source: String, to target: String) throws {
        for part in ["", "-wal", "-shm", "-opens", ".lock"] {
            try? FileManager.default.removeItem(atPath: target + part)
        }
        try FileManager.default.copyItem(atPath: source, toPath: target)
    }
}
