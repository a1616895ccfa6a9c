import Engine
import Testing
import WorkflowModel

/// Numbers of looks at mail that tells nothing of its readers.
extension StoreContract {
    static func sharedHits(_ store: any Store) async throws {
        try await seed(store)
        let other = Identifier(high: 77, low: 1)
        try await store.write { try $0.insert(Project(id: other, slug: "other", name: "Other"), at: time) }
        let day: Int64 = 86_400
        let midnight = SharedHit(
            place: SharedPlace(project: project.id, version: nil, step: ""), link: nil, at: time, isMachine: false
        ).day
        @Sendable func hit(
            _ version: UInt64?, _ step: String, _ link: String? = nil, at moment: Timestamp, machine: Bool = false,
            of owner: Identifier = project.id
        ) -> SharedHit {
            SharedHit(
                place: SharedPlace(project: owner, version: version.map { Identifier(high: 9, low: $0) }, step: step),
                link: link, at: moment, isMachine: machine)
        }
        try await store.write { transaction in
            for hit in [
                hit(1, "a", at: midnight), hit(1, "a", at: midnight.adding(seconds: day - 1)),
                hit(1, "a", at: midnight.adding(seconds: day)), hit(1, "a", at: midnight, machine: true),
                hit(1, "b", at: midnight), hit(2, "a", "https://x.example/", at: midnight),
                hit(nil, "", at: midnight), hit(1, "a", at: midnight.adding(seconds: -1)),
                hit(1, "a", at: midnight, of: other),
            ] { try transaction.count(hit) }
        }
        let rows = try await store.read { try $0.sharedHits(in: project.id, since: midnight, limit: 100) }
        func row(_ version: UInt64?, _ step: String, _ link: String?, _ people: Int, _ machines: Int) -> SharedHitCount
        {
            SharedHitCount(
                version: version.map { Identifier(high: 9, low: $0) }, template: nil, step: step, link: link,
                people: people, machines: machines)
        }
        #expect(
            rows == [
                row(2, "a", "https://x.example/", 1, 0), row(1, "a", nil, 3, 1), row(1, "b", nil, 1, 0),
                row(nil, "", nil, 1, 0),
            ])
        #expect(try await store.read { try $0.sharedHits(in: project.id, since: midnight, limit: 1) }.count == 1)
        let later = midnight.adding(seconds: day)
        #expect(try await store.read { try $0.sharedHits(in: project.id, since: later, limit: 9) }.map(\.people) == [1])
    }
    static func oldSharedHits(_ store: any Store) async throws {
        try await seed(store)
        let other = Identifier(high: 77, low: 1)
        let today = SharedHit.day(of: time)
        try await store.write { (store) throws in
            try store.insert(Project(id: other, slug: "other", name: "Other"), at: time)
            for day in 0..<6 {
                for owner in [project.id, other] {
                    let place = SharedPlace(project: owner, version: Identifier(high: 9, low: 1), step: "a")
                    let at = today.adding(seconds: Int64(day) * -86_400)
                    try store.count(SharedHit(place: place, link: nil, at: at, isMachine: false))
                }
            }
        }
        // Three days of each go, and the day itself stays.
        let end = today.adding(seconds: 2 * -86_400)
        for expected in [4, 2, 0] {
            #expect(try await store.write { try $0.pruneSharedHits(before: end, limit: 4) } == expected)
        }
        for owner in [project.id, other] {
            let rows = try await store.read {
                try $0.sharedHits(in: owner, since: Timestamp(microseconds: 0), limit: 9)
            }
            #expect(rows.map(\.people) == [3])
        }
    }
}
