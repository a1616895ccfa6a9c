import Foundation
import ServerTestKit

/// What wrk measured of a server on this machine.
struct WebLoad {
    /// Requests a second.
    var rate: Double
    /// Milliseconds.
    var p50: Double
    var p99: Double
    var mean: Double

    /// - Parameter arguments: the script, whose `done` prints the line that is read here, and the address.
    static func measure(seconds: Int, connections: Int, _ arguments: [String]) async throws -> WebLoad {
        let result = try await Privilege.run(
            ["wrk", "-t1", "-c\(connections)", "-d\(seconds)s"] + arguments, deadline: .seconds(60))
        let numbers = result.output.split(separator: "\n").first { $0.hasPrefix("result ") }
            .map { $0.split(separator: " ").dropFirst().compactMap { Double($0) } }
        guard result.succeeded, let numbers, numbers.count == 6, numbers[0] > 0 else {
            throw BenchmarkFailure("wrk: \(result.output)")
        }
        guard numbers[2] == 0 else { throw BenchmarkFailure("\(Int(numbers[2])) requests failed: \(result.output)") }
        return WebLoad(
            rate: numbers[0] / numbers[1] * 1e6, p50: numbers[3] / 1000, p99: numbers[4] / 1000,
            mean: numbers[5] / 1000)
    }

    /// nginx with two processes and one location.
    /// - Parameter arguments: for wrk, before the address.
    static func nginx(
        in directory: ServerDirectory, path: String, location: String, seconds: Int, connections: Int,
        _ arguments: [String]
    ) async throws -> WebLoad {
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
                server { listen 127.0.0.1:\(port); location / { \(location) } }
            }
            """)
        let server = try DaemonProcess("nginx", ["-c", configuration, "-e", "stderr"])
        let url = "http://127.0.0.1:\(port)\(path)"
        try await eventually("nginx answers", deadline: .seconds(10), every: .milliseconds(20)) {
            if let status = server.exitStatus { throw BenchmarkFailure("nginx has ended: \(status), \(server.lines)") }
            return try await Privilege.run(["curl", "-sf", "-o", "/dev/null", url]).succeeded
        }
        let load = try await measure(seconds: seconds, connections: connections, arguments + [url])
        try await server.kill()
        return load
    }
}
