import CLibmilter
import Glibc
import MailModel
import Testing

@testable import MilterAdapter

/// What one milter session looks like from the MTA's side, against the shared server.
@WireActor @Suite(.timeLimit(.minutes(5))) struct MilterWireTests {
    private let milter: MilterFixture

    init() async throws { milter = try await MilterFixture.shared.value }

    @Test func sessionAsksForNoRightToModify() throws {
        let client = try MilterClient(unix: milter.path)
        try client.negotiate()
        #expect(client.actions == 0x20, "quarantine, which this server is configured for")
        #expect(client.steps == UInt32(MilterNegotiation.desiredSteps(answersRecipients: true)))
    }

    @Test func messageArrivesByteByByte() throws {
        let client = try MilterClient.greeted(unix: milter.path)
        try client.macros("M", ["{auth_authen}", "ann"])
        _ = try client.mail("<Ann@Client.example>", "SIZE=100", "BODY=8BITMIME")
        #expect(try client.recipient("<in@Here.example>", "NOTIFY=NEVER").code == "c")
        _ = try client.data()
        let fields: [(String, [UInt8])] = [
            ("X-None", Array("v".utf8)), ("X-Blank", Array("  two".utf8)), ("X-Tab", Array("\tt".utf8)),
            ("Subject", Array(" one\n\ttwo\n three".utf8)), ("X-Raw", [0x20, 0xE9, 0xFF]), ("X-Empty", []),
        ]
        for (name, value) in fields { try client.header(name, value) }
        try client.endOfHeader()
        let body: [UInt8] = Array("line\r\n".utf8) + [0, 0xFF, 13, 10]
        #expect(try client.body(Array(body.prefix(7))).code == "c")
        #expect(try client.body(Array(body.dropFirst(7))).code == "c")
        #expect(try client.endOfMessage(queueID: "BYTES").code == "c")
        let message = try #require(milter.intake.message("BYTES"))
        #expect(message.headers == fields.map { HeaderField(name: $0.0, value: $0.1) })
        #expect(message.body == body)
        #expect(message.reversePath == "Ann@Client.example")
        #expect(message.recipients == ["in@Here.example"])
        #expect(message.clientAddress == "192.0.2.7")
        #expect(message.clientName == "client.example")
        #expect(message.helo == "helo.example")
        #expect(message.authenticatedUser == "ann")
    }

    /// The body of our own mail is not asked for, and its end is answered by the intake.
    @Test(arguments: [("nobody-once", "c"), ("nobody-twice", "d"), ("nobody-later", "y")] as [(String, Character)])
    func ourOwnMailIsAnsweredAtItsEnd(recipient: String, answer: Character) throws {
        let client = try MilterClient.greeted(unix: milter.path)
        _ = try client.mail("<robot@here.example>")
        #expect(try client.recipient("<\(recipient)@there.example>").code == "c")
        _ = try client.data()
        try client.header("Subject", Array(" s".utf8))
        try client.header("X-Postrider-Delivery", Array(" TOKEN".utf8))
        try client.endOfHeader()
        #expect(try client.body(Array("line\r\n".utf8)).code == "s")
        #expect(try client.endOfMessage(queueID: "OWN-\(recipient)").code == answer)
        let submission = try #require(milter.intake.submission("OWN-\(recipient)"))
        #expect(submission.marker == " TOKEN" && submission.recipients == ["\(recipient)@there.example"])
        #expect(milter.intake.message("OWN-\(recipient)") == nil)
    }

    /// Their notes may share a commit.
    @Test func ourOwnMailIsToldOfTheMessagesOnTheirWayBesideIt() throws {
        let others = try (1...4).map { _ in
            let client = try MilterClient.greeted(unix: milter.path)
            _ = try client.mail("<robot@here.example>")
            // MAIL is not answered: this one has been heard when the next is.
            #expect(try client.recipient("<nobody@there.example>").code == "c")
            return client
        }
        let client = try MilterClient.greeted(unix: milter.path)
        _ = try client.mail("<robot@here.example>")
        _ = try client.recipient("<nobody-once@there.example>")
        _ = try client.data()
        try client.header("X-Postrider-Delivery", Array(" TOKEN".utf8))
        try client.endOfHeader()
        #expect(try client.endOfMessage(queueID: "OWN-COMPANY").code == "c")
        #expect(try #require(milter.intake.company(of: "OWN-COMPANY")) >= others.count)
    }

    @Test func localMailComesWithoutBrackets() throws {
        let client = try MilterClient.greeted(unix: milter.path)
        try client.greetAsCleanup()
        _ = try client.mail("")
        #expect(try client.recipient("in@here.example").code == "c")
        _ = try client.data()
        try client.endOfHeader()
        #expect(try client.endOfMessage(queueID: "LOCAL").code == "c")
        let message = try #require(milter.intake.message("LOCAL"))
        #expect(message.reversePath == "")
        #expect(message.recipients == ["in@here.example"])
        #expect(message.authenticatedUser == nil)
    }

    @Test func severalMessagesOfOneConnectionStayApart() throws {
        let client = try MilterClient.greeted(unix: milter.path)
        for number in 0..<20 {
            if number % 3 == 1 {
                _ = try client.mail("<gone@client.example>")
                _ = try client.recipient("<gone@here.example>")
                try client.abort()
            }
            let answer = try client.message(
                to: "in\(number)@here.example", queueID: "APART\(number)", headers: [("N", " \(number)")],
                body: Array("\(number)".utf8))
            #expect(answer.code == "c")
            let message = try #require(milter.intake.message("APART\(number)"))
            #expect(message.recipients == ["in\(number)@here.example"])
            #expect(message.headers == [HeaderField("N", " \(number)")])
            #expect(message.body == Array("\(number)".utf8))
        }
        try client.quit()
    }

    @Test(arguments: [
        ("continue", "c", ""), ("discard", "d", ""), ("reject", "y", "554 5.7.1 100%% no"),
        ("tempfail", "y", "450 4.2.0 later"),
    ])
    func verdictBecomesTheReply(_ local: String, _ code: Character, _ text: String) throws {
        let client = try MilterClient.greeted(unix: milter.path)
        let answer = try client.message(to: "\(local)@here.example", queueID: "VERDICT-\(local)")
        #expect(answer.code == code)
        #expect(answer.text == text)
    }

    @Test func quarantineIsAModificationFollowedByContinue() throws {
        let client = try MilterClient.greeted(unix: milter.path)
        let first = try client.message(to: "quarantine@here.example", queueID: "HELD")
        #expect(first == MilterClient.Answer(code: "q", data: Array("looks odd".utf8) + [0]))
        #expect(try client.answer().code == "c")
    }

    @Test func quarantineAnMTADoesNotOfferBecomesATempfail() throws {
        let client = try MilterClient(unix: milter.path)
        try client.negotiate(actions: 0x1F)
        try client.greet()
        let answer = try client.message(to: "quarantine@here.example", queueID: "UNHELD")
        #expect(answer.text.hasPrefix("451 4.7.1 "))
    }

    @Test func commitThatDoesNotComeGetsTheFallbackAndIsTurnedAwayLater() throws {
        let client = try MilterClient.greeted(unix: milter.path)
        let before = milter.server.gauges
        let answer = try client.message(to: "silent@here.example", queueID: "SILENT")
        #expect(answer.text.hasPrefix("451 4.3.0 "))
        milter.intake.speak(.reject(Reply(code: 550, text: "too late")))
        #expect(milter.server.gauges.timeouts > before.timeouts)
        #expect(milter.server.gauges.lateCommits > before.lateCommits)
        #expect(try client.message(to: "in@here.example", queueID: "AFTER-SILENT").code == "c")
    }

    /// Read once, before its end or at it, and what was read too early is read again.
    @Test func messageIsReadOnceMoreWhenItsBodyGoesOn() throws {
        let client = try MilterClient.greeted(unix: milter.path)
        for (name, chunks) in [("ONCE", ["whole"]), ("TWICE", ["begin", "end"])] {
            _ = try client.mail("<a@client.example>")
            _ = try client.recipient("<in@here.example>")
            try client.macros("T", ["i", name])
            _ = try client.data()
            try client.endOfHeader()
            for chunk in chunks { _ = try client.body(Array(chunk.utf8)) }
            #expect(try client.endOfMessage(queueID: name).code == "c")
            #expect(milter.intake.message(name)?.body == Array(chunks.joined().utf8))
            #expect((1...chunks.count).contains(milter.intake.readings.filter { $0 == name }.count))
        }
    }

    /// At the first chunk of its body, or at DATA where the MTA wants that answered.
    @Test(arguments: [UInt32(0x1F_FFFF), 0x1F_FFFF & ~UInt32(SMFIP_NR_DATA)])
    func messageNobodyWantsIsAcceptedBeforeItsEnd(_ steps: UInt32) throws {
        let client = try MilterClient(unix: milter.path)
        try client.negotiate(steps: steps)
        try client.greet()
        #expect(try client.message(to: "nobody@here.example", queueID: "NOBODY").code == "a")
        #expect(milter.intake.message("NOBODY") == nil)
        #expect(try client.message(to: "in@here.example", queueID: "AFTER-NOBODY").code == "c")
        #expect(milter.intake.message("AFTER-NOBODY")?.recipients == ["in@here.example"])
    }

    @Test func oneWantedRecipientAmongOthersIsEnough() throws {
        let client = try MilterClient.greeted(unix: milter.path)
        _ = try client.mail("<a@client.example>")
        _ = try client.recipient("<nobody1@here.example>")
        _ = try client.recipient("<in@here.example>")
        #expect(try client.recipient("<nobody2@here.example>").code == "c")
        let before = milter.server.gauges.refusedRecipients
        #expect(try client.recipient("<in4@here.example>").text.hasPrefix("452 4.5.3 "))
        #expect(milter.server.gauges.refusedRecipients == before + 1)
        _ = try client.data()
        try client.endOfHeader()
        #expect(try client.endOfMessage(queueID: "MIXED").code == "c")
        #expect(
            milter.intake.message("MIXED")?.recipients == [
                "nobody1@here.example", "in@here.example", "nobody2@here.example",
            ])
    }

    @Test func bodyBeyondTheLimitIsSkippedAndFlagged() throws {
        let client = try MilterClient.greeted(unix: milter.path)
        _ = try client.mail("<a@client.example>")
        _ = try client.recipient("<in@here.example>")
        _ = try client.data()
        try client.endOfHeader()
        let chunk = [UInt8](repeating: 65, count: 65_534)
        for _ in 0..<3 { #expect(try client.body(chunk).code == "c") }
        #expect(try client.body(chunk).code == "s")
        #expect(try client.endOfMessage(queueID: "LONG").code == "c")
        let message = try #require(milter.intake.message("LONG"))
        #expect(message.body.count == 200_000)
        #expect(message.isBodyTruncated)
    }

    @Test func tenThousandHeadersArriveAndTheNextIsFlagged() throws {
        let client = try MilterClient.greeted(unix: milter.path)
        for surplus in 0...1 {
            let headers = (0..<10_000 + surplus).map { ("X-\($0)", " \($0)") }
            #expect(try client.message(to: "in@here.example", queueID: "MANY\(surplus)", headers: headers).code == "c")
            let message = try #require(milter.intake.message("MANY\(surplus)"))
            #expect(message.headers.count == 10_000)
            #expect(message.headers.last == HeaderField("X-9999", " 9999"))
            #expect(message.areHeadersTruncated == (surplus == 1))
        }
    }

    /// What the MTA says before it has its answer is heard after it.
    @Test func commandsBehindAnEndWaitForItsVerdict() throws {
        let silentBefore = milter.intake.silentCount
        let client = try MilterClient.greeted(unix: milter.path)
        _ = try client.mail("<a@client.example>")
        _ = try client.recipient("<silent@here.example>")
        _ = try client.data()
        let next =
            MilterClient.packet("M", MilterClient.strings(["<b@client.example>"]))
            + MilterClient.packet("R", MilterClient.strings(["<in@here.example>"]))
        try client.write(MilterClient.packet("E") + next)
        #expect(milter.settle { milter.intake.silentCount > silentBefore })
        milter.intake.speak(.discard)
        #expect(try client.answer().code == "d")
        // Of the recipient, who is asked about here.
        #expect(try client.answer().code == "c")
        _ = try client.data()
        #expect(try client.endOfMessage(queueID: "BEHIND").code == "c")
        #expect(milter.intake.message("BEHIND")?.reversePath == "b@client.example")
    }

    /// Who sends what looks like a last chunk again and again has the message read once before its end, and once at it.
    @Test func messageIsReadBeforeItsEndOnce() throws {
        let client = try MilterClient.greeted(unix: milter.path)
        _ = try client.mail("<a@client.example>")
        _ = try client.recipient("<in@here.example>")
        try client.macros("T", ["i", "AGAIN"])
        _ = try client.data()
        for _ in 0..<20 { _ = try client.body([65]) }
        #expect(try client.endOfMessage(queueID: "AGAIN").code == "c")
        #expect(milter.intake.message("AGAIN")?.body.count == 20)
        #expect(milter.intake.readings.count { $0 == "AGAIN" } <= 2)
    }

    /// The last chunk of a body may come with the end (libmilter/mfdef.h, `SMFIC_BODYEOB`).
    @Test func endMayBringTheLastChunk() throws {
        let client = try MilterClient.greeted(unix: milter.path)
        _ = try client.mail("<a@client.example>")
        _ = try client.recipient("<in@here.example>")
        _ = try client.data()
        #expect(try client.body(Array("one\r\n".utf8)).code == "c")
        try client.macros("E", ["i", "WITHEND"])
        try client.send("E", Array("two\r\n".utf8))
        #expect(try client.answer().code == "c")
        #expect(milter.intake.message("WITHEND")?.body == Array("one\r\ntwo\r\n".utf8))
    }

    /// Each has a thread of its own.
    @Test func peersThatStopWithinAPacketHoldNobodyUp() throws {
        let stuck = try (0..<40).map { number in
            let client = try MilterClient.greeted(unix: milter.path)
            try client.write(Array([0, 0, 0, 9, 66, 1].prefix(number % 6 + 1)))
            return client
        }
        let client = try MilterClient.greeted(unix: milter.path)
        #expect(try client.message(to: "in@here.example", queueID: "BESIDE-STUCK").code == "c")
        #expect(stuck.count == 40)
    }

    @Test(arguments: [
        MilterClient.packet("E"), MilterClient.packet("O", [0, 0, 0, 6]),
        MilterClient.packet("O", [UInt8](repeating: 0, count: 12)),
        [0, 0, 0, 0], Array("GET / HTTP/1.1\r\n\r\n".utf8),
    ])
    func whatIsNotTheProtocolIsHungUpOnAndCounted(_ bytes: [UInt8]) throws {
        let before = milter.server.gauges.faults
        let client = try MilterClient(unix: milter.path)
        try client.write(bytes)
        #expect(throws: MilterClient.Failure.hungUp) { try client.answer() }
        #expect(milter.server.gauges.faults > before)
    }

    @Test func oversizedCommandCostsOnlyItsOwnConnection() throws {
        let client = try MilterClient.greeted(unix: milter.path)
        try client.write(MilterClient.bigEndian(10_000_000) + Array("B".utf8))
        #expect(throws: MilterClient.Failure.hungUp) { try client.answer() }
        let next = try MilterClient.greeted(unix: milter.path)
        #expect(try next.message(to: "in@here.example", queueID: "AFTER-HUGE").code == "c")
    }

    @Test(arguments: ["M", "R", "T", "L", "B", "E", "A", "H", "C", "U", "x", "\u{0}"] as [Character])
    func commandWithoutDataOrOutOfOrderHarmsNobody(_ command: Character) throws {
        let client = try MilterClient(unix: milter.path)
        try client.negotiate()
        try client.send(command)
        try? client.quit()
        client.finishSending()
        // It is answered or hung up on; either way the connection comes to its end.
        while (try? client.answer()) != nil {}
        let next = try MilterClient.greeted(unix: milter.path)
        #expect(try next.message(to: "in@here.example", queueID: "AFTER-ODD").code == "c")
    }

    @Test(arguments: [[], [88, 13, 10]] as [[UInt8]])
    func messageWithoutHeaderIsServed(_ body: [UInt8]) throws {
        let client = try MilterClient.greeted(unix: milter.path)
        let name = "BARE\(body.count)"
        #expect(try client.message(to: "in@here.example", queueID: name, headers: [], body: body).code == "c")
        let message = try #require(milter.intake.message(name))
        #expect(message.headers.isEmpty)
        #expect(message.body == body)
    }

    @Test func anOldMTAIsServedWithRepliesEverywhere() throws {
        let client = try MilterClient(unix: milter.path)
        try client.negotiate(actions: 0, steps: 0)
        #expect(client.steps == 0)
        #expect(try client.greet().code == "c")
        #expect(try client.message(to: "in@here.example", queueID: "OLD", headers: [("A", "x")]).code == "c")
        #expect(milter.intake.message("OLD")?.headers == [HeaderField("A", " x")])
    }
}

