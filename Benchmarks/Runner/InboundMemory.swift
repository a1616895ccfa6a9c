import Foundation
import ServerTestKit

/// What large mail does to the daemon's memory: twenty sessions send 25 MB each at the same time, once with bodies cut
/// at a limit far below that, once with all of them kept; and what is left of it afterwards.
struct InboundMemory {
    let programs: Programs

    private static let sessions = 20
    private static let bytes = 25_000_000

    private struct Growth {
        /// MB above the memory before, at the most.
        var most: Double
        /// MB above it some seconds later.
        var afterwards: Double
    }

    func run() async throws -> BenchmarkResult {
        let skipped = try await growth(bodyLimit: "1MiB")
        say("  cut at 1 MiB: \(short(skipped.most)) MB at the most, \(short(skipped.afterwards)) MB left")
        let kept = try await growth(bodyLimit: "32MiB")
        say("  kept: \(short(kept.most)) MB at the most, \(short(kept.afterwards)) MB left")
        let inFlight = Double(Self.sessions * Self.bytes) / 1e6
        return BenchmarkResult(
            value: kept.most, unit: "MB", against: "bytes in flight (\(Int(inFlight)) MB)",
            ratio: kept.most / inFlight,
            more: [
                ("keptLeftMB", kept.afterwards), ("skippedMB", skipped.most), ("skippedLeftMB", skipped.afterwards),
            ])
    }

    private func growth(bodyLimit: String) async throws -> Growth {
        let directory = try ServerDirectory.temporary()
        let daemon = try await DaemonUnderTest.start(
            programs, database: directory.path("postrider.db"), in: directory,
            milterLines: "  body_limit: \(bodyLimit)\n  commit_deadline: 60s")
        var configuration = PostfixConfiguration()
        configuration.milters = ["unix:\(DaemonUnderTest.socket(in: directory))"]
        let postfix = try await PrivatePostfix.start(in: directory, configuration)
        // The first mail makes what stays: caches, statements, threads.
        for mails in [1, 20] { try await send(mails, bytes: 2000, postfix) }
        let before = try await daemon.idleMemory()
        try daemon.resetPeak()
        try await send(Self.sessions, bytes: Self.bytes, postfix)
        let most = try daemon.peakMemory
        try await Task.sleep(for: .seconds(3))
        let after = try daemon.memory
        let recorded = daemon.log.split(separator: "\n").count { $0.contains("mail received") }
        guard recorded == Self.sessions + 21 else { throw BenchmarkFailure("\(recorded) mails were recorded") }
        try await postfix.stop()
        try await daemon.stop()
        try await directory.remove()
        return Growth(most: most - before, afterwards: after - before)
    }

    private func send(_ mails: Int, bytes: Int, _ postfix: PrivatePostfix) async throws {
        let result = try await Privilege.run(
            [
                "smtp-source", "-s", "\(mails)", "-m", "\(mails)", "-l", "\(bytes)", "-f", "ann@sender.example", "-t",
                DaemonUnderTest.inbox, "127.0.0.1:\(postfix.port)",
            ], deadline: .seconds(180))
        guard result.succeeded else { throw BenchmarkFailure("smtp-source: \(result.output)") }
        try await eventually("Postfix's queue is empty", deadline: .seconds(60), every: .milliseconds(200)) {
            try await postfix.queueIDs().isEmpty
        }
    }
}
