import Engine
import EngineTestKit
import JSONValue
import MailModel
import Testing
import WorkflowModel

@Suite struct DispositionTests {
    private typealias Route = InboundRoutes.Route

    private static func code(_ verdict: Verdict) -> String {
        switch verdict {
        case .continue: "continue"
        case .discard: "discard"
        case .quarantine: "quarantine"
        case .reject(let reply): "\(reply.code) \(reply.enhancedCode ?? "") \(reply.text)"
        case .tempfail: "tempfail"
        }
    }

    private func route(
        _ disposition: InboundRoutes.Disposition, when conditions: [VerdictCondition] = [],
        spam: InboundRoutes.SpamMode = .none, text: String? = nil
    ) -> InboundRoutes.Route {
        InboundStage.route("help@example.com", disposition) {
            $0.conditions = conditions
            $0.spamMode = spam
            $0.rejectText = text
        }
    }

    @Test func dispositionsApplyWhenAConditionHolds() async throws {
        let conditions = [VerdictCondition(.spam, .fail), VerdictCondition(.virus, .fail)]
        let cases: [(InboundRoutes.Disposition, String)] = [
            (.continue, "continue"), (.discard, "discard"), (.quarantine, "quarantine"),
            (.reject, "550 5.7.1 We do not take this"),
        ]
        for (disposition, expected) in cases {
            let stage = try await InboundStage([route(disposition, when: conditions, text: "We do not take this")])
            #expect(Self.code(await stage.receive(InboundStage.mail("1@x", action: "add header"))) == expected)
            #expect(Self.code(await stage.receive(InboundStage.mail("2@x", action: "no action"))) == "continue")
            // A verdict that nobody gave is no reason.
            #expect(Self.code(await stage.receive(InboundStage.mail("3@x"))) == "continue")
            #expect(try await stage.events().count == (disposition == .reject ? 2 : 3), "\(disposition)")
        }
    }

    @Test func withoutConditionsTheDispositionAlwaysApplies() async throws {
        let stage = try await InboundStage([route(.reject)])
        #expect(Self.code(await stage.receive(InboundStage.mail())) == "550 5.7.1 Message refused")
        #expect(try await stage.events().isEmpty)
        #expect(try await stage.outcomes().isEmpty)
    }

    @Test func heldMailIsAnEventThatSaysSo() async throws {
        let stage = try await InboundStage([route(.quarantine, when: [VerdictCondition(.spam, .fail)])])
        let verdict = await stage.receive(InboundStage.mail(action: "add header"))
        #expect(verdict == .quarantine(reason: "held by its route: spam=FAIL"))
        #expect(try await stage.events().first?["disposition"] == "quarantine")
    }

    /// Nobody would send it again, and nobody hear of it.
    @Test(arguments: [true, false])
    func bouncesAreNeitherRefusedNorHeld(_ isInternal: Bool) async throws {
        for disposition in [InboundRoutes.Disposition.reject, .quarantine] {
            for mode in [InboundRoutes.SpamMode.none, .quarantine, .fail] {
                let stage = try await InboundStage([route(disposition, spam: mode)])
                var bounce = InboundStage.mail(from: isInternal ? "ann@example.org" : "", action: "reject")
                bounce.isInternal = isInternal
                #expect(await stage.receive(bounce) == .continue)
                #expect(try await stage.events().count == 1)
            }
        }
    }

    @Test(arguments: [
        (InboundRoutes.SpamMode.none, "continue", 1), (.mark, "continue", 1), (.quarantine, "quarantine", 0),
        (.fail, "550 5.7.1 Message refused", 0),
    ])
    func spamModeIsTheFateOfTheEvent(
        _ mode: InboundRoutes.SpamMode, _ verdict: String, _ events: Int
    ) async throws {
        let stage = try await InboundStage([route(.continue, spam: mode)])
        #expect(Self.code(await stage.receive(InboundStage.mail(action: "add header"))) == verdict)
        #expect(try await stage.events().count == events)
        #expect(try await stage.outcomes().map(\.kind) == (mode == .quarantine ? [.held] : []))
        #expect(Self.code(await stage.receive(InboundStage.mail("ham@x", action: "no action"))) == "continue")
        #expect(try await stage.events().count == events + 1)
    }

    // MARK: Several recipients

    private static let mixed: [(String, InboundRoutes.Disposition)] = [
        ("reject@example.com", .reject), ("also-reject@example.com", .reject), ("discard@example.com", .discard),
        ("hold@example.com", .quarantine), ("take@example.com", .continue),
    ]

