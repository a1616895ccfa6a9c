import Logging
import MailModel
import Synchronization
import WorkflowModel

// A message that waits for its verdicts:
//
//     stored     its turn               shown to every scanner that has not answered yet
//     shown      all have answered      its events are recorded, it is gone
//     shown      one has not, in time   put off, for a pause that doubles
//     shown      one has not, too late  recorded; what did not answer is PROCESSING_FAILED
//     put off    the pause is over      shown again
//     any        the process ends       stored: the next process shows it again, once at least
//
// What a scanner said is remembered between attempts, but not beyond the process.

/// Shows accepted mail to the scanners and records its events when they have answered, or when it must not wait longer.
package struct Scans: Sendable {
    private let context: EngineContext
    private let intake: Intake
    private let scanners: [any VerdictScanner]
    /// Messages shown at once.
    private let width: Int
    private let state = State()

    /// The pause after the first attempt that failed; it doubles up to the longest. Microseconds.
    private static let firstPause: Int64 = 1_000_000
    private static let longestPause: Int64 = 30_000_000
    /// What one attempt gets at least, though the deadline is near or over.
    private static let leastLimit: Duration = .seconds(2)
    /// How long a scanner that failed is not asked about messages whose time is over, microseconds.
    private static let failureMemory: Int64 = 10_000_000
    /// Places read at once.
    private static let pageSize = 200
    /// Microseconds after which the database is asked for work though nobody said that there is any.
    private static let longestWait: Int64 = 30_000_000

    /// What happened to a message so far.
    private struct Progress {
        var answers: [Int: ScanVerdicts] = [:]
        var failures: [Int: String] = [:]
        var attempts = 0
        var dueAt: Timestamp
    }

    private final class State: Sendable {
        let progress = Mutex<[Identifier: Progress]>([:])
        let underWay = Mutex<Set<Identifier>>([])
        /// When each scanner failed last.
        let lastFailures = Mutex<[Int: Timestamp]>([:])
    }

    package init(context: EngineContext, intake: Intake, scanners: [any VerdictScanner], width: Int) {
        self.context = context
        self.intake = intake
        self.scanners = scanners
        self.width = width
        context.gauges.register("scans") { [state] in
            [
                "underWay": state.underWay.withLock { $0.count },
                "putOff": state.progress.withLock { $0.count },
            ]
        }
    }

    /// Runs until cancelled; what is under way is then left to the next process.
    package func run() async {
        await withDiscardingTaskGroup { group in
            while !Task.isCancelled {
                var next = context.clock.now().adding(microseconds: Self.longestWait)
                do {
                    let (ready, soonest) = try await places()
                    if let soonest { next = min(next, soonest) }
                    for place in ready {
                        state.underWay.withLock { _ = $0.insert(place.id) }
                        group.addTask {
                            await attempt(place)
                            state.underWay.withLock { _ = $0.remove(place.id) }
                            context.signals.scans.signal()
                        }
                    }
                } catch {
                    context.logger.error("scans wait for the database", metadata: ["error": "\(error)"])
                }
                await context.signals.scans.wait(until: next, clock: context.clock)
            }
            group.cancelAll()
        }
    }

    /// Shows everything that is due, one after the other.
    /// - Returns: how many messages became events.
    package func pass() async throws -> Int {
        var count = 0
        while case let ready = try await places().ready, !ready.isEmpty {
            for place in ready where await attempt(place) { count += 1 }
        }
        return count
    }

    /// What may be shown now, and when something else may.
    private func places() async throws -> (ready: [PendingMail.Place], soonest: Timestamp?) {
        let now = context.clock.now()
        let busy = state.underWay.withLock { $0 }
        var ready: [PendingMail.Place] = []
        var soonest: Timestamp?
        var last: Identifier?
        while ready.count < width - busy.count {
            let cursor = last
            let page = try await context.store.read { try $0.pendingMails(after: cursor, limit: Self.pageSize) }
            let progress = state.progress.withLock { $0 }
            for place in page where !busy.contains(place.id) {
                if let due = progress[place.id]?.dueAt, due > now {
                    soonest = min(soonest ?? due, due)
                } else if ready.count < width - busy.count {
                    ready.append(place)
                }
            }
            guard page.count == Self.pageSize else { break }
            last = page.last?.id
        }
        return (ready, soonest)
    }

    // MARK: One message

    /// - Returns: whether it became events.
    @discardableResult
    private func attempt(_ place: PendingMail.Place) async -> Bool {
        do {
            guard let pending = try await context.store.read({ try $0.pendingMail(place.id) }) else {
                try await forget(place)
                return false
            }
            let now = context.clock.now()
            var progress = state.progress.withLock { $0[place.id] } ?? Progress(dueAt: now)
            await ask(pending, &progress, now: now)
            if Task.isCancelled { return false }
            let end = context.clock.now()
            if !progress.failures.isEmpty, end < pending.deadline {
                putOff(pending, progress, now: end)
                return false
            }
            return try await complete(pending, progress)
        } catch {
            context.logger.error(
                "verdicts not recorded", metadata: ["mail": "\(place.id)", "error": "\(error)"])
            let due = context.clock.now().adding(microseconds: Self.longestPause)
            state.progress.withLock { $0[place.id, default: Progress(dueAt: due)].dueAt = due }
            return false
        }
    }

    /// A row that cannot be read must not be looked at for ever.
    private func forget(_ place: PendingMail.Place) async throws {
        let isGone = try await context.transact { try $0.store.deletePendingMail(place.id) }
        guard isGone else { return }
        context.logger.error("mail that waited for verdicts cannot be read", metadata: ["mail": "\(place.id)"])
    }

    /// Asks at once all that have not answered yet.
    private func ask(_ pending: PendingMail, _ progress: inout Progress, now: Timestamp) async {
        let left = Duration.microseconds(pending.deadline.microseconds - now.microseconds)
        let limit = max(Self.leastLimit, left)
        let isLate = now >= pending.deadline
        progress.attempts += 1
        progress.failures = [:]
        let answered = Set(progress.answers.keys)
        let outcomes = await withTaskGroup(of: (Int, ScanOutcome).self) { group in
            for (index, scanner) in scanners.enumerated() where !answered.contains(index) {
                if isLate, hasJustFailed(index, now: now) {
                    group.addTask { (index, .failed(reason: "no answer in time", isTemporary: true)) }
                } else {
                    group.addTask { (index, await scanner.scan(pending.message, within: limit)) }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        for (index, outcome) in outcomes {
            switch outcome {
            case .answered(let verdicts):
                progress.answers[index] = verdicts
                state.lastFailures.withLock { $0[index] = nil }
            case .failed(let reason, let isTemporary):
                let failed = failure(of: scanners[index], reason)
                if isTemporary {
                    progress.failures[index] = reason
                    state.lastFailures.withLock { $0[index] = context.clock.now() }
                } else {
                    progress.answers[index] = failed
                    report(scanners[index], reason, pending)
                }
            }
        }
    }

    private func hasJustFailed(_ index: Int, now: Timestamp) -> Bool {
        guard let last = state.lastFailures.withLock({ $0[index] }) else { return false }
        return now.microseconds - last.microseconds < Self.failureMemory
    }

    private func failure(of scanner: any VerdictScanner, _ reason: String) -> ScanVerdicts {
        var verdicts = ScanVerdicts()
        for check in scanner.checks {
            verdicts.add(
                VerdictFinding(check, source: scanner.source, verdict: .processingFailed, value: reason))
        }
        return verdicts
    }

    private func report(_ scanner: any VerdictScanner, _ reason: String, _ pending: PendingMail) {
        context.logger.warning(
            "scanner did not answer",
            metadata: [
                "source": "\(scanner.source)", "reason": "\(reason)", "queueId": "\(pending.message.queueID)",
            ])
    }

    private func putOff(_ pending: PendingMail, _ progress: Progress, now: Timestamp) {
        let pause = min(Self.firstPause << min(progress.attempts - 1, 10), Self.longestPause)
        var progress = progress
        progress.dueAt = min(now.adding(microseconds: pause), pending.deadline)
        state.progress.withLock { $0[pending.id] = progress }
        guard progress.attempts == 1 else { return }
        for (index, reason) in progress.failures { report(scanners[index], reason, pending) }
    }

    private func complete(_ pending: PendingMail, _ progress: Progress) async throws -> Bool {
        var asked = ScanVerdicts()
        for (index, scanner) in scanners.enumerated() {
            if let answer = progress.answers[index] {
                asked.merge(answer)
            } else {
                let reason = progress.failures[index] ?? "no answer in time"
                asked.merge(failure(of: scanner, reason))
                intake.meters.count(.unanswered)
                report(scanner, reason, pending)
            }
        }
        let isRecorded = try await intake.complete(pending, asked: asked)
        state.progress.withLock { _ = $0.removeValue(forKey: pending.id) }
        return isRecorded
    }
}
