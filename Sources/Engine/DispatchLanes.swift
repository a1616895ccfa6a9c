import WorkflowModel

/// First in, first out.
struct Ring<Element: Sendable>: Sendable {
    private var elements: [Element] = []
    private var head = 0

    var count: Int { elements.count - head }
    var isEmpty: Bool { count == 0 }
    var first: Element? { isEmpty ? nil : elements[head] }

    mutating func append(_ element: Element) { elements.append(element) }

    mutating func popFirst() -> Element? {
        guard !isEmpty else { return nil }
        defer {
            head += 1
            // Half of it is past: each element is moved once at most.
            if head > 32, head * 2 > elements.count {
                elements.removeFirst(head)
                head = 0
            }
        }
        return elements[head]
    }

    /// Takes off all behind the first `limit`.
    mutating func cut(to limit: Int) -> ArraySlice<Element> {
        guard count > limit else { return [] }
        let rest = elements[(head + limit)...]
        elements = Array(elements[head..<head + limit])
        head = 0
        return rest
    }
}

/// A queue of the outbox, as far as it is known: its next tickets, by domain.
///
/// It is read forward, each row once: a cursor goes through it while too few of its tickets can go. Tickets lie in lanes,
/// one for each domain. A lane that may not go now rests, with few tickets, and says from where on the rest of it must be
/// read later; the cursor passes over it. So neither a domain that takes nothing nor a project with a million mails costs
/// the others anything, and what is in memory has a bound.
struct LaneQueue: Sendable {
    /// Tickets that are read at once, and below which more are read.
    static let page = 1024
    static let low = 256
    /// Tickets of a lane that can go, and of one that rests for long.
    static let laneLimit = 2048
    static let restingLimit = 64
    /// A rest that is long, in microseconds.
    static let longRest: Int64 = 5_000_000
    /// Lanes that are read by themselves in one round.
    static let hungryPerRound = 16

    private struct Lane: Sendable {
        var tickets = Ring<OutboxTicket>()
        /// What comes after this is not here; nil when all is that the cursor has passed.
        var backlog: OutboxTicket?
        /// The end of its rest; nil for a lane that does not rest.
        var restsUntil: Timestamp?
        var isInRing = false
    }

    let name: OutboxQueue
    private var cursor: OutboxTicket?
    /// Something due may come after the cursor.
    private var isReadable = true
    /// What comes after the cursor is due then; nil for nothing.
    private(set) var nextDue: Timestamp?
    private var lanes: [Int64: Lane] = [:]
    /// Lanes that have tickets and do not rest.
    private var ready = Ring<Int64>()
    /// Tickets in these.
    private(set) var readyCount = 0
    /// Lanes that rest, and the first end of a rest.
    private(set) var resting: Set<Int64> = []
    private(set) var firstEnd = Timestamp.never
    /// Lanes without tickets that have some in the database.
    private var hungry: Set<Int64> = []

    init(_ name: OutboxQueue) { self.name = name }

    // MARK: Reading

    /// What must be read.
    struct Read: Hashable, Sendable {
        var queue: OutboxQueue
        var after: OutboxTicket?
        /// Nil for the whole queue.
        var lane: Int64?
        var limit: Int
    }

    /// A mail is pending from that time on, which the cursor may have passed.
    mutating func note(dueAt time: Timestamp, now: Timestamp) {
        if let cursor, cursor.dueAt >= time { self.cursor = .start(of: time) }
        nextDue = min(nextDue ?? time, time)
        if time <= now { isReadable = true }
    }

    mutating func rewind() {
        cursor = nil
        isReadable = true
    }

    mutating func reads(at now: Timestamp) -> [Read] {
        wake(at: now)
        if let due = nextDue, due <= now { isReadable = true }
        var reads: [Read] = []
        if isReadable, readyCount < Self.low { reads.append(Read(queue: name, after: cursor, limit: Self.page)) }
        for lane in hungry.prefix(Self.hungryPerRound) {
            guard let backlog = lanes[lane]?.backlog else { continue }
            reads.append(Read(queue: name, after: backlog, lane: lane, limit: Self.page))
        }
        return reads
    }

