import Engine
import EngineTestKit
import JSONValue
import SQLStore
import Testing
import WorkflowModel

/// That events come back whole is a rule of the contract.
@Suite struct StoredEventDataTests {
    private static let text = String(repeating: "When are you open?\n", count: 200)

    private func kept(_ data: JSONObject) async throws -> Int {
        let database = try TemporaryDatabase()
        let store = try SQLiteStore(path: database.path, exclusively: true)
        let time = Timestamp(microseconds: 0)
        let project = Project(id: Identifier(high: 1, low: 1), slug: "p", name: "p")
        try await store.write { transaction in
            try transaction.insert(project, at: time)
            try transaction.insert(
                Event(
                    id: Identifier(high: 1, low: 2), name: "email.received", data: data, source: .system,
                    createdAt: time), contact: nil, in: project.id)
        }
        try store.close()
        return try Rows(database.path).run("SELECT length(data) FROM events").first.flatMap { Int($0[0]) } ?? 0
    }

    @Test func theTextOfAMailIsKeptOnce() async throws {
        let count = Self.text.utf8.count
        let html = TextAsHTML.html(Self.text)
        let data: JSONObject = [
            "text": .string(Self.text), "strippedText": .string(String(Self.text.dropLast())), "body": .string(html),
        ]
        #expect(try await kept(data) < count + count / 10)
        var own = data
        own["body"] = "<p>Another</p>"
        own["strippedText"] = .string(String(Self.text.dropFirst()))
        #expect(try await kept(own) > 2 * count)
    }
}
