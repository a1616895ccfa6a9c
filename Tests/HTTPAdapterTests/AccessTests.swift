import Engine
import EngineTestKit
import HTTPTypes
import JSONValue
import Testing
import WorkflowModel

@testable import HTTPAdapter

/// Who may do what, how often, and from where.
@Suite struct AccessTests {
    private static let event: JSON = ["event": "e", "email": "ann@example.org"]

    @Test func aKeyDoesWhatItsScopesSay() async throws {
        try await withEngine { server in
            func key(_ scopes: String) async throws -> String {
                try await Authentication(context: server.engine.context).create(
                    .secret, project: Project.defaultSlug, scopes: try KeyScopes(scopes))
            }
            let reader = try await key("workflows:read")
            #expect(try await server.send("GET", "/workflows", key: reader).status == 200)
            let new: JSON = ["name": "Flow", "eventName": "e"]
            let refused = try await server.send("POST", "/workflows", new, key: reader)
            #expect(refused.status == 403 && refused.code == "forbidden")
            #expect(refused.message == "this key lacks the scope workflows:write")
            let challenge = refused.answer.field("WWW-Authenticate") ?? ""
            #expect(challenge.contains(#"error="insufficient_scope", scope="workflows:write""#), "\(challenge)")
            let tracker = try await key("track")
            #expect(try await server.send("POST", "/v1/track", Self.event, key: tracker).status == 200)
            #expect(try await server.send("GET", "/audit", key: tracker).status == 403)
            #expect(try await server.send("GET", "/audit", key: try await key("audit:read")).status == 200)
        }
    }

