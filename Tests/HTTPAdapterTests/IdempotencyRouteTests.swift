import Engine
import EngineTestKit
import JSONValue
import Synchronization
import Testing
import WorkflowModel

@testable import HTTPAdapter

@Suite struct IdempotencyRouteTests {
    private static let order: JSON = ["event": "order.placed", "email": "ann@example.org", "data": ["total": 5]]

    private static func orders(_ server: EngineServer) async throws -> Int {
        let project = server.engine.project.id
        return try await server.engine.context.store.read {
            try $0.newestEventData(of: "order.placed", in: project, among: 1000).count
        }
    }

    @Test func theFirstAnswerComesAgain() async throws {
        try await withEngine { server in
            let key = [("Idempotency-Key", "order-1")]
            let first = try await server.send("POST", "/v1/track", Self.order, fields: key)
            #expect(first.status == 200 && first.answer.field("Idempotent-Replayed") == nil)
            server.engine.clock.advance(seconds: 3600)
            let second = try await server.send("POST", "/v1/track", Self.order, fields: key)
            #expect(second.status == 200 && second.body == first.body)
            #expect(second.answer.field("Idempotent-Replayed") == "true")
            #expect(second.answer.field("Content-Type") == "application/json")
            #expect(try await Self.orders(server) == 1)
            #expect(try await server.send("POST", "/v1/track", Self.order).body != first.body)
            #expect(try await Self.orders(server) == 2)
        }
    }

    /// Everybody can read the public key of a page.
    @Test func aPublicKeyTakesNoNamesFromASecretOne() async throws {
        try await withEngine { server in
            let text = try await Authentication(context: server.engine.context).create(
                .public, project: Project.defaultSlug)
            let taken = [("Idempotency-Key", "order-1")]
            let squatter: JSON = ["event": "squat", "email": "eve@example.org"]
            #expect(try await server.send("POST", "/v1/track", squatter, key: text, fields: taken).status == 200)
            let own = try await server.send("POST", "/v1/track", Self.order, fields: [("Idempotency-Key", "order-1")])
            #expect(own.status == 200 && own.answer.field("Idempotent-Replayed") == nil)
            #expect(try await Self.orders(server) == 1)
        }
    }

    /// Routes whose answer is made after their transaction.
    @Test func createdThingsAreCreatedOnce() async throws {
        try await withEngine { server in
            let key = [("Idempotency-Key", "flow-1")]
            let body: JSON = ["name": "Flow", "eventName": "signed_up"]
            let first = try await server.send("POST", "/workflows", body, fields: key)
            let second = try await server.send("POST", "/workflows", body, fields: key)
            #expect(first.status == 201 && second.status == 201 && first.body == second.body)
            let path = "/workflows/\(first.body["id"]?.stringValue ?? "")"
            for _ in 0..<2 {
                let copy = try await server.send("POST", "\(path)/duplicate", fields: [("Idempotency-Key", "copy")])
                #expect(copy.status == 201)
            }
            #expect(try await server.send("GET", "/workflows").body["total"] == 3)
        }
    }

    @Test func aBatchIsRecordedOnce() async throws {
        try await withEngine { server in
            let key = [("Idempotency-Key", "batch-1")]
            let body: JSON = ["events": [Self.order, ["event": "order.placed"], Self.order]]
            let first = try await server.send("POST", "/v1/track/batch", body, fields: key)
            let second = try await server.send("POST", "/v1/track/batch", body, fields: key)
            #expect(first.status == 200 && first.body == second.body)
            #expect(second.answer.field("Idempotent-Replayed") == "true")
            #expect(try await Self.orders(server) == 2)
        }
    }

