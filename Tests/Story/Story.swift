import Foundation
import Glibc
import JSONValue
import ServerTestKit

/// `make run`: one real mail's way through a whole site, told line by line as it happens.
@main
struct Story {
    private let site: Site
    private let daemon: RunningDaemon

    private static let sender = "ann@sender.example"
    private static let spammer = "spam@sender.example"
    private static let browser = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"

    /// Arguments: the daemon's executable, the directory to live in, the file that is locked meanwhile, the workflow
    /// file, and `once` to end after the story.
    static func main() async {
        let arguments = CommandLine.arguments
        guard arguments.count >= 5 else {
            print("usage: story EXECUTABLE DIRECTORY LOCK WORKFLOW [once]")
            exit(2)
        }
        let isOnce = arguments.contains("once")
        let directory: ServerDirectory
        do {
            try StoryLock.take(arguments[3], for: arguments[2])
            directory = try await place(arguments[2])
        } catch let refusal as StoryLock.Refusal {
            print(refusal)
            exit(1)
        } catch {
            print("There is no place for the story: \(error)")
            exit(1)
        }
        let interruption = Interruption(leaving: directory.path)
        // A signal never cancels this task: what stops the servers sleeps between two looks, and a sleep in a cancelled
        // task throws at once.
        do {
            try await tell(
                executable: arguments[1], directory: directory, workflow: arguments[4], isOnce: isOnce,
                interruption: interruption)
            let left = await clear(directory)
            let ending = isOnce ? "Every line came true" : left == nil ? "Stopped, cleaned up" : "Stopped"
            say("\n\(ending)\(left.map { ", \($0)" } ?? "").")
        } catch is CancellationError {
            let left = await clear(directory)
            say("\nInterrupted, \(left ?? "cleaned up").")
            exit(130)
        } catch {
            print("\nThe story broke off: \(error)\nLogs are in \(directory.path).")
            exit(1)
        }
    }

    /// Removes the directory.
    ///
    /// - Returns: words about what is left of it, nil when it is gone.
    private static func clear(_ directory: ServerDirectory) async -> String? {
        try? await directory.clear()
        let isLeft = FileManager.default.fileExists(atPath: directory.path)
        return isLeft ? "but \(directory.path) could not be removed" : nil
    }

    /// The named directory, emptied of what an earlier run left behind; another one where Postfix's users cannot get
    /// to that, for example below a home directory that is closed to others. After a good end it is removed; after a
    /// failure the logs stay in it, which a ``ServerDirectory/temporary()`` would take along.
    private static func place(_ path: String) async throws -> ServerDirectory {
        do {
            try await ServerDirectory(path: path).clear()
            return try ServerDirectory(path: path)
        } catch let error as FixtureError where error.code == .unavailable {
            var fresh = Array("/tmp/postrider-XXXXXX".utf8CString)
            guard mkdtemp(&fresh) != nil else { throw Failure("no directory in /tmp: errno \(errno)") }
            let directory = try ServerDirectory(
                path: String(decoding: fresh.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self))
            say("\(error.explanation)\nLiving in \(directory.path) instead.")
            return directory
        }
    }

    private static func tell(
        executable: String, directory: ServerDirectory, workflow: String, isOnce: Bool, interruption: Interruption
    ) async throws {
        say("Starting a private mail site in \(directory.path); the system's Postfix is not touched.")
        var plan = Site.Plan(executable: executable)
        plan.workflows = [workflow]
        let site = try await Site(plan, in: directory)
        do {
            let daemon = try await site.startDaemon()
            do {
                let story = Story(site: site, daemon: daemon)
                // A start is not cut off: what has started by then would have nobody to stop it.
                try await interruption.cutOff {
                    story.introduce()
                    try await story.cleanMail()
                    try await story.spamMail()
                }
                if !isOnce { await story.stayUp(interruption) }
            } catch {
                _ = try? await daemon.process.terminate()
                throw error
            }
            try await daemon.process.terminate()
        } catch {
            try? await site.stop()
            throw error
        }
        try await site.stop()
    }

    // MARK: Chapters

    private func introduce() {
        Self.say("Postfix    listens on 127.0.0.1:\(site.postfix.port)")
        if let scanner = site.scanner { Self.say("rspamd     is its first milter, on 127.0.0.1:\(scanner.port)") }
        Self.say("postrider  is its second, on \(site.directory.path("milter.sock")); HTTP on \(daemon.http)")
        Self.say("workflow   inbound-auto-reply is in place for \(Site.inbox)\n")
    }

    private func cleanMail() async throws {
        Self.say("\(Self.sender) writes to \(Site.inbox) by SMTP.")
        let delivery = try await site.receive(
            from: Self.sender, Self.mail(from: Self.sender, "Opening hours?", "When are you open?"))
        guard delivery.final.isPositive else { throw Failure("Postfix refused the mail: \(delivery.final)") }
        Self.came("Postfix took it: \(delivery.final)")
        let waiting = try await execution(of: Self.sender, status: "WAITING")
        try verdict(in: waiting, is: "PASS")
        Self.came("email.received started an execution: \(waiting["id"]?.stringValue ?? "?")")
        try await eventually("the mail is in its mailbox") { try await !site.mailbox(Site.inbox).isEmpty }
        Self.came("The mail itself went on to the mailbox of \(Site.inbox).")
        let reply = try await eventualValue("the reply") { try await site.mailbox(Self.sender).first }
        guard reply.reversePath.isEmpty, reply.values(of: "Auto-Submitted") == ["auto-replied"] else {
            throw Failure("the reply lacks the marks of RFC 3834: \(reply.text)")
        }
        Self.came(
            "The reply arrived: \(reply.values(of: "Subject").first ?? "?") (null sender, Auto-Submitted: auto-replied)"
        )
        let events = try await daemon.executions().count
        guard events == 1 else { throw Failure("our own reply became an event: \(events) executions") }
        Self.came("Our own reply passed the same milter and was recognised: no second event.")
        try await open(reply)
        let done = try await execution(of: Self.sender, status: "EXITED")
        guard done["exitReason"]?.stringValue == "reply opened" else { throw Failure("ended otherwise: \(done)") }
        Self.came("email.opened moved the execution on: contact updated, EXITED with “reply opened”.\n")
    }

