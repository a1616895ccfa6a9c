import Engine
import Foundation
import JSONValue
import SQLStore
import ServerTestKit
import WorkflowModel

/// How many fetches of open pixels a second are answered over 32 connections that stay open, each the first of a mail of its
/// own and all of them recorded in the end; against the same HTTP server that answers with the image and records nothing.
/// The load comes from wrk on the same machine, so both sides share it.
///
/// At half that load it is asked how long the slowest hundredth takes. nginx's `empty_gif` stands beside it.
struct PixelOverHTTP {
    let programs: Programs

    private static let rounds = 3
    private static let seconds = 4
    private static let connections = 32
    private static let mails = 600_000

    func run() async throws -> BenchmarkResult {
        let directory = try ServerDirectory.temporary()
        let database = directory.path("postrider.db")
        say("  making \(Self.mails) mails")
        let paths = directory.path("paths")
        try await makeMails(database, paths: paths)
        let daemon = try await DaemonUnderTest.start(programs, database: database, in: directory)
        let port = Int(try daemon.httpPort)
        let (constant, other) = try await ConstantServer.start(
            .image(Self.image), database: directory.path("constant.db"))
        var used = 0
        func fetch(seconds: Int = Self.seconds, port: Int, pause: Double = 0) async throws -> WebLoad {
            let arguments = [
                "-s", programs.path("pixel.lua"), "http://127.0.0.1:\(port)", "--", paths, "\(used)",
                "\(Int(pause.rounded()))",
            ]
            let load = try await WebLoad.measure(
                seconds: seconds, connections: Self.connections, arguments)
            if port != other { used += Int(load.rate * Double(seconds) * 1.05) + Self.connections }
            return load
        }
        _ = try await fetch(seconds: 1, port: port)
        _ = try await fetch(seconds: 1, port: other)
        var rounds: [(ours: WebLoad, constant: WebLoad)] = []
        for number in 1...Self.rounds {
            let ours = try await fetch(port: port)
            let theirs = try await fetch(port: other)
            say(
                "  round \(number): pixel \(short(ours.rate))/s (p99 \(short(ours.p99)) ms), "
                    + "constant \(short(theirs.rate))/s")
            rounds.append((ours, theirs))
        }
        let full = median(rounds.map(\.ours.rate))
        let cycle = Double(Self.connections) / (full / 2) * 1000
        let half = try await fetch(port: port, pause: max(1, cycle))
        say("  half load: \(short(half.rate))/s, p50 \(short(half.p50)) ms, p99 \(short(half.p99)) ms")
        let nginx = try await WebLoad.nginx(
            in: directory, path: "/o.gif", location: "empty_gif;", seconds: Self.seconds,
            connections: Self.connections, ["-s", programs.path("static.lua")])
        say("  nginx, empty_gif: \(short(nginx.rate))/s")
        try await constant.kill()
        let answered = rounds.map { $0.ours.rate * Double(Self.seconds) }.reduce(half.rate * Double(Self.seconds), +)
        var recorded = 0
        try await eventually("all that was answered is recorded", deadline: .seconds(120), every: .seconds(1)) {
            recorded = try await countOpens(database)
            return recorded >= Int(answered)
        }
        try await daemon.stop()
        try await directory.remove()
        return BenchmarkResult(
            value: full, unit: "requests/s", against: "the same HTTP server with the constant image",
            ratio: median(rounds.map { $0.ours.rate / $0.constant.rate }),
            more: [
                ("constant", median(rounds.map(\.constant.rate))), ("p99Milliseconds", median(rounds.map(\.ours.p99))),
                ("halfLoad", half.rate), ("halfLoadP50Milliseconds", half.p50),
                ("halfLoadP99Milliseconds", half.p99), ("nginx", nginx.rate), ("recorded", Double(recorded)),
            ])
    }

    /// As large as the daemon's.
    private static let image = [UInt8](repeating: 0x47, count: 43)
    /// Mails that one transaction writes.
    private static let batch = 2000

    /// Mails that were taken an hour ago, and the paths of their pixels as lines of a file.
    private func makeMails(_ database: String, paths: String) async throws {
        let engine = try await EngineUnderTest(database: database)
        let project = engine.project.id
        let identifiers = engine.context.identifiers
        let sentAt = engine.context.clock.now().adding(seconds: -3600)
        let contact = Contact(
            id: identifiers.make(at: sentAt), email: "contact@example.org", isSubscribed: true, data: [:],
            createdAt: sentAt, updatedAt: sentAt)
        try await engine.store.write { try $0.insert(contact, in: project) }
        _ = FileManager.default.createFile(atPath: paths, contents: nil)
        guard let file = FileHandle(forWritingAtPath: paths) else { throw BenchmarkFailure("cannot write \(paths)") }
        for start in stride(from: 0, to: Self.mails, by: Self.batch) {
            let ids = (start..<min(start + Self.batch, Self.mails)).map { _ in identifiers.make(at: sentAt) }
            try await engine.store.write { transaction in
                for id in ids {
                    try transaction.insert(
                        OutboxEntry(
                            id: id, projectID: project, contactID: contact.id, executionID: nil, dueAt: sentAt,
                            createdAt: sentAt, generation: 0,
                            request: MailRequest(
                                id: id, step: "send", templateVersionID: id, kind: .marketing,
                                recipient: contact.email, variables: [:]),
                            messageID: "\(id)@example.com"))
                    _ = try transaction.record(
                        AttemptRecord(status: .delivered, at: sentAt, reply: "250 2.0.0 Ok"), of: id)
                }
            }
            let lines = ids.map { "/o/\(engine.context.tokens.token(.open, for: $0)).gif\n" }.joined()
            try file.write(contentsOf: Data(lines.utf8))
        }
        try file.close()
        try engine.store.close()
    }

    /// Mails that were opened, by what the database says.
    private func countOpens(_ database: String) async throws -> Int {
        let query =
            "import sqlite3, sys; print(sqlite3.connect(sys.argv[1])"
            + ".execute('SELECT count(*) FROM outbox WHERE opened_at IS NOT NULL').fetchone()[0])"
        let result = try await Privilege.run(["python3", "-c", query, database])
        guard result.succeeded, let count = Int(result.output.trimmingCharacters(in: .whitespacesAndNewlines)) else {
            throw BenchmarkFailure("sqlite3: \(result.output)")
        }
        return count
    }
}
