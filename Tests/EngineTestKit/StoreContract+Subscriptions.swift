import Engine
import JSONValue
import Testing
import WorkflowModel

/// Subscriptions to events and their deliveries.
extension StoreContract {
    static func subscription(_ number: UInt64 = 500, _ events: [EventPattern] = [.all]) -> WebhookSubscription {
        WebhookSubscription(
            id: id(number), projectID: project.id, url: "https://a.example/hook?x=1", description: "One",
            events: events, createdAt: time, updatedAt: time)
    }

    static func delivery(_ number: UInt64, of subscription: UInt64 = 500, due: Int64 = 0, event: UInt64 = 10)
        -> WebhookDelivery
    {
        WebhookDelivery(
            id: id(number), subscriptionID: id(subscription), eventID: id(event), dueAt: time.adding(seconds: due),
            createdAt: time)
    }

    static func subscriptionsAreKept(_ store: any Store) async throws {
        try await seed(store)
        let secret = WebhookSecret(bytes: [1], previous: [2], previousEnds: time)
        let version = try await store.write { transaction in
            let before = try transaction.catalogVersion()
            try transaction.insert(
                subscription(500, [.name("a b"), .prefix("contact."), .all]), secret: secret)
            #expect(try transaction.catalogVersion() != before)
            #expect(try transaction.secret(ofSubscription: id(500)) == secret)
            #expect(try transaction.secret(ofSubscription: id(501)) == nil)
            return try transaction.catalogVersion()
        }
        var stored = subscription(500, [.name("a b"), .prefix("contact."), .all])
        #expect(try await store.read { try $0.loadCatalog().subscriptions } == [stored])
        stored.url = "https://b.example/"
        stored.description = nil
        stored.events = [.name("x")]
        stored.isEnabled = false
        stored.pause = .init(at: time, reason: "gone", caughtUp: id(77))
        stored.updatedAt = time.adding(seconds: 1)
        let changed = stored
        try await store.write { transaction in
            try transaction.update(changed)
            #expect(try transaction.catalogVersion() != version)
            try transaction.save(WebhookSecret(bytes: [3]), ofSubscription: id(500))
            try transaction.setFailing(since: time, ofSubscription: id(500))
            try transaction.setFailing(since: time.adding(seconds: 1), ofSubscription: id(500))
        }
        #expect(try await store.read { try $0.loadCatalog().subscriptions } == [changed])
        #expect(try await store.read { try $0.secret(ofSubscription: id(500)) } == WebhookSecret(bytes: [3]))
        #expect(try await store.read { try $0.failingSince(ofSubscription: id(500)) } == time.adding(seconds: 1))
        try await store.write { try $0.delete(subscription: id(500)) }
        #expect(try await store.read { try $0.loadCatalog().subscriptions } == [])
        #expect(try await store.read { try $0.failingSince(ofSubscription: id(500)) } == nil)
        #expect(try await store.read { try $0.secret(ofSubscription: id(500)) } == nil)
    }

