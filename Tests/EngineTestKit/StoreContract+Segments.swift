import Engine
import JSONValue
import Testing
import WorkflowModel

extension StoreContract {
    private static let filter = Filter(
        .all, [.init([Condition(field: "data.plan", operator: .equals, value: "free")])])

    private static func segment(_ number: UInt64, _ slug: String, filter: Filter? = filter) -> SegmentRecord {
        SegmentRecord(
            id: id(number), projectID: project.id, slug: slug, name: slug.uppercased(), description: "D",
            kind: filter == nil ? .static : .dynamic, filter: filter, createdAt: time,
            updatedAt: time.adding(seconds: 1))
    }

    private static func person(_ id: Identifier) -> Contact {
        Contact(id: id, email: "\(id)@example.org", isSubscribed: true, data: [:], createdAt: time, updatedAt: time)
    }

    static func segmentComesBackWhole(_ store: any Store) async throws {
        try await seed(store)
        let first = segment(70, "a")
        let second = segment(71, "b", filter: nil)
        let before = try await store.write { try $0.catalogVersion() }
        try await store.write {
            try $0.save(first)
            try $0.save(second)
        }
        let after = try await store.write { try $0.catalogVersion() }
        #expect(before != after)
        var catalog = try await store.read { try $0.loadCatalog() }
        #expect(catalog.segments[project.id]?.segments == [first, second])
        #expect(catalog.segment("b", in: project.id) == second)
        #expect(catalog.segment("\(first.id)", in: project.id) == first)
        #expect(catalog.segment("a", in: id(99)) == nil)
        var changed = first
        changed.slug = "c"
        changed.description = nil
        changed.filter = Filter(.any, [.init([Condition(field: "email", operator: .exists)])])
        let edited = changed
        try await store.write { try $0.save(edited) }
        catalog = try await store.read { try $0.loadCatalog() }
        #expect(catalog.segment("c", in: project.id) == edited)
        // A slug is there once.
        let twin = segment(72, "c")
        let error = await #expect(throws: StoreError.self) { try await store.write { try $0.save(twin) } }
        #expect(error?.code == .conflict)
    }

    static func members(_ store: any Store) async throws {
        try await seed(store)
        let segment = segment(70, "a")
        try await store.write { (store) throws in
            try store.save(segment)
            #expect(try store.enter(contact.id, segment, at: time))
            #expect(try !store.enter(contact.id, segment, at: time.adding(seconds: 1)))
            #expect(try store.isMember(contact.id, of: segment.id))
            #expect(try store.memberships(of: contact.id) == [segment.id])
            #expect(try store.members(of: segment.id, after: nil, through: id(9), limit: 5) == [contact.id])
            #expect(try store.members(of: segment.id, after: contact.id, through: id(9), limit: 5) == [])
        }
        var page = try await store.read { try $0.members(of: segment.id, limit: 10, offset: 0) }
        #expect(page == [SegmentMember(contact: contact, enteredAt: time)])
        #expect(try await store.read { try $0.memberCount(of: segment.id) } == 1)
        try await store.write { (store) throws in
            #expect(try store.leave(contact.id, segment))
            #expect(try !store.leave(contact.id, segment))
            #expect(try store.memberships(of: contact.id).isEmpty)
            #expect(try store.members(of: segment.id, after: nil, through: id(9), limit: 5) == [])
        }
        #expect(try await store.read { try $0.memberCount(of: segment.id) } == 0)
        // Who comes again came then.
        try await store.write { _ = try $0.enter(contact.id, segment, at: time.adding(seconds: 9)) }
        page = try await store.read { try $0.members(of: segment.id, limit: 10, offset: 0) }
        #expect(page.map(\.enteredAt) == [time.adding(seconds: 9)])
        #expect(try await store.write { try $0.recount(segment: segment.id) } == 1)
    }

    static func forgottenMembers(_ store: any Store) async throws {
        try await seed(store)
        let segment = segment(70, "a")
        try await store.write { (store) throws in
            try store.save(segment)
            _ = try store.enter(contact.id, segment, at: time)
            try store.setTimer(of: contact.id, in: segment.id, to: time)
        }
        try await store.write { try $0.forgetMemberships(of: contact.id) }
        try await store.write { (store) throws in
            #expect(try store.memberships(of: contact.id).isEmpty)
            #expect(try store.nextSegmentTimer() == nil)
        }
        #expect(try await store.read { try $0.memberCount(of: segment.id) } == 0)
    }

