import Engine
import EngineTestKit
import JSONValue
import SQLStore
import Testing
import WorkflowModel

/// A process that dies at any write: the effect and its record are both there or both not.
@Suite struct IdempotencyTests {
    private static func name(_ engine: EngineFixture) -> IdempotencyRecord.Name {
        .init(projectID: engine.project.id, kind: .secret, key: "order-1")
    }

    private static func request(_ engine: EngineFixture, _ number: UInt64) -> IdempotentRequest {
        IdempotentRequest(
            IdempotencyRecord(
                name: name(engine), requestID: Identifier(high: 9, low: number),
                fingerprint: [1], createdAt: engine.clock.now()))
    }

    private static func track(_ engine: EngineFixture, _ number: UInt64) async throws -> Events.Tracked {
        let context = engine.context.serving(request(engine, number))
        context.willAnswer { (tracked: Events.Tracked) in ["event": .string("\(tracked.eventID)")] }
        return try await Events(context: context).track(
            .init(projectID: engine.project.id, event: "order.placed", email: "ann@example.org"))
    }

    private static func events(_ engine: EngineFixture) async throws -> Int {
        let project = engine.project.id
        return try await engine.context.store.read {
            try $0.newestEventData(of: "order.placed", in: project, among: 100).count
        }
    }

    @Test(arguments: [false, true])
    func aDeathLeavesEffectAndRecordOrNeither(isAfterCommit: Bool) async throws {
        let database = try TemporaryDatabase()
        let store = try SQLiteStore(path: database.path, exclusively: false)
        let healthy = try await EngineFixture(store: store)
        // The first write of the second engine makes sure of the project.
        let dying = try await EngineFixture(
            store: FailingStore(store, after: 1, isAfterCommit: isAfterCommit), seed: 2)
        await #expect(throws: FailingStore.Died.self) { _ = try await Self.track(dying, 1) }
        let known = try await IdempotentRequest.known(Self.name(healthy), context: healthy.context)
        #expect(try await Self.events(healthy) == (isAfterCommit ? 1 : 0))
        #expect((known != nil) == isAfterCommit)
        if isAfterCommit { #expect(known?.answer?.status == 200 && known?.answer?.body.isEmpty == false) }
        // Another process that did not see the record cannot do it again.
        if isAfterCommit {
            let error = await #expect(throws: UseCaseError.self) { _ = try await Self.track(healthy, 2) }
            #expect(error?.code == .idempotencyKeyReused)
        } else {
            _ = try await Self.track(healthy, 2)
        }
        #expect(try await Self.events(healthy) == 1)
    }

    @Test func recordsAreForgottenAfterADay() async throws {
        let database = try TemporaryDatabase()
        let engine = try await EngineFixture(store: try SQLiteStore(path: database.path, exclusively: false))
        _ = try await Self.track(engine, 1)
        let housekeeping = Housekeeping(context: engine.context)
        engine.clock.advance(seconds: IdempotentRequest.lifetime)
        #expect(try await housekeeping.sweep() == 0)
        engine.clock.advance(seconds: 1)
        #expect(try await IdempotentRequest.known(Self.name(engine), context: engine.context) == nil)
        #expect(try await housekeeping.sweep() == 1)
        _ = try await Self.track(engine, 2)
        #expect(try await Self.events(engine) == 2)
    }
}
