import EngineTestKit
import JSONValue
import Testing
import WorkflowModel

@testable import Engine

@Suite struct ContactsTests {
    private static func filter(_ field: String, _ name: String, _ value: JSON) throws -> Filter {
        try Filter(
            json: [
                "logic": "AND",
                "groups": [["filters": [["field": .string(field), "operator": .string(name), "value": value]]]],
            ], path: "filter", vocabulary: .contact)
    }

    private func fill(_ engine: EngineFixture, _ count: Int) async throws {
        for number in 0..<count {
            _ = try await engine.contacts.upsert(
                email: "c\(number)@example.org", subscribed: number % 3 != 0, data: ["n": .int(Int64(number))])
            engine.clock.advance(seconds: 1)
        }
    }

    private func all(_ engine: EngineFixture, _ query: ContactQuery, limit: Int) async throws -> [String] {
        var emails: [String] = []
        var cursor: Contacts.Cursor?
        repeat {
            let page = try await engine.contacts.list(query, after: cursor, limit: limit)
            emails += page.contacts.map(\.email)
            cursor = page.next
        } while cursor != nil
        return emails
    }

    @Test func pagesGoThroughEverybodyOnceNewestFirst() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        try await fill(engine, 25)
        let emails = (0..<25).reversed().map { "c\($0)@example.org" }
        #expect(try await all(engine, ContactQuery(), limit: 7) == emails)
        #expect(try await all(engine, ContactQuery(), limit: 25) == emails)
        let first = try await engine.contacts.list(ContactQuery(), after: nil, limit: 10)
        #expect(first.total == 25 && first.next?.total == 25)
        #expect(
            try await all(engine, ContactQuery(search: "C1", isSubscribed: false), limit: 2)
                == [18, 15, 12].map { "c\($0)@example.org" })
        let found = try await engine.contacts.list(ContactQuery(search: "c1"), after: nil, limit: 3)
        #expect(found.total == 11 && found.contacts.count == 3)
        #expect(try await all(engine, ContactQuery(search: "%"), limit: 2) == [])
    }

    @Test func filtersLookBackOnEventsThatNobodyKept() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        try await fill(engine, 5)
        try await engine.track("bought", "c3@example.org")
        let filter = try Filter(
            json: ["logic": "AND", "groups": [["filters": [["field": "event.bought", "operator": "triggered"]]]]],
            path: "filter", vocabulary: .contact)
        #expect(try await all(engine, ContactQuery(filter: filter), limit: 2) == ["c3@example.org"])
        let numbers = try Self.filter("data.n", "greaterThan", 2)
        #expect(try await all(engine, ContactQuery(filter: numbers), limit: 1) == ["c4@example.org", "c3@example.org"])
    }

    /// Only what goes on in the background has events kept.
    @Test func queryKeepsNoEvent() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        try await fill(engine, 2)
        try await engine.track("bought", "c1@example.org")
        let filter = try Filter(
            json: ["logic": "AND", "groups": [["filters": [["field": "event.bought", "operator": "triggered"]]]]],
            path: "filter", vocabulary: .contact)
        let version = try await engine.context.store.write { try $0.catalogVersion() }
        #expect(try await all(engine, ContactQuery(filter: filter), limit: 5) == ["c1@example.org"])
        let segments = Segments(context: engine.context, projectID: engine.project.id)
        #expect(try await segments.preview(filter, path: "filter", limit: 0).count == 1)
        #expect(try await engine.context.store.write { try $0.catalogVersion() } == version)
        #expect(try await engine.context.store.read { try $0.loadCatalog() }.keptEvents.isEmpty)
        _ = try await engine.contacts.begin(.unsubscribe, on: ContactQuery(filter: filter))
        let catalog = try await engine.context.store.read { try $0.loadCatalog() }
        #expect(catalog.isKept("bought", in: engine.project.id))
    }

    @Test func queryNamesTheSegmentsThatAreNotThere() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        let filter = Filter(.all, [.init([Condition(field: "segment.vip", operator: .notMemberOfSegment)])])
        let error = await #expect(throws: UseCaseError.self) {
            _ = try await engine.contacts.list(ContactQuery(filter: filter), after: nil, limit: 1)
        }
        #expect(error?.problems.map(\.path) == ["filter.groups.0.filters.0.field"])
    }

    @Test func queryThatTakesTooLongIsEnded() async throws {
        let (engine, _database) = try await makeEngine { $0.searchLimit = .zero }
        _ = _database
        let project = engine.project.id
        try await engine.context.store.write { store in
            for number in 0..<2000 {
                let contact = Contact(
                    id: Identifier(high: 5, low: UInt64(number)), email: "c\(number)@example.org", isSubscribed: true,
                    data: [:], createdAt: Timestamp(seconds: 0), updatedAt: Timestamp(seconds: 0))
                try store.insert(contact, in: project)
            }
        }
        let filter = try Self.filter("data.n", "equals", 5)
        let segments = Segments(context: engine.context, projectID: project)
        for query in [ContactQuery(filter: filter), ContactQuery(search: "nobody")] {
            let error = await #expect(throws: UseCaseError.self) {
                _ = try await engine.contacts.list(query, after: nil, limit: 10)
            }
            #expect(error?.code == .queryTooSlow)
        }
        let error = await #expect(throws: UseCaseError.self) {
            _ = try await segments.preview(filter, path: "filter", limit: 1)
        }
        #expect(error?.code == .queryTooSlow)
        // What searches for nothing has no end, on the same connections.
        for _ in 0..<8 {
            #expect(try await engine.contacts.list(ContactQuery(), after: nil, limit: 10).total == 2000)
        }
    }

    @Test func bulkChangeByQueryConcernsThoseThatWereThere() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        try await fill(engine, 30)
        let job = try await engine.contacts.begin(
            .update(["big": true]), on: ContactQuery(filter: try Self.filter("data.n", "greaterThanOrEqual", 20)))
        _ = try await engine.contacts.upsert(email: "late@example.org", subscribed: nil, data: ["n": 99])
        try await engine.runJobs()
        let ended = try await engine.contacts.job(job.id).job
        #expect(ended.status == .completed && ended.counts == .init(read: 30, updated: 10))
        #expect(try await engine.contact("c20@example.org")?.data["big"] == true)
        #expect(try await engine.contact("c19@example.org")?.data["big"] == nil)
        #expect(try await engine.contact("late@example.org")?.data["big"] == nil)
        #expect(try await engine.eventCount("contact.updated") == 10)
    }

    @Test func bulkUnsubscribeRecordsEachEventOnce() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        try await fill(engine, 9)
        let job = try await engine.contacts.begin(.unsubscribe, on: ContactQuery())
        try await engine.runJobs()
        #expect(try await engine.contacts.job(job.id).job.counts == .init(read: 9, updated: 6, unchanged: 3))
        #expect(try await engine.eventCount("contact.unsubscribed") == 6)
    }

    @Test func bulkDeleteTakesOnlyThoseItMeans() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        try await fill(engine, 9)
        let job = try await engine.contacts.begin(.delete, on: ContactQuery(isSubscribed: false))
        try await engine.runJobs()
        #expect(try await engine.contacts.job(job.id).job.counts == .init(read: 9, deleted: 3))
        #expect(try await engine.contacts.list(ContactQuery(), after: nil, limit: 1).total == 6)
    }

    /// However little one transaction gets done, it is somebody, and nobody is forgotten.
    @Test func bulkChangeThatHasNoTimeTakesOneAtATime() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        try await fill(engine, 30)
        let job = try await engine.contacts.begin(.delete, on: ContactQuery(isSubscribed: false))
        let jobs = ContactJobs(context: engine.context, changeTime: .zero)
        var passes = 0
        while try await jobs.pass() { passes += 1 }
        #expect(passes >= 30)
        let done = try await engine.contacts.job(job.id).job
        #expect(done.status == .completed && done.counts == .init(read: 30, deleted: 10))
        #expect(try await engine.contacts.list(ContactQuery(), after: nil, limit: 1).total == 20)
    }

    @Test func contactThatCannotBeChangedIsReportedAndTheOthersAre() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        try await fill(engine, 20)
        let full = JSON.string(String(repeating: "x", count: Contact.dataLimit - 100))
        let large = try await engine.contacts.upsert(
            email: "c7@example.org", subscribed: nil, data: ["full": full])
        let job = try await engine.contacts.begin(
            .update(["more": .string(String(repeating: "y", count: 200))]), on: ContactQuery())
        try await engine.runJobs()
        let detail = try await engine.contacts.job(job.id)
        #expect(detail.job.status == .completed && detail.job.counts == .init(read: 20, updated: 19, failed: 1))
        #expect(detail.errors.map(\.rule) == [.tooLarge])
        #expect(detail.errors.first?.column == "\(large.contact.id)")
    }

    @Test func bulkChangeByIDsTellsOfEach() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        try await fill(engine, 3)
        let ids = try await engine.contacts.list(ContactQuery(), after: nil, limit: 3).contacts.map(\.id)
        let unknown = Identifier(high: 1, low: 1)
        #expect(
            try await engine.contacts.change([ids[0], unknown, ids[2]], .subscribe) == [
                .unchanged, .notFound, .updated,
            ])
        #expect(try await engine.contacts.change([ids[0], ids[0]], .delete) == [.deleted, .notFound])
    }

    @Test func subscriptionDoesNotMoveOntoAnErasedAddress() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        for email in ["zoe@example.org", "eve@example.org"] {
            try await engine.track("looked", email)
            try await engine.contacts.delete(try #require(try await engine.contact(email)).id)
        }
        let ann = try await engine.contacts.upsert(email: "ann@example.org", subscribed: true, data: [:]).contact
        #expect(try await engine.contacts.change(ann.id, .init(email: "new@example.org")).isSubscribed)
        #expect(try await !engine.contacts.change(ann.id, .init(email: "Zoe@example.org")).isSubscribed)
        #expect(try await engine.eventCount("contact.unsubscribed") == 1)
        let bob = try await engine.contacts.upsert(email: "bob@example.org", subscribed: true, data: [:]).contact
        let changes = Contacts.Changes(email: "eve@example.org", subscribed: true)
        #expect(try await engine.contacts.change(bob.id, changes).isSubscribed)
    }

    /// "Not in it" must never come to mean everybody.
    @Test func segmentThatIsNotThereMeansNobody() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        try await fill(engine, 3)
        let outsiders = try Filter(
            json: [
                "logic": "AND", "groups": [["filters": [["field": "segment.vip", "operator": "notMemberOfSegment"]]]],
            ], path: "filter", vocabulary: .contact)
        let query = ContactQuery(filter: outsiders)
        let refused = await #expect(throws: UseCaseError.self) { try await engine.contacts.begin(.delete, on: query) }
        #expect(refused?.problems.first?.path.hasPrefix("query.filter.") == true)
        await #expect(throws: UseCaseError.self) { try await engine.contacts.list(query, after: nil, limit: 1) }
        // The segment was there when the job began.
        let (project, now) = (engine.project.id, engine.clock.now())
        var job = ContactJob(
            id: Identifier(high: 9, low: 9), projectID: project, kind: .delete, plan: query.json, total: 3,
            createdAt: now)
        job.last = Identifier(high: .max, low: 0)
        let begun = job
        try await engine.context.store.write { try $0.insert(begun) }
        try await engine.runJobs()
        let ended = try await engine.contacts.job(job.id).job
        #expect(ended.status == .failed && ended.reason == "the segment vip is gone")
        #expect(try await engine.contacts.list(ContactQuery(), after: nil, limit: 1).total == 3)
    }

    @Test func oldJobsGoWithTheirReports() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        let first = try await engine.importFile("email\nnobody\n")
        for _ in 0..<Contacts.keptJobs { _ = try await engine.importFile("email\n") }
        #expect(try await engine.contacts.jobs(limit: 1000).count == Contacts.keptJobs + 1)
        _ = try await engine.importFile("email\n")
        let error = await #expect(throws: UseCaseError.self) { try await engine.contacts.job(first.job.id) }
        #expect(error?.code == .notFound)
    }

    @Test func anUpsertThatChangesNothingIsNotInTheAuditLog() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        for plan: JSON in ["pro", "pro", "free"] {
            _ = try await engine.contacts.upsert(email: "Ann@example.org", subscribed: nil, data: ["plan": plan])
        }
        let log = try await AuditLog(context: engine.context).page(
            AuditSelection(projectID: engine.project.id, action: "contact.", limit: 10))
        #expect(log.records.map(\.action) == ["contact.updated", "contact.created"])
    }
}
