import EngineTestKit
import JSONValue
import Testing
import WorkflowModel

@testable import Engine

/// What is added to the list meets what stands there already.
@Suite struct SuppressionMergeTests {
    private let address = "ann@example.org"

    private func row(_ engine: EngineFixture) async throws -> Suppression {
        let (project, address) = (engine.project.id, self.address)
        return try #require(
            try await engine.context.store.read { try $0.suppressions(of: address, in: project) }.first)
    }

    private func add(_ engine: EngineFixture, note: String? = nil, in seconds: Int64?) async throws {
        let now = engine.clock.now()
        let rows = try await Suppressions(context: engine.context).add(
            [
                .init(
                    address: address, reason: .bounce, note: note, expiresAt: seconds.map { now.adding(seconds: $0) },
                    createdAt: now.adding(seconds: -86_400))
            ], to: engine.project.id)
        #expect(try await rows == [row(engine)], "what is answered is what is stored")
    }

    @Test func evidenceStaysAndWhatIsForGoodStaysForGood() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        let evidence: JSONObject = ["status": "5.1.1", "replyCode": 550, "diagnostic": "no such user"]
        let known = Suppression(
            projectID: engine.project.id, address: address, reason: .bounce, evidence: evidence,
            createdAt: engine.clock.now())
        try await engine.context.store.write { try $0.save(known) }
        // As our own file has it.
        try await add(engine, note: "no such user", in: 60)
        #expect(try await row(engine) == known)
        try await add(engine, note: "asked by phone", in: nil)
        let after = try await row(engine)
        #expect(after.expiresAt == nil && after.createdAt == known.createdAt)
        #expect(after.evidence == evidence.merging(["note": "asked by phone"]))
        try await add(engine, note: "something else", in: nil)
        #expect(try await row(engine) == after)
    }

    @Test func anEndOnlyComesLater() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        let start = engine.clock.now()
        try await add(engine, in: 1000)
        try await add(engine, in: 10)
        #expect(try await row(engine).expiresAt == start.adding(seconds: 1000))
        try await add(engine, in: 5000)
        #expect(try await row(engine).expiresAt == start.adding(seconds: 5000))
        // What has ended is no matter.
        engine.clock.advance(seconds: 5000)
        try await add(engine, note: "new", in: 10)
        #expect(try await row(engine).expiresAt == start.adding(seconds: 5010))
        try await add(engine, in: nil)
        #expect(try await row(engine).expiresAt == nil)
    }

    @Test func whatIsKeptOfAnErasedAddressIsNotShortenedEither() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        try await engine.track("seen", address)
        try await add(engine, in: nil)
        try await engine.contacts.delete(try #require(try await engine.contact(address)).id)
        try await add(engine, in: 10)
        #expect(try await row(engine).expiresAt == nil)
    }
}