    /// It sends mail to whoever is named.
    @Test func aTestOfATemplateNeedsBothScopesAndCountsAsSending() async throws {
        var configuration = HTTPConfiguration(port: 0)
        configuration.rates = RequestRates(isEnabled: true, send: Rate(perSecond: 1, burst: 7))
        try await withEngine(configuration) { server in
            let list = try await server.send("GET", "/templates")
            let path = "/templates/\(list.body["data"]?.arrayValue?.first?["id"]?.stringValue ?? "")/test"
            for (scopes, missing) in [
                ("templates", "send:write"), ("templates,send:read", "send:write"), ("send", "templates:write"),
                ("templates:write,send:write", nil),
            ] as [(String, String?)] {
                let key = try await Authentication(context: server.engine.context).create(
                    .secret, project: Project.defaultSlug, scopes: try KeyScopes(scopes))
                let reply = try await server.send("POST", path, ["to": "author@example.net"], key: key)
                #expect(reply.status == (missing == nil ? 202 : 403), "\(scopes)")
                if let missing { #expect(reply.message == "this key lacks the scope \(missing)") }
                #expect(reply.answer.field("RateLimit-Limit") == (missing == nil ? "7" : nil))
            }
        }
    }

    /// Whoever reads contacts by a detour reads contacts.
    @Test func contactsAreReadByNoDetour() async throws {
        try await withEngine { server in
            let list = try await server.send("GET", "/templates")
            let template = "/templates/\(list.body["data"]?.arrayValue?.first?["id"]?.stringValue ?? "")"
            let condition: JSON = ["field": "data.plan", "operator": "equals", "value": "pro"]
            let filter: JSON = ["logic": "AND", "groups": [["filters": [condition]]]]
            let segment = try await server.send(
                "POST", "/segments", ["name": "All", "type": "DYNAMIC", "filter": filter])
            let made = try await server.send("POST", "/workflows", ["name": "Flow", "eventName": "e"])
            let id = made.body["id"]?.stringValue ?? ""
            let unsaved: JSON = ["subject": "S", "html": "H", "email": "ann@example.org"]
            let detours: [(String, String, String, JSON?)] = [
                ("segments:read", "GET", "/segments/\(segment.body["id"]?.stringValue ?? "")/contacts", nil),
                ("segments:read", "POST", "/segments/preview", ["filter": filter]),
                ("workflows:read", "POST", "/workflows/\(id)/simulate", ["contact": ["email": "ann@example.org"]]),
                ("templates:read", "POST", "\(template)/preview", ["email": "ann@example.org"]),
                ("templates:read", "POST", "/templates/preview", unsaved),
                ("templates,send", "POST", "\(template)/test", ["to": "a@example.net", "email": "ann@example.org"]),
            ]
            for (scopes, method, path, body) in detours {
                for more in [false, true] {
                    let key = try await Authentication(context: server.engine.context).create(
                        .secret, project: Project.defaultSlug,
                        scopes: try KeyScopes(scopes + (more ? ",contacts:read" : "")))
                    let reply = try await server.send(method, path, body, key: key)
                    #expect(more ? reply.status < 300 : reply.status == 403, "\(path) \(reply.body)")
                    if !more { #expect(reply.message == "this key lacks the scope contacts:read", "\(path)") }
                }
            }
            // A preview that names nobody is no contact's.
            let key = try await Authentication(context: server.engine.context).create(
                .secret, project: Project.defaultSlug, scopes: try KeyScopes("templates:read"))
            #expect(try await server.send("POST", "\(template)/preview", [:], key: key).status == 200)
        }
    }

    @Test func everyPathWithAKeyHasAScope() {
        for endpoint in Endpoint.allCases {
            for method in endpoint.methods where method != .options {
                let open = endpoint.scope(for: method) == nil
                #expect(open == EndpointTable.open.contains(endpoint), "\(method) \(endpoint.rawValue)")
            }
        }
    }

    @Test func aRevokedKeyIsRefusedAtItsNextRequest() async throws {
        try await withEngine { server in
            let context = server.engine.context
            // As a command does it: another process, which shares the database alone.
            let command = EngineContext(
                store: context.store, clock: context.clock, cryptography: context.cryptography,
                configuration: context.configuration, secret: [], logger: context.logger)
            let key = try await Authentication(context: command).create(.secret, project: Project.defaultSlug)
            for _ in 0..<2 {
                #expect(try await server.send("POST", "/v1/track", Self.event, key: key).status == 200)
                #expect(try await server.send("GET", "/workflows", key: key).status == 200)
            }
            let known = try #require(try await Authentication(context: command).key(key))
            try await Authentication(context: command).revoke(known.id, project: Project.defaultSlug)
            let refused = try await server.send("POST", "/v1/track", Self.event, key: key)
            #expect(refused.status == 401 && refused.code == "unauthorized")
            #expect(try await server.send("GET", "/workflows", key: key).status == 401)
            #expect(try await server.send("POST", "/v1/track", Self.event, key: key).status == 401)
        }
    }

    // MARK: Rates

    @Test func tooManyRequestsAreRefusedAndSayWhen() async throws {
        var configuration = HTTPConfiguration(port: 0)
        configuration.rates = RequestRates(isEnabled: true, track: Rate(perSecond: 0.5, burst: 2))
        try await withEngine(configuration) { server in
            let first = try await server.send("POST", "/v1/track", Self.event)
            #expect(first.status == 200)
            #expect(first.answer.field("RateLimit-Limit") == "2")
            #expect(first.answer.field("RateLimit-Remaining") == "1")
            #expect(first.answer.field("RateLimit-Reset") == "2")
            // A request that is wrong counts too.
            let wrong = try await server.send("POST", "/v1/track", [:])
            #expect(wrong.status == 422 && wrong.answer.field("RateLimit-Remaining") == "0")
            let refused = try await server.send("POST", "/v1/track", Self.event)
            #expect(refused.status == 429 && refused.code == "rate_limit_exceeded")
            #expect(refused.answer.field("Retry-After") == "2")
            #expect(refused.answer.field("RateLimit-Remaining") == "0")
            #expect(refused.answer.field("RateLimit-Reset") == "4")
            let other = try await Authentication(context: server.engine.context).create(
                .public, project: Project.defaultSlug)
            #expect(try await server.send("POST", "/v1/track", Self.event, key: other).status == 200)
            let reading = try await server.send("GET", "/workflows")
            #expect(reading.status == 200 && reading.answer.field("RateLimit-Limit") == nil)
            server.engine.clock.advance(seconds: 2)
            #expect(try await server.send("POST", "/v1/track", Self.event).status == 200)
            #expect(try await server.send("POST", "/v1/track", Self.event).status == 429)
        }
    }

    @Test func eventsAndMembersAreCountedByWhateverRoute() async throws {
        var configuration = HTTPConfiguration(port: 0)
        configuration.rates = RequestRates(
            isEnabled: true, track: Rate(perSecond: 1, burst: 10), contacts: Rate(perSecond: 1, burst: 5))
        try await withEngine(configuration) { server in
            let one: JSON = ["events": [Self.event]]
            let three: JSON = ["events": [Self.event, [:], Self.event]]
            let nine: JSON = ["events": .array(Array(repeating: Self.event, count: 9))]
            let segment = "/segments/019aaf4b-5c00-7a52-9d7d-5a2b8a4c1e99/members"
            // A batch takes as many as it has events, as far as the bucket goes.
            for (path, body, left) in [
                ("/events/track", [:], "9"), ("/v1/track/batch", one, "8"), ("/v1/track/batch", three, "5"),
                ("/v1/track/batch", nine, "0"), (segment, ["emails": ["a@example.org"]], "4"),
            ] as [(String, JSON, String)] {
                let reply = try await server.send("POST", path, body)
                #expect(reply.answer.field("RateLimit-Remaining") == left, "\(path)")
            }
            let refused = try await server.send("POST", "/v1/track", Self.event)
            #expect(refused.status == 429)
        }
    }

    @Test func nothingIsCountedUnlessAskedFor() async throws {
        try await withEngine { server in
            for _ in 0..<3 {
                let reply = try await server.send("POST", "/v1/track", Self.event)
                #expect(reply.status == 200 && reply.answer.field("RateLimit-Limit") == nil)
            }
        }
    }

    // MARK: Pages of other origins

    @Test func pagesMayTrackAndNothingElse() async throws {
        try await withEngine { server in
            let origin = [("Origin", "https://shop.example"), ("Access-Control-Request-Method", "POST")]
            for endpoint in Endpoint.allCases where !endpoint.rawValue.contains("{") {
                let answer = try await server.client.request("OPTIONS", endpoint.rawValue, origin)
                let isOpen = endpoint.rawValue.hasPrefix("/v1/track")
                #expect(answer.status == (isOpen ? 204 : 405), "\(endpoint.rawValue)")
                #expect(answer.field("Access-Control-Allow-Origin") == (isOpen ? "*" : nil))
                #expect(answer.field("Access-Control-Allow-Credentials") == nil)
            }
            let preflight = try await server.client.request("OPTIONS", "/v1/track", origin)
            #expect(preflight.field("Access-Control-Allow-Methods") == "POST")
            #expect(
                preflight.field("Access-Control-Allow-Headers") == "Authorization, Content-Type, Idempotency-Key")
            #expect(preflight.body.isEmpty)
            let publicKey = try await Authentication(context: server.engine.context).create(
                .public, project: Project.defaultSlug)
            for (key, isOpen) in [(publicKey, true), ("pk_wrong", true), (server.key, false)] {
                let reply = try await server.send("POST", "/v1/track", Self.event, key: key, fields: origin)
                #expect(reply.answer.field("Access-Control-Allow-Origin") == (isOpen ? "*" : nil))
            }
            let reply = try await server.send("GET", "/workflows", fields: origin)
            #expect(reply.answer.field("Access-Control-Allow-Origin") == nil)
        }
    }

    // MARK: Audit log

    @Test func changesStandInTheAuditLogUnderTheirKey() async throws {
        try await withEngine { server in
            let path = try await server.makeDelayed()
            #expect(try await server.send("DELETE", path).status == 204)
            let id = String(path.dropFirst("/workflows/".count))
            let page = try await server.send("GET", "/audit?target=\(id)")
            let rows = page.body["data"]?.arrayValue ?? []
            #expect(
                rows.compactMap { $0["action"]?.stringValue } == [
                    "workflow.deleted", "workflow.updated", "workflow.step_added", "workflow.step_added",
                    "workflow.created",
                ])
            let key = try await Authentication(context: server.engine.context).key(server.key)
            #expect(
                rows.allSatisfy {
                    $0["actor"] == ["kind": "key", "name": .string("\(key?.id ?? .init(high: 0, low: 0))")]
                })
            #expect(page.body["hasMore"] == false && page.body["cursor"] == .null)
            let keys = try await server.send("GET", "/audit?action=key.")
            #expect(keys.body["data"]?.arrayValue?.count == 1)
        }
    }

    @Test func whoeverIsStartedByHandStandsInTheAuditLog() async throws {
        try await withEngine { server in
            let path = try await server.makeDelayed()
            try await server.engine.track("other")
            let person = try #require(try await server.engine.contact())
            let contact = JSON.string("\(person.id)")
            let started = try await server.send("POST", "\(path)/executions", ["contactId": contact])
            #expect(started.status == 201)
            #expect(try await server.send("POST", "\(path)/executions", ["contactId": contact]).status == 409)
            let rows = try await server.send("GET", "/audit?action=execution.started").body["data"]?.arrayValue ?? []
            #expect(rows.map { $0["target"] } == [started.body["id"]])
            #expect(rows.first?["details"]?["contact"] == contact)
        }
    }

    @Test func theAuditLogIsReadInPages() async throws {
        try await withEngine { server in
            for number in 0..<5 { _ = try await server.makeWorkflow("Flow \(number)") }
            var seen: [String] = []
            var cursor = ""
            repeat {
                let page = try await server.send("GET", "/audit?limit=2&action=workflow.created\(cursor)")
                seen += (page.body["data"]?.arrayValue ?? []).compactMap { $0["details"]?["name"]?.stringValue }
                cursor = (page.body["cursor"]?.stringValue).map { "&cursor=\($0)" } ?? ""
            } while !cursor.isEmpty
            #expect(seen == (0..<5).reversed().map { "Flow \($0)" })
            for query in ["limit=0", "limit=x", "cursor=x"] {
                #expect(try await server.send("GET", "/audit?\(query)").status == 422, "\(query)")
            }
        }
    }
}

/// What the tables of tests need to know of paths.
enum EndpointTable {
    /// Paths that ask for no key.
    static let open: Set<Endpoint> = [.health, .description, .pixel, .click, .unsubscribe, .preferences]
}
