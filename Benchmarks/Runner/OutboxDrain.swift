import Foundation
import JSONValue
import ServerTestKit

/// How fast the daemon empties its outbox: rendered mails of 2 KB handed over by 20 connections, every outcome durable.
///
/// Into Postfix's smtp-sink, against Postfix's own smtp-source with as many connections, which sends one and the same
/// message and records nothing, and against django-drip-campaigns. Or into a Postfix with the daemon's milter, against
/// smtp-source into the same.
struct OutboxDrain {
    enum Receiver { case sink, postfix }

    let programs: Programs
    let receiver: Receiver

    private static let rounds = 3
    private static let connections = 20
    private static let dripMails = 400

    private var mails: Int { receiver == .sink ? 40_000 : 8000 }

    func run() async throws -> BenchmarkResult {
        let directory = try ServerDirectory.temporary()
        let base = directory.path("base.db")
        try await OutboxFill.make(base, mails: mails)
        let path = directory.path("postrider.db")
        let sink = try await DiscardingSink.start()
        var rates: [(ours: Double, theirs: Double)] = []
        for number in 1...Self.rounds {
            try Database.copy(base, to: path)
            let rate =
                receiver == .sink ? try await overSink(sink, path, directory) : try await overPostfix(path, directory)
            rates.append(rate)
            say("  round \(number): ours \(short(rate.ours)) mails/s, smtp-source \(short(rate.theirs))/s")
        }
        var more = [("smtpSource", median(rates.map(\.theirs)))]
        if receiver == .sink {
            let drip = try await drip(sink)
            more += [("drip", drip), ("dripRatio", median(rates.map(\.ours)) / drip)]
            say("  django-drip-campaigns: \(short(drip)) mails/s")
        }
        try await sink.stop()
        try await directory.remove()
        return BenchmarkResult(
            value: median(rates.map(\.ours)), unit: "mails/s", against: "Postfix's smtp-source",
            ratio: median(rates.map { $0.ours / $0.theirs }), more: more)
    }

    private func overSink(
        _ sink: DiscardingSink, _ database: String, _ directory: ServerDirectory
    ) async throws -> (ours: Double, theirs: Double) {
        let theirs = try await source(port: sink.port)
        let daemon = try await DaemonUnderTest.start(
            programs, database: database, in: directory, relayPort: sink.port, connections: Self.connections)
        let ours = try await OutboxWatch(daemon).drainRate(mails)
        try await daemon.stop()
        return (ours, theirs)
    }

    private func overPostfix(
        _ database: String, _ directory: ServerDirectory
    ) async throws -> (ours: Double, theirs: Double) {
        let place = try ServerDirectory.temporary()
        var configuration = PostfixConfiguration()
        configuration.milters = ["unix:\(DaemonUnderTest.socket(in: directory))"]
        let postfix = try await PrivatePostfix.start(in: place, configuration)
        let daemon = try await DaemonUnderTest.start(
            programs, database: database, in: directory, relayPort: postfix.port, connections: Self.connections)
        let ours = try await OutboxWatch(daemon).drainRate(mails)
        try await eventually("Postfix's queue is empty", deadline: .seconds(120), every: .milliseconds(200)) {
            try await postfix.queueIDs().isEmpty
        }
        let theirs = try await source(port: postfix.port)
        try await daemon.stop()
        try await postfix.stop()
        try await place.remove()
        return (ours, theirs)
    }

    private func source(port: UInt16) async throws -> Double {
        let took = try await seconds {
            let result = try await Privilege.run(
                [
                    "smtp-source", "-d", "-s", "\(Self.connections)", "-m", "\(mails)", "-l", "2048", "-f",
                    "news@example.com", "-t", "contact@example.org", "127.0.0.1:\(port)",
                ], deadline: .seconds(300))
            guard result.succeeded else { throw BenchmarkFailure("smtp-source: \(result.output)") }
        }
        return Double(mails) / took
    }

