import Engine
import EngineTestKit
import JSONValue
import Testing
import WorkflowModel

@Suite struct WebhookRouteTests {
    private static let new: JSON = ["url": "https://hooks.example/in?key=1", "events": ["paid", "contact.*"]]

    private func make(_ server: EngineServer, _ body: JSON = new) async throws -> String {
        let reply = try await server.send("POST", "/webhooks", body)
        #expect(reply.status == 201, "\(reply.body)")
        return "/webhooks/\(reply.body["id"]?.stringValue ?? "")"
    }

    @Test func webhookIsMadeReadChangedAndDeleted() async throws {
        try await withEngine { server in
            let made = try await server.send("POST", "/webhooks", Self.new)
            #expect(
                made.status == 201 && made.body["status"] == "active" && made.body["events"] == ["paid", "contact.*"])
            #expect(made.body["secret"]?.stringValue?.hasPrefix("whsec_") == true)
            let path = "/webhooks/\(made.body["id"]?.stringValue ?? "")"
            let read = try await server.send("GET", path)
            #expect(read.status == 200 && read.body["secret"] == nil && read.body["id"] == made.body["id"])
            let list = try await server.send("GET", "/webhooks")
            #expect(list.body["total"] == 1 && list.body["data"]?.arrayValue == [read.body])
            let changed = try await server.send(
                "PATCH", path, ["enabled": false, "description": "Mine", "events": ["*"], "url": "https://b.example/"])
            #expect(changed.body["status"] == "disabled" && changed.body["description"] == "Mine")
            #expect(changed.body["events"] == ["*"] && changed.body["url"] == "https://b.example/")
            #expect(try await server.send("PATCH", path, ["description": nil]).body["description"] == .null)
            #expect(try await server.send("DELETE", path).status == 204)
            #expect(try await server.send("GET", path).status == 404)
            #expect(try await server.send("GET", "/webhooks").body["total"] == 0)
        }
    }

    @Test func deliveriesAreListedInPagesAndRetried() async throws {
        try await withEngine { server in
            let path = try await make(server)
            for number in 0..<5 {
                server.engine.clock.advance(microseconds: 1000)
                try await server.engine.track("paid", "c\(number)@example.org")
            }
            let receiver = ScriptedReceiver()
            receiver.answer([.answered(WebhookResponse(status: 500))])
            try await server.engine.runDeliveries(receiver, perReceiver: 1)
            var seen: [JSON] = []
            var cursor = ""
            repeat {
                let page = try await server.send("GET", "\(path)/deliveries?limit=4\(cursor)")
                #expect(page.status == 200)
                seen += page.body["data"]?.arrayValue ?? []
                cursor = page.body["cursor"]?.stringValue.map { "&cursor=\($0)" } ?? ""
                #expect(page.body["hasMore"] == .bool(!cursor.isEmpty))
            } while !cursor.isEmpty
            #expect(seen.count == 10 && Set(seen.map { $0["id"]?.stringValue }).count == 10)
            let pending = try await server.send("GET", "\(path)/deliveries?status=pending")
            let waiting = try #require(pending.body["data"]?.arrayValue?.first)
            #expect(waiting["statusCode"] == 500 && waiting["attempts"] == 1)
            #expect(try await server.send("GET", path).body["failingSince"] == .null)
            let retry = "\(path)/deliveries/\(waiting["id"]?.stringValue ?? "")/retry"
            let retried = try await server.send("POST", retry)
            #expect(retried.status == 202 && retried.body["attempts"] == 0)
            let log = try await server.send("GET", "/audit?action=webhook.delivery_retried")
            let rows = log.body["data"]?.arrayValue ?? []
            #expect(rows.map { $0["details"]?["deliveryId"] } == [waiting["id"]])
            #expect(rows.first?["target"] == waiting["webhookId"])
            try await server.engine.runDeliveries(receiver)
            let health = try await server.send("GET", "/healthz")
            #expect(health.body["deliveries"] == ["pending": 0, "claimed": 0])
        }
    }

    @Test func testReplayResumeAndRotation() async throws {
        try await withEngine { server in
            let path = try await make(server)
            let test = try await server.send("POST", "\(path)/test")
            #expect(test.status == 202 && test.body["event"] == "webhook.test" && test.body["status"] == "pending")
            let receiver = ScriptedReceiver()
            receiver.answer([.answered(WebhookResponse(status: 410))])
            try await server.engine.runDeliveries(receiver)
            let paused = try await server.send("GET", path)
            #expect(paused.body["status"] == "paused" && paused.body["pauseReason"] == "the receiver answered 410 Gone")
            #expect(try await server.send("POST", "\(path)/test").code == "conflict")
            server.engine.clock.advance(seconds: 1)
            try await server.engine.track("paid")
            let resumed = try await server.send("POST", "\(path)/resume")
            #expect(resumed.status == 200 && resumed.body["status"] == "active")
            #expect(resumed.body["replayed"] == ["queued": 2, "continueFrom": nil])
            server.engine.clock.advance(seconds: 1)
            let replayed = try await server.send(
                "POST", "\(path)/replay", ["since": "2026-01-01T00:00:00Z", "events": ["paid"]])
            #expect(replayed.status == 202 && replayed.body == ["queued": 1, "continueFrom": nil])
            let failed = try await server.send(
                "POST", "\(path)/replay", ["since": "2026-01-01T00:00:00Z", "onlyFailed": true])
            #expect(failed.body["queued"] == 0)
            let log = try await server.send("GET", "/audit?action=webhook.replayed").body["data"]?.arrayValue ?? []
            #expect(log.map { $0["details"]?["onlyFailed"] } == [true, false])
            // The test that was refused while the webhook was paused is not in it.
            let tests = try await server.send("GET", "/audit?action=webhook.tested").body["data"]?.arrayValue ?? []
            #expect(tests.map { $0["details"]?["deliveryId"] } == [test.body["id"]])
            #expect(tests.first?["target"] == test.body["webhookId"])
            let rotated = try await server.send("POST", "\(path)/rotate-secret")
            #expect(rotated.status == 200 && rotated.body["secret"]?.stringValue?.hasPrefix("whsec_") == true)
            #expect(rotated.body["previousSignsUntil"]?.isNull == false)
        }
    }

    @Test func refusedBodiesNameThePath() async throws {
        try await withEngine { server in
            let bad: [(JSON, [String])] = [
                ([:], ["url", "events"]), (["url": 1, "events": "a"], ["url", "events"]),
                (["url": "https://a.example/", "events": ["a", 1]], ["events.1"]),
                (["url": "https://a.example/", "events": []], ["events"]),
                (["url": "http://a.example/", "events": ["a"]], ["url"]),
                (["url": "https://a.example/", "events": ["a"], "secret": "x"], ["secret"]),
                (["url": "https://a.example/", "events": ["a"], "enabled": "yes"], ["enabled"]),
                (["url": "https://a.example/", "events": ["email.nonsense"]], ["events.0"]),
                (
                    [
                        "url": "https://a.example/", "events": ["a"],
                        "description": .string(String(repeating: "x", count: 501)),
                    ],
                    ["description"]
                ),
                ([], [""]),
            ]
            for (body, fields) in bad {
                let reply = try await server.send("POST", "/webhooks", body)
                #expect(reply.status == 422 && reply.fields.sorted() == fields.sorted(), "\(body) \(reply.body)")
            }
            let path = try await make(server)
            let replays: [(JSON, [String])] = [
                ([:], ["since"]), (["since": "yesterday"], ["since"]), (["since": nil], ["since"]),
                (["since": "2026-01-01T00:00:00Z", "until": 5], ["until"]),
                (["since": "2099-01-01T00:00:00Z"], ["since"]),
            ]
            for (body, fields) in replays {
                let reply = try await server.send("POST", "\(path)/replay", body)
                #expect(reply.status == 422 && reply.fields == fields, "\(body) \(reply.body)")
            }
            for query in ["status=gone", "cursor=1", "limit=0", "limit=x"] {
                #expect(try await server.send("GET", "\(path)/deliveries?\(query)").status == 422, "\(query)")
            }
            let nobody = "/webhooks/\(Identifier(high: 1, low: 1))"
            for (method, path, body) in [
                ("GET", nobody, nil), ("PATCH", nobody, ["enabled": true]), ("DELETE", nobody, nil),
                ("POST", "\(nobody)/test", nil), ("POST", "\(nobody)/resume", nil),
                ("POST", "\(nobody)/rotate-secret", nil), ("GET", "\(nobody)/deliveries", nil),
                ("POST", "\(nobody)/replay", ["since": "2026-01-01T00:00:00Z"]),
                ("POST", "\(nobody)/deliveries/\(Identifier(high: 1, low: 1))/retry", nil), ("GET", "/webhooks/1", nil),
            ] as [(String, String, JSON?)] {
                #expect(try await server.send(method, path, body).status == 404, "\(method) \(path)")
            }
            let key = try await Authentication(context: server.engine.context).create(.public, project: "default")
            #expect(try await server.send("GET", "/webhooks", key: key).status == 401)
        }
    }
}

