import Engine
import EngineTestKit
import JSONValue
import Testing
import WorkflowModel

@testable import HTTPAdapter

@Suite struct SegmentRouteTests {
    private static func filter(_ conditions: JSON...) -> JSON {
        ["logic": "AND", "groups": [["filters": .array(conditions)]]]
    }

    private static let pro: JSON = ["field": "data.plan", "operator": "equals", "value": "pro"]

    private static func compute(_ server: EngineServer) async throws {
        repeat {
            while try await Segmenter(context: server.engine.context).pass() {}
        } while try await server.engine.findKeptEvents()
    }

    @Test func aSegmentFromItsBeginningToItsEnd() async throws {
        try await withEngine { server in
            try await server.engine.track("a", "ann@example.org", data: ["plan": "pro"])
            let made = try await server.send(
                "POST", "/segments",
                ["name": "Pro users", "description": "They pay.", "type": "DYNAMIC", "filter": Self.filter(Self.pro)])
            #expect(made.status == 201)
            #expect(made.body["slug"] == "pro-users" && made.body["status"] == "computing")
            try await Self.compute(server)
            let path = "/segments/\(made.body["id"]?.stringValue ?? "")"
            let read = try await server.send("GET", path)
            #expect(read.body["memberCount"] == 1 && read.body["status"] == "ready")
            #expect(read.body["filter"] == Self.filter(Self.pro) && read.body["condition"] == read.body["filter"])
            #expect(try await server.send("GET", "/segments/pro-users").body == read.body)
            let contacts = try await server.send("GET", "\(path)/contacts?pageSize=5")
            #expect(contacts.body["total"] == 1)
            #expect(contacts.body["data"]?[path: "0.email"] == "ann@example.org")
            #expect(contacts.body["data"]?[path: "0.enteredAt"] != nil)
            let changed = try await server.send("PATCH", path, ["name": "Payers", "description": nil])
            #expect(changed.body["name"] == "Payers" && changed.body["slug"] == "pro-users")
            #expect(changed.body["description"] == .null)
            let list = try await server.send("GET", "/segments?search=PAY")
            #expect(list.body["total"] == 1 && list.body["data"]?[path: "0.id"] == made.body["id"])
            #expect(try await server.send("GET", "/segments?search=nothing").body["total"] == 0)
            #expect(try await server.send("HEAD", "/segments").status == 200)
            #expect(try await server.send("HEAD", path).status == 200)
            #expect(try await server.send("HEAD", "\(path)/contacts").status == 200)
            let again = try await server.send("POST", "\(path)/compute")
            #expect(again.status == 202 && again.body["status"] == "computing")
            try await Self.compute(server)
            #expect(try await server.send("POST", "\(path)/refresh").body["memberCount"] == 1)
            #expect(try await server.send("DELETE", path).status == 204)
            #expect(try await server.send("GET", path).status == 404)
        }
    }

    @Test func olderClientsSayCondition() async throws {
        try await withEngine { server in
            let made = try await server.send(
                "POST", "/segments",
                ["name": "Pro", "condition": Self.filter(Self.pro), "trackMembership": false, "description": nil])
            #expect(made.status == 201 && made.body["trackMembership"] == true)
            let free = Self.filter(["field": "data.plan", "operator": "equals", "value": "free"])
            let changed = try await server.send("PATCH", "/segments/pro", ["condition": free])
            #expect(changed.status == 200 && changed.body["filter"] == free)
            let twice = try await server.send(
                "PATCH", "/segments/pro", ["condition": free, "filter": Self.filter(Self.pro)])
            #expect(twice.status == 422 && twice.fields == ["condition"])
            let wrong = try await server.send(
                "POST", "/segments",
                ["name": "X", "condition": Self.filter(["field": "nothing", "operator": "equals"])])
            #expect(wrong.status == 422 && wrong.fields == ["condition.groups.0.filters.0.field"])
        }
    }

