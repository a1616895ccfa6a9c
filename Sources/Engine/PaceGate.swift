import WorkflowModel

/// How fast something may go.
package struct Pace: Hashable, Sendable {
    /// So many in so much time.
    package struct Rate: Hashable, Sendable {
        package var count: Int
        package var seconds: Int64

        package init(count: Int, seconds: Int64) {
            self.count = count
            self.seconds = seconds
        }

        /// Between two, in microseconds.
        var interval: Int64 { max(1, seconds * 1_000_000 / Int64(max(1, count))) }
        /// How many may go at once: those of one second, as far as there are any.
        var burst: Int64 { max(1, 1_000_000 / interval) }
    }

    package var rate: Rate?
    /// How many at the same time.
    package var connections: Int?
    /// How many in a day (UTC).
    package var perDay: Int?
    /// Ceilings of the first days, one for each; `perDay` holds afterwards.
    package var warmUp: [Int] = []
    /// The first of these days, in days since 1970.
    package var warmUpStart: Int64 = 0

    package init(rate: Rate? = nil, connections: Int? = nil, perDay: Int? = nil) {
        self.rate = rate
        self.connections = connections
        self.perDay = perDay
    }

    /// The most of that day; nil when there is no ceiling. Before the first day of a plan its first ceiling holds.
    func ceiling(ofDay day: Int64) -> Int? {
        guard let first = warmUp.first else { return perDay }
        guard day > warmUpStart else { return first }
        let index = day - warmUpStart
        guard index < Int64(warmUp.count) else { return perDay }
        return warmUp[Int(index)]
    }

    var hasCeiling: Bool { perDay != nil || !warmUp.isEmpty }
}

/// Counts what passes and says when the next may. Its time is the caller's.
///
/// The rate is kept by one number, the time at which everything let through so far would have gone at an even pace
/// (the generic cell rate algorithm of ITU-T I.371).
struct PaceGate: Sendable {
    let pace: Pace
    private(set) var running = 0
    private var evenTime = Timestamp(microseconds: .min)
    private var day: Int64 = .min
    private var countOfDay = 0

    /// - Parameter countOfDay: attempts of that day so far.
    init(_ pace: Pace, day: Int64 = .min, countOfDay: Int = 0) {
        self.pace = pace
        self.day = day
        self.countOfDay = countOfDay
    }

    /// Days since 1970, UTC.
    static func day(of time: Timestamp) -> Int64 { time.microseconds / 86_400_000_000 }

    func opening(at now: Timestamp) -> Opening {
        if let ceiling = pace.ceiling(ofDay: Self.day(of: now)), today(now) >= ceiling {
            return .at(Timestamp(seconds: (Self.day(of: now) + 1) * 86_400))
        }
        if let connections = pace.connections, running >= connections { return .afterAnEnd }
        if let rate = pace.rate {
            let from = evenTime.adding(microseconds: -(rate.burst - 1) * rate.interval)
            if from > now { return .at(from) }
        }
        return .now
    }

    private func today(_ now: Timestamp) -> Int { day == Self.day(of: now) ? countOfDay : 0 }

    /// Whether one that was made now would say the same: what it has counted on an earlier day tells nothing any more.
    func isAsNew(at now: Timestamp) -> Bool { running == 0 && today(now) == 0 && opening(at: now) == .now }

    mutating func enter(at now: Timestamp) {
        running += 1
        take(at: now)
    }

    private mutating func take(at now: Timestamp) {
        if let rate = pace.rate { evenTime = max(evenTime, now).adding(microseconds: rate.interval) }
        if pace.hasCeiling {
            countOfDay = today(now) + 1
            day = Self.day(of: now)
        }
    }

    /// One that was let through has ended.
    mutating func leave() { running -= 1 }

    /// One that was let through was none: its turn is given back.
    mutating func undo() {
        running -= 1
        if let rate = pace.rate { evenTime = evenTime.adding(microseconds: -rate.interval) }
        if pace.hasCeiling, countOfDay > 0 { countOfDay -= 1 }
    }
}
