import WorkflowModel

/// A domain that has put mail off: whether it is left alone, and since when nothing else keeps its mail back.
///
/// Mail that gets no turn is given up after a whole lifetime of that. Counted is the time in which the domain is left
/// alone and the time of the one mail that tells. What lies between the two is somebody else's, a pause, a pace or a
/// ceiling of the day, and costs no mail its time.
struct DomainTrouble: Sendable {
    private var breaker = CircuitBreaker(threshold: 3, firstPause: 30, longestPause: 900)
    /// Microseconds.
    private let lifetime: Int64
    /// Microseconds that were counted.
    private var counted: Int64 = 0
    /// Where what is not counted yet begins; nil while nothing is to be counted.
    private var start: Timestamp?
    /// How much was counted at some moments, the oldest first. As few as will do: an answer may be a sixteenth of the
    /// lifetime too old, so that a mail is given up that much later.
    private var marks: [(at: Timestamp, counted: Int64)] = []
    private static let marksOfALifetime: Int64 = 16

    /// - Parameter lifetime: of a mail, in seconds.
    init(lifetime: Int64) { self.lifetime = Timestamp(seconds: 0).adding(seconds: lifetime).microseconds }

    var isClosed: Bool { breaker.isClosed }

    func opening(at now: Timestamp) -> Opening { breaker.opening(at: now) }

    /// Since then at the latest the domain alone has kept its mail back for a whole lifetime; nil while it has not.
    var keepsBackSince: Timestamp? {
        guard let first = marks.first, counted - first.counted >= lifetime else { return nil }
        return first.at
    }

    /// An attempt begins.
    mutating func begin(at now: Timestamp) {
        guard case .open(let until) = breaker.state else { return }
        breaker.begin(at: now)
        guard breaker.state == .probing else { return }
        count(to: until)
        mark(now)
    }

    mutating func failed(at now: Timestamp, jitter: Double) {
        let before = breaker.state
        breaker.failed(at: now, jitter: jitter)
        // One that began before the domain was left alone changes nothing.
        guard !breaker.isClosed, breaker.state != before else { return }
        count(to: now)
        mark(now)
    }

    /// The attempt ended without saying anything about the domain.
    mutating func toldNothing(at now: Timestamp) {
        guard breaker.state == .probing else { return }
        breaker.toldNothing(at: now)
        count(to: now)
        mark(now)
    }

    private mutating func count(to end: Timestamp) {
        if let start { counted += max(0, end.microseconds - start.microseconds) }
        start = nil
    }

    private mutating func mark(_ now: Timestamp) {
        start = now
        let isFarFromLast = marks.last.map { counted - $0.counted >= lifetime / Self.marksOfALifetime } ?? true
        if isFarFromLast { marks.append((now, counted)) }
        // Only the last that is a lifetime ago is asked for.
        while marks.count > 1, counted - marks[1].counted >= lifetime { marks.removeFirst() }
    }
}

/// What was paused, after the pauses have ended: mail that waited for their end must not be given up for what its
/// domain did meanwhile.
struct PastPauses: Sendable {
    private var ended: [(pauses: PauseBoard, at: Timestamp)] = []
    /// What ended until then is forgotten, and counts as if everything had been paused.
    private var forgottenUntil = Timestamp(microseconds: .min)
    private static let limit = 64

    /// These have held until now.
    mutating func note(_ pauses: PauseBoard, until now: Timestamp) {
        guard pauses.count > 0 else { return }
        if ended.count >= Self.limit { forgottenUntil = ended.removeFirst().at }
        ended.append((pauses, now))
    }

    /// Until when such mail was paused last, as far as is known; long ago when it never was.
    func lastEnd(project: Identifier, lane: Int64, relays: [String]) -> Timestamp {
        ended.last { $0.pauses.mayStop(project: project, lane: lane, relays: relays) }?.at ?? forgottenUntil
    }
}

extension PauseBoard {
    /// Whether mail of the project to that domain stands still, or may: it is not known which relay it would go over.
    func mayStop(project: Identifier, lane: Int64, relays: [String]) -> Bool {
        stops(project) || stops(lane: lane, for: project) || relays.contains { stops(relay: $0, for: project) }
    }
}
