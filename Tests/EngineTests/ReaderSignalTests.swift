import EngineTestKit
import JSONValue
import MailModel
import Testing
import WorkflowModel

@testable import Engine

/// What events of readers say of their own doubts.
@Suite struct ReaderSignalTests {
    private static let browser = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
    private static let proxy = "Mozilla/5.0 Firefox/11.0 (via ggpht.com GoogleImageProxy)"

    private struct Rig {
        var engine: EngineFixture
        var database: TemporaryDatabase
        var id: Identifier

        func open(_ userAgent: String = ReaderSignalTests.browser) async throws -> JSONObject? {
            Opens(context: engine.context).note(
                .init(
                    token: engine.context.tokens.token(.open, for: id), userAgent: userAgent, address: "192.0.2.7",
                    wantsPrivacy: false))
            return try await newest("email.opened")
        }

        func click() async throws -> JSONObject? {
            Opens(context: engine.context).noteClick(
                entry: id, link: "https://shop.example/a",
                by: .init(userAgent: ReaderSignalTests.browser, address: "192.0.2.7", wantsPrivacy: false))
            return try await newest("email.clicked")
        }

        private func newest(_ name: String) async throws -> JSONObject? {
            // The note has taken its place in the writer's queue; this comes after it.
            _ = try await engine.contact()
            let project = engine.project.id
            return try await engine.context.store.read {
                try $0.newestEventData(of: name, in: project, among: 100).first
            }
        }
    }

    /// One mail that the relay took some minutes ago.
    private func rig(
        trackOpens: JSON = true, _ configure: (inout EngineConfiguration) -> Void = { _ in }
    ) async throws -> Rig {
        let (engine, database) = try await makeEngine(configure)
        try await engine.apply(
            document(
                steps: ["mail": ["type": "SEND_EMAIL", "config": ["template": "ad"]]],
                templates: [
                    "ad": [
                        "type": "TRANSACTIONAL", "subject": "News", "html": "<a href=\"https://shop.example/a\">A</a>",
                        "trackOpens": trackOpens,
                    ]
                ]))
        try await engine.track("signed_up")
        let now = engine.clock.now()
        let entry = try #require(
            try await engine.context.store.write { try $0.claimEntries(dueAt: now, limit: 1) }.first)
        await Dispatch(context: engine.context, transport: ScriptedTransport()).deliver(entry)
        engine.clock.advance(seconds: 300)
        return Rig(engine: engine, database: database, id: entry.id)
    }

    @Test func aClickWithoutTheImageIsDoubtfulAndCounts() async throws {
        let rig = try await rig()
        let data = try #require(try await rig.click())
        #expect(data["signals"]?.arrayValue == ["before_open"] && data["isFirstClick"] == true)
    }

    /// Whoever fetched it: the reader's program may have done so long before.
    @Test(arguments: [browser, "Mozilla/5.0"])
    func aClickAfterTheImageIsNot(userAgent: String) async throws {
        let rig = try await rig()
        _ = try await rig.open(userAgent)
        let data = try #require(try await rig.click())
        #expect(!data.contains("signals"))
    }

    @Test func theOpenStandsWhenItsHitsAreForgotten() async throws {
        let rig = try await rig()
        _ = try await rig.open()
        try Rows(rig.database.path).run("DELETE FROM pixel_hits")
        let data = try #require(try await rig.click())
        #expect(!data.contains("signals"))
    }

    /// Nobody can fetch what is not there.
    @Test(arguments: [
        (JSON.bool(false), TrackingMode.on), (.bool(true), .off), (.string("anonymous"), .on),
        (.bool(true), .anonymous),
    ])
    func mailWithoutAPixelOfItsOwnSaysNothing(trackOpens: JSON, mode: TrackingMode) async throws {
        let rig = try await rig(trackOpens: trackOpens) { $0.opens = mode }
        let data = try #require(try await rig.click())
        #expect(!data.contains("signals"))
    }

    @Test func anOpenOverAProvidersProxySaysSo() async throws {
        let rig = try await rig()
        let data = try #require(try await rig.open(Self.proxy))
        #expect(data["signals"]?.arrayValue == ["gmail_proxy"] && data["isFirstOpen"] == true)
        let other = try await self.rig()
        let plain = try #require(try await other.open())
        #expect(!plain.contains("signals"))
    }
}
