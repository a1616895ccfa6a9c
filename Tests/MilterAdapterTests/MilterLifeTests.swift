import Glibc
import MailModel
import ServiceLifecycle
import Testing

@testable import MilterAdapter

/// Start and end, each of a server of its own.
@Suite(.timeLimit(.minutes(5))) struct MilterLifeTests {
    @Test func shutdownLetsOpenMessagesFinishAndTakesNoNewOne() async throws {
        try await WireThread.run { _ in
            let milter = try await MilterFixture()
            let old = try MilterClient.greeted(unix: milter.path)
            let idle = try MilterClient.greeted(unix: milter.path)
            _ = try old.mail("<a@client.example>")
            #expect(milter.reach { $0.messagesInFlight == 1 })
            await milter.services.triggerGracefulShutdown()
            var refusal = try idle.message(to: "in@here.example", queueID: "NEW")
            // The gate closes a moment after the request; a message that was faster is let in.
            while refusal.code == "c" { refusal = try idle.message(to: "in@here.example", queueID: "NEW") }
            #expect(refusal.text.hasPrefix("451 4.3.2 "))
            // What Postfix itself sends is taken until the end.
            try idle.greetAsCleanup()
            let bounce = try idle.message(to: "in@here.example", queueID: "BOUNCE", sender: "")
            #expect(bounce.code == "c" && milter.intake.message("BOUNCE")?.isInternal == true)
            _ = try old.recipient("<in@here.example>")
            _ = try old.data()
            try old.endOfHeader()
            #expect(try old.endOfMessage(queueID: "OPEN").code == "c")
            #expect(milter.intake.message("OPEN") != nil)
            let duration = try await ContinuousClock().measure { try await milter.running.value }
            #expect(duration < .seconds(4), "the listener is woken; \(duration)")
            #expect(milter.server.gauges.refusedWhileDraining >= 1)
            #expect(access(milter.path, F_OK) != 0, "the socket is removed")
            milter.removeDirectory()
        }
    }

    @Test func drainEndsAtItsDeadline() async throws {
        try await WireThread.run { _ in
            let milter = try await MilterFixture { $0.drainDeadline = .milliseconds(50) }
            let client = try MilterClient.greeted(unix: milter.path)
            _ = try client.mail("<a@client.example>")
            #expect(milter.reach { $0.messagesInFlight == 1 })
            await milter.services.triggerGracefulShutdown()
            try await milter.running.value
            #expect(throws: MilterClient.Failure.hungUp) { try client.answer() }
            #expect(milter.server.gauges.messagesInFlight == 0)
            milter.removeDirectory()
        }
    }

    @Test func endOfMessageUnderWayGetsItsReplyDuringShutdown() async throws {
        try await WireThread.run { _ in
            let milter = try await MilterFixture {
                $0.drainDeadline = .zero
                $0.commitDeadline = .seconds(20)
            }
            let client = try MilterClient.greeted(unix: milter.path)
            _ = try client.mail("<a@client.example>")
            _ = try client.recipient("<silent@here.example>")
            _ = try client.data()
            try client.endOfHeader()
            try client.send("E")
            #expect(milter.settle { milter.intake.silentCount == 1 })
            await milter.services.triggerGracefulShutdown()
            // Nobody is let in any more.
            while (try? MilterClient(unix: milter.path)) != nil {}
            milter.intake.speak(.discard)
            #expect(try client.answer().code == "d")
            try await milter.running.value
            milter.removeDirectory()
        }
    }

    @Test func hangingUpInAnyPhaseLeavesNothingBehind() async throws {
        try await WireThread.run { _ in
            let milter = try await MilterFixture()
            let phases: [(MilterClient) throws -> Void] = [
                { try $0.negotiate() },
                { try $0.greet() },
                { _ = try $0.mail("<a@client.example>") },
                { _ = try $0.recipient("<in@here.example>") },
                { _ = try $0.data() },
                { try $0.header("A", " 1") },
                { try $0.endOfHeader() },
                { _ = try $0.body([1, 2, 3]) },
                { try $0.write([0, 0, 0, 9, 66, 1]) },
            ]
            for port in [nil, milter.server.tcpPort] {
                for last in 0...phases.count {
                    let client = try port.map { try MilterClient(tcp: $0) } ?? MilterClient(unix: milter.path)
                    for phase in phases.prefix(last) { try phase(client) }
                }
            }
            #expect(milter.reach { $0.openSessions == 0 && $0.messagesInFlight == 0 && $0.tcpConnections == 0 })
            #expect(milter.server.gauges.messages == 0)
            let client = try MilterClient.greeted(unix: milter.path)
            #expect(try client.message(to: "in@here.example", queueID: "AFTER").code == "c")
            try await milter.end()
        }
    }

    @Test(arguments: ["silent", "tempfail"])
    func failingOpenLetsTheMessageGo(_ local: String) async throws {
        try await WireThread.run { _ in
            let milter = try await MilterFixture {
                $0.fallback = .accept
                $0.commitDeadline = .milliseconds(100)
            }
            let client = try MilterClient.greeted(unix: milter.path)
            #expect(try client.message(to: "\(local)@here.example", queueID: "OPEN").code == "c")
            #expect(try client.message(to: "reject@here.example", queueID: "R").code == "y")
            #expect(milter.server.gauges.failedOpen == 1)
            try await milter.end()
        }
    }

    /// It goes on in every case; what it misses is counted.
    @Test(arguments: ["silent", "tempfail"])
    func mailOfTheMTAItselfGoesOnWithoutItsCommit(_ local: String) async throws {
        try await WireThread.run { _ in
            let milter = try await MilterFixture { $0.commitDeadline = .milliseconds(100) }
            let client = try MilterClient.greeted(unix: milter.path)
            try client.greetAsCleanup()
            #expect(try client.message(to: "\(local)@here.example", queueID: "OWN", sender: "").code == "c")
            #expect(milter.server.gauges.failedOpen == 1)
            #expect(milter.server.gauges.tempfails == 0)
            try await milter.end()
        }
    }

    /// Angle brackets are not asked for (postconf(5), `strict_rfc821_envelopes`), and smtpd(8) passes on what the client said.
    @Test(arguments: ["", "ann@client.example"])
    func aStrangerWithoutAngleBracketsIsNotTheMTA(sender: String) async throws {
        try await WireThread.run { _ in
            let milter = try await MilterFixture { $0.commitDeadline = .milliseconds(100) }
            let client = try MilterClient.greeted(unix: milter.path)
            #expect(try client.message(to: "reject@here.example", queueID: "R", sender: sender).code == "y")
            #expect(try client.message(to: "silent@here.example", queueID: "S", sender: sender).text.hasPrefix("451 "))
            #expect(milter.intake.message("R")?.isInternal == false)
            #expect(milter.intake.message("R")?.reversePath == sender)
            #expect(milter.server.gauges.failedOpen == 0)
            try await milter.end()
        }
    }

    @Test func stopNobodyAskedForIsAnError() async throws {
        try await WireThread.run { _ in
            let milter = try await MilterFixture()
            _ = try MilterClient.greeted(unix: milter.path)
            #expect(MilterStop.behindTheServersBack(milter.path))
            while (try? MilterClient(unix: milter.path)) != nil {}
            await #expect {
                try await milter.running.value
            } throws: {
                ($0 as? MilterError)?.code == .listenerFailed
            }
            milter.removeDirectory()
        }
    }

    /// A connection that stays open keeps nothing of the messages that came over it.
    @Test func answeredMessageHoldsNothing() async throws {
        try await WireThread.run { _ in
            let milter = try await MilterFixture()
            let client = try MilterClient.greeted(unix: milter.path)
            let body = [UInt8](repeating: 65, count: 60_000)
            for queueID in ["HOLDS", "HOLDS-NOT"] {
                #expect(try client.message(to: "in@here.example", queueID: queueID, body: body).code == "c")
                #expect(milter.reach { $0.bytesInFlight == 0 && $0.messagesInFlight == 0 && $0.messagesWaiting == 0 })
            }
            try await milter.end()
        }
    }

    @Test func severalServersOfAProcessServe() async throws {
        try await WireThread.run { _ in
            let servers = [try await MilterFixture(), try await MilterFixture()]
            for (number, milter) in servers.enumerated() {
                let client = try MilterClient.greeted(unix: milter.path)
                #expect(try client.message(to: "in@here.example", queueID: "SIDE\(number)").code == "c")
                #expect(milter.intake.message("SIDE\(number)") != nil)
                #expect(milter.server.gauges.messages == 1)
            }
            for milter in servers { try await milter.end() }
        }
    }

    /// Those that are not taken wait in the listen queue, and are served when there is a descriptor again.
    @Test func withoutADescriptorConnectionsWait() async {
        await #expect(processExitsWith: .success) {
            try await WireThread.run { _ in
                let milter = try await MilterFixture()
                // A thread that waits for a connection has its descriptor already (accept(2) on Linux).
                let clients = try (0..<8).map { _ in try MilterClient(unbound: ()) }
                let taken = MilterStop.takeAllDescriptors()
                for client in clients { try client.connect(unix: milter.path) }
                #expect(milter.reach { $0.refusedConnections > 0 })
                #expect(milter.server.gauges.openSessions < clients.count)
                for descriptor in taken { close(descriptor) }
                for (number, client) in clients.enumerated() {
                    try client.negotiate()
                    try client.greet()
                    #expect(try client.message(to: "in@here.example", queueID: "LATE\(number)").code == "c")
                }
                try await milter.end()
            }
        }
    }

    /// A thread for each, and not many that are kept.
    @Test func threadsComeAndGoWithConnections() async throws {
        try await WireThread.run { _ in
            let milter = try await MilterFixture()
            let listeners = milter.server.listeners
            func threadCount() -> Int { listeners.reduce(0) { $0 + $1.threadCount } }
            do {
                let clients = try (0..<60).map { _ in try MilterClient.greeted(unix: milter.path) }
                #expect(milter.reach { $0.openSessions == 60 })
                #expect(threadCount() > 60)
                for client in clients { try client.quit() }
            }
            #expect(milter.reach { $0.openSessions == 0 })
            #expect(milter.settle { threadCount() <= 10 }, "\(threadCount())")
            let client = try MilterClient.greeted(unix: milter.path)
            #expect(try client.message(to: "in@here.example", queueID: "AFTER-MANY").code == "c")
            try await milter.end()
            #expect(milter.settle { threadCount() == 0 })
        }
    }

    @Test func socketHasTheModeAskedForAndReplacesAStaleOne() async throws {
        try await WireThread.run { _ in
            let milter = try await MilterFixture {
                $0.socketMode = 0o640
                MilterStop.leaveStaleSocket($0.unixSocketPath)
            }
            var status = stat()
            #expect(stat(milter.path, &status) == 0)
            #expect(status.st_mode & 0o777 == 0o640)
            #expect(try MilterClient.greeted(unix: milter.path).message(to: "in@x", queueID: "Q").code == "c")
            try await milter.end()
        }
    }
}