    private func drip(_ sink: DiscardingSink) async throws -> Double {
        let directory = try ServerDirectory.temporary()
        let printed = try await programs.run(
            "python/bin/python",
            [programs.path("send-drip.py"), directory.path, "\(sink.port)", "\(Self.dripMails)"])
        try await directory.remove()
        let figures = printed.split(separator: " ").compactMap {
            Double($0.trimmingCharacters(in: .whitespacesAndNewlines))
        }
        guard figures.count == 2, Int(figures[0]) == Self.dripMails, figures[1] > 0 else {
            throw BenchmarkFailure("send-drip.py printed \(printed)")
        }
        return figures[0] / figures[1]
    }
}

/// One campaign of a million mails into a sink: what memory it needs, and whether it goes as fast at the end as at the
/// beginning.
struct Campaign {
    let programs: Programs

    private static let mails = 1_000_000
    /// MB: what a peer reports for seven millions.
    private static let limit = 57.0

    func run() async throws -> BenchmarkResult {
        let directory = try ServerDirectory.temporary()
        let path = directory.path("postrider.db")
        say("  filling the outbox")
        try await OutboxFill.make(path, mails: Self.mails)
        let sink = try await DiscardingSink.start()
        let daemon = try await DaemonUnderTest.start(
            programs, database: path, in: directory, relayPort: sink.port, connections: 20)
        let watch = try OutboxWatch(daemon)
        let start = ContinuousClock.now
        var marks: [Int: Double] = [:]
        var memory = 0.0
        while true {
            let delivered = try await watch.delivered()
            let now = (ContinuousClock.now - start).inSeconds
            for mark in stride(from: 0, through: Self.mails, by: 100_000) where mark <= delivered && marks[mark] == nil
            {
                marks[mark] = now
                if mark > 0 { say("  \(mark) after \(short(now)) s, \(short(memory)) MB") }
            }
            memory = max(memory, try daemon.memory)
            if delivered >= Self.mails { break }
            try await Task.sleep(for: .milliseconds(250))
        }
        try await daemon.stop()
        try await sink.stop()
        try await directory.remove()
        guard let first = marks[100_000], let before = marks[900_000], let end = marks[1_000_000] else {
            throw BenchmarkFailure("the marks are missing")
        }
        return BenchmarkResult(
            value: memory, unit: "MB", against: "57 MB", ratio: memory / Self.limit,
            more: [
                ("flatness", (end - before) / first), ("mailsPerSecond", Double(Self.mails) / end),
                ("firstMailsPerSecond", 100_000 / first), ("lastMailsPerSecond", 100_000 / (end - before)),
            ])
    }
}

/// Postfix's smtp-sink, which keeps nothing.
struct DiscardingSink {
    let port: UInt16
    private let process: DaemonProcess

    static func start() async throws -> DiscardingSink {
        let port = try freePort()
        let user = Privilege.isRoot ? ["-u", "nobody"] : []
        let process = try DaemonProcess("smtp-sink", ["-4"] + user + ["127.0.0.1:\(port)", "1000"])
        try await eventually("the sink listens", deadline: .seconds(10), every: .milliseconds(50)) {
            guard let client = try? await SMTPClient(port: port) else { return false }
            client.hangUp()
            return true
        }
        return DiscardingSink(port: port, process: process)
    }

    func stop() async throws { try await process.kill() }
}

/// What the daemon says of its relay and its outbox.
struct OutboxWatch {
    private let client: HTTPClient

    init(_ daemon: DaemonUnderTest) throws { client = HTTPClient(port: try daemon.httpPort) }

    /// Mails that its relay has taken.
    func delivered() async throws -> Int { Self.delivered(try await health()) }

    private func health() async throws -> JSON { try JSONParser.parse(try await client.get("/healthz").body) }

    private static func delivered(_ health: JSON) -> Int { Int(health["relay.smtp"]?["delivered"]?.intValue ?? 0) }

    /// Mails a second, from when it is ready until every outcome is recorded.
    func drainRate(_ mails: Int) async throws -> Double {
        let took = try await seconds {
            try await eventually("the outbox is empty", deadline: .seconds(600), every: .milliseconds(250)) {
                let health = try await health()
                guard Self.delivered(health) >= mails else { return false }
                let outbox = health["outbox"]
                return outbox?["pending"]?.intValue == 0 && outbox?["claimed"]?.intValue == 0
            }
        }
        return Double(mails) / took
    }
}
