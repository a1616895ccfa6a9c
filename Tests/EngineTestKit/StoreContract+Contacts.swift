import Engine
import JSONValue
import Testing
import WorkflowModel

/// Lists of contacts, and the jobs that work on many of them.
extension StoreContract {
    private static func makeJob(_ number: UInt64, project: Identifier = project.id) -> ContactJob {
        var job = ContactJob(
            id: id(number), projectID: project, kind: .import, plan: ["header": ["email"]], total: 500, createdAt: time)
        job.position = 7
        job.row = 1
        job.last = id(71)
        return job
    }

    static func contactPages(_ store: any Store) async throws {
        try await seed(store)
        let other = Project(id: id(3), slug: "o", name: "O")
        try await store.write { store throws in
            try store.insert(other, at: time)
            for number in 10..<20 as Range<UInt64> {
                let contact = Contact(
                    id: id(number), email: "c\(number)_%@example.org", isSubscribed: number % 2 == 0, data: [:],
                    createdAt: time, updatedAt: time)
                try store.insert(contact, in: number == 12 ? other.id : project.id)
            }
        }
        try await store.read { reader throws in
            let page = { (search: String?, flag: Bool?, before: UInt64?, limit: Int) throws -> [UInt64] in
                try reader.contacts(
                    matching: ContactQuery(search: search, isSubscribed: flag), in: project.id,
                    before: before.map(id), limit: limit, at: time
                ).map(\.id.low)
            }
            #expect(try page(nil, nil, nil, 3) == [19, 18, 17])
            #expect(try page(nil, nil, 13, 9) == [11, 10, 2])
            #expect(try page(nil, false, nil, 9) == [19, 17, 15, 13, 11])
            #expect(try page("c1", nil, 18, 2) == [17, 16])
            #expect(try page("_%@", true, nil, 9) == [18, 16, 14, 10])
            #expect(
                try reader.contactCount(
                    matching: ContactQuery(search: nil, isSubscribed: nil), in: project.id, at: time) == 10)
            #expect(
                try reader.contactCount(
                    matching: ContactQuery(search: "c1", isSubscribed: nil), in: project.id, at: time) == 9)
            #expect(
                try reader.contactCount(
                    matching: ContactQuery(search: "c1", isSubscribed: true), in: project.id, at: time) == 4)
            #expect(
                try reader.contactCount(
                    matching: ContactQuery(search: nil, isSubscribed: false), in: project.id, at: time) == 5)
            #expect(try reader.contacts(in: project.id, after: nil, limit: 2).map(\.id.low) == [2, 10])
            #expect(try reader.contacts(in: project.id, after: id(11), limit: 2).map(\.id.low) == [13, 14])
        }
    }

    static func contactAddresses(_ store: any Store) async throws {
        try await seed(store)
        let second = Contact(
            id: id(4), email: "bob@example.org", isSubscribed: true, data: [:], createdAt: time, updatedAt: time)
        try await store.write { store throws in
            try store.insert(second, in: project.id, importedBy: 17)
            #expect(try store.importTarget(email: "bob@example.org", in: project.id)?.importedBy == 17)
            #expect(try store.importTarget(email: contact.email, in: project.id)?.importedBy == nil)
            try store.markImported(contact.id, by: 18)
            let target = try store.importTarget(email: contact.email, in: project.id)
            #expect(target == ImportTarget(contact: contact, importedBy: 18))
            try store.changeAddress(of: contact.id, to: "cat@example.org")
            #expect(try store.contact(contact.id)?.email == "cat@example.org")
            #expect(try store.contact(email: contact.email, in: project.id) == nil)
        }
        let error = await #expect(throws: StoreError.self) {
            try await store.write { try $0.changeAddress(of: contact.id, to: "bob@example.org") }
        }
        #expect(error?.code == .conflict)
    }

    /// The query or the data of a change may name somebody, and nobody needs them when it is done.
    static func finishedChangeForgetsItsPlan(_ store: any Store) async throws {
        try await seed(store)
        for status in [ContactJob.Status.running, .completed, .failed, .cancelled] {
            let job = ContactJob(
                id: id(32 + UInt64(status == .running ? 0 : 1)), projectID: project.id, kind: .delete,
                plan: ["search": "ann@example.org"], total: 1, createdAt: time)
            let plan = try await store.write { store in
                if try store.contactJob(job.id) == nil { try store.insert(job) }
                var changed = job
                changed.status = status
                try store.update(changed)
                return try store.contactJob(job.id)?.plan
            }
            #expect(plan == (status == .running ? job.plan : [:]))
        }
    }

    static func contactJobs(_ store: any Store) async throws {
        try await seed(store)
        try await store.write { store throws in
            try store.insert(makeJob(30))
            try store.insert(makeJob(31))
            var stored = try #require(try store.contactJob(id(30)))
            #expect(stored.number > 0)
            stored.number = 0
            #expect(stored == makeJob(30))
        }
        var job = try #require(try await store.write { try $0.contactJob(id(30)) })
        job.position = 90
        job.row = 9
        job.cursor = id(70)
        job.counts.read = 1
        job.counts.created = 2
        job.counts.updated = 3
        job.counts.unchanged = 4
        job.counts.deleted = 5
        job.counts.failed = 6
        job.owner = "me"
        job.leasedUntil = time.adding(seconds: 9)
        job.status = .failed
        job.reason = "why"
        job.updatedAt = time.adding(seconds: 1)
        job.completedAt = time.adding(seconds: 2)
        let changed = job
        try await store.write { store throws in
            try store.update(changed)
            #expect(try store.contactJob(changed.id) == changed)
            #expect(try store.openContactJobs(limit: 9).map(\.id) == [id(31)])
            try store.insert(
                [.init(row: 3, column: "email", .email, "is missing"), .init(row: 2, .ragged, "has 1 cell")],
                of: changed.number)
        }
        try await store.read { reader throws in
            #expect(try reader.contactJob(changed.id, in: project.id) == changed)
            #expect(try reader.contactJob(changed.id, in: id(99)) == nil)
            #expect(try reader.contactJobs(in: project.id, limit: 9).map(\.id) == [id(31), id(30)])
            let errors = try reader.errors(ofContactJob: changed.number, after: 0, limit: 9)
            #expect(
                errors == [.init(row: 2, .ragged, "has 1 cell"), .init(row: 3, column: "email", .email, "is missing")])
            #expect(try reader.errors(ofContactJob: changed.number, after: 2, limit: 9).map(\.row) == [3])
        }
        try await store.write { store throws in
            try store.pruneContactJobs(in: project.id, keeping: 0)
            try store.insert(makeJob(32))
        }
        try await store.read { reader throws in
            #expect(try reader.contactJobs(in: project.id, limit: 9).map(\.id) == [id(32), id(31)])
            #expect(try reader.errors(ofContactJob: changed.number, after: 0, limit: 9).isEmpty)
            // A number that was given is never given again.
            let numbers = try reader.contactJobs(in: project.id, limit: 9).map(\.number)
            #expect(Set(numbers + [changed.number]).count == 3)
        }
    }
}