    @Test(arguments: [
        (["reject@example.com"], "550 5.7.1 Message refused", 0, 0),
        (["reject@example.com", "also-reject@example.com"], "550 5.7.1 Message refused", 0, 0),
        (["reject@example.com", "take@example.com"], "continue", 1, 1),
        (["reject@example.com", "discard@example.com"], "continue", 1, 1),
        (["reject@example.com", "stranger@else.example"], "continue", 0, 1),
        (["hold@example.com", "discard@example.com"], "continue", 2, 0),
        (["hold@example.com"], "quarantine", 1, 0),
        (["discard@example.com", "take@example.com"], "continue", 2, 0),
    ])
    func theMessageHasOneFateAndEachRecipientARecord(
        _ recipients: [String], _ verdict: String, _ events: Int, _ refused: Int
    ) async throws {
        let stage = try await InboundStage(Self.mixed.map { InboundStage.route($0.0, $0.1) })
        let mail = InboundStage.mail(to: recipients)
        #expect(Self.code(await stage.receive(mail)) == verdict)
        #expect(try await stage.events().count == events)
        let outcomes = try await stage.outcomes()
        #expect(outcomes.count == refused)
        for outcome in outcomes {
            #expect(outcome.kind == .refused && outcome.recipient == "reject@example.com")
            #expect(outcome.sender == "ann@example.org" && outcome.detail["subject"] == "Hi")
        }
        // A retry of it adds nothing.
        _ = await stage.receive(mail)
        #expect(try await stage.outcomes().count == refused)
    }

    @Test func recipientsThatWeDoNotKnowWantTheirMail() async throws {
        let stage = try await InboundStage([route(.reject)])
        var mail = InboundStage.mail()
        mail.hasFurtherRecipients = true
        #expect(await stage.receive(mail) == .continue)
        #expect(try await stage.outcomes().map(\.kind) == [.refused])
    }

    @Test func aRecipientOfTwoProjectsIsRefusedWhenBothSaySo() async throws {
        let domain = InboundStage.route("example.com", .continue) { $0.project = "other" }
        let stage = try await InboundStage([route(.reject), domain])
        // The other project does not exist here: what matters is that nothing is refused over its head.
        guard case .tempfail = await stage.receive(InboundStage.mail()) else {
            Issue.record("refused")
            return
        }
    }

    // MARK: Unknown recipients

    @Test func unknownRecipientsOfADomainAreAsItsRuleSays() async throws {
        var event = InboundStage.route("event.example")
        event.isForUnknown = true
        let stage = try await InboundStage(
            [
                InboundStage.route("help@example.com"), InboundStage.route("known@reject.example"),
                InboundStage.route("known@discard.example", .discard), InboundStage.route("known@event.example"),
            ],
            unknown: ["reject.example": .reject, "discard.example": .discard, "event.example": .event(event)])
        let intake = stage.intake
        #expect(!intake.wants(recipient: "x@example.com") && intake.refusal(of: "x@example.com") == nil)
        #expect(!intake.wants(recipient: "x@reject.example"))
        #expect(intake.refusal(of: "x@Reject.Example")?.code == 550)
        #expect(
            intake.refusal(of: "known@reject.example") == nil && intake.refusal(of: "known+7@reject.example") == nil)
        #expect(intake.wants(recipient: "x@discard.example") && intake.refusal(of: "x@discard.example") == nil)
        #expect(await stage.receive(InboundStage.mail(to: ["x@discard.example"])) == .discard)
        #expect(await stage.receive(InboundStage.mail(to: ["x@discard.example", "known@discard.example"])) == .discard)
        #expect(
            await stage.receive(InboundStage.mail("2@x", to: ["x@discard.example", "a@else.example"])) == .continue)
        #expect(await stage.receive(InboundStage.mail("3@x", to: ["x@event.example"])) == .continue)
        let events = try await stage.events()
        #expect(events.map { $0["to"] } == ["known@discard.example", "x@event.example"])
        #expect(events.map { $0["isUnknownRecipient"] } == [nil, true])
    }

    @Test func replyPolicyOfTheRouteIsFollowed() async throws {
        let stage = try await InboundStage([
            InboundStage.route("bcc@example.com") { $0.replies.answersBlindCopies = true },
            InboundStage.route("help@example.com"),
            InboundStage.route("strict@example.com") {
                $0.replies.answersBlindCopies = true
                $0.replies.requiresAuthentication = true
            },
        ])
        for recipient in ["bcc@example.com", "help@example.com", "strict@example.com"] {
            _ = await stage.receive(InboundStage.mail(to: [recipient]))
        }
        let refusals = try await stage.events().map { $0["replyRefusal"] }
        #expect(refusals == [nil, "not_addressed", "unauthenticated"])
    }
}
