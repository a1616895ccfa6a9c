import WorkflowModel

/// Turns of mails whose sender is faster than its pace. Who comes too early gets a time of its own and is not looked at
/// before: a hundred thousand mails that wait are looked at a few times each, and not in every round.
///
/// Mail that somebody waits for has a line of its own and takes the next opening before mail to many, so that it never
/// stands behind a broadcast; while both wait, every fourth opening is for mail to many. The pace is the gate's:
/// whoever finds it closed when its turn has come gets the next time, and its whole line comes later by as much. Those
/// behind learn that when their own time comes, so that the order stays and nobody goes back to the end.
struct SenderSlots: Sendable {
    /// A time that a mail was given.
    private struct Turn: Sendable {
        var line: GateName
        var at: Timestamp
        /// How late the line was by then.
        var delay: Int64
    }

    private struct Line: Sendable {
        /// The time of whoever comes next; nil when nobody waits.
        var end: Timestamp?
        /// Microseconds by which turns come later than they were given.
        var delay: Int64 = 0
        /// The last time that was given to a mail whose turn had come already.
        var keptUntil = Timestamp(microseconds: .min)

        /// Nobody waits any more.
        mutating func tidy(at now: Timestamp) {
            if let end, end <= now { self = Line() }
        }
    }

    /// Those who wait at one gate.
    private struct Lines: Sendable {
        /// Openings in a row that one side leaves to the other.
        static let mostInRow = 3

        var urgent = Line()
        var bulk = Line()
        /// Openings in a row that went to mail that somebody waits for, while mail to many waited too.
        var row = 0
        /// Openings in a row that mail to many has left to such mail, which did not come.
        var left = 0
        /// Until then the opening is kept for mail to many.
        var bulkUntil = Timestamp(microseconds: .min)

        subscript(isUrgent: Bool) -> Line {
            get { isUrgent ? urgent : bulk }
            set { if isUrgent { urgent = newValue } else { bulk = newValue } }
        }

        var isEmpty: Bool { urgent.end == nil && bulk.end == nil }

        mutating func tidy(at now: Timestamp) {
            urgent.tidy(at: now)
            bulk.tidy(at: now)
        }

        /// Whether this opening is for the other line.
        mutating func leavesOpening(isUrgent: Bool, step: Int64, at now: Timestamp) -> Bool {
            guard self[!isUrgent].end != nil else { return false }
            if isUrgent {
                if now < bulkUntil { return true }
                guard row >= Self.mostInRow else { return false }
                row = 0
                bulkUntil = now.adding(microseconds: step)
                return true
            }
            // What was given a time may have been cancelled since: it is not waited for again and again.
            guard row < Self.mostInRow, left < Self.mostInRow, now >= bulkUntil else { return false }
            left += 1
            return true
        }

        /// One of them takes the opening.
        mutating func take(isUrgent: Bool) {
            row = isUrgent && bulk.end != nil ? row + 1 : 0
            left = 0
            if !isUrgent { bulkUntil = Timestamp(microseconds: .min) }
        }
    }

    private var given: [Identifier: Turn] = [:]
    private var lines: [GateName: Lines] = [:]
    /// Kept in memory; a mail whose time is forgotten gets another.
    private static let limit = 200_000

    /// The time that the mail must wait for; nil when it may go.
    /// - Parameter isUrgent: somebody waits for it.
    mutating func slot(
        for mail: Identifier, isUrgent: Bool, _ names: [GateName], _ gates: inout PaceGates, at now: Timestamp
    ) -> Timestamp? {
        tidy(names, at: now)
        let turn = given[mail]
        if let turn {
            let delay = lines[turn.line]?[isUrgent].delay ?? 0
            let due = turn.at.adding(microseconds: max(0, delay - turn.delay))
            if due > now { return due }
        }
        let (opening, closed) = gates.opening(of: names, at: now)
        let isNext = turn != nil || names.allSatisfy { lines[$0]?[isUrgent].end == nil }
        if isNext, opening == .now, !leavesOpening(isUrgent: isUrgent, names, gates, at: now) {
            given[mail] = nil
            for name in names { lines[name]?.take(isUrgent: isUrgent) }
            return nil
        }
        let name = closed ?? turn?.line ?? names.first { lines[$0]?[isUrgent].end != nil } ?? names[0]
        let step = Self.step(gates.pace(of: name))
        var earliest = now.adding(microseconds: step)
        if case .at(let time) = opening { earliest = time }
        var line = lines[name]?[isUrgent] ?? Line()
        let time: Timestamp
        if let turn, turn.line == name {
            time = line.keptUntil > now ? max(earliest, line.keptUntil.adding(microseconds: step)) : earliest
            let shift = time.microseconds - max(now, line.keptUntil).microseconds
            line.delay += shift
            line.end = max((line.end ?? now).adding(microseconds: shift), time.adding(microseconds: step))
            line.keptUntil = time
        } else {
            time = max(earliest, line.end ?? now)
            line.end = time.adding(microseconds: step)
        }
        lines[name, default: Lines()][isUrgent] = line
        if given.count >= Self.limit { given.removeAll() }
        given[mail] = Turn(line: name, at: time, delay: line.delay)
        return time
    }

    private mutating func tidy(_ names: [GateName], at now: Timestamp) {
        for name in names {
            lines[name]?.tidy(at: now)
            if lines[name]?.isEmpty == true { lines[name] = nil }
        }
    }

    private mutating func leavesOpening(
        isUrgent: Bool, _ names: [GateName], _ gates: PaceGates, at now: Timestamp
    ) -> Bool {
        var leaves = false
        for name in names {
            let step = Self.step(gates.pace(of: name))
            if lines[name]?.leavesOpening(isUrgent: isUrgent, step: step, at: now) == true { leaves = true }
        }
        return leaves
    }

    /// Between two turns. Without a rate, what is under way is taken for a second's work.
    private static func step(_ pace: Pace) -> Int64 {
        pace.rate?.interval ?? 1_000_000 / Int64(max(1, pace.connections ?? 1))
    }
}
