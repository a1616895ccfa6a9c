import Engine
import HTTPAdapter
import JSONValue
import Testing

@Suite struct ErrorTests {
    private static let secretRoutes = [
        "/workflows", "/workflows/fields", "/workflows/00000000-0000-0000-0000-000000000000",
        "/workflows/00000000-0000-0000-0000-000000000000/executions",
        "/workflows/00000000-0000-0000-0000-000000000000/executions/00000000-0000-0000-0000-000000000000",
    ]
    private static let badCredentials: [String?] = [
        nil, "Bearer sk_unknown", "Bearer", "Bearer ", "Basic c2tfc2VjcmV0", "sk_secret", "Bearer sk_secret x", "",
    ]

    @Test(arguments: secretRoutes + ["/v1/track"], badCredentials)
    func withoutAKnownKeyNothingIsTold(path: String, credentials: String?) async throws {
        try await withServer { server in
            let fields = credentials.map { [("Authorization", $0)] } ?? []
            let answer =
                try await path == "/v1/track"
                ? server.client.request("POST", path, fields, body: Array("{".utf8))
                : server.client.request("GET", path, fields)
            try expectError(answer, 401, "unauthorized")
            #expect(answer.field("WWW-Authenticate") == "Bearer realm=\"postrider\"")
        }
    }

    @Test(arguments: secretRoutes) func aPublicKeyIsNotEnoughForSecretRoutes(path: String) async throws {
        try await withServer { server in
            let answer = try await server.get(path, key: ServerFixture.publicKey)
            try expectError(answer, 401, "unauthorized")
        }
    }

    @Test(arguments: [
        "/", "/nothing", "/workflows/", "/workflows/x/", "/workflows/x/y", "/workflows/x/steps/y/z", "/v1",
        "/v1/track/", "/o/a.gif/b", "/o/.gif", "/o/a.png",
        "//healthz",
        "/healthz/../workflows", "/HEALTHZ", "/%68ealthz", "*",
    ])
    func unknownPathsAreNotFound(path: String) async throws {
        try await withServer { server in
            try expectError(try await server.client.request("GET", path), 404, "not_found")
        }
    }

    @Test(arguments: [
        ("POST", "/healthz", "GET, HEAD"), ("DELETE", "/workflows", "GET, HEAD, POST"),
        ("POST", "/workflows/x", "GET, HEAD, PATCH, DELETE"),
        ("GET", "/workflows/bulk-update", "POST"), ("PUT", "/workflows/x/steps/y", "PATCH, DELETE"),
        ("OPTIONS", "/workflows/x/transitions", "POST"), ("GET", "/v1/track", "POST, OPTIONS"),
        ("HEAD", "/v1/track", "POST, OPTIONS"),
        ("PUT", "/workflows/x/executions", "GET, HEAD, POST"),
        ("PATCH", "/workflows/x/executions/y", "GET, HEAD, DELETE"),
    ])
    func otherMethodsAreToldTheRightOnes(method: String, path: String, allowed: String) async throws {
        try await withServer { server in
            let answer = try await server.client.request(method, path)
            #expect(answer.status == 405)
            #expect(answer.field("Allow") == allowed)
            if method != "HEAD" { try expectError(answer, 405, "method_not_allowed") }
        }
    }

    @Test func aLongTargetIsRefused() async throws {
        try await withServer { server in
            let answer = try await server.get("/workflows?search=\(String(repeating: "x", count: 9000))")
            try expectError(answer, 414, "uri_too_long")
        }
    }

    @Test func aDatabaseErrorIsTemporaryAndItsTextStaysHere() async throws {
        try await withServer { server in
            server.store.change { $0.failure = StoreError(.failed, "disk I/O error in /var/lib/x") }
            for path in Self.secretRoutes {
                let answer = try await server.get(path)
                try expectError(answer, 503, "service_unavailable")
                #expect(answer.field("Retry-After") == "5")
                #expect(!answer.text.contains("disk"))
            }
            let answer = try await server.track(#"{"event":"x","email":"a@b.c"}"#)
            try expectError(answer, 503, "service_unavailable")
            let id = try #require(answer.field("X-Request-Id"))
            #expect(server.log.lines.contains { $0.contains("disk I/O error") && $0.contains(id) })
        }
    }

    @Test func anUnexpectedErrorIsLoggedUnderTheRequestId() async throws {
        struct Surprise: Error, CustomStringConvertible { let description = "internal matters" }
        try await withServer { server in
            server.store.change { $0.failure = Surprise() }
            let answer = try await server.get("/workflows")
            try expectError(answer, 500, "internal_error")
            #expect(!answer.text.contains("internal matters"))
            let id = try #require(answer.field("X-Request-Id"))
            #expect(server.log.lines.contains { $0.contains("internal matters") && $0.contains(id) })
        }
    }

    @Test func everyAnswerHasItsOwnRequestId() async throws {
        try await withServer { server in
            let first = try await server.get("/healthz").field("X-Request-Id")
            let second = try await server.get("/healthz").field("X-Request-Id")
            #expect(first != nil && second != nil && first != second)
        }
    }
}
