import Engine
import JSONValue
import Testing
import WorkflowModel

/// Broadcasts, their mails and their counts.
extension StoreContract {
    private static func broadcast(_ number: UInt64, status: Broadcast.Status = .draft) -> Broadcast {
        var broadcast = Broadcast(
            id: id(number), projectID: project.id, name: "B\(number)", segmentID: id(70),
            definition: BroadcastDefinition(
                content: .init(template: id(60), templateVersion: 3, from: "a@example.com", replyTo: "b@example.com"),
                variants: [
                    .init(name: "a", content: .init(subject: "A")), .init(name: "b", content: .init(body: "<p>B</p>")),
                ], test: .init(share: 10, rule: .clicks, duration: 3600),
                window: SendWindow.read(["from": "09:00", "to": "17:00"], path: "window", zones: nil).window,
                data: ["n": 1]), createdAt: time)
        broadcast.status = status
        return broadcast
    }

    private static func part(_ number: UInt64, of broadcast: UInt64, variant: Int = 0, due: Int64 = 0) -> OutboxEntry {
        var entry = entry(number, due: due)
        entry.executionID = nil
        entry.request.answers = nil
        entry.request.kind = .marketing
        entry.request.broadcast = MailRequest.Broadcast(id: id(broadcast), variant: variant, variantName: "v\(variant)")
        return entry
    }

    static func broadcastsComeBack(_ store: any Store) async throws {
        try await seed(store)
        let draft = broadcast(200)
        var under = broadcast(201, status: .sending)
        under.pinned = [.init(version: id(61), partials: ["foot": id(62)]), .init(version: id(63))]
        (under.phase, under.cursor, under.last) = (.deciding, id(2), id(3))
        (under.scheduledAt, under.decideAt) = (time, time.adding(seconds: 1))
        (under.winner, under.winnerReason, under.reason, under.isSweeping) = (1, .tie, "why", true)
        (under.startedAt, under.completedAt) = (time.adding(seconds: 2), time.adding(seconds: 3))
        var everybody = Broadcast(
            id: id(202), projectID: project.id, name: "All", definition: BroadcastDefinition(), createdAt: time)
        everybody.status = .sent
        let (all, open) = ([draft, under, everybody], [draft, under])
        try await store.write { store in for broadcast in all { try store.save(broadcast) } }
        let read = try await store.read { reader in
            (
                try all.map { try reader.broadcast($0.id, in: project.id) }, try reader.broadcast(draft.id, in: id(9)),
                try reader.activeBroadcasts(), try reader.openBroadcasts(in: project.id),
                try reader.status(ofBroadcast: id(201))
            )
        }
        #expect(read.0 == all)
        #expect(read.1 == nil && read.2 == [open[1]] && read.3 == open && read.4 == .sending)
        let (page, sent) = try await store.read { reader in
            (
                try reader.broadcasts(in: project.id, status: nil, limit: 2, offset: 1),
                try reader.broadcasts(in: project.id, status: .sent, limit: 2, offset: 0)
            )
        }
        #expect(page.rows == [open[1], draft] && page.total == 3 && sent.rows == [everybody] && sent.total == 1)
        try await store.write { try $0.delete(broadcast: draft.id) }
        #expect(try await store.read { try $0.broadcast(draft.id) } == nil)
    }

