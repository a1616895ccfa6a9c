import Engine
import EngineTestKit
import JSONValue
import MailModel
import Testing
import WorkflowModel

/// What keeps automatic replies from loops, rule by rule: from the mail as it comes in to the step that says why it sent
/// nothing, and the counter of that reason.
@Suite struct ReplySafetyTests {
    @Test func aPersonIsAnswered() async throws {
        let stage = try await ReplyStage()
        #expect(try await stage.refusal(of: stage.mail()) == nil)
        #expect(try await stage.sent().map(\.recipient) == ["ann@example.org"])
    }

    @Test(arguments: ["", "double-bounce@mx.example.org"])
    func rule1NullSenderAndPostmasterNotices(_ reversePath: String) async throws {
        let stage = try await ReplyStage()
        let mail = stage.mail { $0.reversePath = reversePath }
        #expect(try await stage.refusal(of: mail) == "null_sender")
    }

    @Test(arguments: [
        "help@example.com", "HELP+x@example.com", "robot@example.com", "bounce+token@example.com", "x@all.example.com",
    ])
    func rule2OurOwnAddresses(_ sender: String) async throws {
        let stage = try await ReplyStage { $0.ownAddresses = ["bounce@example.com"] }
        // The recipient itself, where its route is a domain's.
        let mail = stage.mail(from: sender, to: sender.hasSuffix("@all.example.com") ? sender : "help@example.com")
        #expect(try await stage.refusal(of: mail) == "own_address")
    }

