import Engine
import JSONValue
import Testing
import WorkflowModel

@testable import HTTPAdapter

/// Routes of templates over a real engine; every answer is held against the description.
@Suite struct TemplateRouteTests {
    private static let welcome: JSON = [
        "name": "Welcome", "type": "TRANSACTIONAL", "subject": "Hi {{ contact.name ?? you }}",
        "body": "<p>Hi {{ contact.name }}</p>", "from": "news@example.com", "fromName": "News",
        "replyTo": "office@example.com", "description": "The first",
    ]

    private func make(_ server: EngineServer, _ body: JSON = welcome) async throws -> String {
        let reply = try await server.send("POST", "/templates", body)
        #expect(reply.status == 201, "\(reply.body)")
        return "/templates/\(reply.body["id"]?.stringValue ?? "")"
    }

    @Test func aTemplateIsMadeReadChangedAndTakenAway() async throws {
        try await withEngine { server in
            let path = try await make(server)
            let read = try await server.send("GET", path).body
            #expect(read["slug"] == "welcome" && read["version"] == 1 && read["description"] == "The first")
            #expect(read["html"] == "<p>Hi {{ contact.name }}</p>" && read["body"] == read["html"])
            #expect(read["from"] == "news@example.com" && read["fromName"] == "News" && read["markdown"] == .null)
            let changed = try await server.send(
                "PATCH", path, ["markdown": "*Hi*", "fromName": nil, "trackOpens": false])
            #expect(changed.status == 200 && changed.body["version"] == 2)
            #expect(changed.body["html"] == .null && changed.body["markdown"] == "*Hi*")
            #expect(changed.body["fromName"] == .null && changed.body["trackOpens"] == false)
            let versions = try await server.send("GET", "\(path)/versions").body
            #expect(versions["total"] == 2 && versions["data"]?.arrayValue?.first?["current"] == true)
            let first = try await server.send("GET", "\(path)/versions/1").body
            #expect(first["html"] == "<p>Hi {{ contact.name }}</p>" && first["current"] == false)
            let restored = try await server.send("POST", "\(path)/versions/1/restore")
            #expect(restored.status == 200 && restored.body["version"] == 3 && restored.body["fromName"] == "News")
            let copy = try await server.send("POST", "\(path)/duplicate")
            #expect(copy.status == 201 && copy.body["name"] == "Welcome (Copy)" && copy.body["version"] == 1)
            #expect(try await server.send("DELETE", path).status == 204)
            #expect(try await server.send("GET", path).status == 404)
            #expect(try await server.send("GET", "\(path)/versions").status == 404)
        }
    }

    @Test func mistakesAreNamedWithTheirLineAndColumn() async throws {
        try await withEngine { server in
            let reply = try await server.send(
                "POST", "/templates",
                ["name": "T", "subject": "{{ a | nope }}", "html": "x\n  {% nope %}", "text": "{% if a %}"])
            #expect(reply.status == 422 && reply.code == "validation_error")
            let errors = reply.body["error"]?["errors"]?.arrayValue ?? []
            #expect(errors.map { $0["field"] } == ["subject", "html", "text"])
            #expect(errors.map { $0["line"] } == [1, 2, 1] && errors.map { $0["column"] } == [8, 3, 1])
        }
    }

    private static let refusedBodies: [(JSON, [String])] = [
        ([:], ["name"]), ([1], [""]), (["name": "T", "subjekt": "x"], ["subjekt"]),
        (["name": "T", "type": "SPAM", "subject": "s", "text": "x"], ["type"]),
        (["name": "T", "subject": "a\nb", "text": "x"], ["subject"]),
        (["name": "T", "subject": "s", "html": "a", "body": "b"], ["body"]),
        (["name": "T", "subject": "s", "text": 7], ["text"]),
        (["name": "T", "subject": "s", "text": "a\u{0}b"], ["text"]),
        (["name": "T", "subject": "s"], ["html"]), (["name": "T", "text": "x"], ["subject"]),
        (["name": "T", "subject": "s", "text": "x", "slug": "A B"], ["slug"]),
        (["name": "T", "subject": "s", "text": "x", "from": "nobody"], ["from"]),
        (["name": "T", "subject": "s", "text": "x", "trackOpens": "yes"], ["trackOpens"]),
        (["name": "T", "subject": "s", "html": .string(String(repeating: "x", count: 200_001))], ["html"]),
        (["name": "T", "subject": .string(String(repeating: "x", count: 999)), "text": "x"], ["subject"]),
        (["name": "T", "type": "PARTIAL", "subject": "s", "text": "x"], ["subject"]),
    ]

    @Test(arguments: refusedBodies)
    func badBodiesAreRefusedWithTheirPath(body: JSON, fields: [String]) async throws {
        try await withEngine { server in
            let reply = try await server.send("POST", "/templates", body)
            #expect(reply.status == 422 && reply.fields == fields, "\(reply.body)")
        }
    }

    @Test func listsComeInPagesAndAreFiltered() async throws {
        try await withEngine { server in
            _ = try await make(server)
            _ = try await make(server, ["name": "Footer", "type": "PARTIAL", "html": "<p>x</p>"])
            let all = try await server.send("GET", "/templates?sort=name&dir=asc&pageSize=2").body
            #expect(all["total"] == 3 && all["totalPages"] == 2)
            #expect(all["data"]?.arrayValue?.map { $0["slug"] } == ["footer", "hello"])
            #expect(all["data"]?.arrayValue?.first?["html"] == nil)
            #expect(try await server.send("GET", "/templates?type=PARTIAL").body["total"] == 1)
            #expect(try await server.send("GET", "/templates?search=wel").body["total"] == 1)
            let bad = try await server.send("GET", "/templates?type=x&sort=y&dir=z")
            #expect(bad.status == 422 && bad.fields == ["type", "sort", "dir"])
        }
    }

