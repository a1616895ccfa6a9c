import Engine
import Testing
import WorkflowModel

/// What is forgotten in the order of keys, part by part.
extension StoreContract {
    static func oldReceptions(_ store: any Store) async throws {
        try await seed(store)
        @Sendable func reception(_ number: UInt8, at seconds: Int64) -> Reception {
            Reception(
                key: [number], projectID: project.id, eventID: id(UInt64(number)), recipient: "r@example.com",
                queueID: "Q", receivedAt: time.adding(seconds: seconds))
        }
        try await store.write { store in
            for (number, seconds) in [(1, 0), (2, 100), (3, 0), (4, 99), (5, 100)] as [(UInt8, Int64)] {
                let isNew = try store.insert(reception(number, at: seconds))
                #expect(isNew)
            }
        }
        let end = time.adding(seconds: 100)
        var place: [UInt8]?
        for (forgotten, next) in [(1, [2]), (2, [4]), (0, nil), (0, [5])] as [(Int, [UInt8]?)] {
            let from = place
            let part = try await store.write { try $0.pruneReceptions(before: end, after: from, limit: 2) }
            #expect(part.forgotten == forgotten && part.next == next)
            place = part.next
        }
        let again = try await store.write { store in
            try [1, 2, 3, 4, 5].map { try store.insert(reception($0, at: 200)) }
        }
        #expect(again == [true, false, true, true, false])
    }

    private static let day: Int64 = 86_400

    /// One made that many days later.
    private static func mail(_ days: Int64) -> OutboxEntry {
        var mail = entry(200 + UInt64(days))
        mail.id = Identifier(at: time.adding(seconds: days * day), random: (0, 1))
        mail.request.id = mail.id
        return mail
    }

    private static func pixelHit(of mail: Int64, at days: Int64) -> PixelHit {
        PixelHit(
            entryID: self.mail(mail).id, at: time.adding(seconds: days * day), userAgent: "UA", network: "192.0.2.0/24")
    }

    private static func clickHit(of mail: Int64, at days: Int64) -> ClickHit {
        ClickHit(
            entryID: self.mail(mail).id, at: time.adding(seconds: days * day), link: "https://example.org/",
            userAgent: "UA", network: "192.0.2.0/24")
    }

    static func oldHits(_ store: any Store) async throws {
        try await seed(store)
        // A mail on each of four days, with a hit on that day and one two days later.
        try await store.write { store in
            for number: Int64 in 0..<4 {
                try store.insert(mail(number))
                #expect(try store.record(pixelHit(of: number, at: number), limit: 2))
                #expect(try store.record(pixelHit(of: number, at: number + 2), limit: 2) == false)
                #expect(try store.record(clickHit(of: number, at: number), limit: 2)?.count == 1)
                #expect(try store.record(clickHit(of: number, at: number + 2), limit: 2)?.count == 2)
                #expect(try store.record(clickHit(of: number, at: number + 3), limit: 2) == nil)
            }
        }
        // The last mail is younger than that.
        let end = time.adding(seconds: 2 * day + day / 2)
        let middle = HitPlace(entryID: mail(1).id, sequence: 1)
        var (pixels, clicks): (HitPlace?, HitPlace?) = (nil, nil)
        for (forgotten, next) in [(3, middle), (1, nil), (0, nil)] as [(Int, HitPlace?)] {
            let (first, second) = (pixels, clicks)
            let parts = try await store.write { store in
                (
                    try store.prunePixelHits(before: end, after: first, limit: 4),
                    try store.pruneClickHits(before: end, after: second, limit: 4)
                )
            }
            #expect(parts.0.forgotten == forgotten && parts.0.next == next)
            #expect(parts.1.forgotten == forgotten && parts.1.next == next)
            (pixels, clicks) = (parts.0.next, parts.1.next)
        }
        // There is room for hits again, behind those that are left; what is known of the mails is as it was.
        try await store.write { store in
            for number: Int64 in 0..<3 {
                #expect(try store.record(pixelHit(of: number, at: 9), limit: 2) == false)
                let count = try store.record(clickHit(of: number, at: 9), limit: 2)
                #expect(count == ClickCount(first: time.adding(seconds: number * day), count: 3))
            }
            #expect(try store.record(clickHit(of: 1, at: 10), limit: 2) == nil)
        }
        let status = try await store.read { try $0.mailStatus(mail(1).id, in: project.id) }
        #expect(status?.opens == 3)
    }
}
