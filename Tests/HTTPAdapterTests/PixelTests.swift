import Engine
import HTTPAdapter
import JSONValue
import Testing
import WorkflowModel

@Suite struct PixelTests {
    private static let image: [UInt8] = [
        0x47, 0x49, 0x46, 0x38, 0x39, 0x61, 0x01, 0x00, 0x01, 0x00, 0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff,
        0xff,
        0x21, 0xf9, 0x04, 0x01, 0x00, 0x00, 0x00, 0x00, 0x2c, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x01, 0x00, 0x00,
        0x02,
        0x02, 0x44, 0x01, 0x00, 0x3b,
    ]
    private static let browser = ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Firefox/128.0")

    /// Puts a mail into the database and returns the path of its pixel.
    private func pixel(_ server: ServerFixture) -> String {
        let id = Identifier(high: 5, low: 5)
        let contact = Identifier(high: 6, low: 6)
        let created = FixedClock.start.adding(seconds: -3600)
        server.store.change {
            $0.contacts = [
                Contact(
                    id: contact, email: "ann@example.com", isSubscribed: true, data: [:], createdAt: created,
                    updatedAt: created)
            ]
            $0.entries = [
                OutboxEntry(
                    id: id, projectID: ServerFixture.project.id, contactID: contact, executionID: nil, dueAt: created,
                    createdAt: created, generation: 1,
                    request: MailRequest(
                        id: id, step: "send", templateVersionID: Identifier(high: 7, low: 7), kind: .marketing,
                        recipient: "ann@example.com"),
                    messageID: "m@example.com")
            ]
        }
        return "/o/\(server.context.tokens.token(.open, for: id)).gif"
    }

    @Test func aFetchIsAnsweredWithTheImageAndBecomesAnOpen() async throws {
        try await withServer { server in
            let answer = try await server.client.request("GET", pixel(server), [Self.browser])
            #expect(answer.status == 200)
            #expect(answer.body == Self.image)
            let fields = answer.fields.filter { $0.name != "Date" && $0.name != "X-Request-Id" }
                .map { "\($0.name): \($0.value)" }.sorted()
            #expect(
                fields == [
                    "Cache-Control: no-store, no-cache, must-revalidate, private, max-age=0", "Content-Length: 43",
                    "Content-Type: image/gif", "Cross-Origin-Resource-Policy: cross-origin", "Expires: 0",
                    "Pragma: no-cache", "Referrer-Policy: no-referrer", "X-Content-Type-Options: nosniff",
                ])
            let content = server.store.content
            #expect(content.events.map(\.name) == ["email.opened"])
            #expect(content.hits.map(\.network) == ["127.0.0.0/24"])
            #expect(content.hits.map(\.userAgent) == [Self.browser.1])
        }
    }

    @Test(arguments: [
        "/o/x.gif", "/o/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.gif", "/o/%00%ff.gif", "/o/....gif",
        "/o/a.gif?x=1",
    ])
    func unknownTokensGetTheSameImage(target: String) async throws {
        try await withServer { server in
            let answer = try await server.client.request("GET", target)
            #expect(answer.status == 200)
            #expect(answer.body == Self.image)
            #expect(server.store.content.hits.isEmpty)
        }
    }

    @Test func aTokenOfAnyLengthGetsTheImage() async throws {
        try await withServer { server in
            let answer = try await server.client.request("GET", "/o/\(String(repeating: "A", count: 20_000)).gif")
            #expect(answer.status == 200)
            #expect(answer.body == Self.image)
        }
    }

    @Test func headHasTheSameFieldsAndNoOpen() async throws {
        try await withServer { server in
            let target = pixel(server)
            let head = try await server.client.request("HEAD", target, [Self.browser])
            #expect(head.status == 200)
            #expect(head.body.isEmpty)
            #expect(head.field("Content-Length") == "43")
            #expect(server.store.content.hits.isEmpty)
            let get = try await server.client.request("GET", target, [Self.browser])
            let changing: Set = ["Date", "X-Request-Id"]
            #expect(
                head.fields.map(\.name).filter { !changing.contains($0) }
                    == get.fields.map(\.name).filter { !changing.contains($0) })
        }
    }

    @Test(arguments: ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
    func otherMethodsAreRefused(method: String) async throws {
        try await withServer { server in
            let answer = try await server.client.request(method, pixel(server))
            try expectError(answer, 405, "method_not_allowed")
            #expect(answer.field("Allow") == "GET, HEAD")
            #expect(server.store.content.hits.isEmpty)
        }
    }

    @Test(arguments: ["Sec-GPC", "DNT"])
    func aWishForPrivacyKeepsAddressAndBrowserOut(field: String) async throws {
        try await withServer { server in
            _ = try await server.client.request("GET", pixel(server), [Self.browser, (field, "1")])
            #expect(server.store.content.hits.map(\.network) == [""])
            #expect(server.store.content.hits.map(\.userAgent) == [""])
        }
    }

    @Test(arguments: [(false, "127.0.0.0/24"), (true, "203.0.113.0/24")])
    func onlyATrustedProxyNamesTheClient(isTrusted: Bool, network: String) async throws {
        try await withServer(HTTPConfiguration(port: 0, trustedProxy: isTrusted)) { server in
            _ = try await server.client.request(
                "GET", pixel(server), [Self.browser, ("X-Forwarded-For", "198.51.100.1, 203.0.113.9")])
            #expect(server.store.content.hits.map(\.network) == [network])
        }
    }

    @Test func aStalledDatabaseDoesNotHoldTheImageBack() async throws {
        try await withServer { server in
            let target = pixel(server)
            server.store.change { $0.isStalled = true }
            let answer = try await server.client.request("GET", target, [Self.browser])
            #expect(answer.body == Self.image)
        }
    }

    @Test func trackingSwitchedOffStillServesThePixel() async throws {
        try await withServer(HTTPConfiguration(port: 0, trackingEnabled: false)) { server in
            let answer = try await server.client.request("GET", pixel(server), [Self.browser])
            #expect(answer.body == Self.image)
            #expect(server.store.content.hits.isEmpty)
        }
    }

    @Test func rangesAndConditionsAreIgnored() async throws {
        try await withServer { server in
            let answer = try await server.client.request(
                "GET", pixel(server), [("Range", "bytes=0-3"), ("If-None-Match", "*"), ("If-Modified-Since", "x")])
            #expect(answer.status == 200)
            #expect(answer.body == Self.image)
        }
    }
}
