import Engine
import HTTPAdapter
import JSONValue
import ServiceLifecycle
import Testing
import WorkflowModel

@Suite struct ConnectionTests {
    private static let tracked = #"{"event":"x","email":"a@b.c"}"#

    private static func trackHead(_ fields: String) -> [UInt8] {
        Array(
            ("POST /v1/track HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(ServerFixture.publicKey)\r\n" + fields
                + "\r\n\r\n").utf8)
    }

    /// A request that stops in the middle of its body.
    private static var incomplete: [UInt8] { trackHead("Content-Length: 10") + Array("{".utf8) }

    @Test func pipelinedRequestsAreAnsweredInOrder() async throws {
        try await withServer { server in
            let get = Array("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n".utf8)
            let missing = Array("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n".utf8)
            let post = Self.trackHead("Content-Length: \(Self.tracked.utf8.count)") + Array(Self.tracked.utf8)
            let answers = try await server.client.converse(get + post + missing + post + get, answers: 5)
            #expect(answers.map(\.status) == [200, 200, 404, 200, 200])
            #expect(server.store.content.events.count { $0.name == "x" } == 2)
        }
    }

    @Test func aBodyOfTheLimitIsTakenAndOneByteMoreIsNot() async throws {
        try await withServer(HTTPConfiguration(port: 0, bodyLimit: 64)) { server in
            let padding = String(repeating: " ", count: 64 - Self.tracked.utf8.count)
            #expect(try await server.track(Self.tracked + padding).status == 200)
            let answer = try await server.track(Self.tracked + padding + " ")
            try expectError(answer, 413, "payload_too_large")
            #expect(answer.field("Connection") == "close")
        }
    }

    @Test func anOversizedBodyIsRefusedBeforeItIsSent() async throws {
        try await withServer { server in
            let answers = try await server.client.converse(
                Self.trackHead("Content-Length: 999999999999"), answers: 1)
            try expectError(try #require(answers.first), 413, "payload_too_large")
        }
    }

    @Test func anEndlessBodyIsCutOff() async throws {
        try await withServer(HTTPConfiguration(port: 0, bodyLimit: 1024)) { server in
            let chunk = Array("400\r\n".utf8) + [UInt8](repeating: 32, count: 1024) + Array("\r\n".utf8)
            var received = try await server.client.readUntilClosed([
                Self.trackHead("Transfer-Encoding: chunked"), chunk, chunk,
            ])
            let answer = try #require(RawClient.takeAnswer(&received, isHead: false))
            try expectError(answer, 413, "payload_too_large")
            #expect(received.isEmpty)
        }
    }

    @Test func aBodyThatNobodyWantsEndsTheConnection() async throws {
        try await withServer { server in
            var received = try await server.client.readUntilClosed([
                Array("POST /v1/track HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{".utf8)
            ])
            let answer = try #require(RawClient.takeAnswer(&received, isHead: false))
            try expectError(answer, 401, "unauthorized")
            #expect(answer.field("Connection") == "close")
        }
    }

    @Test func aClientThatStopsInTheMiddleIsClosed() async throws {
        try await withServer(HTTPConfiguration(port: 0, idleTimeout: 1)) { server in
            let inHead = try await server.client.readUntilClosed([Array("GET /healthz HT".utf8)])
            #expect(inHead.isEmpty)
            let inBody = try await server.client.readUntilClosed([Self.incomplete])
            #expect(inBody.isEmpty)
        }
    }

    @Test func aDrippingBodyHasADeadline() async throws {
        try await withServer(HTTPConfiguration(port: 0, idleTimeout: 600, bodyTimeout: 1)) { server in
            let received = try await server.client.readUntilClosed([Self.incomplete])
            #expect(received.isEmpty)
            #expect(server.store.content.events.isEmpty)
        }
    }

    @Test func hangUpsLeaveTheServerInOrder() async throws {
        try await withServer { server in
            try await server.client.hangUp(after: Array("GET /heal".utf8))
            try await server.client.hangUp(after: Self.incomplete)
            try await server.client.hangUp(after: Array("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n".utf8))
            #expect(try await server.get("/healthz").status == 200)
            #expect(server.store.content.events.isEmpty)
            #expect(server.log.lines.isEmpty)
        }
    }

    @Test func aHalfClosedClientStillGetsItsAnswer() async throws {
        try await withServer { server in
            var received = try await server.client.readUntilClosed(
                [Array("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n".utf8)], halfClose: true)
            #expect(RawClient.takeAnswer(&received, isHead: false)?.status == 200)
        }
    }

    @Test(arguments: [
        "NONSENSE\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET /healthz HTTP/1.1\r\nA b: c\r\n\r\n",
        "POST /v1/track HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        "POST /v1/track HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "POST /v1/track HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ])
    func whatIsNoHTTPIsRefusedAndCut(text: String) async throws {
        try await withServer { server in try await expectRefusal(of: text, server) }
    }

    @Test func anOversizedHeadIsRefusedAndCut() async throws {
        try await withServer { server in
            let one = "GET /healthz HTTP/1.1\r\nX: \(String(repeating: "x", count: 40_000))\r\n\r\n"
            try await expectRefusal(of: one, server)
            let many = "GET /healthz HTTP/1.1\r\n\(String(repeating: "X: y\r\n", count: 200))\r\n"
            try await expectRefusal(of: many, server)
        }
    }

    private func expectRefusal(of text: String, _ server: ServerFixture) async throws {
        var received = try await server.client.readUntilClosed([Array(text.utf8)], halfClose: true)
        let answer = try #require(RawClient.takeAnswer(&received, isHead: false))
        #expect(answer.status == 400)
        #expect(answer.field("Connection") == "close")
        #expect(try await server.get("/healthz").status == 200)
    }

    @Test func manyClientsAtOnceAreServed() async throws {
        try await withServer { server in
            let statuses = try await withThrowingTaskGroup(of: Int.self) { tasks in
                for _ in 0..<50 { tasks.addTask { try await server.track(Self.tracked).status } }
                return try await tasks.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses == Array(repeating: 200, count: 50))
        }
    }

    @Test func clientsBeyondTheLimitWaitTheirTurn() async throws {
        try await withServer(HTTPConfiguration(port: 0, idleTimeout: 1, connectionLimit: 1)) { server in
            let statuses = try await withThrowingTaskGroup(of: Int.self) { tasks in
                for _ in 0..<5 { tasks.addTask { try await server.get("/healthz").status } }
                return try await tasks.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses == Array(repeating: 200, count: 5))
        }
    }

    @Test func aRequestUnderWayIsAnsweredDuringShutdown() async throws {
        try await withServer { server in
            let (arrivals, arrived) = AsyncStream.makeStream(of: Void.self)
            let (permits, permit) = AsyncStream.makeStream(of: Void.self)
            server.store.change {
                $0.beforeRead = {
                    arrived.yield()
                    _ = await permits.first { _ in true }
                }
            }
            async let answer = server.get("/healthz", key: nil)
            _ = await arrivals.first { _ in true }
            await server.group.triggerGracefulShutdown()
            permit.yield()
            let status = try await answer.status
            #expect(status == 200)
        }
    }

    @Test func aTakenPortEndsTheServiceWithAnError() async throws {
        try await withServer { server in
            let second = HTTPServer(context: server.context, configuration: HTTPConfiguration(port: server.port))
            let group = ServiceGroup(configuration: .init(services: [second], logger: server.log.logger))
            await #expect(throws: (any Error).self) { try await group.run() }
        }
    }
}
