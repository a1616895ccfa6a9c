import Engine
import HTTPAdapter
import JSONValue
import Testing
import WorkflowModel

@Suite struct TrackTests {
    @Test(arguments: [ServerFixture.publicKey, ServerFixture.secretKey])
    func anEventIsRecordedForEitherKind(key: String) async throws {
        try await withServer { server in
            let answer = try await server.track(
                #"{"event":"signup","email":" Ann@Example.com ","subscribed":false,"data":{"plan":"pro","n":1.5,"x":{"value":2,"persistent":false}}}"#,
                key: key)
            #expect(answer.status == 200)
            expectJSONFields(answer)
            #expect(answer.field("X-Request-Id") != nil)
            let body = try JSONParser.parse(answer.body)
            let content = server.store.content
            let contact = try #require(content.contacts.first)
            let event = try #require(content.events.last)
            #expect(
                body == [
                    "success": true,
                    "data": [
                        "contact": .string("\(contact.id)"), "event": .string("\(event.id)"),
                        "timestamp": .string("\(FixedClock.start)"),
                    ],
                ])
            #expect(contact.email == "ann@example.com")
            #expect(contact.isSubscribed == false)
            #expect(contact.data == ["plan": "pro", "n": 1.5])
            #expect(event.name == "signup")
            #expect(event.source == .api)
            #expect(event.data == ["plan": "pro", "n": 1.5, "x": 2])
        }
    }

    @Test func withoutAFlagANewContactIsSubscribed() async throws {
        try await withServer { server in
            let answer = try await server.track(#"{"event":"contact.created","email":"ann@example.com","data":null}"#)
            #expect(answer.status == 200)
            #expect(server.store.content.contacts.map(\.isSubscribed) == [true])
        }
    }

    @Test(arguments: ["email.opened", "email.open", "contact.unsubscribed", "segment.vip.entry"])
    func reservedEventsAreRefused(event: String) async throws {
        try await withServer { server in
            let answer = try await server.track(#"{"event":"\#(event)","email":"ann@example.com"}"#)
            try expectError(answer, 422, "reserved_event")
            #expect(server.store.content.contacts.isEmpty)
        }
    }

    @Test(arguments: [
        ("[]", [""]),
        ("1", [""]),
        ("{}", ["event", "email"]),
        (#"{"event":"","email":"a@b.c"}"#, ["event"]),
        (#"{"event":7,"email":"a@b.c"}"#, ["event"]),
        (#"{"event":null,"email":null}"#, ["event", "email"]),
        (#"{"event":"a\u0000b","email":"a@b.c"}"#, ["event"]),
        (#"{"event":"x","email":"a@b.c","subscribed":"yes"}"#, ["subscribed"]),
        (#"{"event":"x","email":"a@b.c","subscribed":null}"#, ["subscribed"]),
        (#"{"event":"x","email":"a@b.c","data":[1]}"#, ["data"]),
        (#"{"event":"x","email":"a@b.c","date":{},"Email":""}"#, ["date", "Email"]),
        (#"{"event":"x","email":"a b@c","name":1}"#, ["name", "email"]),
    ])
    func everyInvalidValueIsNamed(body: String, fields: [String]) async throws {
        try await withServer { server in
            let answer = try await server.track(body)
            try expectError(answer, 422, "validation_error")
            #expect(try complaints(answer) == fields)
            #expect(server.store.content.events.isEmpty)
        }
    }

    @Test func namesAndDataHaveLimits() async throws {
        var engine = EngineConfiguration()
        engine.eventDataLimit = 100
        try await withServer(engine: engine) { server in
            let name = String(repeating: "n", count: 200)
            let fits = String(repeating: "x", count: 100 - #"{"a":""}"#.utf8.count)
            let taken = try await server.track(
                #"{"event":"\#(name)","email":"a@b.c","data":{"a":"\#(fits)"}}"#)
            #expect(taken.status == 200)
            let refused = try await server.track(
                #"{"event":"\#(name)n","email":"a@b.c","data":{"a":"\#(fits)x"}}"#)
            try expectError(refused, 422, "validation_error")
            #expect(try complaints(refused) == ["event", "data"])
        }
    }

    @Test(arguments: [
        (#"{"event":"x","#, "line 1, column 14"),
        ("{\n \"event\": oops}", "line 2, column 11"),
        (#"{"event":"x","event":"y"}"#, "column 14"),
        (#"{"event":"x"} {}"#, "column 15"),
        ("", "line 1, column 1"),
        (#"{"event":NaN}"#, "column 10"),
    ])
    func malformedJSONIsNamedByItsPlace(body: String, place: String) async throws {
        try await withServer { server in
            let answer = try await server.track(body)
            try expectError(answer, 400, "invalid_json")
            #expect(answer.text.contains(place), "\(answer.text)")
        }
    }

    @Test func invalidUTF8IsMalformed() async throws {
        try await withServer { server in
            let body = Array(#"{"event":"x"#.utf8) + [0xC3, 0x28] + Array(#"","email":"a@b.c"}"#.utf8)
            let answer = try await server.client.request(
                "POST", "/v1/track", ServerFixture.authorization(ServerFixture.publicKey), body: body)
            try expectError(answer, 400, "invalid_json")
        }
    }

    @Test func deepNestingIsMalformed() async throws {
        try await withServer { server in
            let answer = try await server.track(String(repeating: "[", count: 100_000))
            try expectError(answer, 400, "invalid_json")
        }
    }

    @Test(arguments: [
        ("Content-Type", "text/plain"), ("Content-Type", "application/x-www-form-urlencoded"), ("Content-Type", ""),
        ("Content-Encoding", "gzip"),
    ])
    func otherTypesAreRefused(field: String, value: String) async throws {
        try await withServer { server in
            let answer = try await server.track(#"{"event":"x","email":"a@b.c"}"#, [(field, value)])
            try expectError(answer, 415, "unsupported_media_type")
            #expect(server.store.content.events.isEmpty)
        }
    }

    @Test(arguments: [
        "application/json", "Application/JSON; charset=UTF-8", "application/vnd.api+json", "application/json ;a=b",
    ])
    func jsonTypesAreTaken(type: String) async throws {
        try await withServer { server in
            let answer = try await server.track(#"{"event":"x","email":"a@b.c"}"#, [("Content-Type", type)])
            #expect(answer.status == 200)
        }
    }

    @Test func aChunkedBodyIsTaken() async throws {
        try await withServer { server in
            let text =
                "POST /v1/track HTTP/1.1\r\nHost: x\r\nAuthorization: bearer  \(ServerFixture.publicKey)\r\n"
                + "Transfer-Encoding: chunked\r\n\r\n"
                + "d\r\n{\"event\":\"x\",\r\n11\r\n\"email\":\"a@b.co\"}\r\n0\r\n\r\n"
            let answer = try #require(await server.client.converse(Array(text.utf8), answers: 1).first)
            #expect(answer.status == 200, "\(answer.text)")
        }
    }
}
