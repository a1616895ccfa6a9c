import Engine
import EngineTestKit
import JSONValue
import Testing
import WorkflowModel

@testable import HTTPAdapter

@Suite struct OutboxRouteTests {
    @Test func mailIsPausedSeenAndLetGo() async throws {
        try await withEngine { server in
            let paused = try await server.send("POST", "/outbox/pause", ["note": "moving"])
            #expect(paused.status == 200)
            let pause = paused.body["pauses"]?.arrayValue?.first
            #expect(pause?["kind"] == "everything" && pause?["name"]?.isNull == true && pause?["note"] == "moving")
            #expect(pause?["scope"] == "project")
            let both = try await server.send("POST", "/outbox/pause", ["domain": "Example.ORG"])
            #expect(both.body["pauses"]?.arrayValue?.compactMap { $0["name"]?.stringValue } == ["example.org"])
            #expect(try await server.send("POST", "/outbox/resume", [:]).status == 200)
            let left = try await server.send("GET", "/outbox")
            #expect(left.body["pauses"]?.arrayValue?.count == 1 && left.body["relays"]?.arrayValue == [])
            #expect(try await server.send("POST", "/outbox/resume", ["domain": "example.org"]).status == 200)
            let again = try await server.send("POST", "/outbox/resume", ["domain": "example.org"])
            #expect(again.status == 404 && again.code == "not_found")
            let records = try await server.send("GET", "/audit?action=outbox.")
            #expect(records.body["data"]?.arrayValue?.count == 4)
        }
    }

    @Test func pauseOfTheInstallationIsSeenButNotEndedByAKey() async throws {
        try await withEngine { server in
            try await OutboxControl(context: server.engine.context).pause(.everything, in: nil)
            let status = try await server.send("GET", "/outbox")
            #expect(status.body["pauses"]?.arrayValue?.first?["scope"] == "installation")
            #expect(try await server.send("POST", "/outbox/resume", [:]).status == 404)
        }
    }

    private static let refusals: [(JSON, [String])] = [
        (["relay": "nobody"], ["relay"]), (["domain": "no domain"], ["domain"]), (["domain": 5], ["domain"]),
        (["domain": "a.example", "relay": "main"], ["domain"]), (["project": "default"], ["project"]),
        (["note": 5], ["note"]), ([], [""]),
    ]

    @Test(arguments: refusals)
    func whatIsNoPartOfTheOutboxIsRefused(body: JSON, fields: [String]) async throws {
        try await withEngine { server in
            let answer = try await server.send("POST", "/outbox/pause", body)
            #expect(answer.status == 422)
            #expect(answer.fields == fields)
        }
    }
}
