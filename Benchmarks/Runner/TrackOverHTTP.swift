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

    private static let rounds = 3
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
        let constant = try DaemonProcess(
            CommandLine.arguments[0],
            ConstantServer.arguments(body: Self.answer, database: directory.path("constant.db")))
        let line = try await constant.waitForLine(containing: "listening")
        guard let other = line.text.split(separator: " ").last.flatMap({ Int($0) }) else {
            throw BenchmarkFailure("the constant server did not tell its port: \(line.text)")
        }
        // The contacts are made, caches fill.
        _ = try await load(port: port, key: key, seconds: 3)
        _ = try await load(port: other, key: key, seconds: 1)
        var rounds: [(ours: Load, constant: Load)] = []
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
        let nginx = try await nginx(directory)
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
    private func halfLoad(port: Int, key: String, full: Double) async throws -> Load {
        let cycle = Double(Self.connections) / (full / 2) * 1000
        let trial = try await load(port: port, key: key, seconds: 3, pause: max(1, cycle / 2))
        return try await load(port: port, key: key, pause: max(1, cycle - trial.mean))
    }

    // MARK: Load

    private struct Load {
        /// Requests a second.
        var rate: Double
        /// Milliseconds.
        var p50: Double
        var p99: Double
        var mean: Double
    }

    /// - Parameter pause: between an answer and the next request of its connection, in milliseconds, on the average.
    private func load(port: Int, key: String, seconds: Int = seconds, pause: Double = 0) async throws -> Load {
        let script = [
            "-s", programs.path("track.lua"), "http://127.0.0.1:\(port)/v1/track", "--", key, "0",
            "\(Int(pause.rounded()))",
        ]
        return try await wrk(seconds, script)
    }

    private func wrk(_ seconds: Int, _ arguments: [String]) async throws -> Load {
        let result = try await Privilege.run(
            ["wrk", "-t1", "-c\(Self.connections)", "-d\(seconds)s"] + arguments, deadline: .seconds(60))
        let numbers = result.output.split(separator: "\n").first { $0.hasPrefix("result ") }
            .map { $0.split(separator: " ").dropFirst().compactMap { Double($0) } }
        guard result.succeeded, let numbers, numbers.count == 6, numbers[0] > 0 else {
            throw BenchmarkFailure("wrk: \(result.output)")
        }
        guard numbers[2] == 0 else { throw BenchmarkFailure("\(Int(numbers[2])) requests failed: \(result.output)") }
        return Load(
            rate: numbers[0] / numbers[1] * 1e6, p50: numbers[3] / 1000, p99: numbers[4] / 1000,
            mean: numbers[5] / 1000)
    }

    private func nginx(_ directory: ServerDirectory) async throws -> Load {
        _ = try directory.write("answer.json", Self.answer)
        let port = try freePort()
        let configuration = try directory.write(
            "nginx.conf",
            """
            daemon off;
            worker_processes 2;
            pid \(directory.path("nginx.pid"));
            error_log stderr crit;
            events { worker_connections 128; }
            http {
                access_log off;
                keepalive_requests 1000000000;
                client_body_temp_path \(directory.path("body"));
                proxy_temp_path \(directory.path("proxy"));
                fastcgi_temp_path \(directory.path("fastcgi"));
                uwsgi_temp_path \(directory.path("uwsgi"));
                scgi_temp_path \(directory.path("scgi"));
                server { listen 127.0.0.1:\(port); root \(directory.path("")); }
            }
            """)
        let server = try DaemonProcess("nginx", ["-c", configuration, "-e", "stderr"])
        let url = "http://127.0.0.1:\(port)/answer.json"
        try await eventually("nginx answers", deadline: .seconds(10), every: .milliseconds(20)) {
            if let status = server.exitStatus { throw BenchmarkFailure("nginx has ended: \(status), \(server.lines)") }
            return try await Privilege.run(["curl", "-sf", "-o", "/dev/null", url]).succeeded
        }
        let load = try await wrk(Self.seconds, ["-s", programs.path("static.lua"), url])
        try await server.kill()
        return load
    }
}
