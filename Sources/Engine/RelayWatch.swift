import Synchronization
import WorkflowModel

/// The queue of the MTA on this machine, as it lists it.
package protocol QueueListing: Sendable {
    /// A mail that is looked for.
    typealias Wanted = (queueID: String, recipient: String)

    /// Which of them are in the queue, whole and on disk; nil when that cannot be told.
    func queued(among wanted: [Wanted]) async -> Set<String>?
}

/// What tells of the relay's queue: its listing, its log, and what the milter saw.
package final class RelayWatch: Sendable {
    let listing: (any QueueListing)?
    /// Whether the relay's log is read.
    let followsLog: Bool
    /// How long proof is waited for, seconds.
    let patience: Int64
    /// Mails that came to the milter.
    let arrivals = ArrivalMemory()
    /// Before it nobody looked.
    let startedAt: Timestamp
    private let lastEnd = Mutex(Timestamp(microseconds: .min))

    /// - Parameters:
    ///   - listing: nil when there is none to ask.
    ///   - patience: seconds that a mail whose acceptance was recorded waits for proof before it is sent again.
    package init(listing: (any QueueListing)?, followsLog: Bool, patience: Int64, startedAt: Timestamp) {
        self.listing = listing
        self.followsLog = followsLog
        self.patience = patience
        self.startedAt = startedAt
    }

    /// Everything that stood in the log at that time has been read.
    func noteEnd(at time: Timestamp) { lastEnd.withLock { $0 = max($0, time) } }

    /// Waits until the log has been read as it stood at `time`, at most three seconds: the follower may be out of order.
    func waitForEnd(asOf time: Timestamp) async {
        for _ in 0..<60 where lastEnd.withLock({ $0 < time }) {
            do { try await Task.sleep(for: .milliseconds(50)) } catch { return }
        }
    }
}

/// Queue ids of mails that came to the milter lately. Bounded: the oldest half goes when it is full.
final class ArrivalMemory: Sendable {
    private struct State {
        /// Recipients by queue id.
        var recent: [String: [String]] = [:]
        var older: [String: [String]] = [:]
        /// Those that came late, and may have been missed.
        var fresh: [String] = []
    }

    private static let size = 50_000
    private let state = Mutex(State())

    func note(_ queueID: String, to recipients: [String]) {
        state.withLock { state in
            if state.recent.count >= Self.size {
                state.older = state.recent
                state.recent = [:]
                state.fresh = []
            }
            state.recent[queueID] = recipients
            state.fresh.append(queueID)
        }
    }

    func contains(_ queueID: String) -> Bool { recipients(of: queueID) != nil }

    /// Whether a mail came under that queue id to that recipient.
    func contains(_ queueID: String, to recipient: String) -> Bool {
        let recipient = AddressText.normal(recipient)
        return recipients(of: queueID)?.contains { AddressText.normal($0) == recipient } ?? false
    }

    private func recipients(of queueID: String) -> [String]? {
        state.withLock { $0.recent[queueID] ?? $0.older[queueID] }
    }

    /// What was noted since the last call.
    func takeFresh() -> [String] {
        state.withLock { state in
            defer { state.fresh = [] }
            return state.fresh
        }
    }
}
