import Engine
import EngineTestKit
import JSONValue
import MailModel
import Testing
import WorkflowModel

@testable import HTTPAdapter

/// Broadcasts over HTTP and a real database.
@Suite struct BroadcastRouteTests {
    private static func people(_ server: EngineServer, _ count: Int = 3) async throws {
        for number in 0..<count {
            try await server.engine.track("a", "c\(number)@example.org", data: ["plan": "pro"], subscribed: true)
        }
        server.engine.clock.advance(seconds: 1)
    }

    private static func run(_ server: EngineServer, _ transport: ScriptedTransport = ScriptedTransport()) async throws {
        let writer = BroadcastWriter(context: server.engine.context)
        repeat {
            while try await writer.pass() {}
            try await server.engine.runDispatch(transport)
        } while try await writer.pass()
    }

    private static let words: JSONObject = [
        "name": "Spring", "subject": "Hi {{ contact.email }}", "body": "<p>{{ code }}</p>", "data": ["code": "X"],
    ]

    private static func make(_ server: EngineServer, _ more: JSONObject = [:]) async throws -> String {
        let reply = try await server.send("POST", "/broadcasts", .object(words.merging(more)))
        #expect(reply.status == 201, "\(reply.body)")
        return "/broadcasts/\(reply.body["id"]?.stringValue ?? "")"
    }

