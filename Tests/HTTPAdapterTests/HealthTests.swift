import Engine
import JSONValue
import Testing

@Suite struct HealthTests {
    @Test func aHealthyServerSaysSoWithItsNumbers() async throws {
        try await withServer { server in
            server.store.change { $0.counters = ["receptions_repeated": 3, "enrolments_refused": 1] }
            server.context.gauges.register("milter") { ["openSessions": 4, "messages": 9] }
            let answer = try await server.get("/healthz", key: nil)
            #expect(answer.status == 200)
            expectJSONFields(answer)
            #expect(
                answer.text == #"{"status":"ok","outbox":{"pending":0,"claimed":0},"#
                    + #""webhooks":{"pending":0,"claimed":0},"deliveries":{"pending":0,"claimed":0},"#
                    + #""counters":{"enrolments_refused":1,"receptions_repeated":3},"#
                    + #""milter":{"messages":9,"openSessions":4}}"#)
        }
    }

    @Test func headTellsTheSameWithoutABody() async throws {
        try await withServer { server in
            let get = try await server.get("/healthz", key: nil)
            let head = try await server.client.request("HEAD", "/healthz")
            #expect(head.status == 200)
            #expect(head.field("Content-Length") == "\(get.body.count)")
            #expect(head.body.isEmpty)
        }
    }

    @Test func aDatabaseThatDoesNotAnswerIsUnavailable() async throws {
        try await withServer { server in
            server.store.change { $0.failure = StoreError(.full, "no space left on /secret/path") }
            let answer = try await server.get("/healthz", key: nil)
            try expectError(answer, 503, "service_unavailable")
            #expect(answer.field("Retry-After") == "5")
            #expect(!answer.text.contains("secret"))
        }
    }
}