/// What is wrong with a socket path is said with its mend.
@Suite struct MilterSocketTests {
    private func failure(_ path: String) -> MilterError? {
        do {
            try MilterSocket(configuration: MilterConfiguration(unixSocketPath: path)).check()
            return nil
        } catch { return error }
    }

    @Test func pathOf108BytesIsTooLong() {
        let path = "/tmp/" + String(repeating: "x", count: 103)
        #expect(failure(path)?.code == .pathTooLong)
        #expect(failure(path)?.description.contains("108 bytes") == true)
        #expect(failure(String(path.dropLast())) == nil)
    }

    @Test func missingDirectoryIsNamed() {
        let error = failure("/tmp/no-such-directory-here/m.sock")
        #expect(error?.code == .directoryMissing)
        #expect(error?.description.contains("/tmp/no-such-directory-here ") == true)
    }

    @Test func fileInTheWayIsNotRemoved() {
        var template = Array("/tmp/milter-file-XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer {
            close(descriptor)
            unlink(path)
        }
        #expect(failure(path)?.code == .notASocket)
        #expect(access(path, F_OK) == 0)
    }

    @Test func socketOfAnotherProcessIsNotTaken() async throws {
        let milter = try await MilterFixture.shared.value
        #expect(failure(milter.path)?.code == .occupied)
    }
}
