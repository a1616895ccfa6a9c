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

    @Test func stopOfRepliesIsSeenAndEnded() async throws {
        try await withEngine { server in
            let stop: JSON = ["replies": true]
            let none = try await server.send("POST", "/outbox/resume", stop)
            #expect(none.status == 404 && none.code == "not_found")
            let now = server.engine.clock.now()
            try await server.engine.context.store.write {
                try $0.save(ReplyStop(openedAt: now, until: now.adding(seconds: 60)))
            }
            let status = try await server.send("GET", "/outbox")
            #expect(
                status.body["replyStop"] == [
                    "stoppedAt": .string("\(now)"), "until": .string("\(now.adding(seconds: 60))"),
                ])
            for body: JSON in [["replies": true, "domain": "a.example"], ["replies": 1]] {
                #expect(try await server.send("POST", "/outbox/resume", body).fields == ["replies"])
            }
            #expect(try await server.send("POST", "/outbox/pause", stop).fields == ["replies"])
            try await Projects(context: server.engine.context).create("other")
            let forbidden = try await server.send("POST", "/outbox/resume", stop)
            #expect(forbidden.status == 403 && forbidden.code == "forbidden")
        }
        try await withEngine { server in
            let now = server.engine.clock.now()
            try await server.engine.context.store.write {
                try $0.save(ReplyStop(openedAt: now, until: now.adding(seconds: 60)))
            }
            let ended = try await server.send("POST", "/outbox/resume", ["replies": true])
            #expect(ended.status == 200 && ended.body["replyStop"]?.isNull == true)
            let records = try await server.send("GET", "/audit?action=outbox.")
            #expect(records.body["data"]?.arrayValue?.first?["target"] == "automatic replies")
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
