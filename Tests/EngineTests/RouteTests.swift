import Engine
import EngineTestKit
import JSONValue
import MailModel
import Testing
import WorkflowModel

@Suite struct RouteTests {
    private static func route(_ match: InboundRoutes.Route.Match, _ project: String) -> InboundRoutes.Route {
        InboundRoutes.Route(match: match, project: project, disposition: .continue)
    }

    private static func routes(delimiter: Character? = "+") throws -> InboundRoutes {
        InboundRoutes(
            [
                route(.domain("example.com"), "domain"),
                route(.pattern(try AddressPattern(expression: "t[0-9]+@example\\.com")), "pattern"),
                route(.pattern(try AddressPattern(wildcard: "t*@example.com")), "wildcard"),
                route(.recipient("help@example.com"), "exact"), route(.recipient("help+vip@example.com"), "tagged"),
            ], delimiter: delimiter)
    }

    @Test(
        arguments: [
            ("help@example.com", ["exact", "domain"], nil), ("HELP@Example.COM", ["exact", "domain"], nil),
            ("help+42@example.com", ["exact", "domain"], "42"),
            ("help+Vip@example.com", ["tagged", "exact", "domain"], "Vip"),
            ("help+a+b@example.com", ["exact", "domain"], "a+b"), ("help+@example.com", ["exact", "domain"], ""),
            ("t7@example.com", ["pattern", "wildcard", "domain"], nil),
            ("tx@example.com", ["wildcard", "domain"], nil),
            ("+x@example.com", ["domain"], nil), ("x@sub.example.com", [], nil), ("x", [], nil), ("", [], nil),
            ("x+1@example.com", ["domain"], "1"),
        ] as [(String, [String], String?)])
    func theMoreSpecificRouteGoesFirst(_ recipient: String, _ projects: [String], _ tag: String?) throws {
        let found = try Self.routes().found(for: recipient)
        #expect(found.map(\.route.project) == projects)
        #expect(found.allSatisfy { $0.mailboxHash == tag })
    }

    @Test func oneProjectHasOneRouteTheMostSpecific() throws {
        var exact = Self.route(.recipient("help@example.com"), "p")
        exact.disposition = .discard
        let routes = InboundRoutes([
            Self.route(.domain("example.com"), "p"), exact,
            Self.route(.pattern(try AddressPattern(wildcard: "*@example.com")), "p"),
        ])
        #expect(routes.routes(for: "help@example.com").map(\.disposition) == [.discard])
        #expect(routes.routes(for: "help+1@example.com").map(\.disposition) == [.discard])
    }

    @Test func theDelimiterIsTheSites() throws {
        #expect(try Self.routes(delimiter: "-").found(for: "help-42@example.com").first?.mailboxHash == "42")
        let none = try Self.routes(delimiter: nil).found(for: "help+42@example.com")
        #expect(none.map(\.route.project) == ["domain"] && none.first?.mailboxHash == nil)
    }

    @Test func theTagTravelsInTheEvent() async throws {
        let stage = try await InboundStage([InboundStage.route("help@example.com")])
        _ = await stage.receive(InboundStage.mail(to: ["Help+Ticket7@example.com"]))
        let event = try #require(try await stage.events().first)
        #expect(event["mailboxHash"] == "Ticket7" && event["to"] == "Help+Ticket7@example.com")
    }

    // MARK: One event per message and recipient

    /// Postfix gives a retry another queue id; nothing else tells the two apart.
    @Test func twoQueueIDsAreOneMail() async throws {
        let stage = try await InboundStage([InboundStage.route("example.com")])
        let recipients = ["a@example.com", "b@example.com", "A@EXAMPLE.com"]
        for queueID in ["4Q1", "4Q2", "4Q3"] {
            _ = await stage.receive(InboundStage.mail(to: recipients, queueID: queueID))
        }
        // The sending server may also split it.
        for recipient in recipients { _ = await stage.receive(InboundStage.mail(to: [recipient], queueID: "4Q9")) }
        #expect(try await stage.events().map { $0["to"] } == ["a@example.com", "b@example.com"])
    }