/// The TCP entrance in front of the shared server.
@WireActor @Suite(.timeLimit(.minutes(5))) struct TCPEntranceTests {
    private let milter: MilterFixture
    private let port: Int

    init() async throws {
        milter = try await MilterFixture.shared.value
        port = try #require(milter.server.tcpPort)
    }

    /// Twenty messages of one connection, macros and commands written apart as Postfix does.
    private func converse(_ client: MilterClient, _ name: String) throws -> Duration {
        try client.negotiate()
        try client.greet()
        return try ContinuousClock().measure { () throws in
            for number in 0..<20 {
                #expect(try client.message(to: "in@here.example", queueID: "\(name)\(number)").code == "c")
            }
        }
    }

    @Test func repliesComeWithoutTheStallOfDelayedAcknowledgements() throws {
        let unix = try converse(MilterClient(unix: milter.path), "UNIX")
        let tcp = try converse(MilterClient(tcp: port), "TCP")
        // A stall is 40 ms or more, and every message has at least two: 1.8 s in all when the options are not set.
        #expect(tcp < unix * 4 + .milliseconds(400), "unix \(unix), tcp \(tcp)")
        #expect(milter.intake.message("TCP19")?.recipients == ["in@here.example"])
    }

    @Test func bigMessagePassesWhole() throws {
        let client = try MilterClient(tcp: port)
        try client.negotiate()
        try client.greet()
        let body = (0..<65_535).map { UInt8(truncatingIfNeeded: $0) }
        #expect(try client.message(to: "in@here.example", queueID: "TCPBIG", body: body).code == "c")
        #expect(milter.intake.message("TCPBIG")?.body == body)
    }

    @Test func clientThatStopsSpeakingStillGetsItsAnswers() throws {
        let client = try MilterClient(tcp: port)
        try client.send(
            "O", MilterClient.bigEndian(6) + MilterClient.bigEndian(0x1FF) + MilterClient.bigEndian(0x1F_FFFF))
        client.finishSending()
        #expect(try client.answer().code == "O")
        #expect(throws: MilterClient.Failure.hungUp) { try client.answer() }
    }

    @Test func manyConnectionsAtOnceAreAllServed() throws {
        let clients = try (0..<50).map { _ in try MilterClient(tcp: port) }
        for client in clients { try client.negotiate() }
        for (number, client) in clients.enumerated() {
            try client.greet()
            #expect(try client.message(to: "in@here.example", queueID: "CROWD\(number)").code == "c")
        }
    }

    @Test(arguments: ["0.0.0.0", "no-such-host.invalid"])
    func addressThatIsNotLoopbackIsRefused(_ host: String) {
        #expect {
            try MilterPort(endpoint: .init(host: host, port: 0), backlog: 1).open()
        } throws: {
            ($0 as? MilterError)?.code == .addressRefused
        }
    }

    @Test func portInUseIsNamed() {
        #expect {
            try MilterPort(endpoint: .init(host: "127.0.0.1", port: port), backlog: 1).open()
        } throws: { error in
            (error as? MilterError)?.code == .occupied && "\(error)".contains("127.0.0.1:\(port)")
        }
    }
}