    @Test func rule3OurOwnMail() async throws {
        let stage = try await ReplyStage()
        _ = try await stage.refusal(of: stage.mail())
        let reply = String(decoding: try #require(try await stage.sent().first).bytes, as: UTF8.self)
        func field(_ name: String) -> String {
            let line = reply.split(separator: "\r\n").first { $0.hasPrefix("\(name): ") } ?? ""
            return String(line.dropFirst(name.count + 2))
        }
        // A stranger's copy of it, with its marker or its Message-ID alone.
        let marked = stage.mail(
            from: "ben@example.net", header: [("X-Postrider-Delivery", field("X-Postrider-Delivery"))])
        #expect(try await stage.refusal(of: marked) == "own_mail")
        let copied = stage.mail(from: "ben@example.net", header: [("Message-ID", field("Message-ID"))])
        #expect(try await stage.refusal(of: copied) == "own_mail")
    }

    @Test func rule3ThreadWithTooManyMailsOfOurs() async throws {
        let stage = try await ReplyStage()
        func references(_ count: Int) -> [(String, String)] {
            let ours = (0..<count).map { "<01234567-89ab-7cde-8f01-23456789ab0\($0)@example.com>" }
            return [("References", (["<a@b.example>"] + ours).joined(separator: "\r\n "))]
        }
        #expect(try await stage.refusal(of: stage.mail(header: references(4))) == "long_thread")
        #expect(try await stage.refusal(of: stage.mail(header: references(3))) == nil)
        // A UUID of another version, and one at another domain, are nobody's.
        let others = [
            ("References", (0..<9).map { "<01234567-89ab-4cde-8f01-23456789ab0\($0)@example.com>" }.joined()),
            ("In-Reply-To", "<01234567-89ab-7cde-8f01-23456789ab01@example.net>"),
        ]
        #expect(try await stage.refusal(of: stage.mail(from: "ben@example.org", header: others)) == nil)
    }

    @Test(arguments: ["auto-replied", "auto-generated; x=y", "(c) Auto-Notified", ""])
    func rule4AutoSubmitted(_ value: String) async throws {
        let stage = try await ReplyStage()
        let mail = stage.mail(header: [("Auto-Submitted", "no"), ("Auto-Submitted", value)])
        #expect(try await stage.refusal(of: mail) == "auto_submitted")
        let person = stage.mail(header: [("Auto-Submitted", "No (really)")])
        #expect(try await stage.refusal(of: person) == nil)
    }

    @Test(arguments: [
        "List-Id", "List-Post", "List-Owner", "List-Subscribe", "List-Unsubscribe", "List-Unsubscribe-Post",
        "List-Help",
        "List-Archive", "Mailing-List", "X-Mailing-List", "X-BeenThere", "X-Mailman-Version",
    ])
    func rule5MailingLists(_ name: String) async throws {
        let stage = try await ReplyStage()
        #expect(try await stage.refusal(of: stage.mail(header: [(name, "<x.example.org>")])) == "mailing_list")
    }

    @Test(arguments: ["bulk", "Junk", "list", "auto_reply", "first-class-junk"])
    func rule6Precedence(_ value: String) async throws {
        let stage = try await ReplyStage()
        for name in ["Precedence", "X-Precedence"] {
            #expect(try await stage.refusal(of: stage.mail(header: [(name, value)])) == "precedence")
        }
        #expect(try await stage.refusal(of: stage.mail(header: [("Precedence", "first-class")])) == nil)
    }

    @Test(
        arguments: [
            ("All", "suppressed"), ("DR, oof", "suppressed"), ("AutoReply", "suppressed"), ("DR, RN, NRN", nil),
        ] as [(String, String?)])
    func rule7ResponseSuppressed(_ value: String, _ reason: String?) async throws {
        let stage = try await ReplyStage()
        let mail = stage.mail(header: [("X-Auto-Response-Suppress", value)])
        #expect(try await stage.refusal(of: mail) == reason)
    }

    @Test(arguments: [
        ("X-Autoreply", "yes"), ("X-Autorespond", "x"), ("X-AutoReply-From", "a@b"), ("X-Auto-Reply-From", "a@b"),
        ("X-Autogenerated", "Reply"), ("X-Mail-Autoreply", "1"), ("X-Loop", "a@b"),
        ("Delivered-To", "HELP@example.com"),
        ("Feedback-ID", "1:2:3"), ("X-Failed-Recipients", "a@b.example"), ("X-Cron-Env", "<A=b>"),
        ("X-SES-Outgoing", "2026"),
    ])
    func rule8FieldsOfPrograms(_ name: String, _ value: String) async throws {
        let stage = try await ReplyStage { $0.replies.refusedFields = ["x-ses-outgoing"] }
        #expect(try await stage.refusal(of: stage.mail(header: [(name, value)])) == "machine_header")
    }

    @Test func rule8FieldThatTheSiteDoesNotNameForbidsNothing() async throws {
        let stage = try await ReplyStage()
        #expect(try await stage.refusal(of: stage.mail(header: [("X-SES-Outgoing", "2026")])) == nil)
    }

    @Test(arguments: [
        "multipart/report; report-type=x-unknown; boundary=b", "Message/Delivery-Status",
        "message/disposition-notification", "text/rfc822-headers", "text/calendar; charset=utf-8; method=\"REPLY\"",
    ])
    func rule9Reports(_ type: String) async throws {
        let stage = try await ReplyStage()
        #expect(try await stage.refusal(of: stage.mail(header: [("Content-Type", type)])) == "report")
    }

    @Test func rule9AnswerToAnInvitationInAPart() async throws {
        let stage = try await ReplyStage()
        let body = """
            --b\r\nContent-Type: text/plain\r\n\r\nAnn has accepted.\r\n--b\r
            Content-Type: text/calendar; method=REPLY\r\n\r\nBEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n--b--\r\n
            """
        let mail = stage.mail(header: [("Content-Type", "multipart/alternative; boundary=b")], body: body)
        #expect(try await stage.refusal(of: mail) == "report")
    }

    @Test func rule9ProgramsThatSayItInTheSubjectOnly() async throws {
        let stage = try await ReplyStage()
        let mail = stage.mail(
            header: [("Subject", "Automatic reply: Opening hours")],
            body: "I am out of the office until 3 March and will answer then.\r\n")
        #expect(try await stage.refusal(of: mail) == "automatic_reply")
    }

    @Test(arguments: [
        "mailer-daemon", "Mailer", "postmaster", "uucp", "root", "daemon", "nobody", "listserv", "majordomo", "mailman",
        "sympa", "abuse", "bounce", "bounces", "owner-x", "bounce-x", "bounces-x", "bounce+x", "noreply", "no-reply-7",
        "no_reply", "donotreply", "do-not-reply", "x-request", "x-owner", "x-bounces", "x-outgoing", "x-relay",
        "x-noreply", "a+caf_=b=c.example", "postmaster+x",
    ])
    func rule10NamesOfPrograms(_ name: String) async throws {
        let stage = try await ReplyStage()
        // Both who sends and who is said to have written.
        #expect(try await stage.refusal(of: stage.mail(from: "\(name)@example.org")) == "machine_address")
        let from = stage.mail(header: [("From", "<\(name)@example.org>")])
        #expect(try await stage.refusal(of: from) == "machine_address")
    }

    @Test(arguments: [
        "SRS0=HHH=TT=example.net=ann@example.org", "SRS1=HHH=fwd.example==HHH=TT=example.net=ann@example.org",
    ])
    func rule10ForwardedPeopleAreAnswered(_ sender: String) async throws {
        let stage = try await ReplyStage()
        let mail = stage.mail(header: [("From", "Ann <ann@example.net>")]) { $0.reversePath = sender }
        #expect(try await stage.refusal(of: mail) == nil)
    }

    @Test func rule11RecipientIsNamed() async throws {
        let stage = try await ReplyStage()
        #expect(try await stage.refusal(of: stage.mail(header: [("To", "all@example.org")])) == "not_addressed")
        #expect(try await stage.refusal(of: stage.mail(without: ["To"])) == "not_addressed")
        for (number, name) in ["Cc", "Resent-To", "Resent-Cc"].enumerated() {
            let mail = stage.mail(
                from: "ann\(number)@example.org",
                header: [("To", "all@example.org"), (name, "<HELP@example.com>, b@c")])
            #expect(try await stage.refusal(of: mail) == nil)
        }
        let open = try await ReplyStage(answersBlindCopies: true)
        #expect(try await open.refusal(of: open.mail(header: [("To", "all@example.org")])) == nil)
    }

    @Test func rule12SpamAndVirus() async throws {
        let stage = try await ReplyStage()
        let spam = stage.mail(header: [("X-Rspamd-Action", "add header")])
        #expect(try await stage.refusal(of: spam) == "spam")
        let virus = stage.mail(header: [
            ("X-Rspamd-Action", "no action"),
            ("X-Spamd-Result", "default: False [1.20 / 15.00]; CLAM_VIRUS(0.00)[Eicar]"),
        ])
        #expect(try await stage.refusal(of: virus) == "spam")
    }

    @Test func rule12SenderThatNobodyVerified() async throws {
        let stage = try await ReplyStage { $0.replies.requiresAuthentication = true }
        func mail(_ results: String) -> ReceivedMessage {
            stage.mail(
                from: "ann\(results.filter { $0.isLetter })@example.org",
                header: [("Authentication-Results", "mx.example.com; \(results)")])
        }
        #expect(try await stage.refusal(of: mail("none")) == "unauthenticated")
        #expect(try await stage.refusal(of: mail("spf=softfail; dkim=pass header.d=x.example")) == "unauthenticated")
        #expect(try await stage.refusal(of: mail("spf=pass smtp.mailfrom=example.org")) == nil)
        #expect(try await stage.refusal(of: mail("dmarc=pass header.from=example.org")) == nil)
    }

    @Test func rule13OldMail() async throws {
        let stage = try await ReplyStage()
        let old = [("Date", "Sun, 28 Dec 2025 08:59:59 +0000")]
        #expect(try await stage.refusal(of: stage.mail(header: old)) == "stale")
        // The first server it passed says it too; whoever has neither is not asked.
        let received = [
            ("Received", "from x by y; Mon, 05 Jan 2026 08:00:00 +0000 (UTC)"),
            ("Received", "from a by b; \(old[0].1)"),
        ]
        #expect(try await stage.refusal(of: stage.mail(header: received)) == "stale")
        #expect(try await stage.refusal(of: stage.mail(without: ["Date"])) == nil)
        let young = stage.mail(from: "ben@example.org", header: [("Date", "Mon, 29 Dec 2025 09:00:00 +0000")])
        #expect(try await stage.refusal(of: young) == nil)
    }

    @Test func rule13MailThatGoesInACircle() async throws {
        let stage = try await ReplyStage()
        let hops = (0..<26).map { ("Received", "from a\($0) by b") }
        #expect(try await stage.refusal(of: stage.mail(header: hops)) == "looping")
        #expect(try await stage.refusal(of: stage.mail(header: Array(hops.dropLast()))) == nil)
    }

    @Test func rule14SameReplyOncePerWindow() async throws {
        let stage = try await ReplyStage()
        #expect(try await stage.refusal(of: stage.mail()) == nil)
        for same in ["ann@example.org", "Ann+7@EXAMPLE.org", "prvs=1234abcdef=ann@example.org"] {
            stage.engine.clock.advance(seconds: 3600)
            let mail = stage.mail(header: [("From", "ann@example.org")]) { $0.reversePath = same }
            #expect(try await stage.refusal(of: mail) == "already_answered", "\(same)")
        }
        stage.engine.clock.advance(seconds: 7 * 86_400 - 3 * 3600 - 1)
        let late = stage.mail(header: [("Date", "Mon, 12 Jan 2026 08:59:59 +0000")])
        #expect(try await stage.refusal(of: late) == "already_answered")
        stage.engine.clock.advance(seconds: 1)
        let later = stage.mail(header: [("Date", "Mon, 12 Jan 2026 08:59:59 +0000")])
        #expect(try await stage.refusal(of: later) == nil)
    }

    @Test func rule14AnotherSenderRouteOrTemplateIsAnotherReply() async throws {
        let stage = try await ReplyStage(templates: ["one", "two"])
        #expect(try await stage.answers(to: stage.mail()) == [nil, nil])
        #expect(try await stage.answers(to: stage.mail(from: "ben@example.org")) == [nil, nil])
        // By the other route, where the third of this sender's replies within the hour is the last.
        let other = stage.mail(to: "x@all.example.com")
        #expect(try await stage.answers(to: other) == [nil, "rate_limit"])
        // Every address of a domain's route is the same route.
        let third = stage.mail(from: "ben@example.org", to: "y@all.example.com")
        #expect(try await stage.answers(to: third) == [nil, "rate_limit"])
        let fourth = stage.mail(from: "ben@example.org", to: "z@all.example.com")
        #expect(try await stage.answers(to: fourth) == ["already_answered", "rate_limit"])
    }

    @Test func rule14WindowIsADayAtLeast() async throws {
        let stage = try await ReplyStage { $0.replies.window = 60 }
        _ = try await stage.refusal(of: stage.mail())
        stage.engine.clock.advance(seconds: 86_399)
        #expect(try await stage.refusal(of: stage.mail()) == "already_answered")
        stage.engine.clock.advance(seconds: 1)
        #expect(try await stage.refusal(of: stage.mail()) == nil)
    }

    @Test func rule14OutlivesARestart() async throws {
        let stage = try await ReplyStage()
        #expect(try await stage.refusal(of: stage.mail()) == nil)
        let restarted = try await ReplyStage(database: stage.database, clock: stage.engine.clock)
        #expect(try await restarted.refusal(of: restarted.mail()) == "already_answered")
        // What stands against no reply any more is forgotten.
        stage.engine.clock.advance(seconds: 7 * 86_400 + 1)
        let housekeeping = Housekeeping(context: restarted.engine.context)
        #expect(try await housekeeping.sweepReplies() == nil)
        let kept = try await restarted.engine.context.store.write { try $0.replies(to: "ann@example.org") }
        #expect(kept.isEmpty)
    }

    /// Twenty mails of one sender at once: the decision and its memory are one transaction.
    @Test func rule14HoldsForMailsThatComeAtOnce() async throws {
        let stage = try await ReplyStage()
        let mails = (0..<20).map { _ in stage.mail() }
        await withTaskGroup(of: Void.self) { group in
            for mail in mails {
                group.addTask {
                    _ = await withCheckedContinuation { continuation in
                        stage.intake.receive(mail) { continuation.resume(returning: $0) }
                    }
                }
            }
        }
        #expect(try await stage.sent().count == 1)
        #expect(try await stage.engine.counter("replies_refused_already_answered") == 19)
    }

    /// A robot that answers every reply with a new mail and bears no mark: whatever it is written from.
    @Test func rule15SenderRate() async throws {
        let stage = try await ReplyStage(templates: ["one", "two", "three", "four"])
        #expect(try await stage.answers(to: stage.mail()) == [nil, nil, nil, "rate_limit"])
        stage.engine.clock.advance(seconds: 3599)
        let first = try await stage.answers(to: stage.mail(to: "x@all.example.com"))
        #expect(first == Array(repeating: "rate_limit", count: 4))
        stage.engine.clock.advance(seconds: 1)
        let later = try await stage.answers(to: stage.mail(to: "x@all.example.com"))
        #expect(later == [nil, nil, nil, "rate_limit"])
    }

    @Test func rule15DomainRate() async throws {
        let stage = try await ReplyStage { $0.replies.perDomain = 5 }
        for number in 0..<5 {
            #expect(try await stage.refusal(of: stage.mail(from: "a\(number)@example.org")) == nil)
        }
        #expect(try await stage.refusal(of: stage.mail(from: "b@EXAMPLE.org")) == "domain_rate_limit")
        #expect(try await stage.refusal(of: stage.mail(from: "b@example.net")) == nil)
        stage.engine.clock.advance(seconds: 3600 + 300)
        #expect(try await stage.refusal(of: stage.mail(from: "b@example.org")) == nil)
    }

    @Test func rule15TooManyAltogetherStopThemAll() async throws {
        let stage = try await ReplyStage { ($0.replies.overall, $0.replies.pause) = (4, 7200) }
        for number in 0..<2 { _ = try await stage.refusal(of: stage.mail(from: "a@\(number).example")) }
        #expect(try await stage.sent().count == 2)
        for number in 2..<4 { _ = try await stage.refusal(of: stage.mail(from: "a@\(number).example")) }
        #expect(try await stage.refusal(of: stage.mail(from: "a@5.example")) == "replies_stopped")
        #expect(try await stage.engine.counter("replies_stops") == 1)
        // Those that wait are dropped, now and later, and nobody else is answered for a while, not even after a restart.
        #expect(try await stage.sent().isEmpty)
        stage.engine.clock.advance(seconds: 7199)
        let restarted = try await ReplyStage(database: stage.database, clock: stage.engine.clock)
        #expect(try await restarted.refusal(of: restarted.mail(from: "a@6.example")) == "replies_stopped")
        #expect(try await restarted.engine.counter("replies_stops") == 1)
        stage.engine.clock.advance(seconds: 1)
        #expect(try await restarted.refusal(of: restarted.mail(from: "a@7.example")) == nil)
        #expect(try await restarted.sent().map(\.recipient) == ["a@7.example"])
    }

    @Test func stopOfRepliesIsEndedByHandAndTheHourCountsAnew() async throws {
        let stage = try await ReplyStage { $0.replies.overall = 2 }
        let control = OutboxControl(context: stage.engine.context)
        let nothing = await #expect(throws: UseCaseError.self) { try await control.resumeReplies(for: nil) }
        #expect(nothing?.code == .notFound)
        for number in 0..<3 { _ = try await stage.refusal(of: stage.mail(from: "a@\(number).example")) }
        let stop = try #require(try await control.status(in: nil).replyStop)
        #expect(stop.until == stage.engine.clock.now().adding(seconds: 3600))
        stage.engine.clock.advance(seconds: 1)
        try await control.resumeReplies(for: stage.engine.project.id)
        #expect(try await control.status(in: nil).replyStop == nil)
        #expect(try await stage.refusal(of: stage.mail(from: "a@4.example")) == nil)
        // What waited when they were stopped stays dropped.
        #expect(try await stage.sent().map(\.recipient) == ["a@4.example"])
        _ = try await stage.refusal(of: stage.mail(from: "a@5.example"))
        #expect(try await stage.refusal(of: stage.mail(from: "a@6.example")) == "replies_stopped")
        #expect(try await stage.engine.counter("replies_stops") == 2)
        // The stop is everybody's: no project's key ends it for the others.
        try await Projects(context: stage.engine.context).create("other")
        let forbidden = await #expect(throws: UseCaseError.self) {
            try await control.resumeReplies(for: stage.engine.project.id)
        }
        #expect(forbidden?.code == .forbidden && forbidden?.description.contains("resume-replies") == true)
        try await control.resumeReplies(for: nil)
        #expect(try await stage.refusal(of: stage.mail(from: "a@7.example")) == nil)
    }

