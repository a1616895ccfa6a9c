import Foundation
import Glibc

/// A real opendkim of our own that signs the mail of one domain, with a key of its own.
package final class PrivateOpendkim: Sendable {
    /// On 127.0.0.1.
    package let port: UInt16
    /// For `smtpd_milters` (``PostfixConfiguration/milters``).
    package var milter: String { "inet:127.0.0.1:\(port)" }
    /// What the DNS must say for its signatures, as opendkim-genkey(8) wrote it.
    package let record: String
    private let process: SpawnedProcess

    private init(port: UInt16, record: String, process: SpawnedProcess) {
        self.port = port
        self.record = record
        self.process = process
    }

    deinit { process.signalGroup(SIGKILL) }

    /// Starts it in `directory`, which must outlive it.
    ///
    /// - Parameter lines: further lines for opendkim.conf, after those of Debian's file that matter.
    /// - Throws: ``FixtureError`` `unavailable` without opendkim, `notStarted` with what it said.
    package static func start(
        in directory: ServerDirectory, name: String = "opendkim", domain: String, selector: String = "post",
        bits: Int = 2048, _ lines: [String] = []
    ) async throws -> PrivateOpendkim {
        for program in ["/usr/sbin/opendkim", "/usr/sbin/opendkim-genkey"]
        where !FileManager.default.isExecutableFile(atPath: program) {
            throw FixtureError(.unavailable, "\(program) is missing: apt-get install opendkim opendkim-tools")
        }
        let home = try await directory.directory(name)
        let made = try await Privilege.run([
            "/usr/sbin/opendkim-genkey", "-b", "\(bits)", "-h", "sha256", "-d", domain, "-s", selector, "-D", home,
        ])
        guard made.succeeded else { throw FixtureError(.notStarted, "opendkim-genkey: \(made.output)") }
        let zone = try String(contentsOfFile: "\(home)/\(selector).txt", encoding: .utf8)
        // Every second piece between quotes is text.
        let texts = zone.split(separator: "\"", omittingEmptySubsequences: false).enumerated()
            .filter { $0.offset % 2 == 1 }.map { "\"\($0.element)\"" }
        let record = "\(selector)._domainkey.\(domain). IN TXT \(texts.joined(separator: " "))"
        let log = directory.path("\(name).log")
        for _ in 0..<5 {
            let port = try freePort()
            try directory.write(
                "\(name)/opendkim.conf",
                """
                Syslog no
                Background no
                Mode s
                Canonicalization relaxed/simple
                OversignHeaders From
                Domain \(domain)
                Selector \(selector)
                KeyFile \(home)/\(selector).private
                RequireSafeKeys no
                InternalHosts 127.0.0.1
                Socket inet:\(port)@127.0.0.1
                \(lines.joined(separator: "\n"))

                """)
            let process = try SpawnedProcess(
                ["/usr/sbin/opendkim", "-f", "-x", "\(home)/opendkim.conf"], output: .file(log), errors: .file(log))
            if try await ServerProbe.listens(process, port: port) {
                return PrivateOpendkim(port: port, record: record, process: process)
            }
        }
        throw FixtureError(.notStarted, "opendkim: \((try? String(contentsOfFile: log, encoding: .utf8)) ?? "")")
    }

    /// Ends it.
    package func stop() async throws {
        process.signalGroup(SIGKILL)
        try await process.waitForExit()
    }
}