    @Test func oneMessageIDWithAnotherBodyIsAnotherMail() async throws {
        let stage = try await InboundStage([InboundStage.route("example.com")])
        for body in ["one\r\n", "two\r\n", "one\r\n"] {
            _ = await stage.receive(InboundStage.mail(to: ["a@example.com"], body: body))
        }
        #expect(try await stage.events().count == 2)
    }

    @Test(arguments: [("Mon, 05 Jan 2026 09:00:00 +0000", 1), (nil, 2)] as [(String?, Int)])
    func withoutAMessageIDTheDateTellsMailsApart(_ date: String?, _ count: Int) async throws {
        let stage = try await InboundStage([InboundStage.route("example.com")])
        for queueID in ["4Q1", "4Q2"] {
            _ = await stage.receive(InboundStage.mail(nil, to: ["a@example.com"], queueID: queueID, date: date))
        }
        #expect(try await stage.events().count == count)
    }

    @Test(arguments: [1, 100_000])
    func largeAndSmallBodiesAreToldApart(_ size: Int) async throws {
        let stage = try await InboundStage([InboundStage.route("example.com")]) { $0.textLimit = 100 }
        let body = String(repeating: "x", count: size)
        for end in ["a\r\n", "b\r\n", "a\r\n"] {
            _ = await stage.receive(InboundStage.mail(to: ["a@example.com"], body: body + end))
        }
        #expect(try await stage.events().count == 2)
    }

    /// Two daemons over one database, as before and after a hand-over.
    @Test func twoDaemonsRecordOneEvent() async throws {
        let stage = try await InboundStage([InboundStage.route("example.com")])
        let other = Intake(
            context: stage.engine.context,
            configuration: {
                var configuration = Intake.Configuration()
                configuration.routes = InboundRoutes([InboundStage.route("example.com")])
                return configuration
            }())
        async let one = stage.receive(InboundStage.mail(to: ["a@example.com"], queueID: "A1"))
        async let two = stage.receive(InboundStage.mail(to: ["a@example.com"], queueID: "B1"), other)
        #expect(await [one, two] == [.continue, .continue])
        #expect(try await stage.events().count == 1)
    }

    // MARK: Canary

    @Test func aCanaryIsNoEventAndTellsWhatSurvived() async throws {
        let stage = try await InboundStage([InboundStage.route("help@example.com")])
        let id = stage.engine.context.identifiers.make(at: stage.engine.clock.now())
        let token = stage.engine.context.tokens.token(.canary, for: id)
        let fields = CanaryMail.fields(token: token, service: "mx.example.com").map(\.field)
        let kept = fields.filter { ["X-Rspamd-Action", "Authentication-Results"].contains($0.name) }
        let others = CanaryMail.fields(token: token, service: "Second.example.com").map(\.field)
            .filter { $0.name == "Authentication-Results" }
        let genuine = HeaderField("X-Spam-Status", " No, score=0")
        var mail = InboundStage.mail(fields: [HeaderField(CanaryMail.field, " \(token)")] + kept + others + [genuine])
        #expect(await stage.receive(mail) == .discard)
        #expect(try await stage.events().isEmpty)
        let outcome = try #require(try await stage.outcomes().first)
        #expect(outcome.kind == .canary && outcome.id == id)
        #expect(outcome.detail["survived"] == ["X-Rspamd-Action", "Authentication-Results"])
        #expect(outcome.detail["services"] == ["mx.example.com", "second.example.com"])
        // A stranger's canary is mail like any other.
        mail = InboundStage.mail(fields: [HeaderField(CanaryMail.field, " \(String(token.reversed()))")])
        #expect(await stage.receive(mail) == .continue)
        #expect(try await stage.events().count == 1)
    }

    @Test func outcomesAreForgottenAfterAMonth() async throws {
        let stage = try await InboundStage([
            InboundStage.route("help@example.com", .continue) { $0.spamMode = .quarantine }
        ])
        _ = await stage.receive(InboundStage.mail(action: "reject"))
        stage.engine.clock.advance(seconds: 29 * 86_400)
        try await Housekeeping(context: stage.engine.context).sweep()
        #expect(try await stage.outcomes().count == 1)
        stage.engine.clock.advance(seconds: 2 * 86_400)
        try await Housekeeping(context: stage.engine.context).sweep()
        #expect(try await stage.outcomes().isEmpty)
    }
}