    private func open(_ reply: SunkMessage) async throws {
        let body = reply.text.replacingOccurrences(of: "=\n", with: "")
        guard let start = body.range(of: "/o/"),
            let end = body.range(of: ".gif", range: start.upperBound..<body.endIndex)
        else { throw Failure("the reply has no pixel: \(body)") }
        let path = "/o/\(body[start.upperBound..<end.lowerBound]).gif"
        Self.say("Ann reads it: her program fetches the pixel. (In the first 5 s a fetch counts as a machine's.)")
        let browser = [("User-Agent", Self.browser)]
        let image = try await daemon.http.get(path, fields: browser)
        guard image.status == 200, image.field("Content-Type") == "image/gif" else {
            throw Failure("pixel: \(image.status)")
        }
        Self.came("The pixel was served: \(image.body.count) bytes of GIF.")
        try await eventually("the open counts", deadline: .seconds(20), every: .milliseconds(500)) {
            _ = try await daemon.http.get(path, fields: browser)
            return try await daemon.executions().contains { $0["exitReason"]?.stringValue == "reply opened" }
        }
    }

    private func spamMail() async throws {
        Self.say("\(Self.spammer) sends the GTUBE test pattern.")
        let delivery = try await site.receive(
            from: Self.spammer, Self.mail(from: Self.spammer, "Buy", PrivateRspamd.gtubeAddHeader))
        guard delivery.final.isPositive else { throw Failure("Postfix refused the mail: \(delivery.final)") }
        Self.came("Postfix took it: \(delivery.final)")
        let done = try await execution(of: Self.spammer, status: "EXITED")
        try verdict(in: done, is: "FAIL")
        guard done["exitReason"]?.stringValue == "not answered" else { throw Failure("ended otherwise: \(done)") }
        guard try await site.mailbox(Self.spammer).isEmpty else { throw Failure("spam was answered") }
        Self.came("The execution EXITED with “not answered”; nothing was sent.")
    }

    private func stayUp(_ interruption: Interruption) async {
        Self.say("\nThe site stays up. Try it:")
        Self.say("  \(Self.command(port: site.postfix.port))")
        Self.say("  curl -H 'Authorization: Bearer \(daemon.key)' \(daemon.http)/workflows")
        Self.say("  tail -f \(site.directory.path("postrider.log")) \(site.postfix.logPath)")
        Self.say("Mail for anybody arrives as a file in \(site.directory.path("sink")).")
        Self.say("Ctrl-C ends it and cleans up.")
        let keeper = Task { await Privilege.keep() }
        await interruption.wait()
        keeper.cancel()
    }

    /// A shell command that writes to the inbox as a stranger would. Without XCLIENT (XCLIENT_README) it would be mail
    /// from this machine, on which the scanner has no opinion.
    private static func command(port: UInt16) -> String {
        let sender = "you@sender.example"
        let text = #"From: \#(sender)\nTo: \#(Site.inbox)\nSubject: Hello\n\nAre you there?\n"#
        let acts = [
            "import smtplib", #"s = smtplib.SMTP("127.0.0.1", \#(port))"#,
            #"s.docmd("XCLIENT ADDR=\#(Site.strangerAddress)")"#,
            #"s.sendmail("\#(sender)", "\#(Site.inbox)", "\#(text)")"#,
        ]
        return "python3 -c '\(acts.joined(separator: "; "))'"
    }

    // MARK: Looking

    private func execution(of email: String, status: String) async throws -> JSON {
        try await eventualValue(
            "an execution of \(email) that is \(status)", deadline: .seconds(30), every: .milliseconds(100)
        ) {
            try await daemon.executions().last {
                $0["contact"]?["email"]?.stringValue == email && $0["status"]?.stringValue == status
            }
        }
    }

    private func verdict(in execution: JSON, is expected: String) throws {
        let found = execution.output(ofStep: "verdict")?["actualValue"]?.stringValue ?? "missing"
        guard found == expected else { throw Failure("the spam verdict is \(found), not \(expected)") }
        Self.came("rspamd looked at it: spamVerdict \(found).")
    }

    private static func mail(from sender: String, _ subject: String, _ body: String) -> String {
        """
        From: Ann Example <\(sender)>
        To: \(Site.inbox)
        Subject: \(subject)
        Date: \(Date().formatted(.verbatim("\(weekday: .abbreviated), \(day: .twoDigits) \(month: .abbreviated) \(year: .defaultDigits) \(hour: .twoDigits(clock: .twentyFourHour, hourCycle: .zeroBased)):\(minute: .twoDigits):\(second: .twoDigits) +0000", locale: Locale(identifier: "en_US_POSIX"), timeZone: .gmt, calendar: Calendar(identifier: .gregorian))))
        Message-ID: <\(UUID().uuidString)@sender.example>
        MIME-Version: 1.0
        Content-Type: text/plain; charset=utf-8

        \(body)

        """
    }

    private struct Failure: Error, CustomStringConvertible {
        let description: String
        init(_ description: String) { self.description = description }
    }

    private static func say(_ line: String) {
        print(line)
        fflush(nil)
    }

    private static func came(_ line: String) { say("  ✓ \(line)") }
}
