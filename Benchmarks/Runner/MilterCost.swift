import Foundation
import ServerTestKit

/// What the milter costs Postfix: mails a second through a Postfix whose milter is the daemon, which records every mail
/// durably as an event, against the same Postfix with a milter in C that does nothing.
///
/// One Postfix with two listeners, one for each milter; every accepted mail is discarded. The listeners take turns, and
/// each turn begins when the queue is empty. As on the Internet, every mail comes over a connection of its own.
struct MilterCost {
    let programs: Programs

    private static let rounds = 5
    private static let bodyBytes = 2048

    /// One way of sending: sessions at the same time, and mails in a turn.
    private struct Load {
        var sessions: Int
        var mails: Int
    }

    private static let single = Load(sessions: 1, mails: 1000)
    private static let many = Load(sessions: 20, mails: 3000)

    func run() async throws -> BenchmarkResult {
        let directory = try ServerDirectory.temporary()
        let nullSocket = directory.path("null.sock")
        let null = try DaemonProcess(programs.path("null-milter"), ["unix:\(nullSocket)"])
        let daemon = try await DaemonUnderTest.start(
            programs, database: directory.path("postrider.db"), in: directory)
        let nullPort = try freePort()
        var configuration = PostfixConfiguration()
        configuration.milters = ["unix:\(DaemonUnderTest.socket(in: directory))"]
        configuration.services = [
            "127.0.0.1:\(nullPort) inet n - n - - smtpd\n  -o smtpd_milters=unix:\(nullSocket)"
        ]
        let postfix = try await PrivatePostfix.start(in: directory, configuration)
        let comparison = Comparison(postfix: postfix, ours: postfix.port, null: nullPort)
        // Everybody's first time: processes start, caches fill.
        _ = try await comparison.rates(Load(sessions: 20, mails: 500))
        let recordedBefore = daemon.recordedMails
        let singles = try await measure(comparison, Self.single)
        let manys = try await measure(comparison, Self.many)
        let sent = Self.rounds * (Self.single.mails + Self.many.mails)
        let recorded = daemon.recordedMails - recordedBefore
        guard recorded == sent else { throw BenchmarkFailure("\(sent) mails sent, \(recorded) recorded") }
        try await postfix.stop()
        try await daemon.stop()
        try await null.kill()
        try await directory.remove()
        return BenchmarkResult(
            value: median(manys.map(\.ours)), unit: "mails/s", against: "Postfix with a null milter in C",
            ratio: median(manys.map { $0.ours / $0.null }),
            more: [
                ("ratio1", median(singles.map { $0.ours / $0.null })), ("value1", median(singles.map(\.ours))),
                ("nullMilter", median(manys.map(\.null))), ("nullMilter1", median(singles.map(\.null))),
            ])
    }

    private func measure(_ comparison: Comparison, _ load: Load) async throws -> [Comparison.Rates] {
        var rounds: [Comparison.Rates] = []
        for number in 1...Self.rounds {
            let rates = try await comparison.rates(load, startingWithOurs: number % 2 == 1)
            say(
                "  \(load.sessions) sessions, round \(number): ours \(short(rates.ours))/s, "
                    + "null milter \(short(rates.null))/s")
            rounds.append(rates)
        }
        return rounds
    }

    private struct Comparison {
        struct Rates {
            var ours: Double
            var null: Double
        }

        let postfix: PrivatePostfix
        let ours: UInt16
        let null: UInt16

        func rates(_ load: Load, startingWithOurs: Bool = true) async throws -> Rates {
            if startingWithOurs {
                let ours = try await rate(load, port: ours)
                return Rates(ours: ours, null: try await rate(load, port: null))
            }
            let null = try await rate(load, port: null)
            return Rates(ours: try await rate(load, port: ours), null: null)
        }

        /// Mails a second, measured by the sender.
        private func rate(_ load: Load, port: UInt16) async throws -> Double {
            try await eventually("Postfix's queue is empty", deadline: .seconds(60), every: .milliseconds(200)) {
                try await postfix.queueIDs().isEmpty
            }
            let took = try await seconds {
                let result = try await Privilege.run(
                    [
                        "smtp-source", "-s", "\(load.sessions)", "-m", "\(load.mails)", "-l", "\(MilterCost.bodyBytes)",
                        "-f", "ann@sender.example", "-t", DaemonUnderTest.inbox, "127.0.0.1:\(port)",
                    ], deadline: .seconds(120))
                guard result.succeeded else { throw BenchmarkFailure("smtp-source: \(result.output)") }
            }
            return Double(load.mails) / took
        }
    }
}

extension DaemonUnderTest {
    /// Mails it has said to have recorded.
    fileprivate var recordedMails: Int { log.split(separator: "\n").count { $0.contains("mail received") } }
}