    @Test func aBroadcastFromItsBeginningToItsEnd() async throws {
        try await withEngine { server in
            try await Self.people(server)
            _ = try await server.send("POST", "/segments", ["name": "VIP", "type": "STATIC"])
            _ = try await server.send(
                "POST", "/segments/vip/members", ["emails": ["c0@example.org", "c1@example.org"]])
            let path = try await Self.make(server, ["segmentId": "vip"])
            let draft = try await server.send("GET", path)
            #expect(draft.body["status"] == "draft" && draft.body["type"] == "MARKETING")
            #expect(draft.body["variants"] == [] && draft.body["test"] == .null)
            let estimate = try await server.send("GET", "\(path)/estimate")
            #expect(estimate.body["members"] == 2 && estimate.body["sendable"] == 2)
            let changed = try await server.send("PATCH", path, ["name": "Spring 2", "replyTo": "a@example.com"])
            #expect(changed.body["name"] == "Spring 2" && changed.body["replyTo"] == "a@example.com")
            #expect(try await server.send("PATCH", path, ["replyTo": nil]).body["replyTo"] == .null)
            let time = server.engine.clock.now().adding(seconds: 60)
            let scheduled = try await server.send("POST", "\(path)/schedule", ["at": .string("\(time)")])
            #expect(scheduled.body["status"] == "scheduled" && scheduled.body["scheduledAt"] == .string("\(time)"))
            #expect(try await server.send("PATCH", path, ["name": "X"]).status == 409)
            #expect(try await server.send("DELETE", "\(path)/schedule").body["status"] == "draft")
            let test = try await server.send("POST", "\(path)/test", ["to": "r\u{e9}ne@example.com"])
            #expect(test.status == 202 && test.body["subject"] == "[Test] Hi r\u{e9}ne@example.com")
            #expect(try await server.send("POST", "\(path)/send").body["status"] == "sending")
            #expect(try await server.send("POST", "\(path)/pause").body["status"] == "paused")
            #expect(try await server.send("POST", "\(path)/resume").body["status"] == "sending")
            let transport = ScriptedTransport()
            try await Self.run(server, transport)
            #expect(
                Set(transport.sent.map(\.recipient)) == ["r\u{e9}ne@example.com", "c0@example.org", "c1@example.org"])
            let stats = try await server.send("GET", "\(path)/stats")
            #expect(stats.body["sent"] == 2 && stats.body["recipients"] == 2 && stats.body["status"] == "sent")
            #expect(try await server.send("POST", "\(path)/cancel").status == 409)
            #expect(try await server.send("DELETE", path).status == 409)
            server.engine.clock.advance(seconds: 1)
            let copy = try await server.send("POST", "\(path)/duplicate")
            #expect(copy.status == 201 && copy.body["name"] == "Spring 2 (Copy)")
            let list = try await server.send("GET", "/broadcasts?pageSize=1")
            #expect(list.body["total"] == 2 && list.body["data"]?[path: "0.id"] == copy.body["id"])
            #expect(try await server.send("GET", "/broadcasts?status=sent").body["total"] == 1)
            #expect(try await server.send("GET", "/broadcasts?status=gone").fields == ["status"])
            let copied = "/broadcasts/\(copy.body["id"]?.stringValue ?? "")"
            #expect(try await server.send("DELETE", copied).status == 204)
            #expect(try await server.send("GET", copied).status == 404)
            for path in ["/broadcasts", path, "\(path)/stats", "\(path)/estimate"] {
                #expect(try await server.send("HEAD", path).status == 200)
            }
        }
    }

    @Test func testOfVariantsAndItsWinner() async throws {
        try await withEngine { server in
            try await Self.people(server, 20)
            let path = try await Self.make(
                server,
                [
                    "variants": [["name": "a", "subject": "A"], ["name": "b", "subject": "B", "body": "<p>b</p>"]],
                    "test": ["share": 50, "winner": "manual"],
                    "window": ["from": "00:00", "to": "24:00", "days": ["MON"]],
                ])
            #expect(try await server.send("POST", "\(path)/send").status == 200)
            try await Self.run(server)
            #expect(try await server.send("GET", path).body["phase"] == "deciding")
            #expect(try await server.send("POST", "\(path)/winner", ["variant": "x"]).fields == ["variant"])
            let chosen = try await server.send("POST", "\(path)/winner", ["variant": "b"])
            #expect(chosen.body["winner"] == "b" && chosen.body["winnerReason"] == "chosen")
            try await Self.run(server)
            let stats = try await server.send("GET", "\(path)/stats")
            #expect(stats.body["sent"] == 20 && stats.body["status"] == "sent")
            #expect(stats.body["variants"]?.arrayValue?.map { $0["isWinner"] } == [false, true])
        }
    }

    @Test func cancelledMailsSaySo() async throws {
        try await withEngine { server in
            try await Self.people(server)
            let path = try await Self.make(server)
            _ = try await server.send("POST", "\(path)/send")
            while try await BroadcastWriter(context: server.engine.context).pass() {}
            #expect(try await server.send("GET", "\(path)/stats").body["queued"] == 3)
            #expect(try await server.send("POST", "\(path)/cancel").body["status"] == "cancelled")
            try await Self.run(server)
            let stats = try await server.send("GET", "\(path)/stats")
            #expect(stats.body["queued"] == 0 && stats.body["cancelled"] == 3)
            let contact = try #require(try await server.engine.contact("c0@example.org"))
            let timeline = try await server.send("GET", "/contacts/\(contact.id)/timeline")
            let mail = timeline.body["data"]?.arrayValue?.first { $0["type"] == "mail" }
            #expect(mail?["status"] == "cancelled")
            let status = try await server.send("GET", "/v1/emails/\(mail?["id"]?.stringValue ?? "")")
            #expect(status.body["data"]?["status"] == "cancelled" && status.body["data"]?["sourceType"] == "CAMPAIGN")
        }
    }

    /// Body and the fields that are complained about.
    private static let refusals: [(JSONObject, [String])] = [
        ([:], ["name"]), (["name": ""], ["name"]), (["name": 7], ["name"]),
        (["name": "X"], ["body", "subject"]), (["name": "X", "subject": "S"], ["body"]),
        (["name": "X", "subject": "S", "body": "B", "colour": 1], ["colour"]),
        (["name": "X", "subject": "{{", "body": "{% if %}"], ["body", "subject"]),
        (["name": "X", "subject": "a\r\nBcc: b@example.com", "body": "B"], ["subject"]),
        (["name": "X", "subject": "S", "body": "B", "from": "nobody"], ["from"]),
        (["name": "X", "subject": "S", "body": "B", "from": "A <a@example.com>\r\nBcc: x@y.example"], ["from"]),
        (["name": "X", "subject": "S", "body": "B", "replyTo": "a@"], ["replyTo"]),
        (["name": "X", "subject": "S", "body": "B", "templateVersion": 1], ["templateVersion"]),
        (["name": "X", "subject": "S", "body": "B", "data": []], ["data"]),
        (
            ["name": "X", "subject": "S", "body": "B", "window": ["from": "25:00", "to": "1"]],
            ["window.from", "window.to"]
        ),
        (["name": "X", "subject": "S", "body": "B", "variants": [["name": "a"]]], ["variants"]),
        (["name": "X", "subject": "S", "body": "B", "variants": [["name": "a"], ["name": "a"]]], ["variants.1.name"]),
        (["name": "X", "subject": "S", "body": "B", "variants": [["name": "a"], 3]], ["variants.1"]),
        (
            ["name": "X", "subject": "S", "body": "B", "variants": [["name": "a"], ["name": "b", "from": "x"]]],
            ["variants.1.from"]
        ),
        (
            ["name": "X", "subject": "S", "variants": [["name": "a", "body": "B"], ["name": "b"]]], ["variants.1.body"]
        ),
        (
            ["name": "X", "subject": "S", "body": "B", "test": ["share": 20, "winner": "opens", "duration": 60]],
            ["test"]
        ),
        (
            ["name": "X", "subject": "S", "body": "B", "test": ["share": 0, "winner": "luck"]],
            ["test.duration", "test.share", "test.winner"]
        ),
        (
            ["name": "X", "subject": "S", "body": "B", "test": ["share": 20, "winner": "manual", "duration": 60]],
            ["test.duration"]
        ),
        (["name": "X", "subject": "S", "body": "B", "test": []], ["test"]),
    ]

    @Test func rubbishIsRefusedByName() async throws {
        try await withEngine { server in
            for (body, fields) in Self.refusals {
                let reply = try await server.send("POST", "/broadcasts", .object(body))
                #expect(reply.status == 422 && reply.fields.sorted() == fields, "\(body): \(reply.body)")
            }
            for (body, field) in [(["segmentId": "none"], "segmentId"), (["template": "none"], "template")]
                as [(JSONObject, String)]
            {
                let reply = try await server.send("POST", "/broadcasts", .object(Self.words.merging(body)))
                #expect(reply.status == 404 && reply.fields == [field], "\(reply.body)")
            }
            let path = try await Self.make(server)
            for (action, body) in [
                ("schedule", [:]), ("schedule", ["at": "tomorrow"]), ("schedule", ["at": "2020-01-01T00:00:00Z"]),
                ("winner", [:]), ("test", ["to": "nobody"]),
                ("test", ["to": "a@example.com", "contactId": "x"]),
            ] as [(String, JSON)] {
                #expect(try await server.send("POST", "\(path)/\(action)", body).status == 422, "\(action) \(body)")
            }
            for action in ["send", "pause"] {
                #expect(try await server.send("POST", "\(path)/\(action)", ["x": 1]).status == 422)
            }
            #expect(try await server.send("POST", "/broadcasts/none/send").status == 404)
        }
    }

    @Test func aKeyNeedsItsScopes() async throws {
        try await withEngine { server in
            let path = try await Self.make(server)
            let access = Authentication(context: server.engine.context)
            func key(_ scopes: String) async throws -> String {
                try await access.create(.secret, project: Project.defaultSlug, scopes: try KeyScopes(scopes))
            }
            let (reading, writing) = (try await key("broadcasts:read"), try await key("broadcasts segments"))
            #expect(try await server.send("GET", path, key: reading).status == 200)
            #expect(try await server.send("POST", "\(path)/send", key: reading).status == 403)
            #expect(try await server.send("GET", path, key: try await key("segments")).status == 403)
            let test: JSON = ["to": "a@example.com"]
            #expect(try await server.send("POST", "\(path)/test", test, key: writing).status == 403)
            let both = try await key("broadcasts send:write")
            #expect(try await server.send("POST", "\(path)/test", test, key: both).status == 202)
            let contact = try await server.engine.track("a")
            let named: JSON = ["to": "a@example.com", "contactId": .string("\(contact.contactID)")]
            #expect(try await server.send("POST", "\(path)/test", named, key: both).status == 403)
            #expect(try await server.send("POST", "\(path)/send", key: writing).status == 200)
        }
    }

    @Test func aRepeatedRequestMakesOneDraft() async throws {
        try await withEngine { server in
            let fields = [("Idempotency-Key", "spring")]
            let first = try await server.send("POST", "/broadcasts", .object(Self.words), fields: fields)
            let second = try await server.send("POST", "/broadcasts", .object(Self.words), fields: fields)
            #expect(first.body["id"] == second.body["id"])
            #expect(try await server.send("GET", "/broadcasts").body["total"] == 1)
        }
    }
}
