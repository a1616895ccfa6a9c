import Engine
import ServerTestKit
import Testing
import WebhookAdapter

@Suite(.timeLimit(.minutes(5))) struct TimeLimitTests {
    @Test(arguments: ["/silent", "/slow-headers", "/slow-body"])
    func receiverThatTakesForEverIsLeftAndItsPlaceIsFree(path: String) async throws {
        var caller = try await Caller()
        caller.timeout = .seconds(2)
        let slow = try caller.webhook(caller.receiver.url(path))
        let quick = try caller.webhook(caller.receiver.url("/status/200"))
        let start = ContinuousClock.now
        // With one worker: the second call waits for the end of the first.
        let (first, second) = try await caller.withTransport { (await $0.call(slow), await $0.call(quick)) }
        #expect(first.isTemporary == true && first.reason.contains("no answer in time"), "\(first)")
        #expect(start.duration(to: .now) >= .seconds(2))
        #expect(second.response?.status == 200, "\(second)")
    }

    @Test func slowReceiverDoesNotHoldUpAnother() async throws {
        var caller = try await Caller()
        caller.workers = 2
        caller.timeout = .seconds(60)
        let slow = try caller.webhook(caller.receiver.url("/silent"))
        let quick = try caller.webhook(caller.receiver.url("/status/200"))
        try await caller.withTransport { transport in
            async let first = transport.call(slow)
            for _ in 1...3 { #expect(await transport.call(quick).response?.status == 200) }
            transport.stop()
            #expect(await first.isTemporary == true)
        }
    }

    @Test func stopEndsWhatIsUnderWayAndTakesNothingNew() async throws {
        var caller = try await Caller()
        caller.timeout = .seconds(60)
        let webhook = try caller.webhook(caller.receiver.url("/silent"))
        try await caller.withTransport { transport in
            async let underWay = transport.call(webhook)
            try await eventually("the call has come") { !caller.seen.isEmpty }
            transport.stop()
            #expect(await underWay == .failed(reason: "the attempt was stopped", isTemporary: true))
            #expect(await transport.call(webhook).reason.contains("not begun"))
        }
        #expect(try await caller.arrived().count == 1)
    }

    @Test func shutdownLetsWhatIsUnderWayEnd() async throws {
        var caller = try await Caller()
        caller.timeout = .milliseconds(700)
        let webhook = try caller.webhook(caller.receiver.url("/silent"))
        try await caller.withTransport { transport in
            async let underWay = transport.call(webhook)
            try await eventually("the call has come") { !caller.seen.isEmpty }
            await transport.shutdown()
            #expect(await underWay.reason.contains("no answer in time"))
        }
    }

    @Test(arguments: [0, 65])
    func impossibleNumberOfWorkersIsRefused(workers: Int) async throws {
        var caller = try await Caller()
        caller.workers = workers
        await #expect(throws: WebhookTransportError.self) { try await caller.call("/status/200") }
    }

    @Test(arguments: [Duration.zero, .seconds(3601)])
    func impossibleTimeLimitIsRefused(timeout: Duration) async throws {
        var caller = try await Caller()
        caller.timeout = timeout
        await #expect(throws: WebhookTransportError.self) { try await caller.call("/status/200") }
    }
}
