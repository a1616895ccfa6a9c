import Foundation
import Glibc
import Synchronization

/// Postfix's smtp-sink(1) on a port of its own: takes every mail and keeps it, or refuses as told.
package final class SMTPSink: Sendable, CustomStringConvertible {
    /// What the sink does wrong on purpose. Commands are named as in the manual page: `CONNECT`, `HELO`, `EHLO`, `MAIL`,
    /// `RCPT`, `DATA`, `.`, `RSET`, `NOOP`, `QUIT`.
    package struct Behaviour: Sendable {
        /// Commands refused with a temporary error (`-r`).
        package var soft: [String] = []
        /// Commands refused with a permanent error (`-f`).
        package var hard: [String] = []
        /// The reply for ``soft``; nil for "450 4.3.0 Error: command failed" (`-b`).
        package var softReply: String?
        /// The reply for ``hard``; nil for "500 5.3.0 Error: command failed" (`-B`).
        package var hardReply: String?
        /// Commands after which the sink closes the connection without a word (`-q`).
        package var hangUps: [String] = []
        /// Whole seconds before the reply to a command (`-W`).
        package var delays: [String: Int] = [:]
        /// Further arguments.
        package var arguments: [String] = []

        /// Accepts everything.
        package init() {}

        fileprivate var words: [String] {
            func list(_ option: String, _ commands: [String]) -> [String] {
                commands.isEmpty ? [] : [option, commands.joined(separator: ",")]
            }
            let replies = (softReply.map { ["-b", $0] } ?? []) + (hardReply.map { ["-B", $0] } ?? [])
            return list("-r", soft) + list("-f", hard) + list("-q", hangUps) + replies
                + delays.sorted { $0.key < $1.key }.flatMap { ["-W", "\($0.key):\($0.value)"] } + arguments
        }
    }

    /// Always 127.0.0.1.
    package let address = "127.0.0.1"
    /// The port it listens on.
    package let port: UInt16
    private let process: SpawnedProcess
    private let folder: String
    private let refusesContent: Bool

    private init(port: UInt16, process: SpawnedProcess, folder: String, refusesContent: Bool) {
        self.refusesContent = refusesContent
        self.port = port
        self.process = process
        self.folder = folder
    }

    deinit { process.signalGroup(SIGKILL) }

    package var description: String { "smtp-sink on \(address):\(port)" }

    /// Starts a sink in `directory`, which must outlive it.
    ///
    /// - Parameters:
    ///   - name: the name of the folder for its dumps; two sinks in one directory need two names.
    ///   - port: a port of the caller's choice, or nil for a free one.
    /// - Throws: ``FixtureError``.
    package static func start(
        in directory: ServerDirectory, name: String = "sink", port fixed: UInt16? = nil,
        behaviour: Behaviour = Behaviour()
    ) async throws -> SMTPSink {
        // It refuses to run as root, so as root it needs somebody else to become (-u).
        let user = Privilege.isRoot ? "nobody" : nil
        let folder = try await directory.directory(name, owner: user)
        let log = directory.path("\(name).log")
        for _ in 0..<5 {
            let port = try fixed ?? freePort()
            let words =
                ["/usr/sbin/smtp-sink", "-4", "-d", "\(folder)/mail."] + (user.map { ["-u", $0] } ?? [])
                + behaviour.words + ["127.0.0.1:\(port)", "128"]
            let process = try SpawnedProcess(words, output: .file(log), errors: .file(log))
            if try await ServerProbe.listens(process, port: port) {
                let refusesContent = (behaviour.soft + behaviour.hard).contains(".")
                return SMTPSink(port: port, process: process, folder: folder, refusesContent: refusesContent)
            }
            if fixed != nil { break }
        }
        let text = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
        throw FixtureError(.notStarted, "smtp-sink: \(text)")
    }

    /// The mails accepted, oldest first.
    package func messages() async throws -> [SunkMessage] { refusesContent ? [] : try await contents() }

    /// The mails whose content came in completely, oldest first: smtp-sink writes those down too whose final dot it
    /// refuses.
    package func contents() async throws -> [SunkMessage] {
        try await offPool { [self] in
            // What the sink still writes is open; look first, so that a mail finished meanwhile only counts later.
            let open = Set(ProcessTable.openFiles(of: process.processID))
            return try FileManager.default.contentsOfDirectory(atPath: folder).map { "\(folder)/\($0)" }
                .filter { !open.contains($0) }
                .compactMap { path -> (Date, SunkMessage)? in
                    let date = try? FileManager.default.attributesOfItem(atPath: path)[.modificationDate] as? Date
                    guard let data = FileManager.default.contents(atPath: path) else { return nil }
                    return SunkMessage(dump: Array(data)).map { (date ?? .distantPast, $0) }
                }
                .sorted { $0.0 < $1.0 }
                .map(\.1)
        }
    }

    /// Waits until at least `count` mails are there, and returns all.
    ///
    /// - Throws: ``FixtureError`` `timedOut`.
    package func waitForMessages(_ count: Int, deadline: Duration = .seconds(20)) async throws -> [SunkMessage] {
        try await eventualValue("\(count) mails in \(self)", deadline: deadline) {
            let messages = try await messages()
            return messages.count >= count ? messages : nil
        }
    }

    /// Forgets the mails received so far.
    package func clear() async throws {
        try await offPool { [self] in
            let open = Set(ProcessTable.openFiles(of: process.processID))
            for name in try FileManager.default.contentsOfDirectory(atPath: folder)
            where !open.contains("\(folder)/\(name)") {
                try FileManager.default.removeItem(atPath: "\(folder)/\(name)")
            }
        }
    }

    /// Ends the sink; the dumps stay.
    package func stop() async throws {
        process.signalGroup(SIGKILL)
        try await process.waitForExit()
    }
}

/// Asks whether a server has come up.
enum ServerProbe {
    /// Waits until somebody accepts connections at the port: true, or until the process has ended: false.
    static func listens(
        _ process: SpawnedProcess, port: UInt16, deadline: Duration = .seconds(30)
    ) async throws -> Bool {
        do {
            return try await eventualValue("port \(port)", deadline: deadline) {
                if process.exitStatus != nil { return false }
                let connection = try? await offPool {
                    try StreamSocket(connectTo: "127.0.0.1", port: port, timeout: .seconds(2))
                }
                connection?.hangUp()
                // A server that cannot bind ends at once, but the stranger who has the port answers us.
                return connection != nil && process.exitStatus == nil ? true : nil
            }
        } catch {
            process.signalGroup(SIGKILL)
            throw error
        }
    }
}
