import Foundation
import Glibc

/// A real name server of our own, unbound: it knows the records it is given, says of every other name that there is none, and
/// asks nobody.
package final class PrivateResolver: Sendable, CustomStringConvertible {
    /// On 127.0.0.1.
    package let port: UInt16
    package var address: String { "127.0.0.1:\(port)" }
    package var description: String { "unbound on \(address)" }
    private let process: SpawnedProcess

    private init(port: UInt16, process: SpawnedProcess) {
        self.port = port
        self.process = process
    }

    deinit { process.signalGroup(SIGKILL) }

    /// Starts it in `directory`, which must outlive it.
    ///
    /// - Parameters:
    ///   - records: lines of a zone file: `example.com. IN MX 10 mail.example.com.`
    ///   - refusing: names about which it refuses to speak, with all names in them.
    /// - Throws: ``FixtureError`` `unavailable` without unbound, `notStarted` with what it said.
    package static func start(
        in directory: ServerDirectory, name: String = "unbound", records: [String], refusing: [String] = []
    ) async throws -> PrivateResolver {
        let program = "/usr/sbin/unbound"
        guard FileManager.default.isExecutableFile(atPath: program) else {
            throw FixtureError(.unavailable, "\(program) is missing: apt-get install unbound")
        }
        let home = try await directory.directory(name)
        let log = directory.path("\(name).log")
        for _ in 0..<5 {
            let port = try freePort()
            let zones =
                ["local-zone: \".\" static"] + refusing.map { "local-zone: \"\($0)\" always_refuse" }
                + records.map { "local-data: '\($0)'" }
            try directory.write(
                "\(name)/unbound.conf",
                """
                server:
                  username: ""
                  chroot: ""
                  directory: "\(home)"
                  pidfile: ""
                  use-syslog: no
                  logfile: ""
                  do-daemonize: no
                  num-threads: 1
                  module-config: "iterator"
                  interface: 127.0.0.1@\(port)
                  access-control: 127.0.0.0/8 allow
                \(zones.map { "  \($0)\n" }.joined())
                remote-control:
                  control-enable: no

                """)
            let process = try SpawnedProcess(
                [program, "-d", "-p", "-c", "\(home)/unbound.conf"], output: .file(log), errors: .file(log))
            if try await ServerProbe.listens(process, port: port) {
                return PrivateResolver(port: port, process: process)
            }
        }
        throw FixtureError(.notStarted, "unbound: \((try? String(contentsOfFile: log, encoding: .utf8)) ?? "")")
    }

    /// Ends it.
    package func stop() async throws {
        process.signalGroup(SIGKILL)
        try await process.waitForExit()
    }
}
