import Engine
import JSONValue
import Testing
import WorkflowModel

/// Workflows, their versions and their end.
extension StoreContract {
    /// A workflow of a trigger and an EXIT, of the numbers that `execution` has.
    static func workflow(_ number: UInt64 = 50, slug: String = "flow") throws -> WorkflowRecord {
        WorkflowRecord(
            id: id(number), projectID: project.id, slug: slug, name: "Flow", description: "What it is for",
            isEnabled: true, allowsReentry: false, trigger: .event("ping"), versionID: id(number + 1), versionNumber: 1,
            graph: try WorkflowGraph(
                steps: [
                    Step(key: "trigger", config: .trigger, position: .init(x: 1, y: 2.5)),
                    Step(key: "end", name: "End", config: .exit(reason: "why"), options: ["reason": "why"]),
                ], transitions: [Transition(from: "trigger", to: "end", priority: 3)]), createdAt: time, updatedAt: time
        )
    }

    static func insert(_ record: WorkflowRecord, into store: any Store) async throws {
        try await store.write { try $0.save(record, definition: WorkflowDefinition.json(of: record.graph)) }
    }

    static func usedVersion(_ store: any Store) async throws {
        try await seed(store)
        try await insert(try workflow(), into: store)
        #expect(try await store.write { try $0.isUsed(version: id(51)) } == false)
        await #expect(throws: Rollback.self) {
            try await store.write {
                try $0.insert(execution(100), once: true)
                throw Rollback()
            }
        }
        #expect(try await store.write { try $0.isUsed(version: id(51)) } == false)
        try await store.write { try $0.insert(execution(101), once: true) }
        #expect(try await store.write { try $0.isUsed(version: id(51)) })
    }

    static func replacedDefinition(_ store: any Store) async throws {
        try await seed(store)
        let record = try workflow()
        try await insert(record, into: store)
        let stored = try await store.read { try $0.loadCatalog() }
        let read = try #require(stored.workflow(record.id))
        #expect(read.graph == record.graph && read.description == record.description)
        let shorter = try WorkflowGraph(steps: [Step(key: "trigger", config: .trigger)], transitions: [])
        try await store.write {
            try $0.replaceDefinition(WorkflowDefinition.json(of: shorter), ofVersion: record.versionID)
        }
        let changed = try await store.read { try $0.loadCatalog() }
        #expect(changed.version != stored.version)
        #expect(changed.workflow(record.id)?.graph == shorter)
        #expect(try await store.write { try $0.graph(ofVersion: record.versionID) } == shorter)
    }

    static func deletedWorkflow(_ store: any Store) async throws {
        try await seed(store)
        try await insert(try workflow(), into: store)
        try await store.write { try $0.delete(workflow: id(50), at: time) }
        #expect(try await store.read { try $0.loadCatalog().workflows.isEmpty })
        #expect(try await store.write { try $0.graph(ofVersion: id(51)) } != nil)
        try await insert(try workflow(60), into: store)
        #expect(try await store.read { try $0.loadCatalog().workflows.map(\.id) } == [id(60)])
    }

    private struct Rollback: Error {}
}
