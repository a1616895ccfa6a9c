import Engine
import Testing
import WorkflowModel

/// Automatic replies that were sent.
extension StoreContract {
    static func automaticReplies(_ store: any Store) async throws {
        @Sendable func reply(_ template: UInt64, _ seconds: Int64, route: String = "@x") -> SentReply {
            SentReply(projectID: id(9), route: route, template: id(template), at: time.adding(seconds: seconds))
        }
        try await store.write { transaction in
            try transaction.save(reply(1, 0), to: "a@x")
            try transaction.save(reply(1, 10), to: "a@x")
            try transaction.save(reply(2, 5), to: "a@x")
            try transaction.save(reply(1, 7, route: "b"), to: "a@x")
            try transaction.save(reply(1, 0), to: "b@x")
            let sent = try transaction.replies(to: "a@x")
            #expect(Set(sent) == [reply(1, 10), reply(2, 5), reply(1, 7, route: "b")])
            #expect(try transaction.replies(to: "c@x").isEmpty)
            for slot: Int64 in [3, 3, 4] { try transaction.countReply(domain: "x", slot: slot) }
            try transaction.countReply(domain: "y", slot: 4)
            #expect(try transaction.replyCount(domain: "x", since: 3) == 3)
            #expect(try transaction.replyCount(domain: "x", since: 4) == 1)
            #expect(try transaction.replyCount(domain: "z", since: 0) == 0)
            #expect(try transaction.replyCount(domain: nil, since: 4) == 2)
        }
        let place = try await store.write { transaction in
            let place = try transaction.pruneReplies(
                before: time.adding(seconds: 6), slot: 4, after: nil, limit: 1)
            #expect(try transaction.replies(to: "a@x").count == 2 && transaction.replies(to: "b@x").count == 1)
            #expect(try transaction.replyCount(domain: nil, since: 0) == 2)
            return place
        }
        #expect(place == "a@x")
        try await store.write { transaction in
            let end = try transaction.pruneReplies(before: time.adding(seconds: 6), slot: 4, after: place, limit: 5)
            #expect(try end == nil && transaction.replies(to: "b@x").isEmpty)
            try transaction.forgetReplyCounts()
            #expect(try transaction.replyCount(domain: nil, since: 0) == 0)
            #expect(try transaction.replyCount(domain: "y", since: 0) == 0)
            #expect(try transaction.replies(to: "a@x").count == 2, "who was answered is known all the same")
        }
    }

    static func replyStops(_ store: any Store) async throws {
        let first = ReplyStop(openedAt: time, until: time.adding(seconds: 60))
        let second = ReplyStop(openedAt: time.adding(seconds: 90), until: time.adding(seconds: 99))
        try await store.write { transaction in
            #expect(try transaction.replyStop() == nil)
            try transaction.save(first)
        }
        #expect(try await store.read { try $0.replyStop() } == first)
        try await store.write { try $0.save(second) }
        #expect(try await store.read { try $0.replyStop() } == second)
    }
}
