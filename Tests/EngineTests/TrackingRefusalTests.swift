import EngineTestKit
import JSONValue
import MailModel
import Testing
import WorkflowModel

@testable import Engine

/// Contacts that are kept out of what is recorded of readers.
@Suite struct TrackingRefusalTests {
    private static let browser = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
    private static let link = "https://shop.example/a"

    private func engine(_ mode: TrackingMode = .on) async throws -> (EngineFixture, TemporaryDatabase) {
        let (engine, database) = try await makeEngine { ($0.opens, $0.clicks) = (mode, mode) }
        let html = "<a href=\"\(Self.link)\">A</a><a href=\"{{ unsubscribeUrl }}\">u</a>"
        try await engine.apply(
            document(
                steps: ["mail": ["type": "SEND_EMAIL", "config": ["template": "ad"]]],
                templates: ["ad": ["type": "TRANSACTIONAL", "subject": "News", "html": .string(html), "text": "News"]]))
        return (engine, database)
    }

    private func send(_ engine: EngineFixture) async throws -> SentMail {
        let transport = ScriptedTransport()
        try await engine.runDispatch(transport)
        return SentMail(try #require(transport.sent.first))
    }

    /// Without an event that would send another mail.
    private func refuse(_ engine: EngineFixture, _ value: JSON = true) async throws {
        try await engine.track("said_no", data: ["doNotTrack": value])
    }

    private func isTracked(_ mail: SentMail) -> Bool { !mail.tokens("o").isEmpty || !mail.tokens("c").isEmpty }

    @Test(arguments: [TrackingMode.on, .anonymous])
    func theirMailIsAsItWasWritten(mode: TrackingMode) async throws {
        let (engine, database) = try await engine(mode)
        _ = database
        try await engine.track("signed_up", data: ["doNotTrack": true])
        let mail = try await send(engine)
        #expect(!isTracked(mail) && mail.text.contains("\"\(Self.link)\"") && !mail.tokens("u").isEmpty)
        try await engine.track("signed_up", "bob@example.org")
        let other = try await send(engine)
        #expect(isTracked(other))
    }

    @Test(arguments: [true, "true", "yes", "Nein", 1, 0.5, []] as [JSON])
    func whateverIsNoPlainNoRefuses(value: JSON) async throws {
        let (engine, database) = try await engine()
        _ = database
        try await engine.track("signed_up", data: ["doNotTrack": value])
        let mail = try await send(engine)
        #expect(!isTracked(mail))
    }

    @Test(arguments: [false, "false", "No", "0", 0, nil, ""] as [JSON])
    func aPlainNoAllows(value: JSON) async throws {
        let (engine, database) = try await engine()
        _ = database
        try await engine.track("signed_up", data: ["doNotTrack": value])
        let mail = try await send(engine)
        #expect(isTracked(mail))
    }

    @Test func whatIsSaidBeforeTheMailLeavesCounts() async throws {
        let (engine, database) = try await engine()
        _ = database
        try await engine.track("signed_up")
        try await refuse(engine)
        let mail = try await send(engine)
        #expect(!isTracked(mail))
    }

    @Test func nothingMoreIsRecordedOfEarlierMail() async throws {
        let (engine, database) = try await engine()
        try await engine.track("signed_up")
        let mail = try await send(engine)
        let pixel = try #require(mail.tokens("o").first)
        let click = try #require(mail.tokens("c").first)
        let link = try #require(engine.context.tokens.verifyLink(click))
        func look() async throws -> [[String]] {
            engine.clock.advance(seconds: 100)
            let opens = Opens(context: engine.context)
            opens.note(.init(token: pixel, userAgent: Self.browser, address: "192.0.2.7", wantsPrivacy: false))
            opens.noteClick(
                entry: link.entry, link: link.destination,
                by: .init(userAgent: Self.browser, address: "192.0.2.7", wantsPrivacy: false))
            // The notes have taken their places in the writer's queue; this comes after them.
            _ = try await engine.contact()
            return try Rows(database.path).run(
                "SELECT (SELECT count(*) FROM pixel_hits), (SELECT count(*) FROM click_hits)")
        }
        try await refuse(engine)
        #expect(try await look() == [["0", "0"]])
        try await refuse(engine, false)
        #expect(try await look() == [["1", "1"]])
    }
}
