import JSONValue
import WorkflowModel

/// The store's operations on what happened to one contact, and the events of a project, inside one write transaction.
package protocol HistoryTransaction: AnyObject {
    // MARK: Index

    /// Does one bounded piece of work on the index of what happened to each contact.
    /// - Parameter isUrgent: takes in what is new even when it is little.
    /// - Returns: whether there was something to do.
    func indexHistory(_ sizes: HistorySizes, isUrgent: Bool) throws -> Bool

    // MARK: Events

    /// Deletes those events of the project with everything that is kept about them.
    /// - Parameter rows: places as `HistoryReader.eventRows` names them.
    /// - Returns: how many there were.
    func deleteEvents(_ rows: [Int64], in project: Identifier) throws -> Int

    // MARK: Erasure

    /// RUNNING and WAITING ones of the contact.
    func activeExecutions(ofContact contact: Identifier, in project: Identifier) throws -> [Identifier]
    /// Deletes the contact, and remembers that what hangs on it must follow.
    /// - Parameter replyKey: under which automatic replies to it are remembered.
    func erase(_ contact: Contact, in project: Identifier, replyKey: String, at time: Timestamp) throws
    /// Removes a bounded part of what hangs on erased contacts.
    /// - Returns: whether there was something to do.
    func continueErasure(_ sizes: HistorySizes) throws -> Bool
    /// Remembers an address by its keyed hash.
    func suppress(_ hash: [UInt8], reason: SuppressionReason, in project: Identifier, at time: Timestamp) throws
    /// Whether that is the hash of an erased contact's address.
    func isSuppressed(_ hash: [UInt8], in project: Identifier) throws -> Bool
    /// Keeps what stands against mail to an address now, without the address.
    func keepSuppressions(of address: String, as hash: [UInt8], in project: Identifier, at time: Timestamp) throws
    /// Forgets at most so many of what was kept so and has ended before that time.
    /// - Returns: how many.
    func pruneKeptSuppressions(before time: Timestamp, limit: Int) throws -> Int
}

/// Reads of what happened to one contact, and the events of a project, on a snapshot.
package protocol HistoryReader: AnyObject {
    /// A page of what happened to a contact, the newest first.
    func timeline(
        of contact: Identifier, in project: Identifier, kinds: Set<HistoryKind>, before position: TimelinePosition,
        limit: Int
    ) throws -> TimelinePage

    /// Events of a project, the newest first.
    /// - Parameters:
    ///   - row: only those before that place; nil begins with the newest.
    ///   - limit: events.
    ///   - scan: events of all projects and names to look at: a page may have fewer than `limit` although more follow.
    func events(
        in project: Identifier, named name: String?, before row: Int64?, limit: Int, scan: Int
    ) throws -> EventPage

    /// Nil also for an event of another project.
    func event(_ id: Identifier, in project: Identifier) throws -> Event?
    /// Names that were ever recorded, the most frequent first.
    func eventNames(in project: Identifier, limit: Int) throws -> [EventNameCount]
    /// By name, the most frequent first; of whole days, counted from 1970 (UTC).
    func eventCounts(in project: Identifier, days: ClosedRange<Int64>) throws -> [EventNameCount]
    /// Nil for a name that was never recorded.
    func eventUsage(of name: String, in project: Identifier) throws -> EventUsage?
    /// Places of events of a name, the oldest first.
    /// - Returns: the places, and the last that was looked at; nil at the end.
    func eventRows(
        named name: String, in project: Identifier, after row: Int64, scan: Int
    ) throws -> (rows: [Int64], last: Int64?)
}

/// How much the work on the index takes at a time. Its transactions hold up everybody else's.
package struct HistorySizes: Sendable {
    /// Events that make a run.
    package var run = 1024
    /// Runs of one size that are merged into one.
    package var fanIn = 16
    /// Bytes of entries in a row of a run: four rows fill a page of the database.
    package var row = 950
    /// Rows of each of them that one transaction looks at.
    package var merge = 3
    /// Rows of erased contacts that one transaction removes.
    package var erase = 400
    /// Erased contacts that one transaction looks at, and for how long it goes on to the next one.
    package var contacts = 100
    package var eraseTime = Duration.milliseconds(15)
    /// Events that one transaction looks at for those that are newly kept, and how many of these it keeps.
    package var look = 10_000
    package var keep = 1000

    package init() {}
}

/// What a piece of the search for newly kept events has come to.
package enum KeepingProgress: Sendable {
    /// There was nothing to find.
    case idle
    case more
    /// All events of one name are found.
    case finished
}

/// Why an address gets no mail when it comes back.
package enum SuppressionReason: String, Sendable {
    /// Its contact was deleted.
    case erased
}

/// What the history of a contact consists of.
package enum HistoryKind: Int, CaseIterable, Sendable {
    case event = 1
    case execution = 2
    case mail = 3
}

/// A name of events and how often it was recorded.
package struct EventNameCount: Hashable, Sendable {
    package var name: String
    package var count: Int

    package init(name: String, count: Int) {
        self.name = name
        self.count = count
    }
}

package struct EventUsage: Hashable, Sendable {
    package var count: Int
    /// An estimate beyond some hundreds, within a few percent; erased contacts may still be counted.
    package var contacts: Int

    package init(count: Int, contacts: Int) {
        self.count = count
        self.contacts = contacts
    }
}

/// An event as the API lists it.
package struct EventListing: Sendable {
    package var event: Event
    package var contactID: Identifier?
    package var contactEmail: String?

    package init(event: Event, contactID: Identifier?, contactEmail: String?) {
        self.event = event
        self.contactID = contactID
        self.contactEmail = contactEmail
    }
}

package struct EventPage: Sendable {
    package var events: [EventListing]
    /// Where the next page begins; nil at the end.
    package var next: Int64?

    package init(events: [EventListing], next: Int64?) {
        self.events = events
        self.next = next
    }
}
