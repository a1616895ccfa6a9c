import WorkflowModel

/// When something may begin.
enum Opening: Hashable, Sendable {
    case now
    /// Not before that time.
    case at(Timestamp)
    /// When something that is under way has ended.
    case afterAnEnd
}

/// Leaves a relay, or a domain, alone when it fails time after time.
///
/// | state | success | failure | time |
/// |---|---|---|---|
/// | closed | failures forgotten | `threshold`th in a row: open | – |
/// | open | closed | – (it began before) | passed: one attempt may begin, which makes it probing |
/// | probing | closed | open, for twice as long | – |
struct CircuitBreaker: Hashable, Sendable {
    enum State: Hashable, Sendable {
        case closed(failures: Int)
        case open(until: Timestamp)
        /// One attempt is under way that will tell.
        case probing
    }

    /// Failures in a row that open it.
    let threshold: Int
    /// Seconds that it is open at first and at most.
    let firstPause: Int64
    let longestPause: Int64

    private(set) var state = State.closed(failures: 0)
    /// How long it is open the next time, in seconds.
    private var pause: Int64

    init(threshold: Int, firstPause: Int64, longestPause: Int64) {
        self.threshold = threshold
        self.firstPause = firstPause
        self.longestPause = longestPause
        pause = firstPause
    }

    var isClosed: Bool { if case .closed = state { true } else { false } }
    /// Nothing has failed.
    var isUntouched: Bool { state == .closed(failures: 0) }

    func opening(at now: Timestamp) -> Opening {
        switch state {
        case .closed: .now
        case .open(let until): until <= now ? .now : .at(until)
        case .probing: .afterAnEnd
        }
    }

    /// An attempt begins; to be called when `opening` says so.
    mutating func begin(at now: Timestamp) {
        if case .open(let until) = state, until <= now { state = .probing }
    }

    mutating func succeeded() {
        state = .closed(failures: 0)
        pause = firstPause
    }

    /// - Parameter jitter: from 0 to 1, so that what failed together does not come back together.
    mutating func failed(at now: Timestamp, jitter: Double = 0) {
        switch state {
        case .closed(let failures) where failures + 1 < threshold: state = .closed(failures: failures + 1)
        case .closed, .probing:
            let microseconds = Double(pause) * 1_000_000 * (1 + 0.25 * jitter)
            state = .open(until: now.adding(microseconds: Int64(microseconds)))
            pause = min(pause * 2, longestPause)
        case .open: break
        }
    }

    /// The attempt ended without saying anything about this.
    mutating func toldNothing(at now: Timestamp) {
        if state == .probing { state = .open(until: now) }
    }
}
