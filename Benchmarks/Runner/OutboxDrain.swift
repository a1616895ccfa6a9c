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
    /// Before anything is measured.
    private static let firstMails = 1000

    private var mails: Int { receiver == .sink ? 40_000 : 8000 }

    func run() async throws -> BenchmarkResult {
        let directory = try ServerDirectory.temporary()
        let base = directory.path("base.db")
        try await OutboxFill.make(base, mails: mails)
        let empty = directory.path("empty.db")
        try await OutboxFill.make(empty, mails: 0)
        let path = directory.path("postrider.db")
        let sink = try await DiscardingSink.start()
        var rates: [Rates] = []
        for number in 1...Self.rounds {
            try Database.copy(base, to: path)
            let rate =
                receiver == .sink
                ? try await overSink(sink, path, directory) : try await overPostfix(path, empty, directory)
            rates.append(rate)
            let many = rate.many.map { ", \(short($0))/s to as many recipients" } ?? ""
            say("  round \(number): ours \(short(rate.ours)) mails/s, smtp-source \(short(rate.theirs))/s\(many)")
        }
        var more = [("smtpSource", median(rates.map(\.theirs)))]
        if receiver == .sink {
            let drip = try await drip(sink)
            more += [("drip", drip), ("dripRatio", median(rates.map(\.ours)) / drip)]
            say("  django-drip-campaigns: \(short(drip)) mails/s")
        }
        let toMany = rates.compactMap { rate in rate.many.map { rate.ours / $0 } }
        if !toMany.isEmpty { more.append(("ratioToManyRecipients", median(toMany))) }
        try await sink.stop()
        try await directory.remove()
        return BenchmarkResult(
            value: median(rates.map(\.ours)), unit: "mails/s", against: "Postfix's smtp-source",
            ratio: median(rates.map { $0.ours / $0.theirs }), more: more)
    }

    private func overSink(
        _ sink: DiscardingSink, _ database: String, _ directory: ServerDirectory
    ) async throws -> Rates {
        let theirs = try await source(port: sink.port, mails)
        let daemon = try await DaemonUnderTest.start(
            programs, database: database, in: directory, relayPort: sink.port, connections: Self.connections)
        let ours = try await OutboxWatch(daemon).drainRate(mails)
        try await daemon.stop()
        return Rates(ours: ours, theirs: theirs)
    }

    /// Mails a second.
    private struct Rates {
        var ours: Double
        var theirs: Double
        /// Theirs with a recipient of its own for each mail, as ours has: Postfix remembers the last one that it looked up.
        var many: Double?
    }

    private func overPostfix(
        _ database: String, _ empty: String, _ directory: ServerDirectory
    ) async throws -> Rates {
        let place = try ServerDirectory.temporary()
        var configuration = PostfixConfiguration()
        configuration.milters = ["unix:\(DaemonUnderTest.socket(in: directory))"]
        let postfix = try await PrivatePostfix.start(in: place, configuration)
        // Both sides find Postfix's programs running.
        let first = try await DaemonUnderTest.start(
            programs, database: empty, in: directory, relayPort: postfix.port, connections: Self.connections)
        _ = try await source(port: postfix.port, Self.firstMails)
        try await emptied(postfix)
        try await first.stop()
        let daemon = try await DaemonUnderTest.start(
            programs, database: database, in: directory, relayPort: postfix.port, connections: Self.connections)
        let ours = try await OutboxWatch(daemon).drainRate(mails)
        try await emptied(postfix)
        let theirs = try await source(port: postfix.port, mails)
        try await emptied(postfix)
        let many = try await source(port: postfix.port, mails, ["-N"])
        try await daemon.stop()
        try await postfix.stop()
        try await place.remove()
        return Rates(ours: ours, theirs: theirs, many: many)
    }

    private func emptied(_ postfix: PrivatePostfix) async throws {
        try await eventually("Postfix's queue is empty", deadline: .seconds(120), every: .milliseconds(200)) {
            try await postfix.queueIDs().isEmpty
        }
    }

    private func source(port: UInt16, _ mails: Int, _ options: [String] = []) async throws -> Double {
        let took = try await seconds {
            let result = try await Privilege.run(
                [
                    "smtp-source", "-d", "-s", "\(Self.connections)", "-m", "\(mails)", "-l", "2048", "-f",
                    "news@example.com", "-t", "contact@example.org",
                ] + options + ["127.0.0.1:\(port)"], deadline: .seconds(300))
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
        let start = ContinuousClock.now
        var first: Int?
        while true {
            let health = try await health()
            let delivered = Self.delivered(health)
            let before = first ?? delivered
            first = before
            let took = (ContinuousClock.now - start).inSeconds
            let outbox = health["outbox"]
            if delivered >= mails, outbox?["pending"]?.intValue == 0, outbox?["claimed"]?.intValue == 0 {
                return Double(mails - before) / took
            }
            if took > 600 { throw BenchmarkFailure("the outbox is not empty after 600 s") }
            // Asking costs the daemon something, which counts every mail that waits: often enough at the end alone.
            let rest = took * Double(mails - delivered) / Double(max(1, delivered - before))
            try await Task.sleep(for: .seconds(min(max(rest, 0.005), delivered == before ? 0.25 : 1)))
        }
    }
}
