import Engine
import Testing
import WorkflowModel

/// The two queues of the outbox.
extension StoreContract {
    static func bulkShares(_ store: any Store) async throws {
        try await seed(store)
        try await store.write { transaction in
            // A campaign that has been due for long, and then four mails that somebody waits for.
            for number in UInt64(0)..<20 {
                var entry = entry(200 + number, due: -3600)
                entry.request.kind = .marketing
                entry.request.answers = nil
                try transaction.insert(entry)
            }
            for number in UInt64(0)..<4 { try transaction.insert(entry(300 + number)) }
        }
        let claims = try await store.write { transaction in
            try [(4, 1), (1, 0), (4, 1), (4, 0)].map { limit, share in
                try transaction.claimEntries(dueAt: time, limit: limit, bulkShare: share).map(\.isBulk)
            }
        }
        #expect(claims[0] == [false, false, false, true] && claims[1] == [false])
        // Nobody else waits: every place is a campaign's.
        #expect(claims[2] == [true, true, true, true] && claims[3] == [true, true, true, true])
        let next = try await store.write { try $0.nextEntry() }
        #expect(next == time.adding(seconds: -3600))
    }
}