    @Test func aKeyBelongsToOneRequest() async throws {
        try await withEngine { server in
            let key = [("Idempotency-Key", "order-1")]
            #expect(try await server.send("POST", "/v1/track", Self.order, fields: key).status == 200)
            let other: JSON = ["event": "order.placed", "email": "bob@example.org"]
            for (path, body) in [("/v1/track", other), ("/v1/track?x=1", Self.order), ("/workflows", Self.order)] {
                let reply = try await server.send("POST", path, body, fields: key)
                #expect(reply.status == 409 && reply.code == "idempotency_key_reused", "\(path)")
            }
            #expect(try await Self.orders(server) == 1)
            // Other methods take no notice of it.
            #expect(try await server.send("GET", "/workflows", fields: key).status == 200)
        }
    }

    @Test func aRefusedRequestLeavesTheKeyFree() async throws {
        try await withEngine { server in
            let key = [("Idempotency-Key", "order-1")]
            for body: JSON in [["event": "order.placed"], ["event": "email.sent", "email": "a@example.org"]] {
                #expect(try await server.send("POST", "/v1/track", body, fields: key).status == 422)
            }
            #expect(try await server.send("POST", "/v1/track", Self.order, key: "sk_wrong", fields: key).status == 401)
            #expect(try await server.send("POST", "/v1/track", Self.order, fields: key).status == 200)
            // One that is refused after something was counted.
            let path = try await server.makeWorkflow()
            let contact = try await server.engine.contact()?.id
            let start: JSON = ["contactId": .string("\(contact ?? Identifier(high: 0, low: 0))")]
            let early = try await server.send("POST", "\(path)/executions", start, fields: [("Idempotency-Key", "s")])
            #expect(early.status == 409 && early.code == "WORKFLOW_DISABLED")
            #expect(try await server.send("PATCH", path, ["enabled": true]).status == 200)
            let late = try await server.send("POST", "\(path)/executions", start, fields: [("Idempotency-Key", "s")])
            #expect(late.status == 201)
        }
    }

    @Test(arguments: ["", "ü", String(repeating: "a", count: 256), "a\tb"])
    func whatIsNoKeyIsRefused(key: String) async throws {
        try await withEngine { server in
            let reply = try await server.send("POST", "/v1/track", Self.order, fields: [("Idempotency-Key", key)])
            #expect(reply.status == 400)
            #expect(reply.code == "bad_request")
            #expect(try await Self.orders(server) == 0)
        }
    }

    @Test func projectsDoNotShareKeys() async throws {
        try await withEngine { server in
            try await Projects(context: server.engine.context).create("other")
            let other = try await Authentication(context: server.engine.context).create(.secret, project: "other")
            let key = [("Idempotency-Key", "order-1")]
            let first = try await server.send("POST", "/v1/track", Self.order, fields: key)
            let second = try await server.send("POST", "/v1/track", Self.order, key: other, fields: key)
            #expect(second.status == 200 && second.body != first.body)
            #expect(second.answer.field("Idempotent-Replayed") == nil)
        }
    }

    @Test func aKeyIsFreeAgainAfterADay() async throws {
        try await withEngine { server in
            let key = [("Idempotency-Key", "order-1")]
            let first = try await server.send("POST", "/v1/track", Self.order, fields: key)
            server.engine.clock.advance(seconds: IdempotentRequest.lifetime + 1)
            let second = try await server.send("POST", "/v1/track", Self.order, fields: key)
            #expect(second.status == 200 && second.body != first.body)
            #expect(try await Self.orders(server) == 2)
        }
    }

