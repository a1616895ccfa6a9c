import Engine
import Testing
import WorkflowModel

/// Webhook calls and their secrets.
extension StoreContract {
    static func call(_ number: UInt64, due: Int64 = 0, host: String = "a.example", execution: UInt64 = 100)
        -> WebhookCall
    {
        WebhookCall(
            request: WebhookRequest(
                id: id(number), step: "call", method: "POST", url: "https://\(host)/hook?x=1",
                headers: [.init(name: "X-One", value: "1"), .init(name: "X-Two", value: "ü")], body: "{\"a\":1}"),
            projectID: project.id, executionID: id(execution), dueAt: time.adding(seconds: due), createdAt: time)
    }

    static func webhookCallComesBackWhole(_ store: any Store) async throws {
        let (inserted, missing) = try await store.write { transaction in
            try transaction.insert(call(300, due: 5))
            return (try transaction.webhookCall(id(300)), try transaction.webhookCall(id(301)))
        }
        #expect(inserted == call(300, due: 5))
        #expect(missing == nil)
    }

    static func webhookClaims(_ store: any Store) async throws {
        try await store.write { transaction in
            try transaction.insert(call(300, due: 5))
            try transaction.insert(call(301))
            try transaction.insert(call(302, due: 60))
            let now = time.adding(seconds: 5)
            let claimed = try transaction.claimWebhookCalls(dueAt: now, limit: 10, perReceiver: 10, underWay: [:])
            #expect(claimed.map(\.id) == [id(301), id(300)])
            #expect(claimed.allSatisfy { $0.status == .claimed })
            let again = try transaction.claimWebhookCalls(dueAt: now, limit: 10, perReceiver: 10, underWay: [:])
            #expect(again.isEmpty)
            #expect(try transaction.nextWebhookCall(besides: []) == time.adding(seconds: 60))
        }
    }

    static func webhookReceivers(_ store: any Store) async throws {
        try await store.write { transaction in
            // The slow receiver's backlog is older than anything else.
            for number: UInt64 in 0..<100 { try transaction.insert(call(300 + number, due: Int64(number) - 100)) }
            try transaction.insert(call(400, host: "b.example"))
            try transaction.insert(call(401, due: 9, host: "c.example"))
            let claimed = try transaction.claimWebhookCalls(
                dueAt: time, limit: 10, perReceiver: 3, underWay: ["a.example:443": 1])
            #expect(claimed.map(\.id) == [id(300), id(301), id(400)])
            let none = try transaction.claimWebhookCalls(
                dueAt: time, limit: 10, perReceiver: 3, underWay: ["a.example:443": 3])
            #expect(none.isEmpty)
            let one = try transaction.claimWebhookCalls(dueAt: time, limit: 1, perReceiver: 3, underWay: [:])
            #expect(one.map(\.id) == [id(302)])
            #expect(try transaction.nextWebhookCall(besides: []) == time.adding(seconds: -97))
            #expect(try transaction.nextWebhookCall(besides: ["a.example:443"]) == time.adding(seconds: 9))
        }
    }

    static func webhookRetries(_ store: any Store) async throws {
        try await store.write { transaction in
            try transaction.insert(call(300))
            _ = try transaction.claimWebhookCalls(dueAt: time, limit: 1, perReceiver: 1, underWay: [:])
            try transaction.retryWebhookCall(id(300), at: time.adding(seconds: 4))
            let call = try transaction.webhookCall(id(300))
            #expect(call?.status == .pending && call?.attempts == 1 && call?.dueAt == time.adding(seconds: 4))
            // Only what is claimed has an attempt to count or an end to record.
            try transaction.retryWebhookCall(id(300), at: time)
            #expect(try transaction.webhookCall(id(300)) == call)
            #expect(try !transaction.endWebhookCall(id(300)))
            _ = try transaction.claimWebhookCalls(
                dueAt: time.adding(seconds: 4), limit: 1, perReceiver: 1, underWay: [:])
            #expect(try transaction.endWebhookCall(id(300)))
            #expect(try transaction.webhookCall(id(300)) == nil)
            #expect(try !transaction.endWebhookCall(id(300)))
        }
    }

    static func webhookRelease(_ store: any Store) async throws {
        let counts = try await store.write { transaction in
            for number: UInt64 in 300...302 { try transaction.insert(call(number, due: -5)) }
            _ = try transaction.claimWebhookCalls(dueAt: time, limit: 2, perReceiver: 2, underWay: [:])
            try transaction.unclaimWebhookCalls([id(301)], until: time.adding(seconds: 1))
            #expect(try transaction.releaseWebhookClaims(at: time) == [id(300)])
            let released = try transaction.webhookCall(id(300))
            #expect(released?.status == .pending && released?.attempts == 1 && released?.dueAt == time)
            let unclaimed = try transaction.webhookCall(id(301))
            #expect(unclaimed?.attempts == 0 && unclaimed?.dueAt == time.adding(seconds: 1))
            return unclaimed?.status
        }
        #expect(counts == .pending)
        #expect(try await store.read { try $0.webhookCounts() } == [.pending: 3, .claimed: 0])
    }

    static func webhookDeletion(_ store: any Store) async throws {
        try await seed(store)
        try await store.write { transaction in
            try transaction.insert(call(300))
            try transaction.insert(call(301))
            try transaction.insert(call(302, execution: 101))
            _ = try transaction.claimWebhookCalls(dueAt: time, limit: 1, perReceiver: 1, underWay: [:])
            try transaction.deleteWebhookCalls(of: id(100))
            // What fails without an answer takes its calls with it, too.
            try transaction.insert(execution(102, status: .running), once: false)
            try transaction.insert(call(303, execution: 102))
            try transaction.failExecution(id(102), reason: "damaged", at: time)
            #expect(try transaction.webhookCall(id(303)) == nil)
            // An attempt under way when its execution was cancelled has nothing to record.
            #expect(try !transaction.endWebhookCall(id(300)))
            try transaction.retryWebhookCall(id(300), at: time)
            let rest = try transaction.claimWebhookCalls(dueAt: time, limit: 9, perReceiver: 9, underWay: [:])
            #expect(rest.map(\.id) == [id(302)])
        }
    }

    static func webhookSecrets(_ store: any Store) async throws {
        try await store.write { transaction in
            #expect(try transaction.webhookSecret(of: project.id) == nil)
            let first = WebhookSecret(bytes: [1, 2])
            try transaction.save(first, of: project.id)
            #expect(try transaction.webhookSecret(of: project.id) == first)
            let rotated = WebhookSecret(bytes: [3], previous: [1, 2], previousEnds: time)
            try transaction.save(rotated, of: project.id)
            #expect(try transaction.webhookSecret(of: project.id) == rotated)
            #expect(try transaction.webhookSecret(of: id(9)) == nil)
        }
    }
}