    @Test func eventsAreToldWhenTheyAreAskedFor() async throws {
        try await withEngine { server in
            let project = server.engine.project.id
            func count(_ name: String) async throws -> Int {
                try await server.engine.context.store.read {
                    try $0.newestEventData(of: name, in: project, among: 1000).count
                }
            }
            try await server.engine.track("a", "ann@example.org", data: ["plan": "pro"])
            for (name, query) in [("A", ""), ("B", "?events=false"), ("C", "?events=true")] {
                let made = try await server.send(
                    "POST", "/segments\(query)", ["name": .string(name), "filter": Self.filter(Self.pro)])
                #expect(made.status == 201)
            }
            try await Self.compute(server)
            #expect(try await count("segment.a.entry") == 0)
            #expect(try await count("segment.b.entry") == 0)
            #expect(try await count("segment.c.entry") == 1)
            let bad = try await server.send("POST", "/segments?events=yes", ["name": "D"])
            #expect(bad.status == 422 && bad.fields == ["events"])
        }
    }

    @Test func membersByHand() async throws {
        try await withEngine { server in
            try await server.engine.track("a", "ann@example.org")
            #expect(try await server.send("POST", "/segments", ["name": "Beta", "type": "STATIC"]).status == 201)
            let added = try await server.send(
                "POST", "/segments/beta/members",
                ["emails": ["Ann@Example.org", "ben@example.org", "cem@example.org"], "createMissing": false])
            #expect(added.body["added"] == 1 && added.body["missing"] == ["ben@example.org", "cem@example.org"])
            let made = try await server.send(
                "POST", "/segments/beta/members?events=false",
                ["emails": ["ben@example.org"], "createMissing": true, "subscribed": true])
            #expect(made.body == ["added": 1, "created": 1, "unchanged": 0, "missing": []])
            #expect(try await server.engine.contact("ben@example.org")?.isSubscribed == true)
            let removed = try await server.send("DELETE", "/segments/beta/members", ["emails": ["ann@example.org"]])
            #expect(removed.body == ["removed": 1, "unchanged": 0, "missing": []])
            #expect(try await server.send("GET", "/segments/beta").body["memberCount"] == 1)
            for (body, fields): (JSON, [String]) in [
                ([:], ["emails"]), (["emails": []], ["emails"]), (["emails": ["nobody"]], ["emails.0"]),
                (["emails": .array((0..<501).map { .string("a\($0)@b.c") })], ["emails"]),
                (["emails": ["a@b.c"], "createMissing": 1, "extra": 1], ["extra", "createMissing"]),
            ] {
                let reply = try await server.send("POST", "/segments/beta/members", body)
                #expect(reply.status == 422 && reply.fields == fields, "\(reply.body)")
            }
            #expect(
                try await server.send("POST", "/segments", ["name": "Pro", "filter": Self.filter(Self.pro)]).status
                    == 201)
            for (method, path) in [("POST", "/segments/pro/members"), ("DELETE", "/segments/pro/members")] {
                let reply = try await server.send(method, path, ["emails": ["ann@example.org"]])
                #expect(reply.status == 422 && reply.message.contains("DYNAMIC"))
            }
            #expect(try await server.send("POST", "/segments/beta/compute").status == 422)
        }
    }

    @Test func aFilterIsTriedWithoutBeingStored() async throws {
        try await withEngine { server in
            for number in 0..<5 {
                try await server.engine.track(
                    number < 3 ? "bought" : "looked", "c\(number)@example.org", data: ["n": .int(Int64(number))])
            }
            let filter = Self.filter(
                ["field": "event.bought", "operator": "triggeredWithin", "value": 1, "unit": "days"],
                ["field": "data.n", "operator": "greaterThan", "value": 0])
            let reply = try await server.send("POST", "/segments/preview", ["filter": filter, "limit": 1])
            #expect(reply.status == 200 && reply.body["count"] == 2)
            #expect(reply.body["data"]?.arrayValue?.count == 1)
            let first = reply.body["data"]?[path: "0.email"]?.stringValue ?? ""
            #expect(["c1@example.org", "c2@example.org"].contains(first))
            let none = try await server.send("POST", "/segments/preview", ["condition": filter, "limit": 0])
            #expect(none.body == ["count": 2, "data": []])
            #expect(try await server.send("GET", "/segments").body["total"] == 0)
            for (body, field): (JSON, String) in [
                ([:], "filter"), (["filter": filter, "limit": 101], "limit"), (["filter": 5], "filter"),
                (
                    ["filter": Self.filter(["field": "segment.nobody", "operator": "memberOfSegment"])],
                    "filter.groups.0.filters.0.field"
                ),
            ] {
                let reply = try await server.send("POST", "/segments/preview", body)
                #expect(reply.status == 422 && reply.fields == [field], "\(reply.body)")
            }
        }
    }

    @Test func whatIsWrongIsNamed() async throws {
        try await withEngine { server in
            let filter = Self.filter(Self.pro)
            for (body, fields): (JSON, [String]) in [
                ([:], ["name"]), (["name": "A"], ["filter"]), (["name": "A", "filter": nil], ["filter"]),
                (["name": "A", "type": "OTHER", "filter": filter], ["type"]),
                (["name": "A", "type": "STATIC", "filter": filter], ["filter"]),
                (["name": "A", "filter": filter, "slug": "Not one"], ["slug"]),
                (["name": "A", "filter": filter, "more": 1], ["more"]),
                (["name": "A", "filter": filter, "trackMembership": "yes"], ["trackMembership"]),
                (
                    [
                        "name": "A",
                        "filter": Self.filter(
                            ["field": "data.a", "operator": "within", "value": 1],
                            ["field": "email", "operator": "greaterThan", "value": "a"]),
                    ], ["filter.groups.0.filters.0.unit", "filter.groups.0.filters.1.operator"]
                ),
            ] {
                let reply = try await server.send("POST", "/segments", body)
                #expect(reply.status == 422 && reply.fields == fields, "\(body): \(reply.body)")
            }
            #expect(try await server.send("POST", "/segments", ["name": "A", "filter": filter]).status == 201)
            let twin = try await server.send("POST", "/segments", ["name": "B", "filter": filter, "slug": "a"])
            #expect(twin.status == 409 && twin.fields == ["slug"])
            let circle = try await server.send(
                "PATCH", "/segments/a",
                ["filter": Self.filter(["field": "segment.a", "operator": "memberOfSegment"])])
            #expect(circle.status == 422 && circle.fields == ["filter"])
            #expect(circle.body["error"]?["errors"]?[path: "0.message"]?.stringValue?.contains("a -> a") == true)
            #expect(try await server.send("POST", "/segments", ["name": "S", "type": "STATIC"]).status == 201)
            #expect(try await server.send("PATCH", "/segments/s", ["filter": filter]).status == 422)
            for path in ["/segments/nobody", "/segments/nobody/contacts"] {
                #expect(try await server.send("GET", path).status == 404)
            }
            #expect(try await server.send("PATCH", "/segments/nobody", [:]).status == 404)
            #expect(try await server.send("POST", "/segments/nobody/compute").status == 404)
            #expect(try await server.send("POST", "/segments/nobody/members", ["emails": ["a@b.c"]]).status == 404)
        }
    }

    @Test func aUsedSegmentStays() async throws {
        try await withEngine { server in
            #expect(
                try await server.send("POST", "/segments", ["name": "A", "filter": Self.filter(Self.pro)]).status == 201
            )
            let workflow = try await server.makeWorkflow("Weekly")
            let trigger: JSON = ["schedule": "0 9 * * 1", "segmentId": "a"]
            let missing: JSON = ["schedule": "0 9 * * 1", "segmentId": "nobody"]
            let wrong = try await server.send("PATCH", workflow, ["triggerType": "SCHEDULE", "triggerConfig": missing])
            #expect(wrong.status == 422 && wrong.fields == ["triggerConfig.segmentId"])
            let right = try await server.send("PATCH", workflow, ["triggerType": "SCHEDULE", "triggerConfig": trigger])
            #expect(right.status == 200)
            let refused = try await server.send("DELETE", "/segments/a")
            #expect(refused.status == 409 && refused.message.contains("weekly"))
            let step = try await server.send(
                "POST", "\(workflow)/steps",
                [
                    "type": "CONDITION", "name": "Check",
                    "config": ["field": "segment.nobody", "operator": "memberOfSegment"],
                ])
            #expect(step.status == 422 && step.fields == ["config.field"])
        }
    }

    // MARK: Limits

    /// A filter inside a filter inside a filter.
    private static func nested(_ depth: Int) -> JSON {
        (1..<depth).reduce(filter(pro)) { inner, _ in ["logic": "AND", "groups": [["conditions": inner]]] }
    }

    @Test func aFilterIsAsDeepAsFiltersMayBe() async throws {
        try await withEngine { server in
            let deepest = try await server.send("POST", "/segments", ["name": "A", "filter": Self.nested(10)])
            #expect(deepest.status == 201, "\(deepest.body)")
            let deeper = try await server.send("POST", "/segments", ["name": "B", "filter": Self.nested(11)])
            #expect(deeper.status == 422)
            #expect(
                deeper.body["error"]?["errors"]?[path: "0.message"]?.stringValue?.contains("10 filters deep") == true)
            let muchDeeper = try await server.send("POST", "/segments", ["name": "B", "filter": Self.nested(100)])
            #expect(muchDeeper.status == 400 && muchDeeper.code == "invalid_json")
        }
    }

    @Test func aFilterAMillionDeepIsRefused() async throws {
        // A body of 36 MB takes its time where everything runs at once.
        try await withEngine(HTTPConfiguration(port: 0, bodyLimit: 64 << 20, bodyTimeout: 600)) { server in
            let opening = #"{"logic":"AND","groups":[{"conditions":"#
            let body = #"{"name":"A","filter":"# + String(repeating: opening, count: 1_000_000)
            let answer = try await server.client.request(
                "POST", "/segments",
                [("Authorization", "Bearer \(server.key)"), ("Content-Type", "application/json")],
                body: Array(body.utf8))
            #expect(answer.status == 400)
            #expect(String(decoding: answer.body, as: UTF8.self).contains("nested too deeply"))
            // Each filter is three deep, and what is deeper than 48 is not read. The path is cut at 200 characters.
            let path = "filter" + String(repeating: ".groups.0.conditions", count: 15)
            #expect(try complaints(answer) == [String(path.prefix(200))])
        }
    }

    @Test func aFilterHasAsManyConditionsAsFiltersMayHave() async throws {
        try await withEngine { server in
            func many(_ count: Int) -> JSON {
                ["logic": "OR", "groups": .array((0..<count).map { _ in ["filters": [Self.pro]] })]
            }
            try await server.engine.track("a", "ann@example.org", data: ["plan": "pro"])
            #expect(
                try await server.send("POST", "/segments/preview", ["filter": many(500)]).body["count"] == 1)
            let more = try await server.send("POST", "/segments/preview", ["filter": many(501)])
            #expect(more.status == 422)
            #expect(more.body["error"]?["errors"]?[path: "0.message"]?.stringValue?.contains("at most 500") == true)
        }
    }

    @Test func segmentsOfOtherProjectsAreNotThere() async throws {
        try await withEngine { server in
            let other = Project(id: Identifier(high: 1, low: 2), slug: "other", name: "Other")
            let now = server.engine.clock.now()
            try await server.engine.context.store.write { try $0.insert(other, at: now) }
            let made = try await Segments(context: server.engine.context, projectID: other.id)
                .create(.init(name: "A", kind: .static, filter: nil))
            let id = "\(made.segment.id)"
            // The literal would be a body of null.
            let none = JSON?.none
            for reference in [id, "a"] {
                for (method, path, body): (String, String, JSON?) in [
                    ("GET", "", none), ("PATCH", "", ["name": "B"]), ("DELETE", "", none), ("GET", "/contacts", none),
                    ("POST", "/compute", none), ("POST", "/refresh", none), ("POST", "/members", ["emails": ["a@b.c"]]),
                ] {
                    let reply = try await server.send(method, "/segments/\(reference)\(path)", body)
                    #expect(reply.status == 404, "\(method) \(path)")
                }
            }
            #expect(try await server.send("GET", "/segments").body["total"] == 0)
        }
    }
}
