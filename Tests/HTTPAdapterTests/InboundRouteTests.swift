import Engine
import EngineTestKit
import JSONValue
import Testing
import WorkflowModel

@testable import HTTPAdapter

@Suite struct InboundRouteTests {
    @Test func outcomesComeInPagesOfTheirProject() async throws {
        try await withEngine { server in
            let context = server.engine.context
            let project = server.engine.project.id
            try await context.transact { transaction in
                for number in 0..<3 {
                    try transaction.store.insert(
                        InboundOutcome(
                            id: Identifier(high: 1, low: UInt64(number)), kind: .held,
                            recipient: "help@example.com", sender: "eve\(number)@example.org", queueID: "4Q1",
                            at: transaction.now, detail: ["spamVerdict": "FAIL"]), in: project)
                }
            }
            let first = try await server.send("GET", "/inbound/outcomes?limit=2")
            #expect(first.status == 200)
            let rows = first.body["data"]?.arrayValue ?? []
            #expect(rows.map { $0["sender"]?.stringValue } == ["eve2@example.org", "eve1@example.org"])
            #expect(first.body["hasMore"] == true)
            let cursor = first.body["cursor"]?.stringValue ?? ""
            let second = try await server.send("GET", "/inbound/outcomes?limit=2&cursor=\(cursor)")
            #expect(second.body["data"]?.arrayValue?.count == 1 && second.body["cursor"] == .null)
            for query in ["limit=0", "cursor=x"] {
                #expect(try await server.send("GET", "/inbound/outcomes?\(query)").status == 422, "\(query)")
            }
        }
    }
}
