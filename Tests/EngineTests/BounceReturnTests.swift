import Engine
import EngineTestKit
import JSONValue
import MailModel
import Testing
import WorkflowModel

/// Reports of mails that did not arrive: which are believed, and what they bring about.
@Suite struct BounceReturnTests {
    private func header(_ stage: ReturnStage, marker: Bool = true) -> [String] {
        (marker ? ["X-Postrider-Delivery: \(stage.marker)"] : []) + [
            "From: robot@example.com", "To: ann@example.org", "Subject: Hello", "Message-ID: \(stage.messageID)",
        ]
    }

    // MARK: What proves

    @Test func aMailHasAReversePathOfItsOwnAndAnAnswerHasNone() async throws {
        let stage = try await ReturnStage()
        #expect(stage.returnPath.hasPrefix("bounce+") && stage.returnPath.hasSuffix("@mail.example.com"))
        #expect(stage.replyAddress.hasPrefix("reply+"))
        #expect(stage.returnPath.prefix { $0 != "@" }.utf8.count <= 64)
        #expect(!stage.returnPath.contains("ann"))
    }

    @Test func theTokenOfTheReversePathProvesAReportWithoutAnythingElse() async throws {
        let stage = try await ReturnStage()
        let verdict = await stage.receive(
            IncomingText.report(to: stage.returnPath, recipients: [IncomingText.failed()], header: nil))
        // Nobody has a mailbox of that name.
        #expect(verdict == .discard)
        let data = try #require(try await stage.events("email.bounced").first)
        #expect(data["bounceType"] == "permanent" && data["status"] == "5.1.1" && data["reason"] == "user_unknown")
        #expect(data["matchedBy"] == "return_path" && data["source"] == "report" && data["isSuppressed"] == true)
        #expect(data["emailId"] == .string("\(stage.entry)") && data["stepId"] == "mail")
        #expect(data["diagnostic"] == "550 5.1.1 User unknown" && data["to"] == "ann@example.org")
        #expect(try await stage.reasons() == ["bounce"])
        // It concerns a mail, and is none: no route leads there.
        #expect(try await stage.events("email.received").isEmpty)
        let report = try #require(try await stage.reports().first)
        #expect(report.isVerified && report.outcome == "bounced" && report.entryID == stage.entry)
    }

    @Test func aProjectMayHaveAddressesOfItsOwn() async throws {
        let stage = try await ReturnStage(hasAddresses: false) { configuration in
            configuration.returnAddresses = ReturnAddresses(
                .init(returnPath: MailAddress.parse("bounce@mail.example.com")),
                byProject: ["default": .init(returnPath: MailAddress.parse("back@own.example.com"))])
        }
        #expect(stage.returnPath.hasPrefix("back+") && stage.returnPath.hasSuffix("@own.example.com"))
        #expect(SentMail(stage.sent).field("Reply-To") == nil)
        await stage.receive(
            IncomingText.report(to: stage.returnPath, recipients: [IncomingText.failed()], header: nil))
        #expect(try await stage.reasons() == ["bounce"])
    }

    @Test func aTestMailsBounceIsShownAndEndsNothing() async throws {
        let stage = try await ReturnStage()
        let catalog = try await stage.engine.context.store.read { try $0.loadCatalog() }
        let template = try #require(catalog.template("hello", in: stage.engine.project.id))
        _ = try await Templates(context: stage.engine.context, projectID: stage.engine.project.id).sendTest(
            template.id, to: "ann@example.org", PreviewRequest())
        let mail = try #require(try await stage.leaving().first)
        await stage.receive(
            IncomingText.report(to: mail.reversePath, recipients: [IncomingText.failed()], header: nil))
        #expect(try await stage.reports().map(\.outcome) == ["test"])
        #expect(try await stage.reasons().isEmpty)
    }

    @Test func theTokenSurvivesAChangeOfCase() async throws {
        let stage = try await ReturnStage()
        await stage.receive(
            IncomingText.report(to: stage.returnPath.uppercased(), recipients: [IncomingText.failed()], header: nil))
        #expect(try await stage.reasons() == ["bounce"])
    }

