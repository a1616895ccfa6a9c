import Engine
import WorkflowModel

/// Routes about segments are tested over the real store.
extension FakeSession: SegmentTransaction, SegmentReader {
    func contacts(
        matching filter: Filter, in project: Identifier, after cursor: Identifier?, limit: Int, at now: Timestamp
    ) throws -> [Contact] { throw Unsupported() }
    func contactCount(matching filter: Filter, in project: Identifier, at now: Timestamp) throws -> Int {
        throw Unsupported()
    }
    /// A contact that changes is in no segment here.
    func memberships(of contact: Identifier) throws -> Set<Identifier> { [] }
    func isMember(_ contact: Identifier, of segment: Identifier) throws -> Bool { false }
    func save(_ segment: SegmentRecord) throws { throw Unsupported() }
    func delete(segment id: Identifier, at time: Timestamp) throws { throw Unsupported() }
    func purgeSegments(limit: Int) throws -> Bool { throw Unsupported() }
    func enter(_ contact: Identifier, _ segment: SegmentRecord, at time: Timestamp) throws -> Bool {
        throw Unsupported()
    }
    func leave(_ contact: Identifier, _ segment: SegmentRecord) throws -> Bool { throw Unsupported() }
    func forgetMemberships(of contact: Identifier) throws { throw Unsupported() }
    func recountMembers(of segment: Identifier, after cursor: Identifier?, limit: Int) throws -> Identifier? {
        throw Unsupported()
    }
    func recount(segment: Identifier) throws -> Int { throw Unsupported() }
    func members(
        of segment: Identifier, after cursor: Identifier?, through last: Identifier, limit: Int
    ) throws -> [Identifier] { throw Unsupported() }
    func startComputing(_ segment: SegmentRecord, announces: Bool) throws { throw Unsupported() }
    func segmentJobs() throws -> [SegmentJob] { throw Unsupported() }
    func update(_ job: SegmentJob) throws { throw Unsupported() }
    func finish(_ job: SegmentJob) throws { throw Unsupported() }
    func deviations(
        of filter: Filter, _ job: SegmentJob, in project: Identifier, limit: Int, at now: Timestamp
    ) throws -> SegmentDeviations { throw Unsupported() }
    func timer(of contact: Identifier, in segment: Identifier) throws -> Timestamp? { throw Unsupported() }
    func setTimer(of contact: Identifier, in segment: Identifier, to due: Timestamp?) throws -> Bool {
        throw Unsupported()
    }
    func segmentTimers(dueAt time: Timestamp, limit: Int) throws -> [SegmentTimer] { throw Unsupported() }
    func nextSegmentTimer() throws -> Timestamp? { throw Unsupported() }
    func memberCount(of segment: Identifier) throws -> Int { throw Unsupported() }
    func computingSegments() throws -> Set<Identifier> { throw Unsupported() }
    func members(of segment: Identifier, limit: Int, offset: Int) throws -> [SegmentMember] { throw Unsupported() }
}
