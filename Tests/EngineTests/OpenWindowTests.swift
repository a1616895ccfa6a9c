import EngineTestKit
import JSONValue
import MailModel
import Testing
import WorkflowModel

@testable import Engine

/// How soon after its delivery somebody can have read a mail, where the relay's log tells when that was.
@Suite struct OpenWindowTests {
    private static let browser = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"

    private struct Rig {
        var engine: EngineFixture
        var database: TemporaryDatabase
        var id: Identifier

        /// The line of the log bears the present time.
        func logSays(_ status: MailFate.Status) async throws {
            let fate = MailFate(status: status, at: engine.clock.now(), queueID: "0A0000001")
            let id = id
            try await engine.context.store.write { try $0.setFate(fate, of: id) }
        }

        func open() async throws -> Int {
            Opens(context: engine.context).note(
                .init(
                    token: engine.context.tokens.token(.open, for: id), userAgent: OpenWindowTests.browser,
                    address: "192.0.2.7", wantsPrivacy: false))
            return try await events("email.opened")
        }

        func click() async throws -> Int {
            Opens(context: engine.context).noteClick(
                entry: id, link: "https://shop.example/a",
                by: .init(userAgent: OpenWindowTests.browser, address: "192.0.2.7", wantsPrivacy: false))
            return try await events("email.clicked")
        }

        private func events(_ name: String) async throws -> Int {
            // The note has taken its place in the writer's queue; this comes after it.
            _ = try await engine.contact()
            let project = engine.project.id
            return try await engine.context.store.read {
                try $0.newestEventData(of: name, in: project, among: 100).count
            }
        }
    }

    /// One mail that the relay has just taken.
    private func rig() async throws -> Rig {
        let (engine, database) = try await makeEngine()
        try await engine.apply(
            document(
                steps: ["mail": ["type": "SEND_EMAIL", "config": ["template": "hello"]]],
                templates: ["hello": ["type": "TRANSACTIONAL", "subject": "Hello", "html": "<p>Hi</p>"]]))
        try await engine.track("signed_up")
        let now = engine.clock.now()
        let entry = try #require(
            try await engine.context.store.write { try $0.claimEntries(dueAt: now, limit: 1) }.first)
        await Dispatch(context: engine.context, transport: ScriptedTransport()).deliver(entry)
        return Rig(engine: engine, database: database, id: entry.id)
    }

    @Test func looksSoonAfterALateDeliveryAreAScanners() async throws {
        let rig = try await rig()
        rig.engine.clock.advance(seconds: 1)
        try await rig.logSays(.deferred)
        rig.engine.clock.advance(seconds: 1800)
        try await rig.logSays(.delivered)
        rig.engine.clock.advance(seconds: 4)
        #expect(try await rig.open() == 0)
        rig.engine.clock.advance(seconds: 5)
        #expect(try await rig.click() == 0)
        #expect(try await rig.open() == 1)
        rig.engine.clock.advance(seconds: 1)
        #expect(try await rig.click() == 1)
    }

    /// The scanner is there before the line of the log is.
    @Test func looksAtWhatTheLogCallsDeferredAreAScanners() async throws {
        let rig = try await rig()
        rig.engine.clock.advance(seconds: 1)
        try await rig.logSays(.deferred)
        rig.engine.clock.advance(seconds: 3600)
        #expect(try await rig.open() == 0)
        #expect(try await rig.click() == 0)
    }

    /// A relay tries again sooner than that: what it said of it was lost.
    @Test func aDeferralOfLongAgoSaysNothing() async throws {
        let rig = try await rig()
        try await rig.logSays(.deferred)
        rig.engine.clock.advance(seconds: 2 * 3600 + 1)
        #expect(try await rig.open() == 1)
        #expect(try await rig.click() == 1)
    }

    @Test(arguments: [MailFate.Status.queued, .bounced, .expired])
    func otherFatesLeaveTheRelaysTimeAlone(status: MailFate.Status) async throws {
        let rig = try await rig()
        rig.engine.clock.advance(seconds: 9)
        try await rig.logSays(status)
        rig.engine.clock.advance(seconds: 1)
        #expect(try await rig.open() == 1)
        #expect(try await rig.click() == 1)
    }
}