    @Test func ourMarkerInTheReturnedHeaderProvesIt() async throws {
        let stage = try await ReturnStage(hasAddresses: false)
        #expect(stage.sent.reversePath == "robot@example.com")
        let verdict = await stage.receive(
            IncomingText.report(to: ReturnStage.inbox, recipients: [IncomingText.failed()], header: header(stage)))
        #expect(verdict == .continue)
        #expect(try await stage.events("email.bounced").first?["matchedBy"] == "marker")
        #expect(try await stage.reasons() == ["bounce"])
        let received = try #require(try await stage.events("email.received").first)
        #expect(received["mailClass"] == "delivery_report" && received["emailId"] == .string("\(stage.entry)"))
        #expect(received["isVerified"] == true)
    }

    /// A report is in the mailbox of a route, and whoever it says it comes from is no contact for that.
    @Test func aReportMakesNoContactOfItsSender() async throws {
        let stage = try await ReturnStage(hasAddresses: false)
        await stage.receive(
            IncomingText.report(to: ReturnStage.inbox, recipients: [IncomingText.failed()], header: header(stage)))
        await stage.receive(IncomingText.complaint(to: ReturnStage.inbox, header: nil))
        var notice = IncomingText.answer(
            to: ReturnStage.inbox, from: "mailer-daemon@mx.example.net", id: "n1", text: "It is late.\r\n")
        notice.reversePath = ""
        await stage.receive(notice)
        #expect(try await stage.events("email.received").count == 3, "each is an event")
        for address in ["mailer-daemon@mx.example.net", "fbl@provider.example"] {
            #expect(try await stage.engine.contact(address) == nil, "\(address)")
        }
        // Somebody who is one already gets it into his history, and a person without a reverse path becomes one.
        try await stage.engine.track("seen", "fbl@provider.example")
        await stage.receive(IncomingText.complaint(to: ReturnStage.inbox, header: nil, id: "c2"))
        await stage.receive(
            IncomingText.answer(to: ReturnStage.inbox, from: "ben@example.org", id: "n2", reversePath: ""))
        #expect(try await stage.engine.contact("ben@example.org") != nil)
        #expect(
            try Rows(stage.database.path).count(
                """
                SELECT count(*) FROM events e JOIN contacts c ON c.id = e.contact_id
                WHERE e.name = 'email.received' AND c.email IN ('fbl@provider.example', 'ben@example.org')
                """) == 2)
    }

    @Test func aQueueIDProvesItWhenOurOwnMTASaysSo() async throws {
        let stage = try await ReturnStage(hasAddresses: false)
        let report = IncomingText.report(
            to: ReturnStage.inbox, recipients: [IncomingText.failed()], message: ["X-Postfix-Queue-ID: 4ABC"],
            header: nil, isLocal: true)
        await stage.receive(report)
        #expect(try await stage.events("email.bounced").first?["matchedBy"] == "queue_id")
        #expect(try await stage.reasons() == ["bounce"])
    }

    /// Nor does one in a file that somebody imports, which nobody may refuse either.
    @Test(arguments: [true, false])
    func aQueueIDFromOutsideProvesNothing(isImported: Bool) async throws {
        let stage = try await ReturnStage(hasAddresses: false)
        var message = IncomingText.report(
            to: ReturnStage.inbox, recipients: [IncomingText.failed()], message: ["X-Postfix-Queue-ID: 4ABC"],
            header: nil)
        if isImported { (message.isInternal, message.clientAddress) = (true, "") }
        await stage.receive(message)
        #expect(try await stage.events("email.bounced").isEmpty)
        #expect(try await stage.reasons().isEmpty)
        let report = try #require(try await stage.reports().first)
        #expect(!report.isVerified && report.outcome == "unverified" && report.matchedBy == "queue_id")
    }

    @Test func aQueueIDThatIsUsedAgainIsTheMailOfTheNamedRecipient() async throws {
        let stage = try await ReturnStage(hasAddresses: false)
        try await stage.engine.track("signed_up", "ben@example.org")
        #expect(try await stage.leaving().count == 1)
        await stage.receive(
            IncomingText.report(
                to: ReturnStage.inbox, recipients: [IncomingText.failed()], message: ["X-Postfix-Queue-ID: 4ABC"],
                header: nil, isLocal: true))
        #expect(try await stage.reasons() == ["bounce"])
        #expect(try await stage.reasons("ben@example.org").isEmpty)
        // Whom does it mean?
        stage.engine.clock.advance(seconds: 1)
        await stage.receive(
            IncomingText.report(
                to: ReturnStage.inbox, recipients: [IncomingText.failed("cleo@example.org")],
                message: ["X-Postfix-Queue-ID: 4ABC"], header: nil, id: "r2", isLocal: true))
        #expect(try await stage.reasons("ben@example.org").isEmpty)
        #expect(try await stage.reports().first?.outcome == "unknown")
    }

    @Test func theEnvelopeIDProvesItWhenItIsOurToken() async throws {
        let stage = try await ReturnStage(hasAddresses: false)
        await stage.receive(
            IncomingText.report(
                to: ReturnStage.inbox, recipients: [IncomingText.failed()],
                message: ["Original-Envelope-Id: \(stage.marker)"], header: nil))
        #expect(try await stage.events("email.bounced").first?["matchedBy"] == "envelope_id")
    }

    // MARK: What does not

    @Test func aForgedReportWithTheRightMessageIDSuppressesNobody() async throws {
        let stage = try await ReturnStage()
        await stage.receive(
            IncomingText.report(
                to: ReturnStage.inbox, recipients: [IncomingText.failed()], header: header(stage, marker: false)))
        #expect(try await stage.events("email.bounced").isEmpty)
        #expect(try await stage.reasons().isEmpty)
        let report = try #require(try await stage.reports().first)
        #expect(report.outcome == "unverified" && report.matchedBy == "message_id" && !report.isVerified)
        #expect(report.address == "ann@example.org" && report.details["status"] == "5.1.1")
        let received = try #require(try await stage.events("email.received").first)
        #expect(received["isVerified"] == false)
    }

    enum BadToken: CaseIterable {
        case truncated, extended, altered, ofAnotherKind, ofAnotherMail, reversed, empty
    }

    @Test(arguments: BadToken.allCases)
    func aTokenThatIsNotThatOfTheAddressProvesNothing(_ bad: BadToken) async throws {
        let stage = try await ReturnStage()
        let tokens = stage.engine.context.tokens
        let good = tokens.addressToken(.bounce, for: stage.entry)
        let token: String =
            switch bad {
            case .truncated: String(good.dropLast())
            case .extended: good + "a"
            case .altered: (good.first == "a" ? "b" : "a") + good.dropFirst()
            case .ofAnotherKind: tokens.addressToken(.reply, for: stage.entry)
            case .ofAnotherMail: tokens.addressToken(.bounce, for: Identifier(high: 7, low: 7))
            case .reversed: String(good.reversed())
            case .empty: ""
            }
        let verdict = await stage.receive(
            IncomingText.report(
                to: "bounce+\(token)@mail.example.com", recipients: [IncomingText.failed()],
                header: header(stage, marker: false)))
        // Our own token is no stranger's mail, whatever has become of the mail it names.
        #expect(verdict == (bad == .ofAnotherMail ? .discard : .continue))
        #expect(try await stage.events("email.bounced").isEmpty)
        #expect(try await stage.reasons().isEmpty)
        let report = try #require(try await stage.reports().first)
        #expect(!report.isVerified)
    }

    @Test func aTokenForOtherPurposesIsNoMarker() async throws {
        let stage = try await ReturnStage(hasAddresses: false)
        let open = stage.engine.context.tokens.token(.open, for: stage.entry)
        await stage.receive(
            IncomingText.report(
                to: ReturnStage.inbox, recipients: [IncomingText.failed()],
                header: ["X-Postrider-Delivery: \(open)", "Message-ID: \(stage.messageID)"]))
        #expect(try await stage.reasons().isEmpty)
    }

    @Test func aRouteOfAnotherProjectLearnsNothingOfTheMail() async throws {
        let stage = try await ReturnStage()
        try await Projects(context: stage.engine.context).create("other")
        var configuration = Intake.Configuration()
        configuration.routes = InboundRoutes([
            .init(match: .recipient("desk@other.example"), project: "other", disposition: .continue)
        ])
        let intake = Intake(context: stage.engine.context, configuration: configuration)
        func receive(_ message: ReceivedMessage) async {
            _ = await withCheckedContinuation { continuation in
                intake.receive(message) { continuation.resume(returning: $0) }
            }
        }
        // A stranger names a mail of ours by what he may have seen.
        await receive(
            IncomingText.report(
                to: "desk@other.example", recipients: [IncomingText.failed()], header: header(stage, marker: false)))
        let catalog = try await stage.engine.context.store.read { try $0.loadCatalog() }
        let other = try #require(catalog.project(slug: "other"))
        let shown = try await InboundReports(context: stage.engine.context).page(
            .init(projectID: other.id, limit: 10)
        ).reports
        #expect(shown.map(\.outcome) == ["unverified"])
        #expect(shown.first?.entryID == nil && shown.first?.matchedBy == nil)
        #expect(try await stage.reports().isEmpty)
        #expect(try await stage.reasons().isEmpty)
        // The mail itself comes back there: that concerns its own project, and is shown in it.
        await receive(
            IncomingText.report(
                to: "desk@other.example", recipients: [IncomingText.failed()], header: header(stage), id: "r2"))
        #expect(try await stage.reasons() == ["bounce"])
        #expect(try await stage.reports().map(\.outcome) == ["bounced"])
        let received = try await stage.engine.context.store.read {
            try $0.newestEventData(of: "email.received", in: other.id, among: 50)
        }
        #expect(received.count == 2 && received.allSatisfy { $0["emailId"] == nil })
        #expect(
            try await Suppressions(context: stage.engine.context).page(in: other.id, limit: 10).suppressions.isEmpty)
    }

    // MARK: Several

    @Test func theSameFailureTwiceIsOne() async throws {
        let stage = try await ReturnStage()
        for id in ["r1", "r1", "r2"] {
            stage.engine.clock.advance(seconds: 1)
            await stage.receive(
                IncomingText.report(
                    to: stage.returnPath,
                    recipients: [IncomingText.failed("ann@example.org", "5.2.2", "552 5.2.2 full")],
                    header: nil, id: id))
        }
        #expect(try await stage.events("email.bounced").map { $0["bounceType"] } == ["transient"])
        #expect(try await stage.events("email.bounced").first?["softBounces"] == 1)
        // A copy of the first is not even a report; another report of the same is shown.
        #expect(try await stage.reports().map(\.outcome) == ["repeated", "bounced"])
    }

    @Test func aReportOfAThousandRecipientsSuppressesTheMailsOwn() async throws {
        let stage = try await ReturnStage()
        let others = (0..<1000).map { IncomingText.failed("c\($0)@example.org") }
        for number in [3, 999] { try await stage.engine.track("seen", "c\(number)@example.org") }
        await stage.receive(IncomingText.report(to: stage.returnPath, recipients: others, header: nil))
        #expect(try await stage.reasons() == ["bounce"])
        #expect(try await stage.reasons("c3@example.org").isEmpty)
        #expect(try await stage.reasons("c999@example.org").isEmpty)
        #expect(try await stage.events("email.bounced").count == 1)
    }

    @Test func ofSeveralRecipientsTheMailsOwnCounts() async throws {
        let stage = try await ReturnStage()
        await stage.receive(
            IncomingText.report(
                to: stage.returnPath,
                recipients: [
                    IncomingText.failed("ben@example.org"),
                    IncomingText.failed("ann@example.org", "2.0.0", "250 2.0.0 Ok", action: "delivered"),
                ], header: nil))
        #expect(try await stage.events("email.bounced").isEmpty)
        #expect(try await stage.reasons().isEmpty)
        #expect(try await stage.reports().map(\.outcome) == ["no_failure"])
    }

    @Test func whoeverGotItFromTheRecipientSpeaksForHim() async throws {
        let stage = try await ReturnStage()
        await stage.receive(
            IncomingText.report(
                to: stage.returnPath, recipients: [IncomingText.failed("ann@elsewhere.example")], header: nil))
        #expect(try await stage.reasons() == ["bounce"])
        #expect(try await stage.reasons("ann@elsewhere.example").isEmpty)
    }

    // MARK: Policy

    @Test(arguments: [
        ("failed", "5.7.1", "554 5.7.1 Message rejected as spam", "policy"),
        ("failed", "5.7.26", "550 5.7.26 unauthenticated mail is not accepted, DMARC", "configuration"),
        ("failed", "5.5.2", "502 5.5.2 Syntax error", "configuration"),
        ("failed", "4.4.1", "connect to mx: Connection timed out", "transient"),
        ("failed", "4.7.28", "421 4.7.28 Too many messages, slow down", "transient"),
        ("failed", "5.7.28", "550 5.7.28 Unusual rate of mail", "policy"),
        ("failed", "4.1.1", "450 4.1.1 User unknown", "transient"),
        ("failed", "5.0.0", "something", "undetermined"),
    ])
    func whatSaysNothingOfTheAddressSuppressesNothing(
        action: String, code: String, text: String, type: String
    ) async throws {
        let stage = try await ReturnStage { $0.suppression.softLimit = 3 }
        await stage.receive(
            IncomingText.report(
                to: stage.returnPath, recipients: [IncomingText.failed("ann@example.org", code, text, action: action)],
                header: nil))
        let data = try #require(try await stage.events("email.bounced").first)
        #expect(data["bounceType"] == .string(type) && data["isSuppressed"] == false)
        #expect(try await stage.reasons().isEmpty)
        #expect(try await stage.engine.counter("bounces_\(type)") == 1)
    }

    @Test(arguments: [("delayed", "4.4.1", "451 4.4.1 timed out"), ("delivered", "2.0.0", "250 2.0.0 Ok")])
    func whatIsNoFailureIsNoBounce(action: String, code: String, text: String) async throws {
        let stage = try await ReturnStage()
        await stage.receive(
            IncomingText.report(
                to: stage.returnPath, recipients: [IncomingText.failed("ann@example.org", code, text, action: action)],
                header: nil))
        #expect(try await stage.events("email.bounced").isEmpty)
        #expect(try await stage.reports().map(\.outcome) == ["no_failure"])
    }

    /// Mails to one address, a day apart, each of which comes back for now.
    private func softBounces(_ stage: ReturnStage, _ count: Int, daysApart: Int64 = 1) async throws {
        for number in 0..<count {
            try await stage.engine.track("signed_up")
            for mail in try await stage.leaving() where mail.recipient == "ann@example.org" {
                await stage.receive(
                    IncomingText.report(
                        to: mail.reversePath,
                        recipients: [IncomingText.failed("ann@example.org", "4.2.2", "452 4.2.2 Mailbox full")],
                        header: nil, id: "s\(number)-\(stage.engine.clock.now())"))
            }
            stage.engine.clock.advance(seconds: daysApart * 86_400)
        }
    }

    private static let alone: JSONObject = ["mail": ["type": "SEND_EMAIL", "config": ["template": "hello"]]]

    @Test func manyMailsThatAreNotTakenForNowSuppressForAWhile() async throws {
        let stage = try await ReturnStage(steps: Self.alone) {
            ($0.suppression.softLimit, $0.suppression.softDays) = (3, 3)
        }
        try await softBounces(stage, 2)
        #expect(try await stage.reasons().isEmpty)
        try await softBounces(stage, 1)
        #expect(try await stage.reasons() == ["bounce"])
        let last = try #require(try await stage.events("email.bounced").first)
        #expect(last["softBounces"] == 3 && last["isSuppressed"] == true && last["suppressedUntil"] != nil)
        stage.engine.clock.advance(seconds: 30 * 86_400)
        #expect(try await stage.reasons().isEmpty)
    }

    @Test func whatLiesTooFarBackDoesNotCountAndNeitherDoesOneDay() async throws {
        let stage = try await ReturnStage(steps: Self.alone) {
            ($0.suppression.softLimit, $0.suppression.softDays) = (3, 3)
        }
        try await softBounces(stage, 4, daysApart: 16)
        #expect(try await stage.reasons().isEmpty)
        stage.engine.clock.advance(seconds: 60 * 86_400)
        try await softBounces(stage, 5, daysApart: 0)
        #expect(try await stage.reasons().isEmpty)
    }

    @Test func thePolicyCanBeSwitchedOff() async throws {
        let stage = try await ReturnStage { $0.suppression.suppressesBounces = false }
        await stage.receive(
            IncomingText.report(to: stage.returnPath, recipients: [IncomingText.failed()], header: nil))
        #expect(try await stage.events("email.bounced").count == 1)
        #expect(try await stage.reasons().isEmpty)
    }

    // MARK: What is seen

    @Test func theMailShowsThatItBounced() async throws {
        let stage = try await ReturnStage()
        let before = try await DirectMail(context: stage.engine.context).status(
            of: stage.entry, project: stage.engine.project.id)
        #expect(before.state == "delivered")
        await stage.receive(
            IncomingText.report(to: stage.returnPath, recipients: [IncomingText.failed()], header: nil))
        let after = try await DirectMail(context: stage.engine.context).status(
            of: stage.entry, project: stage.engine.project.id)
        #expect(after.state == "bounced")
        #expect(after.returns.first?.details["diagnostic"] == "550 5.1.1 User unknown")
        let contact = try #require(try await stage.engine.contact())
        let page = try await Timelines(context: stage.engine.context).page(
            of: contact.id, kinds: [.mail, .event], before: TimelinePosition(), limit: 50,
            project: stage.engine.project.id)
        let mails = page.page.items.compactMap { if case .mail(let mail) = $0 { mail.state } else { nil } }
        #expect(mails == ["bounced"])
        let names = page.page.items.compactMap { if case .event(let event) = $0 { event.name } else { nil } }
        #expect(names.contains("email.bounced"))
    }

    @Test func aBounceOfAnAutomaticReplyCountsAndIsNotAnswered() async throws {
        let stage = try await ReturnStage()
        try await stage.engine.apply(
            document(
                event: "email.received", reentry: true, slug: "answer",
                steps: ["reply": ["type": "SEND_EMAIL", "config": ["template": "hello"]]]))
        await stage.receive(IncomingText.answer(to: ReturnStage.inbox, from: "ben@example.org", id: "q1"))
        let reply = try #require(try await stage.leaving().first)
        #expect(reply.reversePath.isEmpty && SentMail(reply).field("Reply-To") == nil)
        let marker = try #require(SentMail(reply).field("X-Postrider-Delivery"))
        // It has no reverse path; some server reports to the author all the same.
        await stage.receive(
            IncomingText.report(
                to: ReturnStage.inbox, recipients: [IncomingText.failed("ben@example.org")],
                header: ["X-Postrider-Delivery: \(marker)", "From: desk@example.com"]))
        #expect(try await stage.reasons("ben@example.org") == ["bounce"])
        #expect(try await stage.leaving().isEmpty)
    }

    @Test func aReportAboutAnErasedContactWritesNothingOfIt() async throws {
        let stage = try await ReturnStage()
        let contact = try #require(try await stage.engine.contact())
        try await stage.engine.contacts.delete(contact.id)
        await stage.receive(
            IncomingText.report(to: stage.returnPath, recipients: [IncomingText.failed()], header: header(stage)))
        #expect(try await stage.events("email.bounced").isEmpty)
        #expect(try await stage.reasons().isEmpty)
        #expect(try await stage.engine.contact() == nil)
    }

    @Test func whatCameBackIsErasedWithTheContact() async throws {
        let stage = try await ReturnStage()
        await stage.receive(IncomingText.answer(to: stage.replyAddress))
        await stage.receive(
            IncomingText.report(to: stage.returnPath, recipients: [IncomingText.failed()], header: nil))
        // One that nobody believes, and one about somebody else.
        await stage.receive(
            IncomingText.report(to: ReturnStage.inbox, recipients: [IncomingText.failed()], header: nil, id: "r2"))
        await stage.receive(
            IncomingText.report(
                to: ReturnStage.inbox, recipients: [IncomingText.failed("ben@example.org")], header: nil, id: "r3"))
        let contact = try #require(try await stage.engine.contact())
        try await stage.engine.contacts.delete(contact.id)
        while try await History(context: stage.engine.context).step(HistorySizes()) {}
        let rows = Rows(stage.database.path)
        #expect(try rows.count("SELECT count(*) FROM mail_returns") == 0)
        #expect(try rows.count("SELECT count(*) FROM answered_executions") == 0)
        #expect(try rows.run("SELECT address FROM inbound_reports") == [["ben@example.org"]])
        // What stands against the address outlives it.
        #expect(try await stage.reasons() == ["bounce"])
    }

    @Test func aSenderThatIsAnAddressOfAMailIsNotAnswered() async throws {
        let stage = try await ReturnStage()
        var message = IncomingText.answer(to: ReturnStage.inbox, from: "ben@example.org", id: "q1")
        message.reversePath = stage.returnPath
        await stage.receive(message)
        #expect(try await stage.events("email.received").first?["replyRefusal"] == "own_address")
    }

    @Test func reportsAreForgottenInTime() async throws {
        let stage = try await ReturnStage()
        await stage.receive(
            IncomingText.report(to: stage.returnPath, recipients: [IncomingText.failed()], header: nil))
        let housekeeping = Housekeeping(context: stage.engine.context)
        stage.engine.clock.advance(seconds: 89 * 86_400)
        try await housekeeping.sweep()
        #expect(try await stage.reports().count == 1)
        stage.engine.clock.advance(seconds: 2 * 86_400)
        try await housekeeping.sweep()
        #expect(try await stage.reports().isEmpty)
    }
}
