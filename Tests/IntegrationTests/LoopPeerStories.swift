import Foundation
import JSONValue
import ServerTestKit
import Testing

/// The programs that answer mail by themselves, as they are in Debian, against ours: whoever begins, each side answers the
/// other once in its window at the most.
@Suite(.serialized, .timeLimit(.minutes(4)))
struct LoopPeerStories {
    private static let away = "away@robot.example"

    /// A site with one more domain, whose mail goes where `transport` says, or to the sink where it says nothing.
    private func site(
        domain: String = "robot.example", transport: String? = nil, settings: String = ""
    ) async throws -> StorySite {
        let story = try await StorySite(relayPort: nil, workflows: [.answer], settings: settings)
        if let transport { try await route(story, domain, transport) }
        return story
    }

    private func route(_ story: StorySite, _ domain: String, _ transport: String) async throws {
        try await story.site.postfix.reconfigure {
            $0.domains.append(domain)
            $0.parameters["transport_maps"] = "inline:{ { \(domain) = \(transport) } }"
        }
    }

    /// A person at an address of ours writes to the robot: through Postfix and past the daemon, which is told of mail to its
    /// routes alone.
    private func write(_ story: StorySite, to robot: String, number: Int) async throws {
        try await SMTPClient.send(
            port: story.site.postfix.port, from: Site.inbox, to: [robot],
            text: StoryMail.text(from: Site.inbox, to: robot, id: "ours-\(number)@test.example"))
    }

    /// The robot's owner writes to us.
    private func writeBack(_ story: StorySite, from robot: String, number: Int) async throws {
        try await story.deliver(
            from: robot, StoryMail.text(from: robot, id: "theirs-\(number)@robot.example"))
    }

    private func expectSilence(_ story: StorySite, _ daemon: RunningDaemon) async throws {
        try await daemon.waitUntilSettled()
        try await eventually("Postfix has nothing left") { try await story.site.postfix.queueIDs().isEmpty }
        try await daemon.waitUntilSettled()
    }

    /// What became of the reply to each mail of that contact, oldest first.
    private func answers(_ daemon: RunningDaemon, of contact: String) async throws -> [JSON] {
        try await daemon.executions().filter { $0["contact"]?["email"]?.stringValue == contact }
            .compactMap { $0.output(ofStep: "reply") }
    }

    private func replies(_ outputs: [JSON]) -> Int { outputs.count { $0["automaticReply"]?.boolValue == true } }

    // MARK: Sieve

    /// Replies with a reverse path and without Precedence, as an administrator may have them: the peer has to know them by
    /// Auto-Submitted, and can answer.
    @Test(
        .enabled(if: PrivateDovecot.isInstalled, "Dovecot is missing: apt-get install dovecot-lmtpd dovecot-sieve"),
        arguments: ["", "auto_replies:\n  null_sender: false\n  precedence: false\n"])
    func sieveVacation(_ settings: String) async throws {
        let story = try await site(settings: settings)
        let dovecot = try await PrivateDovecot.start(in: story.directory, submissionPort: story.site.postfix.port)
        try await route(story, "robot.example", "lmtp:[127.0.0.1]:\(dovecot.port)")
        let daemon = try await story.start()
        for number in 1...3 {
            try await write(story, to: Self.away, number: number)
            try await writeBack(story, from: Self.away, number: number)
        }
        try await eventually("the vacation's answer has come") {
            try await answers(daemon, of: Self.away).count == 4
        }
        try await expectSilence(story, daemon)
        let outputs = try await answers(daemon, of: Self.away)
        #expect(outputs.count == 4)
        #expect(replies(outputs) == 1)
        // The vacation's answer has the null reverse path, the rest came within the window.
        let reasons = outputs.compactMap { $0["reason"]?.stringValue }.sorted()
        #expect(reasons == ["already_answered", "already_answered", "null_sender"])
        #expect(dovecot.log.components(separatedBy: "sent vacation response").count - 1 == 1)
        #expect(try await daemon.counter("replies_refused") == 3)
        #expect(try await daemon.counter("replies_refused_null_sender") == 1)
        try await daemon.process.terminate()
        try await dovecot.stop()
        try await story.stop()
    }

    // MARK: vacation(1)

    private static let vacation = "/usr/bin/vacation"
    private static var hasVacation: Bool { FileManager.default.isExecutableFile(atPath: vacation) }

