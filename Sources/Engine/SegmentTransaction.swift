import WorkflowModel

/// Finds contacts: all, and by a filter.
package protocol ContactSearch: AnyObject {
    /// A page, the oldest first.
    /// - Throws: `StoreError.damaged` when one of them cannot be read.
    func contacts(in project: Identifier, after id: Identifier?, limit: Int) throws -> [Contact]
    /// Those that satisfy the filter, as `Filter.isSatisfied` has it, in ascending order of ids. One whose data cannot be
    /// read satisfies nothing about its data.
    /// - Parameters:
    ///   - cursor: only those with a greater id.
    ///   - now: what spans of time are counted back from.
    func contacts(
        matching filter: Filter, in project: Identifier, after cursor: Identifier?, limit: Int, at now: Timestamp
    ) throws -> [Contact]
    func contactCount(matching filter: Filter, in project: Identifier, at now: Timestamp) throws -> Int
}

/// Who is in which segment.
package protocol SegmentMembership: AnyObject {
    /// Ids of the segments that the contact is in.
    func memberships(of contact: Identifier) throws -> Set<Identifier>
    func isMember(_ contact: Identifier, of segment: Identifier) throws -> Bool
}

/// The store's operations on segments and their members, inside one write transaction.
package protocol SegmentTransaction: ContactSearch, SegmentMembership {
    /// Inserts the segment or replaces it.
    /// - Throws: `StoreError.conflict` for a slug that is taken.
    func save(_ segment: SegmentRecord) throws
    /// Takes the segment out of the catalog and frees its slug. Its rows go with `purgeSegments`.
    func delete(segment id: Identifier, at time: Timestamp) throws
    /// Forgets rows of deleted segments.
    /// - Returns: whether there are more.
    func purgeSegments(limit: Int) throws -> Bool

    /// - Returns: false when the contact is in it already.
    func enter(_ contact: Identifier, _ segment: SegmentRecord, at time: Timestamp) throws -> Bool
    /// - Returns: false when the contact is not in it.
    func leave(_ contact: Identifier, _ segment: SegmentRecord) throws -> Bool
    /// Forgets everything about a contact that is erased; its row is still there.
    func forgetMemberships(of contact: Identifier) throws
    /// Counts members anew, of some contacts after a cursor.
    /// - Returns: the next cursor; nil at the end.
    func recountMembers(of segment: Identifier, after cursor: Identifier?, limit: Int) throws -> Identifier?
    /// Adds up what `recountMembers` has counted.
    func recount(segment: Identifier) throws -> Int

    /// In ascending order of ids, those after `cursor` up to `last`.
    func members(
        of segment: Identifier, after cursor: Identifier?, through last: Identifier, limit: Int
    ) throws -> [Identifier]

    // MARK: Computing

    /// Computes the members anew from the first contact on; a computation that is under way ends.
    func startComputing(_ segment: SegmentRecord, announces: Bool) throws
    /// In the order of the segments' ids.
    func segmentJobs() throws -> [SegmentJob]
    func update(_ job: SegmentJob) throws
    func finish(_ job: SegmentJob) throws
    /// Looks at up to `limit` of the job's contacts.
    func deviations(
        of filter: Filter, _ job: SegmentJob, in project: Identifier, limit: Int, at now: Timestamp
    ) throws -> SegmentDeviations

    // MARK: Timers

    func timer(of contact: Identifier, in segment: Identifier) throws -> Timestamp?
    /// - Parameter due: nil takes it away.
    /// - Returns: whether that changed anything.
    @discardableResult
    func setTimer(of contact: Identifier, in segment: Identifier, to due: Timestamp?) throws -> Bool
    /// The longest due first.
    func segmentTimers(dueAt time: Timestamp, limit: Int) throws -> [SegmentTimer]
    func nextSegmentTimer() throws -> Timestamp?
}

/// Reads of segments and their members, on a snapshot.
package protocol SegmentReader: ContactSearch, SegmentMembership {
    func memberCount(of segment: Identifier) throws -> Int
    /// Segments that are being computed.
    func computingSegments() throws -> Set<Identifier>
    /// In the order of the contacts' ids.
    func members(of segment: Identifier, limit: Int, offset: Int) throws -> [SegmentMember]
}
