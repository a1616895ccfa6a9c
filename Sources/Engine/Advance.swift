import Logging
import WorkflowModel

/// Moves executions whose time has come: the end of a DELAY, the timeout of a wait.
package struct Advance: Sendable {
    package let context: EngineContext
    /// Executions in one transaction.
    private static let batchSize = 200
    /// The longest sleep, in seconds, so that a jump of the wall clock is noticed.
    private static let longestSleep: Int64 = 30

    package init(context: EngineContext) { self.context = context }

    /// Runs until cancelled. A failing database is tried again; nothing is lost, because due times are stored.
    package func run() async {
        while !Task.isCancelled {
            var wakeAt = context.clock.now().adding(seconds: Self.longestSleep)
            do {
                while try await advanceBatch() > 0, !Task.isCancelled {}
                if let next = try await context.store.write({ try $0.nextTimer() }) { wakeAt = min(wakeAt, next) }
            } catch {
                context.logger.error("timers wait for the database", metadata: ["error": "\(error)"])
                wakeAt = context.clock.now().adding(seconds: 1)
            }
            await context.signals.advance.wait(until: wakeAt, clock: context.clock)
        }
    }

    /// Advances what is due now, at most one batch.
    /// - Returns: how many executions were due.
    package func advanceBatch() async throws -> Int {
        let now = context.clock.now()
        let due = try await context.store.write { try $0.executions(dueAt: now, limit: Self.batchSize) }
        guard !due.isEmpty else { return 0 }
        do {
            try await context.transact { transaction in
                for id in due { try Self.fire(id, in: transaction) }
            }
        } catch let error as StoreError where !error.isRowsFault {
            throw error
        } catch {
            // One of them cannot be moved. Each on its own, so that it does not hold up the others.
            for id in due { try await advanceAlone(id) }
        }
        return due.count
    }

    private static func fire(_ id: Identifier, in transaction: EngineTransaction) throws {
        // An event may have moved it on since it was found due.
        guard let stored = try transaction.store.execution(id), let due = stored.execution.wait?.due,
            due <= transaction.now
        else { return }
        let workflow = stored.execution.workflowID
        let policy = transaction.catalog.workflow(workflow)?.timers ?? TimerPolicy()
        let isLate = policy.isLate(due, now: transaction.now)
        if isLate { try transaction.store.count("timers_late", by: 1) }
        let ends = isLate && policy.late == .end
        if !ends, let interval = policy.interval,
            !(stored.hasSlot && TimerPolicy.isGood(slot: due, now: transaction.now))
        {
            let slot = try transaction.store.takeTimerSlot(of: workflow, interval: interval, at: transaction.now)
            if slot > transaction.now { return try transaction.store.postponeTimer(of: id, to: slot) }
        }
        // Each timer is a cause of its own: what others of the batch brought about does not count against it.
        transaction.beginCause()
        let recorder = EventRecorder(transaction: transaction, projectID: stored.projectID)
        if try !recorder.advance(id, input: ends ? .timerMissed : .timerFired) {
            // The row contradicts itself. Left as it is, it would be due for ever.
            throw StoreError(.damaged, "execution \(id) has a timer and nothing to move")
        }
    }

    private func advanceAlone(_ id: Identifier) async throws {
        do {
            try await context.transact { try Self.fire(id, in: $0) }
        } catch let error as StoreError where !error.isRowsFault {
            throw error
        } catch {
            context.logger.error("execution failed", metadata: ["execution": "\(id)", "error": "\(error)"])
            try await context.transact {
                try $0.store.failExecution(id, reason: EventRecorder.damageReason, at: $0.now)
            }
        }
    }
}
