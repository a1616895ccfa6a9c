/// Until when what is being said must be on its way.
///
/// Nothing may move for no longer than one reply is waited for, and whoever takes less than `slowestRate` for that long
/// is given up too: a relay that reads a few bytes every nine minutes would hold its connection, and the mail, for
/// ever. What was taken faster gives time for later, but never more than the wait for one reply.
struct WriteDeadline {
    /// Bytes in a second, as Postfix has it (`smtp_min_data_rate`): no relay that works is as slow, and 25 MB end
    /// within fourteen hours.
    static let slowestRate = 500

    private let limit: Duration
    private var end: ContinuousClock.Instant

    init(limit: Duration, from start: ContinuousClock.Instant = .now) {
        self.limit = limit
        end = start.advanced(by: limit)
    }

    func isOver(at now: ContinuousClock.Instant) -> Bool { end <= now }

    /// So many bytes are on their way.
    mutating func wrote(_ count: Int, at now: ContinuousClock.Instant) {
        let earned = Duration.microseconds(count * 1_000_000 / Self.slowestRate)
        end = min(end.advanced(by: earned), now.advanced(by: limit))
    }
}