    @Test(
        .enabled(if: hasVacation, "vacation(1) is missing: apt-get install vacation"),
        arguments: ["", "auto_replies:\n  null_sender: false\n  precedence: false\n"])
    func vacationProgram(_ settings: String) async throws {
        let story = try await site(settings: settings)
        let message = try story.directory.write(
            "vacation.msg", "From: \(Self.away)\nSubject: Away: $SUBJECT\n\nI am away.\n")
        let database = story.directory.path("vacation.db")
        let configuration = "\(story.directory.path)/postfix/etc"
        let daemon = try await story.start()
        let robot = Robot(site: story.site, address: Self.away) { mail in
            // As local(8) would: the sender in the first line, the mail on standard input.
            let input = try story.directory.write(
                "vacation.in", "From \(mail.reversePath.isEmpty ? "MAILER-DAEMON" : mail.reversePath) now\n\(mail.text)"
            )
            let result = try await Privilege.run(
                try await Privilege.asRoot([
                    "/usr/bin/env", "MAIL_CONFIG=\(configuration)", Self.vacation, "-d", "-f", database, "-m", message,
                    "-a", "away", "root",
                ]), input: input)
            guard result.succeeded else { throw FixtureError(.malformed, "vacation: \(result.output)") }
        }
        for number in 1...3 {
            try await write(story, to: Self.away, number: number)
            try await writeBack(story, from: Self.away, number: number)
            try await robot.readMail()
        }
        try await robot.readMail(atLeast: 4)
        try await eventually("the program's answer has come") {
            try await daemon.executions().contains { execution in
                execution.output(ofStep: "reply")?["reason"]?.stringValue.map { $0 != "already_answered" } ?? false
            }
        }
        try await robot.readMail()
        try await expectSilence(story, daemon)
        // Its answer comes from the account it runs as, and says From what it was told.
        let all = try await daemon.executions().compactMap { $0.output(ofStep: "reply") }
        #expect(replies(all) == 1)
        #expect(all.count == 4)
        try await robot.readMail()
        #expect(robot.read == 4)
        try await daemon.process.terminate()
        try await story.stop()
    }

    // MARK: A mailing list

    private static let lists = "/usr/bin/mlmmj-receive"
    private static var hasLists: Bool { FileManager.default.isExecutableFile(atPath: lists) }

    /// mlmmj with no field of its own in what it sends, as it is after installation, and with those of RFC 2919 and 2369.
    @Test(
        .enabled(if: hasLists, "mlmmj is missing: apt-get install mlmmj"),
        arguments: [
            ("", "machine_address"),
            ("List-Id: <all.list.example>\nList-Post: <mailto:all@list.example>\n", "mailing_list"),
        ])
    func mailingList(_ fields: String, _ reason: String) async throws {
        let story = try await site()
        let list = try await MailingList(in: story, fields: fields)
        let daemon = try await story.start()
        // The list asks whether the address wants to be on it: an answer would be a yes.
        try await list.subscribe(Site.inbox, asking: true)
        try await eventually("the question has come") { try await daemon.executions().count == 1 }
        try await list.subscribe(Site.inbox, asking: false)
        try await list.subscribe("ann@list.example", asking: false)
        for number in 1...2 {
            try await list.post(
                StoryMail.text(from: "ann@list.example", to: MailingList.address, id: "post-\(number)@list.example"),
                from: "ann@list.example")
        }
        try await eventually("the posts have come") { try await daemon.executions().count == 3 }
        try await expectSilence(story, daemon)
        let outputs = try await daemon.executions().compactMap { $0.output(ofStep: "reply") }
        #expect(outputs.map { $0["reason"]?.stringValue } == ["machine_address", reason, reason])
        let sent = try await story.site.sink.messages().filter { $0.reversePath.isEmpty }
        #expect(sent.isEmpty)
        try await daemon.process.terminate()
        try await story.stop()
    }

    // MARK: A robot without manners

