import JSONValue
import WorkflowModel

/// Keeps who is in which segment, at once with every change: only the segments whose filter asks for what has changed
/// are looked at. Who comes and goes is told by events of the same transaction.
struct SegmentKeeper {
    let transaction: EngineTransaction
    let projectID: Identifier

    private var store: any StoreTransaction { transaction.store }
    private var now: Timestamp { transaction.now }
    private var index: SegmentIndex? { transaction.catalog.segments[projectID] }

    /// What made a membership change.
    struct Cause {
        var generation = 0
        /// See `EventRecorder.record`.
        var origin: Identifier?
        /// Whether entries and exits are events.
        var announces = true
    }

    // MARK: What happens

    /// - Parameter before: nil for a new contact.
    func contactChanged(from before: Contact?, to contact: Contact, cause: Cause) throws {
        guard let index else { return }
        try evaluate(contact, index.positions(concernedBy: before, contact), cause: cause)
    }

    /// To be called when the occurrence is stored.
    func eventOccurred(_ event: Event, contact: Contact, origin: Identifier?) throws {
        guard let positions = index?.positions(asking: event.name), !positions.isEmpty else { return }
        try evaluate(
            try store.contact(contact.id) ?? contact, positions,
            cause: Cause(generation: event.generation, origin: origin))
    }

    /// Looks at one segment of a contact again.
    func look(at segment: Identifier, of contact: Contact, cause: Cause) throws {
        guard let position = index?.position(of: segment) else { return }
        try evaluate(contact, [position], cause: cause)
    }

    /// Puts a contact into a segment or takes it out, whatever the segment's filter says.
    /// - Returns: whether that changed anything.
    @discardableResult
    func set(_ contact: Identifier, in segment: SegmentRecord, belongs: Bool, cause: Cause) throws -> Bool {
        guard try store(contact, in: segment, belongs: belongs, cause: cause) else { return false }
        guard let dependents = index?.positions(asking: segment.id), !dependents.isEmpty,
            let contact = try store.contact(contact)
        else { return true }
        try evaluate(contact, dependents, cause: cause)
        return true
    }

    // MARK: Looking

    /// - Parameter positions: ascending.
    private func evaluate(_ contact: Contact, _ positions: [Int], cause: Cause) throws {
        guard let index, let first = positions.first else { return }
        let sight = SegmentSight(
            memberships: try store.memberships(of: contact.id), index: index, store: store, contact: contact.id)
        let scope = ContactScope(
            contact, now: now, lastOccurrence: { sight.lastOccurrence(of: $0) }, isMember: { sight.isMember($0) })
        var concerns = Array(repeating: Concern.none, count: index.segments.count)
        for position in positions { concerns[position] = .told }
        for position in first..<concerns.count where concerns[position] != .none {
            guard let filter = index.segments[position].filter else { continue }
            let traits = index.traits(at: position)
            let id = index.segments[position].id
            let belongs = filter.isSatisfied(in: scope)
            if traits.isTimed { try setTimer(filter.nextChange(in: scope), of: contact.id, in: id) }
            if let failure = sight.failure { throw failure }
            guard belongs != sight.memberships.contains(id) else { continue }
            if belongs { sight.memberships.insert(id) } else { sight.memberships.remove(id) }
            var cause = cause
            cause.announces = try concerns[position] == .told && isTold(contact.id, in: id, cause)
            try store(contact.id, in: index.segments[position], belongs: belongs, cause: cause)
            for dependent in traits.dependents {
                if cause.announces {
                    concerns[dependent] = .told
                } else if concerns[dependent] == .none {
                    concerns[dependent] = .silent
                }
            }
        }
    }

    /// Whether a segment is to be looked at, and whether others hear of what comes of it.
    private enum Concern {
        case none
        /// A change that nobody hears of concerns it, and nothing else.
        case silent
        case told
    }

    private func setTimer(_ due: Timestamp?, of contact: Identifier, in segment: Identifier) throws {
        guard try store.setTimer(of: contact, in: segment, to: due) else { return }
        // A later one is found when the loop next looks by itself.
        if let due, due <= now.adding(seconds: Segmenter.longestSleep) { transaction.wakes.segments = true }
    }

    /// While a computation that nobody hears of has yet to come to a contact, what happens meanwhile only anticipates it.
    private func isTold(_ contact: Identifier, in segment: Identifier, _ cause: Cause) throws -> Bool {
        guard cause.announces else { return false }
        guard let job = try transaction.segmentJobs()[segment] else { return true }
        return job.announces || !job.isToCome(contact)
    }

    @discardableResult
    private func store(
        _ contact: Identifier, in segment: SegmentRecord, belongs: Bool, cause: Cause
    ) throws -> Bool {
        let changed =
            belongs
            ? try store.enter(contact, segment, at: now) : try store.leave(contact, segment)
        if changed, cause.announces {
            transaction.announcements.append(
                .init(contact: contact, segment: segment, isEntry: belongs, projectID: projectID, cause: cause))
        }
        return changed
    }

    // MARK: Telling

    /// An entry or exit that is stored and has yet to become an event.
    struct Announcement {
        var contact: Identifier
        var segment: SegmentRecord
        var isEntry: Bool
        var projectID: Identifier
        var cause: Cause
    }

    /// Records the events of what has changed, in the order in which it did. What they bring about may change more: that
    /// comes after them, and the outermost call tells it.
    static func announce(in transaction: EngineTransaction) throws {
        guard !transaction.isAnnouncing, !transaction.announcements.isEmpty else { return }
        transaction.isAnnouncing = true
        defer { transaction.isAnnouncing = false }
        while !transaction.announcements.isEmpty {
            let next = transaction.announcements.removeFirst()
            guard let contact = try transaction.store.contact(next.contact) else { continue }
            try EventRecorder(transaction: transaction, projectID: next.projectID).record(
                next.isEntry ? next.segment.entryEvent : next.segment.exitEvent,
                data: ["segmentId": .string("\(next.segment.id)"), "segmentName": .string(next.segment.name)],
                generation: next.cause.generation, contact: contact, origin: next.cause.origin)
        }
    }
}

/// What filters of segments see of one contact beside its values. Remembers what was asked.
private final class SegmentSight {
    var memberships: Set<Identifier>
    /// What went wrong where it could not be thrown.
    private(set) var failure: (any Error)?
    private let index: SegmentIndex
    private let store: any StoreTransaction
    private let contact: Identifier
    private var occurrences: [String: Timestamp?] = [:]

    init(memberships: Set<Identifier>, index: SegmentIndex, store: any StoreTransaction, contact: Identifier) {
        self.memberships = memberships
        self.index = index
        self.store = store
        self.contact = contact
    }

    func lastOccurrence(of event: String) -> Timestamp? {
        if let known = occurrences[event] { return known }
        do {
            let last = try store.lastOccurrence(of: event, contact: contact)
            occurrences[event] = .some(last)
            return last
        } catch {
            failure = error
            return nil
        }
    }

    func isMember(_ reference: String) -> Bool {
        index.segment(reference).map { memberships.contains($0.id) } ?? false
    }
}