    /// Other mail than replies goes on.
    @Test func stopOfRepliesStopsNothingElse() async throws {
        let stage = try await ReplyStage { $0.replies.overall = 1 }
        _ = try await stage.refusal(of: stage.mail())
        _ = try await stage.refusal(of: stage.mail(from: "ben@example.net"))
        try await stage.engine.apply(
            document(slug: "welcome", steps: ["mail": ["type": "SEND_EMAIL", "config": ["template": "hello"]]]))
        try await stage.engine.track("signed_up", "new@example.net")
        #expect(try await stage.sent().map(\.recipient) == ["new@example.net"])
    }
}

/// What an automatic reply carries.
@Suite struct ReplyHeaderTests {
    private func reply(
        to header: [(String, String)] = [], _ configure: (inout EngineConfiguration) -> Void = { _ in }
    ) async throws -> (mail: OutgoingMail, text: String) {
        let stage = try await ReplyStage(configure)
        _ = try await stage.refusal(of: stage.mail(header: header))
        let mail = try #require(try await stage.sent().first)
        return (mail, String(decoding: mail.bytes, as: UTF8.self))
    }

    @Test func replyHasItsHeaderSet() async throws {
        let (mail, text) = try await reply(to: [
            ("Message-ID", "<m1@x>"), ("References", "<a@x> <b@x>"), ("Reply-To", "other@example.net"),
            ("Disposition-Notification-To", "ann@example.org"), ("Return-Receipt-To", "ann@example.org"),
        ])
        #expect(mail.reversePath == "" && mail.recipient == "ann@example.org")
        for line in [
            "From: help@example.com", "To: ann@example.org", "Subject: Re: Opening hours", "In-Reply-To: <m1@x>",
            "References: <a@x> <b@x> <m1@x>", "Auto-Submitted: auto-replied", "X-Auto-Response-Suppress: All",
            "Precedence: bulk", "MIME-Version: 1.0",
        ] {
            #expect(text.contains("\r\n\(line)\r\n") || text.hasPrefix("\(line)\r\n"), "\(line) in \(text)")
        }
        #expect(text.contains("\r\nDate: ") && text.contains("\r\nX-Postrider-Delivery: "))
        // Neither pixel nor rewritten links nor a wish for receipts, and bytes that every server takes.
        #expect(!text.contains("/o/") && !text.contains("/c/") && !text.contains("-Notification-To"))
        #expect(mail.bytes.allSatisfy { $0 < 0x80 })
    }

