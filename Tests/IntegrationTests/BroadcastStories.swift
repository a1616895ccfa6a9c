import Foundation
import JSONValue
import ServerTestKit
import Testing

/// Broadcasts and the real daemon, with a relay that takes them.
@Suite(.serialized, .timeLimit(.minutes(4)))
struct BroadcastStories {
    /// A daemon and smtp-sink. The daemon may die and come back.
    private struct Stage {
        let directory: ServerDirectory
        let executable: String
        let configuration: String
        let key: String

        let sink: SMTPSink

        init(settings: String = "") async throws {
            directory = try ServerDirectory.temporary()
            sink = try await SMTPSink.start(in: directory)
            executable = try BuiltProduct.path()
            configuration = try directory.write(
                "postrider.yaml",
                """
                database:
                  path: \(directory.path("postrider.db"))
                milter:
                  socket: \(directory.path("milter.sock"))
                  socket_group: ""
                http:
                  port: 0
                smtp:
                  host: 127.0.0.1
                  port: \(sink.port)
                  tls: none
                mail:
                  default_from: Post <post@example.com>
                \(settings)
                """)
            key = try await Site.run(executable, ["key", "create", "--config", configuration])
        }

        func start() async throws -> Daemon {
            let process = try DaemonProcess(executable, ["serve", "--config", configuration])
            let line = try await process.waitForLine(containing: "http is listening")
            let port = try #require(line.text.split(separator: "port=").last.flatMap { UInt16($0) })
            try await process.waitForLine(containing: "notice ready")
            return Daemon(process: process, http: HTTPClient(port: port), key: key)
        }

        func importPeople(_ count: Int) async throws {
            let rows = (0..<count).map { "c\($0)@example.net,N\($0)" }.joined(separator: "\n")
            let file = try directory.write("people.csv", "email,name\n\(rows)\n")
            let options = ["--config", configuration]
            let said = try await Site.run(executable, ["contact", "import"] + options + [file])
            #expect(said.contains("\(count) created"), "\(said)")
        }
    }

    private struct Daemon {
        let process: DaemonProcess
        let http: HTTPClient
        let key: String

        func post(_ path: String, _ body: String = "") async throws -> JSON {
            let fields = [("Authorization", "Bearer \(key)"), ("Content-Type", "application/json")]
            let answer = try await http.post(path, fields: fields, body)
            guard (200..<300).contains(answer.status) else { throw FixtureError(.malformed, "\(path): \(answer.text)") }
            return try JSONParser.parse(answer.body)
        }

        func get(_ path: String) async throws -> JSON {
            let answer = try await http.get(path, fields: [("Authorization", "Bearer \(key)")])
            guard answer.status == 200 else { throw FixtureError(.malformed, "\(path): \(answer.text)") }
            return try JSONParser.parse(answer.body)
        }

        /// Makes a draft.
        /// - Returns: its path.
        func make(_ more: String = "") async throws -> String {
            let made = try await post(
                "/broadcasts",
                """
                {"name": "Spring", "subject": "Hi {{ name }}", "body": "<p>Hello {{ name }}</p>"\(more)}
                """)
            return "/broadcasts/\(made["id"]?.stringValue ?? "")"
        }

        func count(_ name: String, of path: String) async throws -> Int {
            Int(try await get("\(path)/stats")[name]?.intValue ?? -1)
        }

        func waitUntilSent(_ path: String) async throws {
            try await eventually("the broadcast is sent", deadline: .seconds(90), every: .milliseconds(50)) {
                try await get(path)["status"]?.stringValue == "sent"
            }
        }
    }

