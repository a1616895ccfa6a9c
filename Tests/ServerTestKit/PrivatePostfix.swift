import Foundation
import Glibc
import Synchronization

/// A real Postfix of our own: own configuration, queue, log and port, on 127.0.0.1. The machine's Postfix is neither
/// read nor touched.
///
/// master(8) only starts as root, so this needs root or `sudo -n`.
package final class PrivatePostfix: Sendable, CustomStringConvertible {
    /// Always 127.0.0.1.
    package let address = "127.0.0.1"
    /// The port of the smtpd that runs the milters.
    package let port: UInt16
    /// The port without milters, when the configuration asks for one.
    package let submissionPort: UInt16?
    /// The mail log (`maillog_file`).
    package let logPath: String
    /// The process id of master(8), which is also the id of the process group of all its programs.
    package let masterID: pid_t
    private let place: PostfixPlace
    private let configuration: Mutex<PostfixConfiguration>
    private let leash: ProcessLeash.Entry?

    private init(
        _ configuration: PostfixConfiguration, _ place: PostfixPlace, port: UInt16, submissionPort: UInt16?,
        masterID: pid_t
    ) {
        self.configuration = Mutex(configuration)
        self.place = place
        self.port = port
        self.submissionPort = submissionPort
        self.masterID = masterID
        logPath = place.log
        leash = try? ProcessLeash.shared().hold(
            ProcessLeash.killing(group: masterID, with: Privilege.isRoot ? "" : "sudo -n "))
    }

    deinit { if Privilege.isRoot, isRunning { kill(-masterID, SIGKILL) } }

    package var description: String { "Postfix on \(address):\(port)" }

    /// Starts an instance in `directory`, which must outlive it, and returns when it greets with 220.
    ///
    /// - Parameters:
    ///   - name: the name of its folder; two instances in one directory need two names.
    ///   - port: a port of the caller's choice, or nil for a free one.
    /// - Throws: ``FixtureError`` `unavailable` without Postfix or root rights, `notStarted` with the log.
    package static func start(
        in directory: ServerDirectory, name: String = "postfix", port fixed: UInt16? = nil,
        _ configuration: PostfixConfiguration = PostfixConfiguration()
    ) async throws -> PrivatePostfix {
        guard FileManager.default.isExecutableFile(atPath: "/usr/sbin/postfix") else {
            throw FixtureError(.unavailable, "/usr/sbin/postfix is missing: apt-get install postfix")
        }
        let place = try await prepare(directory, name)
        var last = ""
        for _ in 0..<5 {
            let port = try fixed ?? freePort()
            let submission = configuration.hasSubmission ? try freePort() : nil
            try directory.write("\(name)/etc/main.cf", configuration.mainFile(place))
            try directory.write(
                "\(name)/etc/master.cf", configuration.masterFile(port: port, submissionPort: submission))
            let before = log(place).count
            let result = try await Privilege.runAsRoot(["/usr/sbin/postfix", "-c", place.configuration, "start"])
            last = result.output + log(place).dropFirst(before).joined(separator: "\n")
            if result.succeeded {
                let master = try await masterID(place)
                let postfix = PrivatePostfix(
                    configuration, place, port: port, submissionPort: submission, masterID: master)
                try await postfix.waitForGreeting()
                return postfix
            }
            guard fixed == nil, last.contains("Address already in use") else { break }
        }
        throw FixtureError(.notStarted, "Postfix: \(last)")
    }

    /// Whether any of its programs lives.
    package var isRunning: Bool { !ProcessTable.members(ofGroup: masterID).isEmpty }

    /// Stops master(8) and everything below it; deliveries under way are finished in the next life of the queue.
    ///
    /// - Throws: ``FixtureError`` `timedOut` when something survives SIGKILL.
    package func stop() async throws {
        try await signal(SIGTERM, group: false)
        do {
            try await eventually("Postfix ends", deadline: .seconds(5)) { !isRunning }
        } catch is FixtureError {
            try await signal(SIGKILL, group: true)
            try await eventually("Postfix dies", deadline: .seconds(5)) { !isRunning }
        }
        leash?.release()
    }

    /// The lines of the mail log.
    package func logLines() -> [String] { Self.log(place) }

    /// Waits for a log line that contains `part`, past or coming, and returns it.
    ///
    /// - Parameter start: how many lines to leave out: ``logLines()``.count before the act whose trace is awaited.
    /// - Throws: ``FixtureError`` `timedOut`, with the end of the log.
    @discardableResult
    package func waitForLog(
        containing part: String, from start: Int = 0, deadline: Duration = .seconds(20)
    ) async throws -> String {
        do {
            return try await eventualValue("a log line with \(part)", deadline: deadline) {
                logLines().dropFirst(start).first { $0.contains(part) }
            }
        } catch let error as FixtureError {
            throw FixtureError(error.code, "\(error.explanation)\n\(logLines().suffix(20).joined(separator: "\n"))")
        }
    }

    /// Tries everything in the queue now (`postqueue -f`).
    package func flush() async throws {
        try await command(["/usr/sbin/postqueue", "-c", place.configuration, "-f"])
    }

    /// Changes the configuration and has the running server take it up (`postfix reload`). Sessions that are open
    /// keep the old one.
    ///
    /// Listeners are not changed: ports and ``PostfixConfiguration/hasSubmission`` stay.
    package func reconfigure(_ change: @Sendable (inout PostfixConfiguration) -> Void) async throws {
        let changed = configuration.withLock { value in
            change(&value)
            return value
        }
        try Data(changed.mainFile(place).utf8).write(to: URL(fileURLWithPath: "\(place.configuration)/main.cf"))
        let before = logLines().count
        try await command(["/usr/sbin/postfix", "-c", place.configuration, "reload"])
        try await waitForLog(containing: "reload -- version", from: before)
    }

    /// Renames the log and has everybody write into a new one (`postfix logrotate`, MAILLOG_README).
    package func rotateLog() async throws {
        try await command(["/usr/sbin/postfix", "-c", place.configuration, "logrotate"])
    }

    /// Submits a mail through sendmail(1), which no smtpd and so no `smtpd_milters` sees.
    package func sendmail(from reversePath: String, to recipients: [String], _ text: String) async throws {
        let file = "\(place.state)/../mail-\(UInt64.random(in: 0...UInt64.max))"
        try Data(text.utf8).write(to: URL(fileURLWithPath: file))
        defer { try? FileManager.default.removeItem(atPath: file) }
        let words =
            [
                "/usr/sbin/sendmail", "-C", place.configuration, "-i", "-f", reversePath.isEmpty ? "<>" : reversePath,
                "--",
            ]
            + recipients
        let result = try await Privilege.run(try await Privilege.asRoot(words), input: file)
        guard result.succeeded else { throw FixtureError(.malformed, "sendmail: \(result.output)") }
    }

    /// The mails virtual(8) has delivered (``PostfixConfiguration/Delivery/maildir``), with LF line ends, oldest first.
    package func inbox() async throws -> [String] {
        try await offPool { [place] in
            let folder = "\(place.inbox)/maildir/new"
            let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
            // maildir names begin with the time of delivery in seconds, then microseconds after an M.
            return names.sorted().compactMap { FileManager.default.contents(atPath: "\(folder)/\($0)") }
                .map { String(decoding: $0, as: UTF8.self) }
        }
    }

    /// The mails that are still in the queue, in no order (`postqueue -j`).
    package func queue() async throws -> [QueuedMail] {
        let output = try await command(["/usr/sbin/postqueue", "-c", place.configuration, "-j"])
        return try output.split(separator: "\n").map { line in
            try JSONDecoder().decode(QueuedMail.self, from: Data(line.utf8))
        }
    }

    /// The ids of the mails that are still in the queue.
    package func queueIDs() async throws -> [String] { try await queue().map(\.queueID) }

    @discardableResult
    private func command(_ words: [String]) async throws -> String {
        let result = try await Privilege.runAsRoot(words)
        guard result.succeeded else {
            throw FixtureError(.malformed, "\(words.joined(separator: " ")): \(result.output)")
        }
        return result.output
    }

    private func signal(_ number: Int32, group: Bool) async throws {
        let target = group ? -masterID : masterID
        if kill(target, number) != 0, errno == EPERM {
            _ = try await Privilege.runAsRoot(["kill", "-s", "\(number)", "--", "\(target)"])
        }
    }

    private func waitForGreeting() async throws {
        do {
            try await eventually("a greeting of \(self)", deadline: .seconds(20)) {
                guard let client = try? await SMTPClient(port: port, timeout: .seconds(10)) else { return false }
                defer { client.hangUp() }
                return try await client.reply().code == 220
            }
        } catch {
            try? await stop()
            throw FixtureError(.notStarted, "\(self): \(error)\n\(logLines().suffix(20).joined(separator: "\n"))")
        }
    }
}