    /// - Parameter held: all tickets that lie in lanes.
    mutating func take(_ tickets: [OutboxTicket], for read: Read, at now: Timestamp, held: inout Set<Identifier>) {
        if let lane = read.lane { return take(tickets, of: lane, for: read, at: now, held: &held) }
        // Somebody may have told of an earlier mail meanwhile.
        guard cursor == read.after else { return }
        nextDue = nil
        isReadable = tickets.count == read.limit
        for ticket in tickets {
            guard ticket.dueAt <= now else {
                nextDue = ticket.dueAt
                isReadable = false
                return
            }
            cursor = ticket
            place(ticket, held: &held)
        }
    }

    private mutating func take(
        _ tickets: [OutboxTicket], of lane: Int64, for read: Read, at now: Timestamp, held: inout Set<Identifier>
    ) {
        hungry.remove(lane)
        guard lanes[lane]?.backlog == read.after else { return }
        lanes[lane]?.backlog = nil
        for ticket in tickets {
            // From here on it is the cursor's.
            guard ticket.dueAt <= now, let cursor, ticket <= cursor else { return settle(lane) }
            place(ticket, held: &held)
            if lanes[lane]?.backlog != nil { return settle(lane) }
        }
        if tickets.count == read.limit { lanes[lane]?.backlog = tickets.last }
        settle(lane)
    }

    private mutating func place(_ ticket: OutboxTicket, held: inout Set<Identifier>) {
        let key = ticket.lane
        var lane = lanes[key] ?? Lane()
        if let backlog = lane.backlog, ticket > backlog { return }
        let limit = lane.restsUntil == nil ? Self.laneLimit : Self.restingLimit
        guard lane.tickets.count < limit else {
            lanes[key]?.backlog = ticket.predecessor
            return
        }
        guard held.insert(ticket.id).inserted else { return }
        // Not a copy: the lane must not share its tickets while it gets one.
        lanes[key] = nil
        lane.tickets.append(ticket)
        if lane.restsUntil == nil {
            readyCount += 1
            if !lane.isInRing {
                lane.isInRing = true
                ready.append(key)
            }
        }
        lanes[key] = lane
    }

    // MARK: Turns

    /// The lane whose turn it is; nil when none can go. Must be taken from or laid to rest before the next is asked for.
    mutating func candidate(at now: Timestamp) -> Int64? {
        wake(at: now)
        while let key = ready.first {
            if let lane = lanes[key], !lane.tickets.isEmpty, lane.restsUntil == nil { return key }
            _ = ready.popFirst()
            lanes[key]?.isInRing = false
            settle(key)
        }
        return nil
    }

    /// Takes the first ticket of the candidate.
    mutating func take(held: inout Set<Identifier>) -> OutboxTicket? {
        guard let key = ready.popFirst(), var lane = lanes.removeValue(forKey: key) else { return nil }
        let ticket = lane.tickets.popFirst()
        if let ticket {
            readyCount -= 1
            held.remove(ticket.id)
        }
        lane.isInRing = !lane.tickets.isEmpty
        if lane.isInRing { ready.append(key) }
        lanes[key] = lane
        settle(key)
        return ticket
    }

    /// The candidate may not go before that time.
    mutating func rest(until time: Timestamp, at now: Timestamp, held: inout Set<Identifier>) {
        guard let key = ready.popFirst(), var lane = lanes.removeValue(forKey: key) else { return }
        lane.isInRing = false
        lane.restsUntil = time
        readyCount -= lane.tickets.count
        resting.insert(key)
        firstEnd = min(firstEnd, time)
        if time > now.adding(microseconds: Self.longRest), time != .never {
            let rest = lane.tickets.cut(to: Self.restingLimit)
            for ticket in rest { held.remove(ticket.id) }
            if let first = rest.first?.predecessor { lane.backlog = min(lane.backlog ?? first, first) }
        }
        lanes[key] = lane
    }

    /// Forgets an empty lane, or has it read.
    private mutating func settle(_ key: Int64) {
        guard let lane = lanes[key], lane.tickets.isEmpty, lane.restsUntil == nil else { return }
        if lane.backlog != nil { hungry.insert(key) } else if !lane.isInRing { lanes[key] = nil }
    }

    /// Lanes whose rest is over can go.
    private mutating func wake(at now: Timestamp) {
        guard firstEnd <= now else { return }
        let ended = resting.filter { (lanes[$0]?.restsUntil ?? .never) <= now }
        for key in ended { rise(key) }
        firstEnd = resting.reduce(.never) { min($0, lanes[$1]?.restsUntil ?? .never) }
    }

