import Engine
import EngineTestKit
import JSONValue
import SQLStore
import Testing
import WorkflowModel

@Suite struct EventDeletionTests {
    @Test func itEndsWhereSomebodyBeginsToUseTheName() async throws {
        let database = try TemporaryDatabase()
        let store = InterruptedStore(try SQLiteStore(path: database.path, exclusively: false))
        let engine = try await EngineFixture(store: store)
        let request = Events.TrackRequest(projectID: engine.project.id, event: "free", email: "ann@example.org")
        _ = try await Events(context: engine.context).track(
            (0..<401).map { Events.BatchItem(position: $0, request: request) })
        let events = RecordedEvents(context: engine.context, projectID: engine.project.id)
        store.interrupt(after: 1) {
            try await engine.apply(document(event: "free", slug: "late", steps: ["end": ["type": "EXIT"]]))
        }
        let error = await #expect(throws: UseCaseError.self) { try await events.delete("free") }
        #expect(error?.code == .eventInUse)
        #expect(try await events.list(named: "free", before: nil, limit: 10).events.count == 1)
        // What was deleted is told of all the same.
        let log = try await AuditLog(context: engine.context).page(
            AuditSelection(projectID: engine.project.id, action: "event.deleted", limit: 10))
        #expect(log.records.map(\.target) == ["free"])
        #expect(log.records.first?.details == ["count": 401])
    }
}