    static func deviations(_ store: any Store) async throws {
        try await seed(store)
        let segment = segment(70, "a")
        try await store.write { (store) throws in
            try store.save(segment)
            for number in 10..<16 {
                let contact = Contact(
                    id: id(UInt64(number)), email: "c\(number)@example.org", isSubscribed: true,
                    data: ["plan": number % 2 == 0 ? "free" : "pro"], createdAt: time, updatedAt: time)
                try store.insert(contact, in: project.id)
            }
            _ = try store.enter(id(11), segment, at: time)
            _ = try store.enter(id(12), segment, at: time)
            try store.startComputing(segment, announces: true)
            var job = try #require(try store.segmentJobs().first)
            #expect(job == SegmentJob(segmentID: segment.id, lastContact: id(15), announces: true))
            let first = try store.deviations(of: filter, job, in: project.id, limit: 3, at: time)
            #expect(first.cursor == id(11))
            #expect(first.changes.map(\.contact) == [id(2), id(10), id(11)])
            #expect(first.changes.map(\.belongs) == [true, true, false])
            job.cursor = first.cursor
            try store.update(job)
            #expect(try store.segmentJobs() == [job])
            let second = try store.deviations(of: filter, job, in: project.id, limit: 100, at: time)
            #expect(second.cursor == id(15) && second.changes.map(\.contact) == [id(14)])
            job.cursor = id(15)
            let last = try store.deviations(of: filter, job, in: project.id, limit: 100, at: time)
            #expect(last.cursor == nil && last.changes.isEmpty)
            // Another beginning is from the beginning.
            try store.startComputing(segment, announces: false)
            #expect(
                try store.segmentJobs() == [
                    SegmentJob(segmentID: segment.id, lastContact: id(15), announces: false)
                ])
        }
        #expect(try await store.read { try $0.computingSegments() } == [segment.id])
        try await store.write { (store) throws in
            for job in try store.segmentJobs() { try store.finish(job) }
        }
        #expect(try await store.read { try $0.computingSegments() }.isEmpty)
    }

    static func segmentTimers(_ store: any Store) async throws {
        try await seed(store)
        try await store.write { (store) throws in
            #expect(try store.nextSegmentTimer() == nil)
            for (number, seconds) in [(80, 30), (81, 10), (82, 20)] as [(UInt64, Int64)] {
                try store.setTimer(of: contact.id, in: id(number), to: time.adding(seconds: seconds))
            }
            #expect(try store.setTimer(of: contact.id, in: id(80), to: time.adding(seconds: 5)))
            #expect(try !store.setTimer(of: contact.id, in: id(80), to: time.adding(seconds: 5)))
            #expect(try store.nextSegmentTimer() == time.adding(seconds: 5))
            #expect(try store.timer(of: contact.id, in: id(81)) == time.adding(seconds: 10))
            #expect(try store.timer(of: id(3), in: id(81)) == nil)
            let due = try store.segmentTimers(dueAt: time.adding(seconds: 10), limit: 10)
            #expect(due.map(\.segmentID) == [id(80), id(81)])
            #expect(try store.segmentTimers(dueAt: time.adding(seconds: 99), limit: 1).map(\.segmentID) == [id(80)])
            #expect(try store.setTimer(of: contact.id, in: id(80), to: nil))
            #expect(try !store.setTimer(of: contact.id, in: id(80), to: nil))
            #expect(try store.nextSegmentTimer() == time.adding(seconds: 10))
        }
    }

    static func deletedSegment(_ store: any Store) async throws {
        try await seed(store)
        let segment = segment(70, "a")
        try await store.write { (store) throws in
            try store.save(segment)
            for number in UInt64(10)..<15 {
                try store.insert(person(id(number)), in: project.id)
                _ = try store.enter(id(number), segment, at: time)
            }
            _ = try store.leave(id(10), segment)
            try store.setTimer(of: id(11), in: segment.id, to: time)
            try store.startComputing(segment, announces: false)
            try store.delete(segment: segment.id, at: time)
        }
        let catalog = try await store.read { try $0.loadCatalog() }
        #expect(catalog.segments.isEmpty)
        // The slug is free at once.
        let next = StoreContract.segment(71, "a")
        try await store.write { (store) throws in
            try store.save(next)
            #expect(try store.segmentJobs().isEmpty)
            _ = try store.enter(id(11), next, at: time)
            #expect(try store.purgeSegments(limit: 2))
            while try store.purgeSegments(limit: 2) {}
            #expect(try store.memberships(of: id(11)) == [next.id])
            #expect(try store.memberships(of: id(12)).isEmpty)
            #expect(try store.nextSegmentTimer() == nil)
        }
    }
}