    @Test func aTemplateInUseIsNotTakenAwayAndNeitherIsAnyBesideIt() async throws {
        try await withEngine { server in
            let path = try await make(server)
            let workflow = try await server.makeWorkflow()
            try await server.addStep(workflow, "SEND_EMAIL", "Welcome mail", ["templateId": "welcome"])
            let refused = try await server.send("DELETE", path)
            #expect(refused.status == 409 && refused.message.contains("Welcome mail"))
            let used = JSON.string(String(path.dropFirst("/templates/".count)))
            let other = try await make(server, ["name": "Other", "subject": "s", "text": "x"])
            let free = JSON.string(String(other.dropFirst("/templates/".count)))
            #expect(try await server.send("POST", "/templates/bulk-delete", ["ids": [free, used]]).status == 409)
            #expect(try await server.send("GET", other).status == 200)
            let unknown: JSON = ["ids": [free, "019aaf4b-5c00-7a52-9d7d-5a2b8a4c1e99"]]
            #expect(try await server.send("POST", "/templates/bulk-delete", unknown).status == 404)
            #expect(try await server.send("POST", "/templates/bulk-delete", ["ids": []]).status == 422)
            #expect(try await server.send("POST", "/templates/bulk-delete", ["ids": ["x"]]).fields == ["ids.0"])
            #expect(try await server.send("POST", "/templates/bulk-delete", ["ids": [free]]).body == ["deleted": 1])
            let usage = try await server.send("GET", "\(path)/usage").body
            #expect(usage["steps"]?.arrayValue?.first?["name"] == "Welcome mail" && usage["mails"] == 0)
        }
    }

    @Test func previewsShowMailAndWarnings() async throws {
        try await withEngine { server in
            let path = try await make(server)
            let stored = try await server.send("POST", "\(path)/preview", ["data": ["name": "<Ann>"]])
            #expect(stored.status == 200 && stored.body["subject"] == "Hi <Ann>")
            #expect(stored.body["html"] == "<p>Hi &lt;Ann&gt;</p>" && stored.body["text"] == "Hi <Ann>")
            let unsaved = try await server.send(
                "POST", "/templates/preview", ["subject": "s", "markdown": "*{{ contact.emial }}*"])
            #expect(unsaved.body["html"] == "<p><em></em></p>\n")
            #expect(unsaved.body["warnings"]?.arrayValue?.first?["suggestion"] == "contact.email")
            let broken = try await server.send("POST", "/templates/preview", ["subject": "s", "html": "\n{{ a | b }}"])
            #expect(broken.status == 422 && broken.fields == ["html"])
            let failing = try await server.send(
                "POST", "/templates/preview", ["subject": "s", "html": "\n{{ 1 | divided_by: 0 }}"])
            #expect(failing.status == 422 && failing.body["error"]?["errors"]?.arrayValue?.first?["line"] == 2)
            for (body, field) in [
                (["contactId": "x"], "contactId"), (["email": "x"], "email"), (["data": 1], "data"),
                (["version": 0], "version"), (["nope": 1], "nope"),
            ] as [(JSON, String)] {
                #expect(try await server.send("POST", "\(path)/preview", body).fields == [field])
            }
            let unknown: JSON = ["contactId": "019aaf4b-5c00-7a52-9d7d-5a2b8a4c1e99"]
            #expect(try await server.send("POST", "\(path)/preview", unknown).status == 404)
        }
    }

    @Test func aTestMailGoesIntoTheOutbox() async throws {
        try await withEngine { server in
            let path = try await make(server)
            let reply = try await server.send(
                "POST", "\(path)/test", ["to": "author@example.net", "data": ["name": "Ann"]])
            #expect(reply.status == 202 && reply.body["subject"] == "[Test] Hi Ann")
            #expect(try await server.send("POST", "\(path)/test", ["to": "r\u{e9}ne@example.net"]).status == 202)
            #expect(try await server.send("POST", "\(path)/test", ["to": "nobody"]).fields == ["to"])
            #expect(try await server.send("POST", "\(path)/test", [:]).fields == ["to"])
        }
    }

    @Test func foreignAndMalformedIdsAreNotFound() async throws {
        try await withEngine { server in
            let path = try await make(server)
            for path in ["/templates/x", "/templates/019aaf4b-5c00-7a52-9d7d-5a2b8a4c1e99"] {
                #expect(try await server.send("GET", path).status == 404)
                #expect(try await server.send("PATCH", path, ["name": "N"]).status == 404)
                #expect(try await server.send("DELETE", path).status == 404)
                #expect(try await server.send("POST", "\(path)/preview", [:]).status == 404)
                #expect(try await server.send("POST", "\(path)/test", ["to": "a@example.org"]).status == 404)
            }
            for number in ["0", "x", "7", "99999999999999999999"] {
                #expect(try await server.send("GET", "\(path)/versions/\(number)").status == 404)
                #expect(try await server.send("POST", "\(path)/versions/\(number)/restore").status == 404)
            }
        }
    }
}
