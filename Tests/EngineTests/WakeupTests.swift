import Engine
import EngineTestKit
import Synchronization
import Testing
import WorkflowModel

@Suite struct WakeupTests {
    private let clock = VirtualClock()
    private var later: Timestamp { clock.now().adding(seconds: 60) }

    @Test func signalBeforeTheWaitIsNotLostAndCountsOnce() async {
        let wakeup = Wakeup()
        wakeup.signal()
        wakeup.signal()
        await wakeup.wait(until: later, clock: clock)
        // The second wait has nothing left: only the clock ends it.
        let second = Task { await wakeup.wait(until: later, clock: clock) }
        while await !clock.hasSleeper { await Task.yield() }
        clock.advance(seconds: 60)
        await second.value
    }

    /// Dispatch waits once for every mail that somebody waits for, and is signalled most of the time: no timer is made for that.
    @Test func waitThatWasSignalledBeforeAsksNoClock() async {
        let wakeup = Wakeup()
        let clock = CountingClock()
        for _ in 0..<1000 {
            wakeup.signal()
            await wakeup.wait(until: later, clock: clock)
        }
        // A timer would be a task of its own.
        for _ in 0..<1000 { await Task.yield() }
        #expect(clock.sleeps == 0)
        // Nothing is left over: the next wait sleeps.
        let waiting = Task { await wakeup.wait(until: later, clock: clock) }
        while clock.sleeps == 0 { await Task.yield() }
        wakeup.signal()
        await waiting.value
    }

    /// A time that has come already may be noticed before the wait is there.
    @Test func timeInThePastEndsEveryWait() async {
        let wakeup = Wakeup()
        for _ in 0..<20_000 { await wakeup.wait(until: clock.now(), clock: clock) }
    }

    /// A wait that the clock ended leaves the next one waiting: the loop must not spin.
    @Test func waitsGoOnWaitingAfterATimeoutAndAfterACancelledOne() async {
        let wakeup = Wakeup()
        for _ in 0..<3 {
            let waiting = Task { await wakeup.wait(until: later, clock: clock) }
            while await !clock.hasSleeper { await Task.yield() }
            clock.advance(seconds: 60)
            await waiting.value
        }
        let cancelled = Task { await wakeup.wait(until: later, clock: clock) }
        cancelled.cancel()
        await cancelled.value
        let last = Task { await wakeup.wait(until: later, clock: clock) }
        while await !clock.hasSleeper { await Task.yield() }
        wakeup.signal()
        await last.value
    }
}

/// Counts who sleeps, and wakes nobody.
private final class CountingClock: WallClock {
    private let count = Atomic(0)
    private let hand = VirtualClock()

    var sleeps: Int { count.load(ordering: .relaxed) }

    func now() -> Timestamp { hand.now() }

    func sleep(until time: Timestamp) async throws {
        count.add(1, ordering: .relaxed)
        try await hand.sleep(until: time)
    }
}
