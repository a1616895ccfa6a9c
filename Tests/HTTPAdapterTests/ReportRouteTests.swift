import Engine
import EngineTestKit
import JSONValue
import Testing
import WorkflowModel

@testable import HTTPAdapter

/// The list of bounces and complaints that came in.
@Suite struct ReportRouteTests {
    private func insert(_ server: EngineServer, _ number: UInt64, isVerified: Bool, project: Identifier? = nil)
        async throws
    {
        let report = InboundReport(
            id: Identifier(high: 50, low: number), projectID: project ?? server.engine.project.id,
            at: server.engine.clock.now(), mailClass: "delivery_report", outcome: isVerified ? "bounced" : "unverified",
            isVerified: isVerified, matchedBy: isVerified ? "return_path" : nil,
            entryID: isVerified ? Identifier(high: 60, low: number) : nil, address: "a\(number)@example.org",
            details: ["status": "5.1.1"])
        try await server.engine.context.store.write { try $0.insert(report) }
    }

    @Test func reportsAreListedFromTheNewestInPages() async throws {
        try await withEngine { server in
            for number in 1...3 { try await insert(server, UInt64(number), isVerified: number != 2) }
            try await insert(server, 4, isVerified: true, project: Identifier(high: 9, low: 9))
            let first = try await server.send("GET", "/inbound/reports?limit=2")
            #expect(first.status == 200 && first.body["hasMore"] == true)
            let cursor = try #require(first.body["cursor"]?.stringValue)
            let second = try await server.send("GET", "/inbound/reports?limit=2&cursor=\(cursor)")
            let all = [first, second].flatMap { $0.body["data"]?.arrayValue ?? [] }
            #expect(all.map { $0["email"] } == ["a3@example.org", "a2@example.org", "a1@example.org"])
            #expect(all.map { $0["isVerified"] } == [true, false, true] && all[1]["emailId"]?.isNull == true)
            #expect(second.body["hasMore"] == false && second.body["cursor"]?.isNull == true)
            for (query, count) in [("verified=false", 1), ("outcome=bounced", 2), ("email=A3%40example.org", 1)] {
                let found = try await server.send("GET", "/inbound/reports?\(query)")
                #expect(found.body["data"]?.arrayValue?.count == count, "\(query)")
            }
        }
    }

    @Test(arguments: [
        ("verified=maybe", "verified"), ("outcome=lost", "outcome"), ("email=nobody", "email"), ("cursor=x", "cursor"),
        ("limit=0", "limit"),
    ])
    func whatIsNoSelectionIsRefusedByName(query: String, field: String) async throws {
        try await withEngine { server in
            let reply = try await server.send("GET", "/inbound/reports?\(query)")
            #expect(reply.status == 422 && reply.fields == [field])
        }
    }
}