@Suite struct DamagedContactTests {
    @Test func contactThatCannotBeReadIsNamedAndItsNeighboursGoOn() async throws {
        try await withEngine { server in
            let ann = try await server.engine.track("paid", "ann@example.org").contactID
            try await server.engine.context.store.write { store in
                guard var contact = try store.contact(ann) else { return }
                // Text that is too deep to be read is as good as damaged.
                var data: JSON = 1
                for _ in 0..<600 { data = [data] }
                contact.data = ["a": data]
                try store.update(contact)
            }
            let body: JSON = ["event": "paid", "email": "ann@example.org"]
            let refused = try await server.send("POST", "/v1/track", body)
            #expect(refused.status == 409 && refused.code == "conflict")
            #expect(refused.message.contains("the contact \(ann) cannot be read"))
            let other = try await server.send("POST", "/v1/track", ["event": "paid", "email": "ben@example.org"])
            #expect(other.status == 200)
        }
    }

    @Test func nameOfBlanksIsNoEvent() async throws {
        try await withEngine { server in
            for name in ["", " ", "\u{a0}\u{2003}"] {
                let reply = try await server.send(
                    "POST", "/v1/track", ["event": .string(name), "email": "a@b.example"])
                #expect(reply.status == 422 && reply.fields == ["event"])
            }
            #expect(
                try await server.send("POST", "/v1/track", ["event": "webhook.test", "email": "a@b.example"]).code
                    == "reserved_event")
        }
    }
}