    @Test func referencesKeepTheFirstAndTheLastTwenty() async throws {
        let ids = (0..<60).map { "<r\($0)@x.example>" }
        let (_, text) = try await reply(to: [("Message-ID", "<m1@x>"), ("References", ids.joined(separator: "\r\n "))])
        let unfolded = text.replacing("\r\n ", with: " ")
        let line = try #require(unfolded.split(separator: "\r\n").first { $0.hasPrefix("References: ") })
        let written = line.split(separator: " ").dropFirst()
        #expect(written.count == 20 && written.first == "<r0@x.example>")
        #expect(written.suffix(2) == ["<r59@x.example>", "<m1@x>"])
    }

    @Test func nothingOfTheMailEndsAFieldOfTheReply() async throws {
        let (_, text) = try await reply(to: [
            ("Subject", "=?utf-8?q?a=0D=0ABcc:_victim@example.net?="), ("Message-ID", "<m\r\nBcc: x@y>"),
            ("References", "<a@x>\r\nBcc: victim@example.net"),
        ])
        #expect(!text.contains("\r\nBcc:") && !text.contains("\nBcc:"))
    }

    @Test func precedenceAndNullSenderCanBeTurnedOff() async throws {
        let (mail, text) = try await reply { ($0.replies.isMarkedAsBulk, $0.replies.hasNullSender) = (false, false) }
        #expect(!text.contains("Precedence") && mail.reversePath == "help@example.com")
    }

    @Test func replyGoesToFromOnlyWhereDMARCVerifiedIt() async throws {
        for (result, recipient) in [("pass", "other@example.net"), ("fail", "ann@example.org")] {
            let (mail, _) = try await reply(to: [
                ("From", "Ann <other@example.net>"),
                ("Authentication-Results", "mx.example.com; dmarc=\(result) header.from=example.net"),
            ]) { $0.replies.answersFrom = true }
            #expect(mail.recipient == recipient, "\(result)")
        }
    }
}
