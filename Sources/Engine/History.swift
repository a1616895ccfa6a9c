import Logging
import WorkflowModel

/// Keeps the index of what happened to each contact up to date, finds the past of events that are newly kept, and removes
/// what hangs on erased contacts: work that nobody waits for, in transactions of some milliseconds.
package struct History: Sendable {
    package let context: EngineContext
    package static let sizes = HistorySizes()
    /// The longest sleep, in seconds: commands beside the daemon wake nobody.
    private static let longestSleep: Int64 = 60
    /// Between two transactions, in microseconds: others come first.
    private static let pause: Int64 = 2000

    package init(context: EngineContext) { self.context = context }

    /// Runs until cancelled. A failing database is tried again; nothing is lost, because all that is to be done is stored.
    package func run() async {
        // After a failure, twice as long as after the one before it: what is damaged stays damaged.
        var rest: Int64 = 1
        while !Task.isCancelled {
            var wakeAt = context.clock.now().adding(seconds: Self.longestSleep)
            do {
                while try await step(), !Task.isCancelled {
                    try await context.clock.sleep(until: context.clock.now().adding(microseconds: Self.pause))
                }
                rest = 1
            } catch is CancellationError {
                return
            } catch {
                context.logger.error("histories wait for the database", metadata: ["error": "\(error)"])
                wakeAt = context.clock.now().adding(seconds: rest)
                rest = min(2 * rest, Self.longestSleep)
            }
            await context.signals.history.wait(until: wakeAt, clock: context.clock)
        }
    }

    /// One bounded piece of each kind of work, so that none waits for the end of another.
    /// - Returns: whether there was something to do.
    package func step(_ sizes: HistorySizes = sizes) async throws -> Bool {
        // What fails holds up only its own kind.
        var failure: (any Error)?
        func attempt<Value>(_ otherwise: Value, _ body: () async throws -> Value) async -> Value {
            do { return try await body() } catch {
                failure = failure ?? error
                return otherwise
            }
        }
        let erased = await attempt(false) { try await context.store.write { try $0.continueErasure(sizes) } }
        let kept = await attempt(.idle) { try await context.store.write { try $0.continueKeeping(sizes) } }
        if kept == .finished {
            // Whoever asks for the events has waited for this.
            var wakes = EngineSignals.Wakes()
            wakes.segments = true
            wakes.jobs = true
            context.signals.send(wakes)
        }
        let indexed = await attempt(false) {
            try await context.store.write { try $0.indexHistory(sizes, isUrgent: false) }
        }
        if let failure { throw failure }
        return erased || kept != .idle || indexed
    }
}