    @Test func manyAtOnceAreOne() async throws {
        try await withEngine { server in
            let replies = try await withThrowingTaskGroup(of: EngineServer.Reply.self) { group in
                for _ in 0..<20 {
                    group.addTask {
                        try await server.send(
                            "POST", "/v1/track", Self.order, fields: [("Idempotency-Key", "order-1")])
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            let done = replies.filter { $0.status == 200 }
            #expect(!done.isEmpty && Set(done.map(\.body)).count == 1)
            for reply in replies where reply.status != 200 {
                #expect(reply.status == 409 && reply.code == "conflict")
                #expect(reply.answer.field("Retry-After") == "1")
            }
            #expect(try await Self.orders(server) == 1)
        }
    }

    /// What is missing follows, and nothing is recorded twice.
    @Test func aBatchWithAnItemThatFailedHereIsCompleted() async throws {
        let database = Mutex<InterruptedStore?>(nil)
        try await withEngine(
            over: { store in
                let interrupted = InterruptedStore(store)
                database.withLock { $0 = interrupted }
                return interrupted
            },
            { server in
                let key = [("Idempotency-Key", "batch-1")]
                let body: JSON = ["events": [Self.order, Self.order]]
                // The key is noted as used before the trouble begins.
                #expect(try await server.send("GET", "/workflows").status == 200)
                database.withLock { $0 }?.interrupt(after: 1) { throw StoreError(.failed, "trouble") }
                let first = try await server.send("POST", "/v1/track/batch", body, fields: key)
                #expect(first.status == 200 && first.body["data"]?["failed"] == 1)
                #expect(first.body["data"]?["results"]?.arrayValue?.last?["error"]?["statusCode"] == 503)
                let second = try await server.send("POST", "/v1/track/batch", body, fields: key)
                #expect(second.body["data"]?["failed"] == 0)
                #expect(second.answer.field("Idempotent-Replayed") == nil)
                let third = try await server.send("POST", "/v1/track/batch", body, fields: key)
                #expect(third.body == second.body && third.answer.field("Idempotent-Replayed") == "true")
                #expect(try await Self.orders(server) == 2)
                let results = [first, second].map { $0.body["data"]?["results"]?.arrayValue ?? [] }
                #expect(results[0].first == results[1].first)
            })
    }

    @Test func whatChangesNothingTakesNoNoticeOfTheKey() async throws {
        try await withEngine { server in
            let key = [("Idempotency-Key", "look-1")]
            for email: JSON in ["ann@example.org", "bob@example.org"] {
                let reply = try await server.send("POST", "/contacts/lookup", ["emails": [email]], fields: key)
                #expect(reply.status == 200 && reply.answer.field("Idempotent-Replayed") == nil)
            }
            #expect(try await server.send("POST", "/v1/track", Self.order, fields: key).status == 200)
        }
    }

    @Test func aFileIsKnownByItsContent() async throws {
        try await withEngine { server in
            func send(_ file: String, _ key: String, chunked: Bool = false) async throws -> Answer? {
                var text =
                    "POST /contacts/import HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(server.key)\r\n"
                    + "Content-Type: text/csv\r\nIdempotency-Key: \(key)\r\n"
                text +=
                    chunked
                    ? "Transfer-Encoding: chunked\r\n\r\n\(String(file.utf8.count, radix: 16))\r\n\(file)\r\n0\r\n\r\n"
                    : "Content-Length: \(file.utf8.count)\r\n\r\n\(file)"
                return try await server.client.converse(Array(text.utf8), answers: 1).first
            }
            func jobs() async throws -> Int? {
                try await server.send("GET", "/contacts/jobs").body["data"]?.arrayValue?.count
            }
            let first = try await send("email\nann@example.org\n", "file-1")
            #expect(first?.status == 202)
            for chunked in [false, true] {
                let again = try await send("email\nann@example.org\n", "file-1", chunked: chunked)
                #expect(again?.status == 202 && again?.body == first?.body)
                #expect(again?.field("Idempotent-Replayed") == "true")
            }
            #expect(try await jobs() == 1)
            // As long, and another one.
            #expect(try await send("email\nbob@example.org\n", "file-1")?.status == 409)
            #expect(try await send("email\nbob@example.org\n", "file-2", chunked: true)?.status == 202)
            // One that is refused leaves its key free.
            #expect(try await send("name\nbob\n", "file-3")?.status == 422)
            #expect(try await send("email\nbob@example.org\n", "file-3")?.status == 202)
            #expect(try await jobs() == 3)
            // Nothing is left of what was not imported.
            let spool = try #require(server.engine.context.spool)
            #expect(spool.files(olderThan: Timestamp(seconds: 4_000_000_000)).count == 3)
        }
    }
}
