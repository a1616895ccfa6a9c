import Engine
import Foundation
import SQLStore
import ServerTestKit

/// How many requests a second `/v1/track` answers over 32 connections that stay open, each durable before its answer;
/// against the same HTTP server with an answer of the same size that never changes. The load comes from wrk on the same
/// machine, so both sides share it.
///
/// At half that load it is asked how long the slowest hundredth takes. nginx with a static file of the size of the answer
/// stands beside it.
struct TrackOverHTTP {
    let programs: Programs

    private static let rounds = 5
    private static let seconds = 6
    private static let connections = 32
    /// What the daemon answers has this size.
    private static let answer =
        #"{"success":true,"data":{"contact":"019aaf4b-5c00-7a52-9d7d-5a2b8a4c1e01","#
        + #""event":"019aaf4b-5c00-7b10-8a34-0f3f6f0c2d02","timestamp":"2026-11-23T06:00:00.000Z"}}"#

    func run() async throws -> BenchmarkResult {
        let directory = try ServerDirectory.temporary()
        let database = directory.path("postrider.db")
        let key = try await makeKey(database)
        let daemon = try await DaemonUnderTest.start(programs, database: database, in: directory)
        let port = Int(try daemon.httpPort)
        let (constant, other) = try await ConstantServer.start(
            .text(Self.answer), database: directory.path("constant.db"))
        // The contacts are made, caches fill.
        _ = try await load(port: port, key: key, seconds: 3)
        _ = try await load(port: other, key: key, seconds: 1)
        var rounds: [(ours: WebLoad, constant: WebLoad)] = []
        for number in 1...Self.rounds {
            let ours = try await load(port: port, key: key)
            let theirs = try await load(port: other, key: key)
            say(
                "  round \(number): track \(short(ours.rate))/s (p99 \(short(ours.p99)) ms), "
                    + "constant \(short(theirs.rate))/s")
            rounds.append((ours, theirs))
        }
        let full = median(rounds.map(\.ours.rate))
        let half = try await halfLoad(port: port, key: key, full: full)
        say("  half load: \(short(half.rate))/s, p50 \(short(half.p50)) ms, p99 \(short(half.p99)) ms")
        try await daemon.stop()
        try await constant.kill()
        _ = try directory.write("answer.json", Self.answer)
        let nginx = try await WebLoad.nginx(
            in: directory, path: "/answer.json", location: "root \(directory.path(""));", seconds: Self.seconds,
            connections: Self.connections, ["-s", programs.path("static.lua")])
        say("  nginx, static file: \(short(nginx.rate))/s")
        try await directory.remove()
        return BenchmarkResult(
            value: full, unit: "requests/s", against: "the same HTTP server with a constant answer",
            ratio: median(rounds.map { $0.ours.rate / $0.constant.rate }),
            more: [
                ("constant", median(rounds.map(\.constant.rate))), ("p99Milliseconds", median(rounds.map(\.ours.p99))),
                ("halfLoad", half.rate), ("halfLoadP50Milliseconds", half.p50),
                ("halfLoadP99Milliseconds", half.p99), ("nginx", nginx.rate),
            ])
    }

    private func makeKey(_ database: String) async throws -> String {
        let engine = try await EngineUnderTest(database: database)
        let key = try await Authentication(context: engine.context).create(.public, project: Project.defaultSlug)
        try engine.store.close()
        return key
    }

    /// The load is halved by pauses of the connections. How long they must be depends on how long answers take then, so
    /// it is tried first.
    private func halfLoad(port: Int, key: String, full: Double) async throws -> WebLoad {
        let cycle = Double(Self.connections) / (full / 2) * 1000
        let trial = try await load(port: port, key: key, seconds: 3, pause: max(1, cycle / 2))
        return try await load(port: port, key: key, pause: max(1, cycle - trial.mean))
    }

    // MARK: Load

    /// - Parameter pause: between an answer and the next request of its connection, in milliseconds, on the average.
    private func load(port: Int, key: String, seconds: Int = seconds, pause: Double = 0) async throws -> WebLoad {
        let script = [
            "-s", programs.path("track.lua"), "http://127.0.0.1:\(port)/v1/track", "--", key, "0",
            "\(Int(pause.rounded()))",
        ]
        return try await WebLoad.measure(seconds: seconds, connections: Self.connections, script)
    }
}
