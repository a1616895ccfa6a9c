import Foundation
import Glibc

/// A real spamd of our own, with one rule: a mail with the header field `X-Kit-Spam: yes` has 10 points, and 5 are spam.
package final class PrivateSpamd: Sendable {
    /// The field that makes a mail spam.
    package static let spamField = "X-Kit-Spam: yes"

    /// On 127.0.0.1.
    package let port: UInt16
    package var address: String { "127.0.0.1:\(port)" }
    private let process: SpawnedProcess

    private init(port: UInt16, process: SpawnedProcess) {
        self.port = port
        self.process = process
    }

    deinit { process.signalGroup(SIGKILL) }

    /// Whether it can be started here.
    package static var isInstalled: Bool { FileManager.default.isExecutableFile(atPath: "/usr/sbin/spamd") }

    /// Starts it in `directory`, which must outlive it.
    ///
    /// - Throws: ``FixtureError`` `unavailable` without spamd, `notStarted` with what it said.
    package static func start(
        in directory: ServerDirectory, name: String = "spamd", port fixed: UInt16? = nil
    ) async throws -> PrivateSpamd {
        guard isInstalled else {
            throw FixtureError(.unavailable, "/usr/sbin/spamd is missing: apt-get install spamd")
        }
        let home = try await directory.directory(name)
        for folder in ["rules", "site"] {
            try await directory.directory("\(name)/\(folder)")
            try directory.write("\(name)/\(folder)/kit.pre", "loadplugin Mail::SpamAssassin::Plugin::Check\n")
        }
        try directory.write(
            "\(name)/rules/kit.cf",
            """
            required_score 5.0
            util_rb_tld example com org net test
            header KIT_SPAM X-Kit-Spam =~ /yes/
            score KIT_SPAM 10

            """)
        let log = directory.path("\(name).log")
        for _ in 0..<5 {
            let port = try fixed ?? freePort()
            let words =
                [
                    "/usr/sbin/spamd", "-L", "-x", "-C", "\(home)/rules", "--siteconfigpath=\(home)/site", "-i",
                    "127.0.0.1", "-p", "\(port)", "--min-children=1", "--max-children=2", "-s", "stderr",
                ] + (Privilege.isRoot ? ["-u", "nobody"] : [])
            let process = try SpawnedProcess(words, output: .file(log), errors: .file(log))
            if try await ServerProbe.listens(process, port: port) { return PrivateSpamd(port: port, process: process) }
            if fixed != nil { break }
        }
        throw FixtureError(.notStarted, "spamd: \((try? String(contentsOfFile: log, encoding: .utf8)) ?? "")")
    }

    /// Ends it.
    package func stop() async throws {
        process.signalGroup(SIGKILL)
        try await process.waitForExit()
    }
}