    /// What that lane rested for is over.
    mutating func rise(_ key: Int64) {
        guard lanes[key]?.restsUntil != nil else { return }
        resting.remove(key)
        lanes[key]?.restsUntil = nil
        readyCount += lanes[key]?.tickets.count ?? 0
        if lanes[key]?.tickets.isEmpty == false, lanes[key]?.isInRing == false {
            lanes[key]?.isInRing = true
            ready.append(key)
        }
        settle(key)
    }

    mutating func riseAll() {
        for key in resting { rise(key) }
        firstEnd = .never
    }
}

/// The queues of all projects, and whose turn it is.
struct DispatchLanes: Sendable {
    private(set) var queues: [LaneQueue] = []
    private var indices: [OutboxQueue: Int] = [:]
    /// Indices of the queues in turn, first those of mail that somebody waits for.
    private var turns: [[Int]] = [[], []]
    private var nextTurn = [0, 0]
    /// Tickets in lanes.
    private var held: Set<Identifier> = []

    var heldCount: Int { held.count }
    func readyCount(in name: OutboxQueue) -> Int { indices[name].map { queues[$0].readyCount } ?? 0 }
    var restingCount: Int { queues.reduce(0) { $0 + $1.resting.count } }

    /// The place of the queue, which is made when it is new.
    @discardableResult
    mutating func add(_ name: OutboxQueue) -> Int {
        if let index = indices[name] { return index }
        indices[name] = queues.count
        turns[name.isBulk ? 1 : 0].append(queues.count)
        queues.append(LaneQueue(name))
        return queues.count - 1
    }

    mutating func note(_ name: OutboxQueue, dueAt time: Timestamp, now: Timestamp) {
        queues[add(name)].note(dueAt: time, now: now)
    }

    /// Everything is looked at anew, for what nobody told of.
    mutating func rewind() { for index in queues.indices { queues[index].rewind() } }

    /// What must be read before somebody looks for the next mail.
    mutating func reads(at now: Timestamp) -> [LaneQueue.Read] {
        var reads: [LaneQueue.Read] = []
        for index in queues.indices { reads += queues[index].reads(at: now) }
        return reads
    }

    mutating func take(_ tickets: [OutboxTicket], for read: LaneQueue.Read, at now: Timestamp) {
        guard let index = indices[read.queue] else { return }
        queues[index].take(tickets, for: read, at: now, held: &held)
    }

    /// How many queues take turns.
    func count(isBulk: Bool) -> Int { turns[isBulk ? 1 : 0].count }

    /// The place of the queue whose turn it is, `offset` on.
    func index(isBulk: Bool, offset: Int) -> Int {
        let turns = turns[isBulk ? 1 : 0]
        return turns[(nextTurn[isBulk ? 1 : 0] + offset) % turns.count]
    }

    /// The queue at that offset has had its turn.
    mutating func pass(isBulk: Bool, offset: Int) {
        let kind = isBulk ? 1 : 0
        nextTurn[kind] = (nextTurn[kind] + offset + 1) % max(1, turns[kind].count)
    }

    mutating func candidate(in index: Int, at now: Timestamp) -> Int64? { queues[index].candidate(at: now) }
    mutating func take(in index: Int) -> OutboxTicket? { queues[index].take(held: &held) }
    mutating func rest(in index: Int, until time: Timestamp, at now: Timestamp) {
        queues[index].rest(until: time, at: now, held: &held)
    }
    mutating func rise(_ lane: Int64, in index: Int) { queues[index].rise(lane) }
    mutating func riseAll() { for index in queues.indices { queues[index].riseAll() } }

    /// When to look again, if nothing happens; `never` for not at all. What could be read now and is not waits for the end
    /// of something, not for a time.
    func nextLook(after now: Timestamp) -> Timestamp {
        var next = Timestamp.never
        for queue in queues {
            if queue.firstEnd > now { next = min(next, queue.firstEnd) }
            if let due = queue.nextDue, due > now { next = min(next, due) }
        }
        return next
    }
}

extension Timestamp {
    static let never = Timestamp(microseconds: .max)
}

extension OutboxTicket {
    /// The last that could come before it.
    fileprivate var predecessor: OutboxTicket {
        var before = self
        before.id = id.low == 0 ? Identifier(high: id.high &- 1, low: .max) : Identifier(high: id.high, low: id.low - 1)
        return before
    }
}
