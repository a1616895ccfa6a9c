import Engine
import EngineTestKit
import JSONValue
import MailModel
import Testing
import WorkflowModel

/// Hits of mails and receptions are kept for a time, and what is known by them stays.
@Suite struct PruningTests {
    private static let day: Int64 = 86_400

    /// A mail whose hits are forgotten is still one that was opened, and its clicks go on being counted.
    @Test func hitsGoAfterTheirTimeAndFirstOnesStayFirst() async throws {
        let (engine, database) = try await makeEngine()
        try await engine.apply(
            document(
                steps: ["mail": ["type": "SEND_EMAIL", "config": ["template": "ad"]]],
                templates: [
                    "ad": [
                        "type": "TRANSACTIONAL", "subject": "News",
                        "html": "<a href=\"https://shop.example/a\">A</a><a href=\"https://shop.example/b\">B</a>",
                    ]
                ]))
        try await engine.track("signed_up")
        let transport = ScriptedTransport()
        try await engine.runDispatch(transport)
        let mail = SentMail(try #require(transport.sent.first))
        let rows = Rows(database.path)
        func look() async throws {
            let client = Opens.Client(
                userAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
                address: "192.0.2.7", wantsPrivacy: false)
            let click = try #require(mail.tokens("c").first)
            let link = try #require(engine.context.tokens.verifyLink(click))
            let opens = Opens(context: engine.context)
            let token = try #require(mail.tokens("o").first)
            opens.note(
                .init(token: token, userAgent: client.userAgent, address: client.address, wantsPrivacy: false))
            opens.noteClick(entry: link.entry, link: link.destination, by: client)
            // The notes have taken their places in the writer's queue; this comes after them.
            _ = try await engine.contact()
        }
        func hits() throws -> [Int?] {
            try [
                rows.count("SELECT count(*) FROM pixel_hits"), rows.count("SELECT count(*) FROM click_hits"),
                rows.count("SELECT count(*) FROM events WHERE name = 'email.opened'"),
                rows.count("SELECT count(*) FROM events WHERE name = 'email.clicked'"),
            ]
        }
        var places = Housekeeping.Places()
        func sweep() async throws -> Int {
            try await Housekeeping(context: engine.context).sweepTables(&places)
        }
        engine.clock.advance(seconds: 100)
        try await look()
        engine.clock.advance(seconds: 60 * Self.day)
        try await look()
        #expect(try hits() == [2, 2, 1, 2])
        engine.clock.advance(seconds: 29 * Self.day)
        #expect(try await sweep() == 0)
        engine.clock.advance(seconds: 2 * Self.day)
        #expect(try await sweep() == 2)
        #expect(try hits() == [1, 1, 1, 2])
        try await look()
        #expect(try hits() == [2, 2, 1, 3])
        engine.clock.advance(seconds: 91 * Self.day)
        #expect(try await sweep() == 4)
        try await look()
        #expect(try hits() == [1, 1, 1, 4])
        let clicks = try await engine.context.store.read {
            try $0.newestEventData(of: "email.clicked", in: engine.project.id, among: 1000)
        }
        #expect(clicks.first?["clicks"] == 4 && clicks.first?["isFirstClick"] == false)
    }

    private func intake(_ engine: EngineFixture) -> Intake {
        var configuration = Intake.Configuration()
        configuration.routes = InboundRoutes([InboundStage.route("help@example.com")])
        return Intake(context: engine.context, configuration: configuration)
    }

    private func take(_ engine: EngineFixture) async throws -> Bool {
        try await intake(engine).take(InboundStage.mail(), Intake.Manner(source: "import")) != [.duplicate]
    }

    /// 90 days, or as long as the mail itself is kept.
    @Test(arguments: [(30, 90), (200, 201)] as [(Int64, Int64)])
    func aMailThatComesAgainIsKnownForLong(kept: Int64, known: Int64) async throws {
        let (engine, database) = try await makeEngine { $0.rawMail.largestAge = kept * Self.day }
        var places = Housekeeping.Places()
        func sweep() async throws -> Int {
            try await Housekeeping(context: engine.context).sweepTables(&places)
        }
        #expect(try await take(engine))
        engine.clock.advance(seconds: known * Self.day)
        #expect(try await sweep() == 0)
        #expect(try await take(engine) == false)
        engine.clock.advance(seconds: 1)
        #expect(try await sweep() == 1)
        #expect(try Rows(database.path).count("SELECT count(*) FROM receptions") == 0)
        #expect(try await take(engine))
    }

    /// More than one transaction looks at, at once where all of it is old, and no more than a part where nothing is.
    @Test func oldReceptionsGoInOneRoundAndYoungOnesAreLookedAtInParts() async throws {
        let (engine, database) = try await makeEngine()
        let count = 5 * Housekeeping.walkSize / 2
        let project = engine.project.id
        let now = engine.clock.now()
        func insert(_ first: Int) async throws {
            try await engine.context.store.write { store in
                for number in first..<first + count {
                    let key = withUnsafeBytes(of: UInt32(number).bigEndian) { Array($0) }
                    _ = try store.insert(
                        Reception(
                            key: key, projectID: project, eventID: Identifier(high: 1, low: UInt64(number)),
                            recipient: "help@example.com", queueID: "Q", receivedAt: now))
                }
            }
        }
        try await insert(0)
        var places = Housekeeping.Places()
        func sweep() async throws -> Int {
            try await Housekeeping(context: engine.context).sweepTables(&places)
        }
        #expect(try await sweep() == 0)
        #expect(places.receptions == [0, 0, 3, 231] as [UInt8])
        engine.clock.advance(seconds: Housekeeping.receptionMemory + 1)
        // From that place on, and then from the start.
        #expect(try await sweep() == count - Housekeeping.walkSize)
        #expect(places == Housekeeping.Places())
        #expect(try await sweep() == Housekeeping.walkSize)
        #expect(try Rows(database.path).count("SELECT count(*) FROM receptions") == 0)
    }

    @Test func pacesOfDaysThatAreOverAreForgottenOnceADay() async throws {
        let (engine, database) = try await makeEngine()
        let rows = Rows(database.path)
        let today = engine.clock.now().microseconds / 86_400_000_000
        try await engine.context.store.write { transaction in
            for day in today - 3...today { try transaction.addPaceCount("domain:1", day: day, by: 5) }
        }
        let housekeeping = Housekeeping(context: engine.context)
        let first = try await housekeeping.sweepPaces(after: nil)
        #expect(try rows.count("SELECT count(*) FROM pace_counts") == 2)
        #expect(try await housekeeping.sweepPaces(after: first) == first)
        engine.clock.advance(seconds: Self.day)
        #expect(try await housekeeping.sweepPaces(after: first) == first + 1)
        #expect(try rows.count("SELECT count(*) FROM pace_counts") == 1)
    }
}