extension PrivatePostfix {
    /// One mail in the queue, as postqueue(1) describes it.
    package struct QueuedMail: Sendable, Decodable {
        /// A recipient that has not got the mail yet.
        package struct Recipient: Sendable, Decodable {
            /// The address.
            package let address: String
            /// Why the last attempt failed; nil when there was none.
            package let delayReason: String?

            private enum CodingKeys: String, CodingKey {
                case address
                case delayReason = "delay_reason"
            }
        }

        /// The queue id.
        package let queueID: String
        /// `incoming`, `active`, `deferred`, `hold` or `maildrop`.
        package let queueName: String
        /// The reverse path; `MAILER-DAEMON` for the null sender.
        package let sender: String
        /// The recipients that are left.
        package let recipients: [Recipient]

        private enum CodingKeys: String, CodingKey {
            case queueID = "queue_id"
            case queueName = "queue_name"
            case sender, recipients
        }
    }

    private static func prepare(_ directory: ServerDirectory, _ name: String) async throws -> PostfixPlace {
        // Whoever runs the tests must be able to read what was delivered; root's mail virtual(8) does not deliver.
        let isRoot = Privilege.isRoot
        guard let reader = isRoot ? Privilege.account("nobody") : (user: getuid(), group: getgid()) else {
            throw FixtureError(.unavailable, "there is no user nobody on this machine")
        }
        try await directory.directory(name)
        return PostfixPlace(
            configuration: try await directory.directory("\(name)/etc"),
            queue: try await directory.directory("\(name)/queue"),
            // master.lock and the caches: postfix(1) insists on this owner (data_directory in postconf(5)).
            state: try await directory.directory("\(name)/data", owner: "postfix"),
            log: "\(directory.path(name))/mail.log",
            inbox: try await directory.directory("\(name)/inbox", owner: isRoot ? "nobody" : nil), reader: reader)
    }

    /// The id in master.pid, right-aligned text in a file only root may read.
    private static func masterID(_ place: PostfixPlace) async throws -> pid_t {
        let result = try await Privilege.runAsRoot(["cat", "\(place.queue)/pid/master.pid"])
        guard let number = pid_t(result.output.trimmingCharacters(in: .whitespacesAndNewlines)) else {
            throw FixtureError(.notStarted, "Postfix left no master.pid: \(result.output)")
        }
        return number
    }

    private static func log(_ place: PostfixPlace) -> [String] {
        guard let data = FileManager.default.contents(atPath: place.log) else { return [] }
        return String(decoding: data, as: UTF8.self).split(separator: "\n").map(String.init)
    }
}