    static func deliveryClaims(_ store: any Store) async throws {
        try await store.write { transaction in
            for number: UInt64 in 600...603 { try transaction.insert(delivery(number)) }
            try transaction.insert(delivery(604, due: -9))
            try transaction.insert(delivery(605, due: 60))
            try transaction.insert(delivery(700, of: 501, due: 3))
            #expect(
                try transaction.webhookQueues() == [
                    .init(subscriptionID: id(500), dueAt: time.adding(seconds: -9), claimed: 0, failingSince: nil),
                    .init(subscriptionID: id(501), dueAt: time.adding(seconds: 3), claimed: 0, failingSince: nil),
                ])
            let claimed = try transaction.claimDeliveries(of: id(500), dueAt: time, limit: 3)
            #expect(claimed.map(\.id) == [id(604), id(600), id(601)])
            #expect(claimed.allSatisfy { $0.status == .claimed })
            try transaction.setFailing(since: time, ofSubscription: id(500))
            #expect(
                try transaction.webhookQueues().first
                    == .init(subscriptionID: id(500), dueAt: time, claimed: 3, failingSince: time))
            let rest = try transaction.claimDeliveries(of: id(500), dueAt: time, limit: 9)
            #expect(rest.map(\.id) == [id(602), id(603)])
            try transaction.unclaimDelivery(id(602), of: id(500), until: time.adding(seconds: 5))
            let unclaimed = try transaction.delivery(id(602), of: id(500))
            #expect(unclaimed?.status == .pending && unclaimed?.attempts == 0)
            #expect(try transaction.releaseDeliveryClaims(at: time).sorted() == [600, 601, 603, 604].map { id($0) })
            let released = try transaction.delivery(id(600), of: id(500))
            #expect(released?.status == .pending && released?.attempts == 1 && released?.dueAt == time)
            #expect(try transaction.releaseDeliveryClaims(at: time) == [])
        }
        #expect(try await store.read { try $0.deliveryCounts() } == [.pending: 7, .claimed: 0])
    }

    static func deliveryEnds(_ store: any Store) async throws {
        var ended = delivery(600)
        ended.status = .failed
        ended.attempts = 8
        ended.answer = 503
        ended.reason = "answered 503"
        ended.endedAt = time
        ended.keptUntil = time.adding(seconds: 9)
        let failed = ended
        try await store.write { transaction in
            try transaction.insert(delivery(600))
            #expect(try !transaction.endAttempt(failed))
            _ = try transaction.claimDeliveries(of: id(500), dueAt: time, limit: 1)
            #expect(try !transaction.requeueDelivery(id(600), of: id(500), at: time))
            #expect(try transaction.endAttempt(failed))
            #expect(try transaction.delivery(id(600), of: id(500)) == failed)
            #expect(try transaction.delivery(id(600), of: id(501)) == nil)
            #expect(try transaction.requeueDelivery(id(600), of: id(500), at: time.adding(seconds: 1)))
            #expect(try !transaction.requeueDelivery(id(601), of: id(500), at: time))
            let again = try transaction.delivery(id(600), of: id(500))
            #expect(again?.status == .pending && again?.attempts == 0 && again?.endedAt == nil)
            #expect(again?.keptUntil == nil && again?.reason == "answered 503")
            #expect(try transaction.hastenDeliveries(of: id(500), to: time.adding(seconds: -5), limit: 9) == 1)
            #expect(try transaction.hastenDeliveries(of: id(500), to: time.adding(seconds: -5), limit: 9) == 0)
            #expect(try transaction.webhookQueues().first?.dueAt == time.adding(seconds: -5))
        }
    }

    static func failedDeliveriesAreQueuedAgain(_ store: any Store) async throws {
        try await store.write { transaction in
            for number: UInt64 in 600...605 {
                var failed = delivery(number)
                failed.status = number == 603 ? .delivered : .failed
                try transaction.insert(failed)
            }
            let first = try transaction.requeueFailedDeliveries(
                of: id(500), from: id(601), to: id(605), at: time, limit: 2)
            #expect(first == [id(601), id(602)])
            let second = try transaction.requeueFailedDeliveries(
                of: id(500), from: id(601), to: id(605), at: time, limit: 2)
            #expect(second == [id(604)])
        }
        #expect(try await store.read { try $0.deliveryCounts()[.pending] } == 3)
    }

    static func deliveryLists(_ store: any Store) async throws {
        try await seed(store)
        try await store.write { transaction in
            let event = Event(id: id(10), name: "t", data: ["x": 1], source: .api, createdAt: time)
            try transaction.insert(event, contact: contact.id, in: project.id)
            try transaction.insert(
                Event(id: id(11), name: "u", data: [:], source: .system, createdAt: time), contact: nil, in: project.id)
            for number: UInt64 in 600...603 {
                var one = delivery(number, event: number == 603 ? 99 : 10)
                if number % 2 == 0 { one.status = .failed }
                try transaction.insert(one)
            }
            #expect(
                try transaction.events(from: id(10), before: id(12), limit: 9).map(\.name) == ["t", "u"])
            #expect(try transaction.events(from: id(10), before: id(12), limit: 1).map(\.id) == [id(10)])
        }
        try await store.read { reader in
            let all = try reader.deliveries(of: id(500), status: nil, before: nil, limit: 3)
            #expect(all.map(\.delivery.id) == [id(603), id(602), id(601)])
            #expect(all.map(\.event) == [nil, "t", "t"])
            let older = try reader.deliveries(of: id(500), status: nil, before: id(601), limit: 3)
            #expect(older.map(\.delivery.id) == [id(600)])
            let failed = try reader.deliveries(of: id(500), status: .failed, before: nil, limit: 3)
            #expect(failed.map(\.delivery.id) == [id(602), id(600)])
            let pending = try reader.deliveries(of: id(500), status: .pending, before: id(603), limit: 3)
            #expect(pending.map(\.delivery.id) == [id(601)])
            let content = try reader.content(ofEvent: id(10))
            #expect(content?.event.name == "t" && content?.contact?.email == contact.email)
            #expect(try reader.content(ofEvent: id(11))?.contact == nil)
            #expect(try reader.content(ofEvent: id(12)) == nil)
        }
    }

    static func deliverySweeps(_ store: any Store) async throws {
        try await seed(store)
        try await store.write { transaction in
            try transaction.insert(subscription(), secret: WebhookSecret(bytes: [1]))
            for number: UInt64 in 600...604 {
                var one = delivery(number)
                one.status = .delivered
                one.keptUntil = time.adding(seconds: Int64(number) - 600)
                try transaction.insert(one)
            }
            try transaction.insert(delivery(605))
            for number: UInt64 in 700...702 { try transaction.insert(delivery(number, of: 501)) }
            let now = time.adding(seconds: 2)
            #expect(try transaction.deleteExpiredDeliveries(at: now, limit: 2) == 2)
            #expect(try transaction.deleteExpiredDeliveries(at: now, limit: 2) == 1)
            #expect(try transaction.deleteExpiredDeliveries(at: now, limit: 2) == 0)
            #expect(try transaction.deleteStrayDeliveries(limit: 2) == 2)
            #expect(try transaction.deleteStrayDeliveries(limit: 2) == 1)
            #expect(try transaction.deleteStrayDeliveries(limit: 2) == 0)
        }
        let left = try await store.read { try $0.deliveries(of: id(500), status: nil, before: nil, limit: 9) }
        #expect(left.map(\.delivery.id) == [id(605), id(604), id(603)])
    }
}
