import Engine
import WorkflowModel

/// No route over the fake touches these.
extension FakeSession {
    func indexHistory(_ sizes: HistorySizes, isUrgent: Bool) throws -> Bool { throw Unsupported() }
    func deleteEvents(_ rows: [Int64], in project: Identifier) throws -> Int { throw Unsupported() }
    func activeExecutions(
        ofContact contact: Identifier, in project: Identifier
    ) throws -> [Identifier] { throw Unsupported() }
    func erase(_ contact: Contact, in project: Identifier, replyKey: String, at time: Timestamp) throws {
        throw Unsupported()
    }
    func pruneKeptSuppressions(before time: Timestamp, limit: Int) throws -> Int { throw Unsupported() }
    func continueErasure(_ sizes: HistorySizes) throws -> Bool { throw Unsupported() }
    func suppress(_ hash: [UInt8], reason: SuppressionReason, in project: Identifier, at time: Timestamp) throws {
        throw Unsupported()
    }
    func keepSuppressions(of address: String, as hash: [UInt8], in project: Identifier, at time: Timestamp) throws {
        throw Unsupported()
    }
    func isSuppressed(_ hash: [UInt8], in project: Identifier) throws -> Bool { false }
    func hasSuppressedAddresses(in project: Identifier) throws -> Bool { false }
    func timeline(
        of contact: Identifier, in project: Identifier, kinds: Set<HistoryKind>, before position: TimelinePosition,
        limit: Int
    ) throws -> TimelinePage { throw Unsupported() }
    func events(
        in project: Identifier, named name: String?, before row: Int64?, limit: Int, scan: Int
    ) throws -> EventPage { throw Unsupported() }
    func event(_ id: Identifier, in project: Identifier) throws -> Event? { throw Unsupported() }
    func eventNames(in project: Identifier, limit: Int) throws -> [EventNameCount] { throw Unsupported() }
    func eventCounts(in project: Identifier, days: ClosedRange<Int64>) throws -> [EventNameCount] {
        throw Unsupported()
    }
    func eventUsage(of name: String, in project: Identifier) throws -> EventUsage? { throw Unsupported() }
    func eventRows(
        named name: String, in project: Identifier, after row: Int64, scan: Int
    ) throws -> (rows: [Int64], last: Int64?) { throw Unsupported() }
}
