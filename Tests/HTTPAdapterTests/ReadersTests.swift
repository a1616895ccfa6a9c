import Engine
import EngineTestKit
import JSONValue
import Testing
import WorkflowModel

/// Anonymous mail over HTTP.
@Suite struct ReadersTests {
    private static let browser = ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Firefox/128.0")

    @Test func looksAtAnonymousMailAreNumbersOfTheProject() async throws {
        try await withEngine { server in
            let project = server.engine.project.id
            let place = SharedPlace(project: project, version: nil, step: "")
            let tokens = server.engine.context.tokens
            let before = try await server.send("GET", "/tracking")
            #expect(before.status == 200 && before.body["data"] == [] && before.body["opens"] == "on")
            _ = try await Projects(context: server.engine.context).setTracking(
                server.engine.project.slug, opens: .some(.anonymous), clicks: .some(.anonymous))
            let pixel = try await server.client.request("GET", "/o/\(tokens.token(for: place)).gif", [Self.browser])
            #expect(pixel.status == 200 && pixel.body.count == 43)
            let path = "/c/\(tokens.token(for: place, link: "https://shop.example/a"))"
            let click = try await server.client.request("GET", path, [Self.browser])
            #expect(click.status == 302)
            #expect(click.fields.contains { $0.name == "Location" && $0.value == "https://shop.example/a" })
            // A look at the header alone is none.
            #expect(try await server.client.request("HEAD", path, [Self.browser]).status == 302)
            // A pixel's token leads nowhere, and a link's is no pixel.
            #expect(try await server.client.request("GET", "/c/\(tokens.token(for: place))").status == 404)
            let wrong = "/o/\(tokens.token(for: place, link: "https://shop.example/a")).gif"
            #expect(try await server.client.request("GET", wrong, [Self.browser]).status == 200)
            let after = try await server.send("GET", "/tracking?days=1")
            #expect(after.body["opens"] == "anonymous" && after.body["clicks"] == "anonymous")
            let rows = after.body["data"]?.arrayValue ?? []
            #expect(rows.map { $0["kind"] } == ["open", "click"] && rows.map { $0["people"] } == [1, 1])
            #expect(rows.map { $0["link"] } == [.null, "https://shop.example/a"])
            try await Projects(context: server.engine.context).create("other")
            let key = try await Authentication(context: server.engine.context).create(.secret, project: "other")
            #expect(try await server.send("GET", "/tracking", key: key).body["data"] == [])
        }
    }

    @Test(arguments: ["0", "401", "x", "-1", "1.5"])
    func daysAreAWholeNumber(_ days: String) async throws {
        try await withEngine { server in
            let refused = try await server.send("GET", "/tracking?days=\(days)")
            #expect(refused.status == 422 && refused.fields == ["days"])
        }
    }

    @Test func templatesAndRequestsMaySayAnonymous() async throws {
        try await withEngine { server in
            let template: JSON = [
                "name": "News", "type": "TRANSACTIONAL", "subject": "News", "html": "<p>News</p>",
                "trackOpens": "anonymous", "trackClicks": false, "from": "news@example.org",
            ]
            let made = try await server.send("POST", "/templates", template)
            #expect(made.status == 201 && made.body["trackOpens"] == "anonymous" && made.body["trackClicks"] == false)
            let path = "/templates/\(made.body["id"]?.stringValue ?? "")"
            #expect(try await server.send("GET", path).body["trackOpens"] == "anonymous")
            for wrong: JSON in ["on", 1, [], "off"] {
                let refused = try await server.send("PATCH", path, ["trackOpens": wrong])
                #expect(refused.status == 422 && refused.fields == ["trackOpens"])
                #expect(
                    refused.body["error"]?["errors"]?.arrayValue?.first?["message"]
                        == "must be true, false or anonymous")
            }
            let slug = made.body["slug"] ?? .null
            for opens: JSON in [.null, "anonymous", true, false] {
                var body: JSONObject = ["to": "ann@example.org", "template": slug]
                if !opens.isNull { body["trackOpens"] = opens }
                #expect(try await server.send("POST", "/v1/send", .object(body)).status == 200)
            }
            let now = server.engine.clock.now()
            let entries = try await server.engine.context.store.write { try $0.claimEntries(dueAt: now, limit: 10) }
            // Only what says less than the template is another content.
            #expect(entries.count == 4 && Set(entries.map(\.request.templateVersionID)).count == 2)
            let refused = try await server.send(
                "POST", "/v1/send", ["to": "ann@example.org", "template": slug, "trackClicks": "sometimes"])
            #expect(refused.status == 422 && refused.fields == ["trackClicks"])
        }
    }
}