    @Test func broadcastGoesOutOverARelayOnceToEach() async throws {
        let stage = try await Stage()
        let sink = stage.sink
        try await stage.importPeople(300)
        let daemon = try await stage.start()
        let path = try await daemon.make()
        #expect(try await daemon.get("\(path)/estimate")["sendable"] == 300)
        _ = try await daemon.post("\(path)/send")
        try await daemon.waitUntilSent(path)
        let messages = try await sink.waitForMessages(300)
        #expect(Set(messages.flatMap(\.recipients)).count == 300)
        let first = try #require(messages.first { $0.text.contains("Hi N7\r\n") || $0.text.contains("Hi N7\n") })
        #expect(first.text.contains("List-Unsubscribe: <"))
        #expect(first.text.contains("Precedence: bulk"))
        #expect(try await daemon.count("sent", of: path) == 300)
        try await daemon.process.terminate()
        try await sink.stop()
        try await stage.directory.remove()
    }

    /// The daemon is killed again and again while it writes and sends. What a killed daemon had handed over without living to
    /// record it may come twice, with the same Message-ID; nobody is left out.
    @Test func killedDaemonGoesOnWhereItWas() async throws {
        let stage = try await Stage()
        let sink = stage.sink
        let people = 3000
        try await stage.importPeople(people)
        var daemon = try await stage.start()
        let path = try await daemon.make()
        _ = try await daemon.post("\(path)/send")
        for _ in 0..<4 {
            let before = try await daemon.count("sent", of: path)
            try await eventually("the broadcast comes on", deadline: .seconds(30), every: .milliseconds(5)) {
                let now = try await daemon.count("sent", of: path)
                return now > before + 100 || now == people
            }
            try await daemon.process.kill()
            daemon = try await stage.start()
        }
        try await daemon.waitUntilSent(path)
        let stats = try await daemon.get("\(path)/stats")
        #expect(stats["recipients"]?.intValue == Int64(people) && stats["sent"]?.intValue == Int64(people))
        let messages = try await sink.waitForMessages(people)
        #expect(Set(messages.flatMap(\.recipients)).count == people)
        let copies = messages.count - people
        let counted = try await daemon.get("/healthz")["counters"]?["possible_duplicates"]?.intValue ?? 0
        #expect(copies <= counted, "\(copies) copies")
        #expect(Set(messages.flatMap { $0.values(of: "Message-ID") }).count == people)
        try await daemon.process.terminate()
        try await sink.stop()
        try await stage.directory.remove()
    }

    @Test func pauseAndCancelTakeEffectAtOnceAlsoByCommand() async throws {
        let stage = try await Stage(settings: "pacing:\n  - projects: [default]\n    rate: 20/s\n")
        let sink = stage.sink
        try await stage.importPeople(500)
        let daemon = try await stage.start()
        let path = try await daemon.make()
        _ = try await daemon.post("\(path)/send")
        try await eventually("mail goes out", every: .milliseconds(20)) {
            try await daemon.count("sent", of: path) >= 5
        }
        let id = String(path.dropFirst("/broadcasts/".count))
        let options = ["--config", stage.configuration]
        #expect(try await Site.run(stage.executable, ["broadcast", "pause"] + options + [id]) == "paused")
        try await eventually("nothing is under way", every: .milliseconds(50)) {
            let outbox = try await daemon.get("/healthz")["outbox"]
            return outbox?["claimed"]?.intValue == 0 && outbox?["pending"]?.intValue == 0
        }
        let sent = try await daemon.count("sent", of: path)
        #expect(sent < 100)
        let listed = try await Site.run(stage.executable, ["broadcast", "ls"] + options)
        #expect(listed.contains("paused") && listed.contains("Spring"), "\(listed)")
        #expect(try await Site.run(stage.executable, ["broadcast", "cancel"] + options + [id]) == "cancelled")
        try await eventually("what waited is dropped", every: .milliseconds(50)) {
            try await daemon.count("queued", of: path) == 0
        }
        let stats = try await daemon.get("\(path)/stats")
        #expect(stats["sent"]?.intValue == Int64(sent))
        #expect((stats["cancelled"]?.intValue ?? 0) + Int64(sent) == stats["recipients"]?.intValue)
        #expect(try await sink.messages().count == sent)
        try await daemon.process.terminate()
        try await sink.stop()
        try await stage.directory.remove()
    }
}
