import ServerTestKit
import Testing

@Suite(.timeLimit(.minutes(2)))
struct SMTPSinkTests {
    @Test func whatWasSentIsWhatIsRead() async throws {
        let directory = try ServerDirectory.temporary()
        let sink = try await SMTPSink.start(in: directory)
        let mail = SMTPClient.wireBytes("Subject: one\n  and more\nX: 1\nx: 2\n\n.dots\n..\n\nend\n")
        let result = try await SMTPClient.send(
            port: sink.port, from: "a@example.org", to: ["b@example.org", "\"c>d\"@example.org"], mail,
            parameters: "BODY=8BITMIME", source: "127.0.0.2")
        #expect(result.final.code == 250)
        let message = try #require(try await sink.waitForMessages(1).first)
        #expect(message.reversePath == "a@example.org")
        #expect(message.mailArguments == "<a@example.org> BODY=8BITMIME")
        #expect(message.recipients == ["b@example.org", "\"c>d\"@example.org"])
        #expect(message.clientAddress == "127.0.0.2")
        #expect(message.bytes == mail)
        #expect(message.values(of: "subject") == ["one  and more"])
        #expect(message.values(of: "X") == ["1", "2"])
        #expect(message.body == ".dots\n..\n\nend\n")
        try await sink.stop()
        try await directory.remove()
    }

    @Test func aMailUnderWayIsNotShown() async throws {
        let directory = try ServerDirectory.temporary()
        let sink = try await SMTPSink.start(in: directory)
        let client = try await SMTPClient(port: sink.port)
        try await client.greet()
        try await client.command("MAIL FROM:<>")
        try await client.command("RCPT TO:<a@example.org>")
        try await client.command("DATA")
        let long = String(repeating: "x\n", count: 50_000)
        try await client.content(SMTPClient.wireBytes("Subject: s\n\n\(long)\n\n"), ending: false)
        try await SMTPClient.send(
            port: sink.port, from: "second@example.org", to: ["b@example.org"], text: "Subject: t\n\nb\n")
        #expect(try await sink.waitForMessages(1).map(\.reversePath) == ["second@example.org"])
        client.hangUp(abruptly: true)
        try await sink.clear()
        #expect(try await sink.messages().isEmpty)
    }

    @Test(arguments: [(hard: ["RCPT"], soft: [], code: 550), (hard: [], soft: ["."], code: 451)])
    func refusesAsTold(hard: [String], soft: [String], code: Int) async throws {
        var behaviour = SMTPSink.Behaviour()
        (behaviour.hard, behaviour.soft) = (hard, soft)
        behaviour.hardReply = "550 5.1.1 gone"
        behaviour.softReply = "451 4.3.0 later"
        let directory = try ServerDirectory.temporary()
        let sink = try await SMTPSink.start(in: directory, behaviour: behaviour)
        let result = try await SMTPClient.send(
            port: sink.port, from: "a@example.org", to: ["b@example.org"], text: "Subject: s\n\nb\n")
        #expect((result.recipients + [result.final]).contains { $0.code == code })
        #expect(try await sink.messages().isEmpty)
        #expect(try await sink.contents().count == (soft == ["."] ? 1 : 0))
    }
}
