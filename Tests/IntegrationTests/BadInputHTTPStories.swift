import JSONValue
import ServerTestKit
import Testing

/// HTTP clients that are slow, greedy or mad: they get their answer or their end, and everybody else is served.
@Suite(.serialized, .timeLimit(.minutes(1)))
struct BadInputHTTPStories {
    @Test func clientsOfEveryBadKindLeaveTheServerUp() async throws {
        try await BadInputStage.play { stage in
            try await Self.rubbish(stage)
            try await Self.slowClients(stage)
            try await Self.largeBodies(stage)
            try await Self.manyClients(stage)
            #expect(try await stage.daemon.track("signup", "ann@customer.example") == 200)
            try await stage.expectMailWorks("after all of them")
        }
    }

    /// Data that can be stored and never read again would stop everybody's mail: what is taken must be usable.
    @Test func deeplyNestedDataIsRefusedOrUsed() async throws {
        try await BadInputStage.play(
            workflow: BadInputStage.answerEveryMail,
            prepare: { plan, directory in
                plan.workflows.append(try directory.write("welcome.yaml", Self.welcome))
            }
        ) { stage in
            for depth in 126...128 {
                let contact = "deep-\(depth)@customer.example"
                let status = try await stage.daemon.track("signup", contact, data: Self.nested(depth))
                #expect([400, 422].contains(status), "depth \(depth): \(status)")
            }
            for depth in [1, 16, 28, 30, 31, 32, 33, 64, 120, 123, 125] {
                let contact = "depth-\(depth)@customer.example"
                let status = try await stage.daemon.track("signup", contact, data: Self.nested(depth))
                #expect([200, 400, 422].contains(status), "depth \(depth)")
                guard status == 200 else { continue }
                try await eventually("the welcome of \(contact)") { try await !stage.site.mailbox(contact).isEmpty }
            }
            #expect(try await !stage.site.mailbox("depth-16@customer.example").isEmpty, "ordinary data is taken")
            #expect(try await !stage.site.sink.messages().contains { $0.recipients.joined().hasPrefix("deep") })
            let sender = "ann@sender.example"
            try await stage.site.receive(from: sender, BadInputStage.mail(from: sender))
            try await eventually("a mail is answered as ever") { try await !stage.site.mailbox(sender).isEmpty }
        }
    }

    /// Its mail mentions the data, so the data waits in the outbox with it.
    private static let welcome = """
        workflow: welcome
        enabled: true
        trigger: {event: signup}
        steps:
          happened: {type: TRIGGER, next: greet}
          greet: {type: SEND_EMAIL, config: {template: welcome}, next: done}
          done: {type: EXIT, config: {reason: greeted}}
        templates:
          welcome: {type: TRANSACTIONAL, from: \(Site.inbox), subject: Welcome, text: "You said {{ event.d }}"}
        """

    /// An object in an object, and so on: `depth` of them.
    private static func nested(_ depth: Int) -> JSON {
        (1..<depth).reduce([:] as JSON) { inner, _ in ["d": inner] }
    }

    private static func rubbish(_ stage: BadInputStage) async throws {
        let requests: [[UInt8]] = [
            [], [0], Array(UInt8.min...UInt8.max), [0x16, 0x03, 0x01, 0x02, 0x00], Array("\r\n\r\n\r\n".utf8),
            Array("GET\r\n\r\n".utf8), Array("GET / HTTP/9.9\r\n\r\n".utf8),
            Array("GET /\(String(repeating: "a", count: 200_000)) HTTP/1.1\r\nHost: x\r\n\r\n".utf8),
            Array(("GET / HTTP/1.1\r\n" + String(repeating: "A: b\r\n", count: 20_000) + "\r\n").utf8),
            Array("POST /v1/track HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n".utf8),
            Array("POST /v1/track HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n".utf8),
            Array("POST /v1/track HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\nhello".utf8),
        ]
        for bytes in requests {
            let peer = try BadInputPeer(port: stage.daemon.http.port)
            try await offPool { peer.send(bytes) }
        }
        #expect(try await stage.daemon.http.get("/healthz").status == 200)
    }

    /// Half a request each, held open while others are served.
    private static func slowClients(_ stage: BadInputStage) async throws {
        let peers = try (0..<100).map { _ in try BadInputPeer(port: stage.daemon.http.port) }
        for peer in peers { try await offPool { peer.send(Array("POST /v1/track HTTP/1.1\r\nHost: x\r\nConte".utf8)) } }
        #expect(try await stage.daemon.http.get("/healthz").status == 200, "beside \(peers.count) slow clients")
        for peer in peers { peer.willReset() }
    }

    private static func largeBodies(_ stage: BadInputStage) async throws {
        let key = ("Authorization", "Bearer \(stage.daemon.key)")
        let json = ("Content-Type", "application/json")
        func track(_ body: [UInt8]) async throws -> Int {
            try await stage.daemon.http.post("/v1/track", fields: [key, json], body).status
        }
        let large = Array(repeating: UInt8(ascii: "x"), count: 3 << 20)
        #expect(try await track(large) == 413)
        #expect(try await track([0xFF, 0xFE, 0x00]) == 400)
        #expect(try await track(Array(repeating: UInt8(ascii: "["), count: 100_000)) == 400)
        let data = String(repeating: "d", count: 100_000)
        let long = "{\"event\":\"e\",\"email\":\"ann@customer.example\",\"data\":{\"d\":\"\(data)\"}}"
        #expect(try await track(Array(long.utf8)) == 422)
        let before = try #require(stage.daemon.process.residentMemory)
        let peer = try BadInputPeer(port: stage.daemon.http.port)
        let head = "POST /v1/track HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(stage.daemon.key)\r\n"
        try await offPool {
            peer.send(Array((head + "Content-Type: application/json\r\nContent-Length: 500000000\r\n\r\n").utf8))
            for _ in 0..<50 { peer.send(large) }
        }
        let after = try #require(stage.daemon.process.residentMemory)
        #expect(after - before < 50 << 20, "grew from \(before >> 20) to \(after >> 20) MiB")
    }

    private static func manyClients(_ stage: BadInputStage) async throws {
        let http = stage.daemon.http
        let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<200 { group.addTask { try await http.get("/healthz").status } }
            return try await group.reduce(into: [Int: Int]()) { $0[$1, default: 0] += 1 }
        }
        #expect(statuses == [200: 200])
    }
}
