import Foundation
import JSONValue
import ServerTestKit
import Testing

/// Broadcasts and the real daemon, with a relay that takes them.
@Suite(.serialized, .timeLimit(.minutes(4)))
struct BroadcastStories {
    /// A daemon and smtp-sink.
    private static func stage(settings: String = "") async throws -> (site: BareSite, sink: SMTPSink) {
        let directory = try ServerDirectory.temporary()
        let sink = try await SMTPSink.start(in: directory)
        return (try await BareSite(relayPort: sink.port, settings: settings, in: directory), sink)
    }

    @Test func broadcastGoesOutOverARelayOnceToEach() async throws {
        let (site, sink) = try await Self.stage()
        try await site.importPeople(300)
        let daemon = try await site.start()
        let path = try await daemon.makeBroadcast()
        #expect(try await daemon.api("\(path)/estimate")["sendable"] == 300)
        try await daemon.post("\(path)/send")
        try await daemon.waitUntilSent(path)
        let messages = try await sink.waitForMessages(300)
        #expect(Set(messages.flatMap(\.recipients)).count == 300)
        let first = try #require(messages.first { $0.text.contains("Hi N7\r\n") || $0.text.contains("Hi N7\n") })
        #expect(first.text.contains("List-Unsubscribe: <"))
        #expect(first.text.contains("Precedence: bulk"))
        #expect(try await daemon.broadcastCount("sent", of: path) == 300)
        try await daemon.process.terminate()
        try await sink.stop()
        try await site.directory.remove()
    }

    /// The daemon is killed again and again while it writes and sends. What a killed daemon had handed over without living to
    /// record it may come twice, with the same Message-ID; nobody is left out.
    @Test func killedDaemonGoesOnWhereItWas() async throws {
        let (site, sink) = try await Self.stage()
        let people = 3000
        try await site.importPeople(people)
        var daemon = try await site.start()
        let path = try await daemon.makeBroadcast()
        try await daemon.post("\(path)/send")
        for _ in 0..<4 {
            let before = try await daemon.broadcastCount("sent", of: path)
            try await eventually("the broadcast comes on", deadline: .seconds(30), every: .milliseconds(5)) {
                let now = try await daemon.broadcastCount("sent", of: path)
                return now > before + 100 || now == people
            }
            try await daemon.process.kill()
            daemon = try await site.start()
        }
        try await daemon.waitUntilSent(path)
        let stats = try await daemon.api("\(path)/stats")
        #expect(stats["recipients"]?.intValue == Int64(people) && stats["sent"]?.intValue == Int64(people))
        let messages = try await sink.waitForMessages(people)
        #expect(Set(messages.flatMap(\.recipients)).count == people)
        let copies = messages.count - people
        let counted = try await daemon.api("/healthz")["counters"]?["possible_duplicates"]?.intValue ?? 0
        #expect(copies <= counted, "\(copies) copies")
        #expect(Set(messages.flatMap { $0.values(of: "Message-ID") }).count == people)
        try await daemon.process.terminate()
        try await sink.stop()
        try await site.directory.remove()
    }

    @Test func pauseAndCancelTakeEffectAtOnceAlsoByCommand() async throws {
        let (site, sink) = try await Self.stage(settings: "pacing:\n  - projects: [default]\n    rate: 20/s\n")
        try await site.importPeople(500)
        let daemon = try await site.start()
        let path = try await daemon.makeBroadcast()
        try await daemon.post("\(path)/send")
        try await eventually("mail goes out", every: .milliseconds(20)) {
            try await daemon.broadcastCount("sent", of: path) >= 5
        }
        let id = String(path.dropFirst("/broadcasts/".count))
        #expect(try await site.run("broadcast", "pause", arguments: [id]) == "paused")
        try await eventually("nothing is under way", every: .milliseconds(50)) {
            let outbox = try await daemon.api("/healthz")["outbox"]
            return outbox?["claimed"]?.intValue == 0 && outbox?["pending"]?.intValue == 0
        }
        let sent = try await daemon.broadcastCount("sent", of: path)
        #expect(sent < 100)
        let listed = try await site.run("broadcast", "ls")
        #expect(listed.contains("paused") && listed.contains("Spring"), "\(listed)")
        #expect(try await site.run("broadcast", "cancel", arguments: [id]) == "cancelled")
        try await eventually("what waited is dropped", every: .milliseconds(50)) {
            try await daemon.broadcastCount("queued", of: path) == 0
        }
        let stats = try await daemon.api("\(path)/stats")
        #expect(stats["sent"]?.intValue == Int64(sent))
        #expect((stats["cancelled"]?.intValue ?? 0) + Int64(sent) == stats["recipients"]?.intValue)
        #expect(try await sink.messages().count == sent)
        try await daemon.process.terminate()
        try await sink.stop()
        try await site.directory.remove()
    }
}

extension BroadcastStories {
    static func address(_ number: Int) -> String { "c\(number)@example.net" }

    /// A file of so many contacts.
    static func people(_ count: Int, in directory: ServerDirectory) throws -> String {
        let rows = (0..<count).map { "\(address($0)),N\($0)" }.joined(separator: "\n")
        return try directory.write("people.csv", "email,name\n\(rows)\n")
    }
}

extension BareSite {
    /// So many contacts, from a file.
    fileprivate func importPeople(_ count: Int) async throws {
        let file = try BroadcastStories.people(count, in: directory)
        let said = try await run("contact", "import", arguments: [file])
        #expect(said.contains("\(count) created"), "\(said)")
    }
}

extension RunningDaemon {
    /// Makes a draft.
    /// - Returns: its path.
    func makeBroadcast(_ more: String = "") async throws -> String {
        let made = try await post(
            "/broadcasts",
            """
            {"name": "Spring", "subject": "Hi {{ name }}", "body": "<p>Hello {{ name }}</p>"\(more)}
            """)
        return "/broadcasts/\(made["id"]?.stringValue ?? "")"
    }

    func broadcastCount(_ name: String, of path: String) async throws -> Int {
        Int(try await api("\(path)/stats")[name]?.intValue ?? -1)
    }

    func waitUntilSent(_ path: String) async throws {
        try await eventually("the broadcast is sent", deadline: .seconds(90), every: .milliseconds(50)) {
            try await api(path)["status"]?.stringValue == "sent"
        }
    }
}
