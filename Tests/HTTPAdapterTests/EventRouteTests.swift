import Engine
import EngineTestKit
import JSONValue
import Testing
import WorkflowModel

@testable import HTTPAdapter

@Suite struct EventRouteTests {
    private static func names(_ reply: EngineServer.Reply) -> [String] {
        reply.body["data"]?.arrayValue?.compactMap { $0["name"]?.stringValue } ?? []
    }

    /// Everything in a list with cursors, page by page.
    private static func pages(_ server: EngineServer, _ path: String) async throws -> [JSON] {
        var rows: [JSON] = []
        var cursor: String?
        repeat {
            let suffix = cursor.map { "&cursor=\($0)" } ?? ""
            let reply = try await server.send("GET", path + suffix)
            #expect(reply.status == 200)
            rows += reply.body["data"]?.arrayValue ?? []
            cursor = reply.body["cursor"]?.stringValue
            #expect(reply.body["hasMore"] == .bool(cursor != nil))
        } while cursor != nil
        return rows
    }

    private static func contact(_ server: EngineServer, _ email: String = "ann@example.org") async throws -> String {
        "\(try #require(try await server.engine.contact(email)).id)"
    }

    // MARK: Timeline

    @Test func timelineIsOneListNewestFirst() async throws {
        try await withEngine { server in
            let workflow = try await server.makeWorkflow("Flow")
            try await server.addStep(workflow, "SEND_EMAIL", "Mail", ["template": "hello"])
            #expect(try await server.send("PATCH", workflow, ["enabled": true]).status == 200)
            try await server.engine.track("signed_up")
            server.engine.clock.advance(seconds: 60)
            try await server.engine.track("looked")
            let path = "/contacts/\(try await Self.contact(server))/timeline"
            let all = try await Self.pages(server, path + "?limit=2")
            #expect(
                all.compactMap { $0["type"]?.stringValue }.sorted()
                    == ["event", "event", "event", "execution", "mail"])
            #expect(all.first?["name"] == "looked")
            let times = all.compactMap { $0["at"]?.stringValue }
            #expect(times == times.sorted(by: >))
            let execution = all.first { $0["type"] == "execution" }
            #expect(execution?["workflowName"] == "Flow" && execution?["status"] == "COMPLETED")
            let mails = try await Self.pages(server, path + "?kinds=mail")
            #expect(mails.map { $0["to"] } == ["ann@example.org"])
            #expect(try await Self.pages(server, path + "?kinds=event,execution").count == 4)
        }
    }

    @Test func timelineCursorIsStableWhileEventsCome() async throws {
        try await withEngine { server in
            for number in 0..<6 { try await server.engine.track("event-\(number)") }
            let path = "/contacts/\(try await Self.contact(server))/timeline?limit=3"
            let first = try await server.send("GET", path)
            try await server.engine.track("late")
            let cursor = first.body["cursor"]?.stringValue ?? ""
            let second = try await server.send("GET", path + "&cursor=\(cursor)")
            #expect(Self.names(first) == ["event-5", "event-4", "event-3"])
            #expect(Self.names(second) == ["event-2", "event-1", "event-0"])
        }
    }

    @Test func timelineRefusals() async throws {
        try await withEngine { server in
            try await server.engine.track("ping")
            let path = "/contacts/\(try await Self.contact(server))/timeline"
            #expect(try await server.send("GET", path + "?kinds=event,letters").fields == ["kinds"])
            #expect(try await server.send("GET", path + "?kinds=,").fields == ["kinds"])
            #expect(try await server.send("GET", path + "?limit=0").fields == ["limit"])
            for cursor in ["x", "1", "1.2.3", "..", "1..", "%FF", "99999999999999999999.."] {
                let status = try await server.send("GET", path + "?cursor=\(cursor)").status
                #expect(["..", "1.."].contains(cursor) ? status == 200 : status == 422, "\(cursor)")
            }
            let unknown = "/contacts/019aaf4b-5c00-7a52-9d7d-5a2b8a4c1e01/timeline"
            #expect(try await server.send("GET", unknown).status == 404)
            #expect(try await server.send("GET", "/contacts/nobody/timeline").status == 404)
        }
    }

    // MARK: Events

    @Test func eventIsRecordedByContactAndStartsWorkflows() async throws {
        try await withEngine { server in
            let workflow = try await server.makeDelayed()
            try await server.engine.track("ping")
            let contact = try await Self.contact(server)
            let reply = try await server.send(
                "POST", "/events/track", ["name": "signed_up", "contactId": .string(contact), "data": ["a": 1]])
            #expect(reply.status == 201)
            #expect(reply.body["contact"]?["email"] == "ann@example.org")
            #expect(reply.body["data"] == ["a": 1])
            #expect(try await server.send("GET", "\(workflow)/executions").body["total"] == 1)
            let alone = try await server.send("POST", "/events/track", ["name": "heard"])
            #expect(alone.status == 201 && alone.body["contactId"] == .null)
        }
    }

    @Test func eventIsRecordedByMail() async throws {
        try await withEngine { server in
            let workflow = try await server.makeWorkflow()
            try await server.addStep(workflow, "SEND_EMAIL", "Mail", ["template": "hello"])
            #expect(try await server.send("PATCH", workflow, ["enabled": true]).status == 200)
            try await server.engine.track("signed_up")
            let contact = try await Self.contact(server)
            let mails = try await Self.pages(server, "/contacts/\(contact)/timeline?kinds=mail")
            let mail = try #require(mails.first?["id"]?.stringValue)
            let reply = try await server.send("POST", "/events/track", ["name": "answered", "emailId": .string(mail)])
            #expect(reply.status == 201)
            #expect(reply.body["contactId"] == .string(contact))
            #expect(reply.body["data"]?["emailId"] == .string(mail))
            try await server.engine.track("ping", "ben@example.org")
            let ben = try await Self.contact(server, "ben@example.org")
            let foreign = try await server.send(
                "POST", "/events/track",
                ["name": "answered", "emailId": .string(mail), "contactId": .string(ben)])
            #expect(foreign.status == 404)
        }
    }

    @Test func recordingRefusals() async throws {
        try await withEngine { (server: EngineServer) async throws in
            func track(_ body: JSON) async throws -> EngineServer.Reply {
                try await server.send("POST", "/events/track", body)
            }
            #expect(try await track(["name": "email.opened"]).code == "reserved_event")
            #expect(try await track(["name": "contact.subscribed"]).status == 422)
            #expect(try await track([:]).fields == ["name"])
            #expect(
                try await track(["name": 1, "data": [], "colour": "red"]).fields.sorted() == ["colour", "data", "name"])
            #expect(try await track(["name": .string(String(repeating: "ä", count: 150))]).fields == ["name"])
            #expect(
                try await track(["name": "big", "data": ["a": .string(String(repeating: "x", count: 70_000))]]).fields
                    == ["data"])
            #expect(try await track(["name": "x", "contactId": "nobody"]).status == 404)
            #expect(try await track(["name": "x", "contactId": "019aaf4b-5c00-7a52-9d7d-5a2b8a4c1e01"]).status == 404)
            #expect(try await track(["name": "x", "emailId": "019aaf4b-5c00-7a52-9d7d-5a2b8a4c1e01"]).status == 404)
        }
    }

    @Test func listIsNewestFirstAndByName() async throws {
        try await withEngine { server in
            for number in 0..<5 { try await server.engine.track(number % 2 == 0 ? "even" : "odd") }
            let all = try await Self.pages(server, "/events?limit=2")
            #expect(
                all.compactMap { $0["name"]?.stringValue } == ["even", "odd", "even", "odd", "even", "contact.created"])
            #expect(all.first?["contact"]?["email"] == "ann@example.org")
            #expect(try await Self.pages(server, "/events?eventName=odd&limit=1").count == 2)
            #expect(try await Self.pages(server, "/events?eventName=never").isEmpty)
            #expect(try await server.send("GET", "/events?limit=5000").body["data"]?.arrayValue?.count == 6)
            #expect(try await server.send("GET", "/events?limit=many").fields == ["limit"])
            #expect(try await server.send("GET", "/events?cursor=x").fields == ["cursor"])
        }
    }

    @Test func contactHasItsEvents() async throws {
        try await withEngine { server in
            for number in 0..<4 { try await server.engine.track("n\(number)") }
            try await server.engine.track("other", "ben@example.org")
            let path = "/events/contact/\(try await Self.contact(server))"
            #expect(
                try await Self.pages(server, path + "?limit=3").compactMap { $0["name"]?.stringValue }
                    == ["n3", "n2", "n1", "n0", "contact.created"])
            #expect(try await server.send("GET", "/events/contact/x").status == 404)
        }
    }

    @Test func statsAndNamesAreByFrequency() async throws {
        try await withEngine { server in
            for name in ["a", "b", "b", "c", "c", "c"] { try await server.engine.track(name) }
            let names = try await server.send("GET", "/events/names")
            #expect(names.body["eventNames"] == ["c", "b", "a", "contact.created"])
            // The virtual clock begins on a known day.
            let day = String("\(server.engine.clock.now())".prefix(10))
            #expect(Self.names(try await server.send("GET", "/events/stats?startDate=\(day)")).first == "c")
            #expect(Self.names(try await server.send("GET", "/events/stats?endDate=\(day)T10:00:00Z")).count == 4)
            #expect(Self.names(try await server.send("GET", "/events/stats?endDate=1999-12-31")).isEmpty)
            #expect(try await server.send("GET", "/events/stats?startDate=yesterday").fields == ["startDate"])
            #expect(
                try await server.send("GET", "/events/stats?startDate=2026-02-02&endDate=2026-02-01").fields
                    == ["endDate"])
        }
    }

    @Test func usageNamesWhoUsesIt() async throws {
        try await withEngine { server in
            let workflow = try await server.makeWorkflow("Starter", event: "a b/c")
            try await server.addStep(workflow, "WAIT_FOR_EVENT", "Wait", ["eventName": "paid"])
            try await server.engine.track("a b/c")
            try await server.engine.track("a b/c", "ben@example.org")
            let usage = try await server.send("GET", "/events/a%20b%2Fc/usage")
            #expect(usage.status == 200)
            #expect(usage.body["usedInWorkflows"]?.arrayValue?.compactMap { $0["name"]?.stringValue } == ["Starter"])
            #expect(usage.body["totalCount"] == 2 && usage.body["uniqueContacts"] == 2)
            #expect(usage.body["canDelete"] == false)
            #expect(try await server.send("GET", "/events/paid/usage").body["totalCount"] == 0)
            #expect(try await server.send("GET", "/events/contact.created/usage").body["canDelete"] == true)
            #expect(try await server.send("GET", "/events/never/usage").status == 404)
            #expect(try await server.send("GET", "/events/%zz/usage").status == 404)
            #expect(try await server.send("GET", "/events/%FF/usage").status == 404)
        }
    }

    @Test func deletingTakesAllOfANameUnlessItIsUsed() async throws {
        try await withEngine { server in
            _ = try await server.makeWorkflow("Starter", event: "used")
            for name in ["used", "free", "free"] { try await server.engine.track(name) }
            let used = try await server.send("DELETE", "/events/used")
            #expect(used.status == 400 && used.code == "EVENT_IN_USE" && used.message.contains("Starter"))
            #expect(try await server.send("DELETE", "/events/free").body["deletedCount"] == 2)
            #expect(try await server.send("DELETE", "/events/free").status == 404)
            #expect(try await Self.pages(server, "/events?eventName=free").isEmpty)
            #expect(try await server.send("DELETE", "/events/never").status == 404)
        }
    }

    @Test func reservedEventIsNotDeleted() async throws {
        try await withEngine { server in
            try await server.engine.track("ping")
            try await server.engine.track("ping", subscribed: false)
            let reply = try await server.send("DELETE", "/events/contact.unsubscribed")
            #expect(reply.status == 400 && reply.code == "EVENT_IN_USE")
        }
    }

    @Test func publicKeyOnlyTracks() async throws {
        try await withEngine { server in
            let key = try await Authentication(context: server.engine.context).create(
                .public, project: Project.defaultSlug)
            for path in ["/events", "/events/names", "/events/stats"] {
                #expect(try await server.send("GET", path, key: key).status == 401)
            }
            let body: JSON = ["events": [["event": "ping", "email": "ann@example.org"]]]
            #expect(try await server.send("POST", "/v1/track/batch", body, key: key).status == 200)
        }
    }

    // MARK: Batches

    private static func batch(_ server: EngineServer, _ events: [JSON]) async throws -> EngineServer.Reply {
        try await server.send("POST", "/v1/track/batch", ["events": .array(events)])
    }

    @Test func batchAnswersEachInItsPlace() async throws {
        try await withEngine { server in
            let reply = try await Self.batch(
                server,
                [
                    ["event": "a", "email": "ann@example.org"], ["event": "b", "email": "nobody"],
                    ["event": "email.opened", "email": "ann@example.org"], 7,
                    ["event": "c", "email": "ann@example.org", "data": ["n": 1], "colour": "red"],
                    ["event": "d", "email": "ben@example.org"],
                ])
            #expect(reply.status == 200)
            let results = reply.body["data"]?["results"]?.arrayValue ?? []
            #expect(results.map { $0["success"] } == [true, false, false, false, false, true])
            #expect(reply.body["data"]?["recorded"] == 2 && reply.body["data"]?["failed"] == 4)
            let fields = results.map { $0["error"]?["errors"]?.arrayValue?.first?["field"]?.stringValue }
            #expect(fields == [nil, "events[1].email", "events[2].event", "events[3]", "events[4].colour", nil])
            #expect(results[2]["error"]?["code"] == "reserved_event")
            #expect(Self.names(try await server.send("GET", "/events?limit=2")).contains("d"))
        }
    }

    @Test func batchKeepsItsOrderAndSharesCommits() async throws {
        try await withEngine { server in
            let events: [JSON] = (0..<1000).map { number in
                ["event": "n", "email": .string("c\(number % 3)@example.org"), "data": ["number": .int(Int64(number))]]
            }
            let reply = try await Self.batch(server, events)
            #expect(reply.body["data"]?["recorded"] == 1000)
            for contact in 0..<3 {
                let path = "/events/contact/\(try await Self.contact(server, "c\(contact)@example.org"))?limit=1000"
                let numbers = try await Self.pages(server, path).filter { $0["name"] == "n" }
                    .compactMap { $0["data"]?["number"]?.intValue }
                #expect(numbers == (0..<1000).filter { $0 % 3 == contact }.reversed().map(Int64.init))
            }
        }
    }

    @Test func eventOfABatchThatTheEngineRefusesUndoesNoOther() async throws {
        try await withEngine { server in
            let piece = JSON.string(String(repeating: "x", count: 60_000))
            var events: [JSON] = (0..<5).map {
                ["event": "grow", "email": "ann@example.org", "data": .object(["k\($0)": piece])]
            }
            events.append(["event": "after", "email": "ann@example.org"])
            let results = try await Self.batch(server, events).body["data"]?["results"]?.arrayValue ?? []
            #expect(results.map { $0["success"] } == [true, true, true, true, false, true])
            #expect(results[4]["error"]?["errors"]?.arrayValue?.first?["field"] == "events[4].data")
        }
    }

    @Test func batchRefusals() async throws {
        try await withEngine { (server: EngineServer) async throws in
            func send(_ body: JSON) async throws -> [String] {
                let reply = try await server.send("POST", "/v1/track/batch", body)
                #expect(reply.status == 422)
                return reply.fields
            }
            #expect(try await send([:]) == ["events"])
            #expect(try await send(["events": "many"]) == ["events"])
            #expect(try await send(["events": []]) == ["events"])
            #expect(try await send(["events": .array(Array(repeating: 1, count: 1001))]) == ["events"])
            #expect(try await send([1]) == [""])
            #expect(try await send(["events": [1], "more": 1]) == ["more"])
        }
    }

    // MARK: Paths

    @Test(arguments: [
        ("/events/a%20b/usage", "a b"), ("/events/caf%C3%A9/usage", "café"), ("/events/a%2Fb/usage", "a/b"),
        ("/events/100%25/usage", "100%"), ("/events/plain/usage", "plain"),
    ])
    func parameterIsDecoded(_ path: String, _ name: String) {
        let match = Endpoint.match(path)
        #expect(match?.endpoint == .eventUsage)
        #expect(match?.parameters == [name])
    }

    @Test(arguments: ["/events/%/usage", "/events/%4/usage", "/events/%gg/usage", "/events/%FF/usage"])
    func whatCannotBeDecodedIsAtNoPath(_ path: String) { #expect(Endpoint.match(path) == nil) }

    /// A literal is a literal only as it is written.
    @Test func eventCanBeCalledLikeARoute() {
        #expect(Endpoint.match("/events/names")?.endpoint == .eventNames)
        #expect(Endpoint.match("/events/%6Eames")?.endpoint == .event)
    }
}