    /// It answers whatever comes, its own answers' answers too, from an ordinary address and without any mark.
    @Test func robotWithoutMarks() async throws {
        let robotAddress = "service@robot.example"
        let story = try await site(settings: "auto_replies:\n  null_sender: false\n")
        let daemon = try await story.start()
        let count = Counter()
        let robot = Robot(site: story.site, address: robotAddress) { _ in
            try await writeBack(story, from: robotAddress, number: 100 + count.next())
        }
        for number in 1...5 { try await writeBack(story, from: robotAddress, number: number) }
        try await robot.readMail(atLeast: 1)
        try await eventually("its answer has come") { try await answers(daemon, of: robotAddress).count == 6 }
        try await expectSilence(story, daemon)
        try await robot.readMail()
        try await expectSilence(story, daemon)
        let outputs = try await answers(daemon, of: robotAddress)
        #expect(outputs.count == 6 && replies(outputs) == 1)
        #expect(outputs.compactMap { $0["reason"]?.stringValue } == Array(repeating: "already_answered", count: 5))
        #expect(robot.read == 1)
        #expect(try await daemon.counter("replies_refused_already_answered") == 5)
        // A restart does not make it forget.
        try await daemon.process.terminate()
        let restarted = try await story.start()
        try await writeBack(story, from: robotAddress, number: 6)
        try await eventually("it is received") { try await answers(restarted, of: robotAddress).count == 7 }
        try await expectSilence(story, restarted)
        #expect(try await replies(answers(restarted, of: robotAddress)) == 1)
        try await restarted.process.terminate()
        try await story.stop()
    }
}

/// Counts up. For one task at a time.
private final class Counter: @unchecked Sendable {
    private var value = 0

    func next() -> Int {
        value += 1
        return value
    }
}

/// Whoever reads the mail that the sink has for an address. For one task at a time.
private final class Robot: @unchecked Sendable {
    private let site: Site
    private let address: String
    private let take: (SunkMessage) async throws -> Void
    /// Mails that it has seen.
    private(set) var read = 0

    init(site: Site, address: String, _ take: @escaping (SunkMessage) async throws -> Void) {
        self.site = site
        self.address = address
        self.take = take
    }

    /// Reads what has come since the last time.
    func readMail(atLeast count: Int = 0) async throws {
        try await eventually("\(count) mails for \(address)") {
            try await self.site.mailbox(self.address).count >= count
        }
        for mail in try await site.mailbox(address).dropFirst(read) {
            read += 1
            try await take(mail)
        }
    }
}

/// A list of mlmmj's that sends through the site's Postfix.
private struct MailingList {
    static let address = "all@list.example"
    private let directory: ServerDirectory
    private let path: String

    init(in story: StorySite, fields: String) async throws {
        directory = story.directory
        path = try await directory.directory("list", owner: nil)
        let folders = [
            "archive", "bounce", "control", "digesters.d", "incoming", "moderation", "nomailsubs.d", "queue",
            "queue/discarded", "requeue", "subconf", "subscribers.d", "text", "unsubconf",
        ]
        for folder in folders { try await directory.directory("list/\(folder)") }
        let controls = [
            "listaddress": Self.address, "owner": "owner@list.example", "relayhost": "127.0.0.1",
            "smtpport": "\(story.site.postfix.port)",
        ]
        for (name, value) in controls { try directory.write("list/control/\(name)", value + "\n") }
        if !fields.isEmpty { try directory.write("list/control/customheaders", fields) }
        for name in try FileManager.default.contentsOfDirectory(atPath: "/usr/share/mlmmj/text.skel/en") {
            let text = FileManager.default.contents(atPath: "/usr/share/mlmmj/text.skel/en/\(name)") ?? Data()
            try directory.write("list/text/\(name)", String(decoding: text, as: UTF8.self))
        }
        try directory.write("list/index", "0\n")
    }

    func subscribe(_ address: String, asking: Bool) async throws {
        // It wants its own full path, to find its neighbours.
        try await run(["/usr/bin/mlmmj-sub", "-L", path, "-a", address] + (asking ? ["-C"] : ["-f", "-q", "-s"]))
    }

    /// It takes no mail without the fields that Postfix's local(8) writes.
    func post(_ text: String, from sender: String) async throws {
        let name = "post-\(UInt64.random(in: 0...UInt64.max))"
        let input = try directory.write(
            name, "Return-Path: <\(sender)>\nX-Original-To: \(Self.address)\n\(text)")
        try await run(["/usr/bin/mlmmj-receive", "-F", "-L", path], input: input)
    }

    private func run(_ words: [String], input: String = "/dev/null") async throws {
        let result = try await Privilege.run(words, input: input)
        guard result.succeeded else { throw FixtureError(.malformed, "\(words[0]): \(result.output)") }
    }
}
