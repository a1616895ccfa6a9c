import Engine
import Testing
import WorkflowModel

/// The outbox as queues.
extension StoreContract {
    private static func mail(
        _ number: UInt64, to recipient: String, due: Int64 = 0, isBulk: Bool = false, project: Identifier = project.id
    ) -> OutboxEntry {
        var entry = entry(number, due: due)
        entry.projectID = project
        entry.request.recipient = recipient
        if isBulk {
            entry.request.kind = .marketing
            entry.request.answers = nil
        }
        return entry
    }

    static func queuesAreReadForward(_ store: any Store) async throws {
        try await seed(store)
        let other = Project(id: id(9), slug: "other", name: "Other")
        try await store.write { transaction in
            try transaction.insert(other, at: time)
            for number in UInt64(0)..<6 {
                let domain = number % 2 == 0 ? "even.example" : "odd.example"
                try transaction.insert(
                    mail(300 + number, to: "\(number)@\(domain)", due: Int64(number / 2), isBulk: true))
            }
            try transaction.insert(mail(400, to: "ann@even.example", due: 60))
            try transaction.insert(mail(401, to: "ann@even.example", project: other.id))
        }
        let bulk = OutboxQueue(project: project.id, isBulk: true)
        let queues = try await store.read { try $0.outboxQueues() }
        #expect(
            Set(queues) == [
                bulk, OutboxQueue(project: project.id, isBulk: false), OutboxQueue(project: other.id, isBulk: false),
            ])
        let pages = try await store.read { reader in
            let first = try reader.tickets(in: bulk, after: nil, lane: nil, limit: 4)
            return (
                first, try reader.tickets(in: bulk, after: first.last, lane: nil, limit: 4),
                try reader.tickets(in: bulk, after: first.first, lane: MailLane.of(domain: "EVEN.example"), limit: 9),
                try reader.pendingCount(in: bulk, limit: 100), try reader.pendingCount(in: bulk, limit: 5)
            )
        }
        #expect((pages.0 + pages.1).map(\.dueAt) == [0, 0, 1, 1, 2, 2].map { time.adding(seconds: $0) })
        #expect(Set((pages.0 + pages.1).map(\.id)) == Set((300..<306).map { id($0) }))
        #expect(pages.2.allSatisfy { $0.lane == MailLane.of("x@even.example") })
        // The one of the first moment may be the one that the page begins after.
        #expect((2...3).contains(pages.2.count) && pages.3 == 6 && pages.4 == 5)
    }

    static func claimByIDTakesPendingAndDueOnce(_ store: any Store) async throws {
        try await seed(store)
        let (first, second) = try await store.write { transaction in
            for number in UInt64(300)..<304 {
                try transaction.insert(mail(number, to: "ann@example.org", due: number == 303 ? 60 : 0))
            }
            let wanted = [302, 300, 303, 999].map { id($0) }
            return (try transaction.claim(wanted, at: time), try transaction.claim(wanted, at: time))
        }
        #expect(first.map(\.id) == [id(302), id(300)] && second.isEmpty)
    }

    static func firstAttemptIsKept(_ store: any Store) async throws {
        try await seed(store)
        let later = time.adding(seconds: 100)
        let entries = try await store.write { transaction in
            try transaction.insert(mail(300, to: "ann@example.org"))
            let before = try transaction.entry(id(300))
            var put = AttemptRecord(status: .pending, dueAt: later, at: time, reply: "451 later")
            put.relay = "main"
            try transaction.record(put, of: id(300))
            put.at = later
            try transaction.record(put, of: id(300))
            let after = try transaction.entry(id(300))
            put.isAttempt = false
            try transaction.record(put, of: id(300))
            return [before, after, try transaction.entry(id(300))]
        }
        #expect(entries.map { $0?.firstAttemptAt } == [nil, time, time])
        #expect(entries.map { $0?.attempts } == [0, 2, 2])
    }

    static func pausesComeAndGo(_ store: any Store) async throws {
        try await seed(store)
        let pauses = [
            OutboxPause(projectID: nil, object: .everything, pausedAt: time, note: "moving"),
            OutboxPause(projectID: project.id, object: .domain("example.org"), pausedAt: time),
            OutboxPause(projectID: project.id, object: .relay("main"), pausedAt: time),
        ]
        let (kept, gone, again, left) = try await store.write { transaction in
            for pause in pauses { try transaction.save(pause) }
            var later = pauses[0]
            later.pausedAt = time.adding(seconds: 5)
            later.note = "still"
            try transaction.save(later)
            let kept = try transaction.outboxPauses()
            let gone = try transaction.deletePause(of: .domain("example.org"), in: project.id)
            let again = try transaction.deletePause(of: .domain("example.org"), in: project.id)
            return (kept, gone, again, try transaction.outboxPauses())
        }
        var expected = Set(pauses.dropFirst())
        expected.insert(OutboxPause(projectID: nil, object: .everything, pausedAt: time, note: "still"))
        #expect(Set(kept) == expected && gone && !again && left.count == 2)
    }

    static func paceIsCountedByDay(_ store: any Store) async throws {
        let counts = try await store.write { transaction in
            try transaction.addPaceCount("relays:a", day: 10, by: 1)
            try transaction.addPaceCount("relays:a", day: 10, by: 2)
            try transaction.addPaceCount("relays:a", day: 11, by: 5)
            try transaction.deletePaceCounts(beforeDay: 10)
            let before = try transaction.paceCounts(ofDay: 10)
            try transaction.deletePaceCounts(beforeDay: 11)
            return [before, try transaction.paceCounts(ofDay: 10), try transaction.paceCounts(ofDay: 11)]
        }
        #expect(counts == [["relays:a": 3], [:], ["relays:a": 5]])
    }
}
