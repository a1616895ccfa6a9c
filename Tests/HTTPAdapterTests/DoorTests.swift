import Engine
import EngineTestKit
import JSONValue
import Testing
import WorkflowModel

@testable import HTTPAdapter

/// What clients send by mistake or malice: the documented error, with its place, and nothing half done.
@Suite struct DoorTests {
    private static func post(_ server: EngineServer, _ path: String, _ body: [UInt8]) async throws -> Answer {
        try await server.client.request(
            "POST", path, [("Authorization", "Bearer \(server.key)"), ("Content-Type", "application/json")],
            body: body)
    }

    @Test(arguments: [
        (#"{"event":"a","event":"b","email":"ann@example.org"}"#, "event"),
        (#"{"event":"a","email":"ann@example.org","data":{"plan":{"a":1,"a":2}}}"#, "data.plan.a"),
        (#"{"event":"a","email":"ann@example.org","data":{"list":[{},{"b":1,"b":1}]}}"#, "data.list.1.b"),
        (#"{"event":"a","email":"ann@example.org","data":{"\u0061":1,"a":2}}"#, "data.a"),
    ])
    func aKeyThatIsThereTwiceIsRefusedWithItsPath(body: String, path: String) async throws {
        try await withEngine { server in
            let answer = try await Self.post(server, "/v1/track", Array(body.utf8))
            try expectError(answer, 400, "invalid_json")
            #expect(try complaints(answer) == [path])
            #expect(try await server.engine.contact() == nil)
        }
    }

    @Test(
        arguments: [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xE2, 0x82]] as [[UInt8]])
    func whatIsNoUTF8IsRefused(bytes: [UInt8]) async throws {
        try await withEngine { server in
            let head = #"{"event":"a","email":"ann@example.org","data":{"name":""#
            let answer = try await Self.post(
                server, "/v1/track", Array(head.utf8) + bytes + Array(#""}}"#.utf8))
            try expectError(answer, 400, "invalid_json")
            #expect(try complaints(answer) == ["data.name"])
            #expect(try await server.engine.contact() == nil)
        }
    }

    @Test func namesOfOtherLanguagesAreJustData() async throws {
        try await withEngine { server in
            let data: JSON = [
                "__proto__": ["isAdmin": true], "constructor": ["prototype": ["x": 1]], "toString": "a",
                "hasOwnProperty": .bool(false),
            ]
            let reply = try await server.send(
                "POST", "/v1/track", ["event": "e", "email": "ann@example.org", "data": data])
            #expect(reply.status == 200)
            #expect(try await server.engine.contact()?.data == data.objectValue)
            let sent = try await server.send(
                "POST", "/v1/send",
                [
                    "to": "ann@example.org", "subject": "{{ __proto__.isAdmin }}{{ constructor.prototype.x }}",
                    "body": "{{ toString }}{{ valueOf }}{{ data.__proto__.y }}",
                ])
            #expect(sent.status == 200)
            let transport = ScriptedTransport()
            try await server.engine.runDispatch(transport)
            // At the top of a body they are members like any other that is not known.
            for name in ["__proto__", "constructor"] {
                var body: JSONObject = ["event": "e", "email": "ann@example.org"]
                body[name] = [:]
                let unknown = try await server.send("POST", "/v1/track", .object(body))
                #expect(unknown.status == 422 && unknown.fields == [name])
            }
        }
    }

    @Test(arguments: [100, 1000, 100_000])
    func whatIsTooDeepIsRefused(depth: Int) async throws {
        try await withEngine { server in
            let nested = String(repeating: #"{"a":"#, count: depth) + "1" + String(repeating: "}", count: depth)
            let answer = try await Self.post(
                server, "/v1/track", Array(#"{"event":"a","email":"ann@example.org","data":\#(nested)}"#.utf8))
            try expectError(answer, 400, "invalid_json")
            // The body and 47 objects in it are read; the one inside them is too much.
            #expect(try complaints(answer) == ["data" + String(repeating: ".a", count: 47)])
            #expect(try await server.engine.contact() == nil)
        }
    }

    @Test(arguments: ["/v1/track", "/v1/send", "/v1/verify", "/workflows"])
    func fiftyMegabytesAreRefusedBeforeTheyAreRead(path: String) async throws {
        try await withEngine { server in
            let head =
                "POST \(path) HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(server.key)\r\n"
                + "Content-Type: application/json\r\nContent-Length: 52428800\r\n\r\n{"
            var input = try await server.client.readUntilClosed([Array(head.utf8)])
            let answer = try #require(RawClient.takeAnswer(&input, isHead: false))
            try expectError(answer, 413, "payload_too_large")
            #expect(answer.field("Connection") == "close")
        }
    }

    /// Every route that reads JSON, with values of every other type in the place of its body.
    @Test func aBodyOfAnotherTypeIsRefusedEverywhere() async throws {
        try await withEngine { server in
            let workflow = try await server.makeDelayed()
            let id = String(workflow.dropFirst("/workflows/".count))
            for (route, operation) in server.description.operations {
                let parts = route.split(separator: " ").map(String.init)
                guard operation["requestBody"]?["content"]?["application/json"] != nil else { continue }
                let path = parts[1].replacing("{workflowId}", with: id).replacing("{stepId}", with: "pause")
                    .replacing("{transitionId}", with: "pause:next")
                    .replacing(#/{[A-Za-z]+}/#, with: "\(Identifier(high: 77, low: 1))")
                for body: JSON in [5, "text", [], .null, true, [[:]]] {
                    let reply = try await server.send(parts[0], path, body)
                    #expect([404, 422].contains(reply.status), "\(route) with \(body): \(reply.status) \(reply.body)")
                }
            }
        }
    }
}
