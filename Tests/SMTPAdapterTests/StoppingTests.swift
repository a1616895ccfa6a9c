import Dispatch
import Logging
import MailModel
import Testing

@testable import SMTPAdapter

@Suite struct StoppingTests {
    private func transport(port: Int, replyTimeout: Duration = .seconds(60)) throws -> SMTPTransport {
        try SMTPTransport(
            configuration: SMTPConfiguration(port: port, workers: 1, replyTimeout: replyTimeout),
            logger: Logger(label: "test"))
    }

    /// Answers the final dot only when the test says so by adding the command "go".
    private func hesitantServer() throws -> ScriptedServer {
        try ScriptedServer { dialog in
            dialog.say("220 hi")
            while let line = dialog.readLine() {
                if line.hasPrefix("DATA") {
                    dialog.say("354 go")
                    guard let message = dialog.readMessage() else { return }
                    dialog.note { $0.messages.append(message) }
                    guard dialog.waitForServer(until: { $0.commands.contains("go") }) else { return }
                }
                dialog.say("250 ok")
            }
        }
    }

    @Test func shutdownFinishesWhatIsUnderWay() async throws {
        let server = try hesitantServer()
        let transport = try transport(port: server.port)
        async let first = transport.deliver(plainMail())
        #expect(await server.wait { $0.messages.count == 1 })
        async let second = transport.deliver(plainMail())
        async let ended: Void = transport.shutdown()
        #expect(await second.kind == .unreachable)
        server.note { $0.commands.append("go") }
        #expect(await first.kind == .delivered(250))
        await ended
        #expect(await server.wait { $0.endedConnections == 1 })
        #expect(server.record.messages.count == 1)
        #expect(await transport.deliver(plainMail()).kind == .unreachable)
    }

    @Test func shutdownTwiceAndWithoutWorkReturns() async throws {
        let transport = try transport(port: 1)
        await transport.shutdown()
        await transport.shutdown()
    }

    @Test func stopEndsAMessageUnderWayAsUnknown() async throws {
        let server = try hesitantServer()
        let transport = try transport(port: server.port)
        async let outcome = transport.deliver(plainMail())
        #expect(await server.wait { $0.messages.count == 1 })
        transport.stop()
        #expect(await outcome.kind == .unknown)
        await transport.shutdown()
        server.note { $0.commands.append("go") }
    }

    @Test func whatWasSaidAheadIsNotBegunAfterAStop() async throws {
        let server = try ScriptedServer { dialog in
            dialog.say("220 hi")
            _ = dialog.readLine()
            dialog.say("250-hi\r\n250 PIPELINING")
            for _ in 0..<2 {
                for _ in 0..<3 where dialog.readLine() == nil { return }
                dialog.say("250 ok\r\n250 ok\r\n354 go")
                guard let message = dialog.readMessage() else { return }
                dialog.note { $0.messages.append(message) }
                if dialog.readLine(ifBegun: "MAIL") { break }
                dialog.say("250 ok")
            }
            dialog.note { $0.commands.append("said ahead") }
            while dialog.readLine() != nil {}
        }
        let transport = try transport(port: server.port)
        // Quick answers are why the next envelope goes along.
        #expect(await transport.deliver(plainMail()).kind == .delivered(250))
        let areQueued = DispatchSemaphore(value: 0)
        var begun = plainMail("begun\r\n")
        begun.mayDepart = {
            areQueued.wait()
            return true
        }
        let (outcomes, continuation) = AsyncStream<DeliveryOutcome>.makeStream()
        for mail in [begun, plainMail("ahead\r\n")] { transport.submit(mail) { continuation.yield($0) } }
        areQueued.signal()
        #expect(await server.wait { $0.commands.contains("said ahead") })
        transport.stop()
        var iterator = outcomes.makeAsyncIterator()
        #expect(await iterator.next()?.kind == .unknown)
        let ahead = await iterator.next()
        #expect(
            ahead?.kind == .unreachable && ahead?.reason.contains("not begun") == true, "\(String(describing: ahead))")
        await transport.shutdown()
        #expect(server.record.messages.count == 2 && server.record.connections == 1)
    }

    @Test func cancellationTakesBackWhatHasNotBegunAndNothingElse() async throws {
        let server = try hesitantServer()
        let transport = try transport(port: server.port)
        let begun = Task { await transport.deliver(plainMail()) }
        #expect(await server.wait { $0.messages.count == 1 })
        let waiting = Task { await transport.deliver(plainMail()) }
        waiting.cancel()
        begun.cancel()
        #expect(await waiting.value.reason.contains("cancelled"))
        server.note { $0.commands.append("go") }
        #expect(await begun.value.kind == .delivered(250))
        await transport.shutdown()
        #expect(server.record.messages.count == 1)
    }

    @Test func aTaskCancelledBeforehandSendsNothing() async throws {
        let server = try hesitantServer()
        let transport = try transport(port: server.port)
        // Keeps the only worker busy, so that the second delivery cannot have begun.
        async let first = transport.deliver(plainMail())
        #expect(await server.wait { $0.messages.count == 1 })
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return await transport.deliver(plainMail())
        }
        #expect(await task.value.kind == .unreachable)
        server.note { $0.commands.append("go") }
        _ = await first
        await transport.shutdown()
    }

    @Test func aRelayThatIgnoresQuitDoesNotDelayShutdown() async throws {
        let server = try ScriptedServer(["QUIT": .silence])
        let transport = try transport(port: server.port)
        #expect(await transport.deliver(plainMail()).kind == .delivered(250))
        let start = ContinuousClock.now
        await transport.shutdown()
        #expect(start.duration(to: .now) < .seconds(10))
        #expect(server.record.connections == 1)
    }
}