    static func broadcastMails(_ store: any Store) async throws {
        try await seed(store)
        try await store.write { (store) throws in
            try store.save(broadcast(200, status: .sending))
            #expect(try store.note(recipient: contact.id, of: id(200), variant: 1, mail: id(300)))
            #expect(try !store.note(recipient: contact.id, of: id(200), variant: 0, mail: id(301)))
            #expect(try store.note(recipient: contact.id, of: id(201), variant: 0, mail: id(302)))
            #expect(try store.noteUnsubscription(by: contact.id, in: id(200)))
            #expect(try !store.noteUnsubscription(by: contact.id, in: id(200)))
            #expect(try !store.noteUnsubscription(by: id(99), in: id(200)))
            try store.insert(part(300, of: 200, variant: 1))
            try store.insert(part(303, of: 200))
            try store.count(.recipients, of: id(200), variant: 1, by: 2)
            try store.count(.sent, of: id(200), variant: 0, by: 1)
            // Also before anything of it is written.
            #expect(try store.broadcastCounts(of: id(200))[1]?[.recipients] == 2)
        }
        try await store.write { try $0.count(.recipients, of: id(200), variant: 1, by: 1) }
        let (counts, open, entry) = try await store.read {
            (try $0.broadcastCounts(of: id(200)), try $0.openMailCount(ofBroadcast: id(200)), try $0.entry(id(300)))
        }
        #expect(counts == [0: BroadcastCounts([.sent: 1], queued: 1), 1: BroadcastCounts([.recipients: 3], queued: 1)])
        #expect(open == 2 && entry == part(300, of: 200, variant: 1))
        // A body that fails counts nothing.
        struct Expected: Error {}
        await #expect(throws: Expected.self) {
            try await store.write {
                try $0.count(.recipients, of: id(200), variant: 1, by: 100)
                throw Expected()
            }
        }
        #expect(try await store.read { try $0.broadcastCounts(of: id(200))[1]?[.recipients] } == 3)
    }

    static func recipientsGo(_ store: any Store) async throws {
        try await seed(store)
        try await store.write { (store) throws in
            for (number, status) in zip(
                UInt64(200)..., [Broadcast.Status.sent, .cancelled, .sending, .paused, .sent, .sent, .cancelled])
            {
                var broadcast = broadcast(number, status: status)
                if status.isFinal { broadcast.completedAt = time.adding(seconds: number == 204 ? 10 : 9) }
                // Its mails have yet to be dropped.
                broadcast.isSweeping = number == 206
                try store.save(broadcast)
                // 205 went to nobody.
                for contact in UInt64(1)..<(number == 205 ? 1 : 6) {
                    #expect(try store.note(recipient: id(contact), of: id(number), variant: 0, mail: id(contact)))
                }
            }
            try store.count(.recipients, of: id(200), variant: 0, by: 5)
        }
        let end = time.adding(seconds: 10)
        #expect(
            try await store.read { try $0.broadcastsWithRecipients(endedBefore: end, limit: 9) } == [id(200), id(201)])
        #expect(try await store.read { try $0.broadcastsWithRecipients(endedBefore: end, limit: 1) } == [id(200)])
        for expected in [3, 2, 0] {
            #expect(try await store.write { try $0.pruneRecipients(ofBroadcast: id(200), limit: 3) } == expected)
        }
        #expect(try await store.read { try $0.broadcastsWithRecipients(endedBefore: end, limit: 9) } == [id(201)])
        #expect(try await store.read { try $0.broadcastCounts(of: id(200)) } == [0: BroadcastCounts([.recipients: 5])])
        // Nobody else's went with them.
        try await store.write { (store) throws in
            for number in UInt64(201)..<205 {
                #expect(try !store.note(recipient: id(3), of: id(number), variant: 0, mail: id(9)))
            }
        }
    }

    static func waitingBroadcastMails(_ store: any Store) async throws {
        try await seed(store)
        try await store.write { (store) throws in
            for number in UInt64(300)..<305 { try store.insert(part(number, of: 200, due: Int64(number))) }
            try store.insert(part(305, of: 201))
            try store.insert(entry(306))
            _ = try store.claim([id(304)], at: time.adding(seconds: 1000))
            #expect(try store.holdMails(of: id(200), limit: 3) == 3)
            #expect(try store.holdMails(of: id(200), limit: 3) == 1)
            try store.hold([id(304), id(305)])
            #expect(try store.entry(id(304))?.status == .held)
            // Only what is claimed.
            #expect(try store.entry(id(305))?.status == .pending)
            #expect(try store.openMailCount(ofBroadcast: id(200)) == 5)
            #expect(try store.claim([id(300)], at: time.adding(seconds: 1000)).isEmpty)
            #expect(try store.releaseMails(of: id(200), limit: 2).count == 2)
            #expect(
                try store.cancelMails(of: id(200), at: time.adding(seconds: 5), limit: 4) == [0: 4]
                    && store.cancelMails(of: id(200), at: time, limit: 4) == [0: 1])
            #expect(try store.openMailCount(ofBroadcast: id(200)) == 0)
        }
        let statuses = try await store.read { reader in
            try (UInt64(300)..<307).map { try reader.entry(id($0))?.status }
        }
        #expect(statuses == Array(repeating: .cancelled, count: 5) + [.pending, .pending])
        let status = try await store.read { try $0.mailStatus(id(300), in: project.id) }
        #expect(status?.lastReply == Broadcast.cancellation)
    }

    static func audiences(_ store: any Store) async throws {
        try await seed(store)
        let segment = SegmentRecord(
            id: id(70), projectID: project.id, slug: "s", name: "S", kind: .static, filter: nil, createdAt: time,
            updatedAt: time)
        try await store.write { (store) throws in
            try store.save(segment)
            for number in UInt64(10)..<14 {
                try store.insert(
                    Contact(
                        id: id(number), email: "c\(number)@example.org", isSubscribed: number != 10, data: [:],
                        createdAt: time, updatedAt: time), in: project.id)
                _ = try store.enter(id(number), segment, at: time)
            }
            for (address, end) in [("c11@example.org", nil), ("c12@example.org", time)] as [(String, Timestamp?)] {
                try store.save(
                    Suppression(
                        projectID: project.id, address: address, reason: .manual, createdAt: time, expiresAt: end))
            }
        }
        let (members, all) = try await store.read {
            (
                try $0.audience(ofSegment: segment.id, in: project.id, at: time.adding(seconds: 1)),
                try $0.audience(ofSegment: nil, in: project.id, at: time.adding(seconds: 1))
            )
        }
        #expect(members == Audience(members: 4, subscribed: 3, sendable: 2))
        #expect(all == Audience(members: 4, subscribed: 4, sendable: 3))
    }
}
