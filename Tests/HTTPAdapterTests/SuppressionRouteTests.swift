import Engine
import EngineTestKit
import JSONValue
import Testing
import WorkflowModel

@testable import HTTPAdapter

@Suite struct SuppressionRouteTests {
    @Test func addressesAreAddedListedAndRemoved() async throws {
        try await withEngine { server in
            let added = try await server.send(
                "POST", "/suppressions", ["email": " Ann+x@Example.org ", "note": "asked by phone"])
            #expect(added.status == 201)
            #expect(added.body["data"]?.arrayValue?.first?["email"] == "ann+x@example.org")
            _ = try await server.send(
                "POST", "/suppressions",
                [
                    "emails": ["b@example.org", "c@example.org"], "reason": "bounce",
                    "expiresAt": "2100-01-01T00:00:00Z",
                ])
            let first = try await server.send("GET", "/suppressions?limit=2")
            #expect(first.body["hasMore"] == true)
            let cursor = try #require(first.body["cursor"]?.stringValue)
            #expect(!cursor.contains("example"))
            let second = try await server.send("GET", "/suppressions?limit=2&cursor=\(cursor)")
            let all = [first, second].flatMap { $0.body["data"]?.arrayValue ?? [] }
            #expect(all.map { $0["reason"] } == ["manual", "bounce", "bounce"])
            #expect(all.last?["expiresAt"] == "2100-01-01T00:00:00.000Z")
            #expect(second.body["hasMore"] == false && second.body["cursor"]?.isNull == true)
            let bounces = try await server.send("GET", "/suppressions?reason=bounce&email=c%40example.org")
            #expect(bounces.body["data"]?.arrayValue?.count == 1)
            #expect(try await server.send("DELETE", "/suppressions?email=ann%2Bx@example.org").status == 204)
            let again = try await server.send("DELETE", "/suppressions?email=ann%2Bx@example.org")
            #expect(again.status == 404 && again.code == "not_found")
            #expect(try await server.send("DELETE", "/suppressions?email=b@example.org&reason=manual").status == 404)
        }
    }

    private static let refusals: [(JSON, [String])] = [
        ([:], ["email"]), (["email": "nobody"], ["email"]), (["email": "a@b\r\nc"], ["email"]),
        (["email": "a@example.org", "emails": ["b@example.org"]], ["email"]), (["emails": []], ["emails"]),
        (["emails": ["a@example.org", 1, "x"]], ["emails.1", "emails.2"]),
        (["email": "a@example.org", "reason": "because"], ["reason"]),
        (["email": "a@example.org", "expiresAt": "2000-01-01T00:00:00Z"], ["expiresAt"]),
        (["email": "a@example.org", "expiresAt": "soon"], ["expiresAt"]),
        (["email": "a@example.org", "more": 1], ["more"]),
    ]

    @Test(arguments: refusals)
    func whatIsNoAdditionIsRefusedByName(body: JSON, fields: [String]) async throws {
        try await withEngine { server in
            let reply = try await server.send("POST", "/suppressions", body)
            #expect(reply.status == 422)
            #expect(reply.fields == fields)
            #expect(try await server.send("GET", "/suppressions").body["data"]?.arrayValue?.isEmpty == true)
        }
    }

    @Test(arguments: [
        ("GET", "?email=x", "email"), ("GET", "?reason=x", "reason"), ("GET", "?cursor=!", "cursor"),
        ("GET", "?limit=0", "limit"), ("DELETE", "", "email"), ("DELETE", "?email=x", "email"),
    ])
    func aQueryThatMakesNoSenseIsRefused(method: String, query: String, field: String) async throws {
        try await withEngine { server in
            let reply = try await server.send(method, "/suppressions\(query)")
            #expect(reply.status == 422)
            #expect(reply.fields == [field])
        }
    }

    @Test func aKeyNeedsTheScope() async throws {
        try await withEngine { server in
            let (context, text) = (server.engine.context, "sk_for-reading")
            let key = APIKey(
                id: Identifier(high: 5, low: 5), projectID: server.engine.project.id, kind: .secret,
                scopes: try KeyScopes("suppressions:read"))
            let (hash, now) = (context.cryptography.digest(Array(text.utf8)), context.clock.now())
            try await context.store.write { try $0.insert(key, hash: hash, at: now) }
            #expect(try await server.send("GET", "/suppressions", key: text).status == 200)
            #expect(try await server.send("POST", "/suppressions", ["email": "a@example.org"], key: text).status == 403)
            #expect(try await server.send("DELETE", "/suppressions?email=a@example.org", key: text).status == 403)
        }
    }
}
