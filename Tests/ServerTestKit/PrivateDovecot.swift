import Foundation
import Glibc

/// A real Dovecot of our own that takes mail over LMTP and answers by Sieve's vacation extension (RFC 5230), sending its
/// answers to an SMTP server on this machine. Every user exists.
package final class PrivateDovecot: Sendable, CustomStringConvertible {
    /// Always 127.0.0.1.
    package let address = "127.0.0.1"
    /// The port that speaks LMTP.
    package let port: UInt16
    /// Dovecot's log.
    package let logPath: String
    private let process: SpawnedProcess

    private init(port: UInt16, logPath: String, process: SpawnedProcess) {
        self.port = port
        self.logPath = logPath
        self.process = process
    }

    deinit { process.signalGroup(SIGKILL) }

    package var description: String { "Dovecot on \(address):\(port)" }

    /// Whether the packages are there.
    package static var isInstalled: Bool {
        FileManager.default.isExecutableFile(atPath: "/usr/sbin/dovecot")
            && FileManager.default.fileExists(atPath: "/usr/lib/dovecot/lmtp")
            && FileManager.default.isExecutableFile(atPath: "/usr/bin/sievec")
    }

    /// Starts a server in `directory`, which must outlive it.
    ///
    /// - Parameters:
    ///   - submissionPort: where its answers go.
    ///   - script: the Sieve script of all users.
    ///   - settings: further lines of its configuration.
    /// - Throws: ``FixtureError`` `unavailable` without Dovecot or root rights, `notStarted` with the log.
    package static func start(
        in directory: ServerDirectory, submissionPort: UInt16,
        script: String = "require [\"vacation\"];\nvacation :days 7 :subject \"Away\" \"I am away.\";\n",
        settings: String = ""
    ) async throws -> PrivateDovecot {
        guard isInstalled else {
            throw FixtureError(.unavailable, "Dovecot is missing: apt-get install dovecot-lmtpd dovecot-sieve")
        }
        let mail = try await directory.directory("dovecot/mail", owner: "nobody")
        let sieve = try directory.write("dovecot/vacation.sieve", script)
        let compiled = try await Privilege.run(["sievec", sieve])
        guard compiled.succeeded else { throw FixtureError(.notStarted, "sievec: \(compiled.output)") }
        let port = try freePort()
        let log = directory.path("dovecot/log")
        let configuration = try directory.write(
            "dovecot/dovecot.conf",
            """
            protocols = lmtp
            base_dir = \(directory.path("dovecot/run"))
            state_dir = \(directory.path("dovecot/state"))
            log_path = \(log)
            ssl = no
            hostname = robot.example
            postmaster_address = postmaster@robot.example
            mail_location = maildir:~/Maildir
            submission_host = 127.0.0.1:\(submissionPort)
            first_valid_uid = 1
            passdb {
              driver = static
              args = nopassword=y
            }
            userdb {
              driver = static
              args = uid=nobody gid=nogroup home=\(mail)/%u
            }
            service lmtp {
              inet_listener lmtp {
                address = 127.0.0.1
                port = \(port)
              }
            }
            protocol lmtp {
              mail_plugins = sieve
            }
            plugin {
              sieve = file:\(sieve)
            }
            \(settings)

            """)
        let process = try SpawnedProcess(
            try await Privilege.asRoot(["/usr/sbin/dovecot", "-F", "-c", configuration]), output: .file(log),
            errors: .file(log))
        let dovecot = PrivateDovecot(port: port, logPath: log, process: process)
        do {
            try await eventually("a greeting of \(dovecot)", deadline: .seconds(20)) {
                guard process.exitStatus == nil else { throw FixtureError(.notStarted, "it has ended") }
                guard let client = try? await SMTPClient(port: port, timeout: .seconds(5)) else { return false }
                defer { client.hangUp() }
                return try await client.reply().code == 220
            }
        } catch {
            throw FixtureError(.notStarted, "\(dovecot): \(error)\n\(dovecot.log)")
        }
        return dovecot
    }

    /// All that it has logged.
    package var log: String {
        FileManager.default.contents(atPath: logPath).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    /// Stops it.
    package func stop() async throws {
        process.signalGroup(SIGTERM)
        do { try await process.waitForExit(deadline: .seconds(5)) } catch {
            process.signalGroup(SIGKILL)
            try await process.waitForExit(deadline: .seconds(5))
        }
    }
}
