import Engine
import JSONValue
import Testing
import WorkflowModel

extension StoreContract {
    /// Random histories against sets in memory. Ids come in any order and share their halves with others, because how members
    /// are found goes by ids; contacts of another project lie between.
    static func membersInAnyOrder(_ store: any Store) async throws {
        try await seed(store)
        let stranger = Project(id: id(900), slug: "q", name: "Q")
        let segments = (0..<3).map { number in
            SegmentRecord(
                id: id(UInt64(70 + number)), projectID: project.id, slug: "s\(number)", name: "S", kind: .static,
                filter: nil, createdAt: time, updatedAt: time)
        }
        try await store.write { store in
            try store.insert(stranger, at: time)
            for segment in segments { try store.save(segment) }
        }
        var random = SeededGenerator(seed: 19)
        var model = MembershipModel(people: [contact.id], segments: segments.map(\.id))
        for _ in 0..<60 {
            let before = model
            var changed = model
            var fork = random
            let fails = Int.random(in: 0..<8, using: &random) == 0
            do {
                (changed, fork) = try await store.write { [changed, fork] store in
                    var (model, random) = (changed, fork)
                    for _ in 0..<Int.random(in: 1...40, using: &random) {
                        try model.step(store, segments, stranger: stranger.id, using: &random)
                    }
                    // Within the transaction, too.
                    try model.expectPage(store, using: &random)
                    if fails { throw Undone() }
                    return (model, random)
                }
                model = changed
            } catch is Undone {
                model = before
            }
            random = fork
            let (expected, seed) = (model, random.next())
            try await store.read { reader in
                var random = SeededGenerator(seed: seed)
                try expected.expectListed(reader, using: &random)
            }
        }
        try await store.write { [model] store in
            for segment in segments {
                #expect(try store.recount(segment: segment.id) == model.members[segment.id]?.count)
            }
            try store.delete(segment: segments[0].id, at: time)
            while try store.purgeSegments(limit: 20) {}
            for person in model.people {
                let left = segments.dropFirst().map(\.id).filter { model.members[$0]?.contains(person) == true }
                #expect(try store.memberships(of: person) == Set(left))
            }
        }
    }

    private struct Undone: Error {}
}

private struct MembershipModel: Sendable {
    var people: [Identifier]
    var members: [Identifier: Set<Identifier>]
    private var made: UInt64 = 0

    init(people: [Identifier], segments: [Identifier]) {
        self.people = people
        members = Dictionary(uniqueKeysWithValues: segments.map { ($0, []) })
    }

    mutating func step(
        _ store: any StoreTransaction, _ segments: [SegmentRecord], stranger: Identifier,
        using random: inout SeededGenerator
    ) throws {
        switch Int.random(in: 0..<20, using: &random) {
        case 0..<8:
            let contact = newContact(using: &random)
            try store.insert(contact, in: StoreContract.project.id)
            people.append(contact.id)
        case 8: try store.insert(newContact(using: &random), in: stranger)
        case 9:
            guard people.count > 1 else { return }
            let gone = people.remove(at: Int.random(in: 1..<people.count, using: &random))
            guard let contact = try store.contact(gone) else {
                throw StoreError(.damaged, "\(gone) is not there")
            }
            try store.erase(contact, in: StoreContract.project.id, replyKey: "\(gone)", at: StoreContract.time)
            for segment in segments { members[segment.id]?.remove(gone) }
        default:
            guard let person = people.randomElement(using: &random),
                let segment = segments.randomElement(using: &random)
            else { return }
            if Int.random(in: 0..<3, using: &random) > 0 {
                let isNew = members[segment.id]?.insert(person).inserted
                #expect(try store.enter(person, segment, at: StoreContract.time) == isNew)
            } else {
                let wasThere = members[segment.id]?.remove(person) != nil
                #expect(try store.leave(person, segment) == wasThere)
            }
        }
    }

    private mutating func newContact(using random: inout SeededGenerator) -> Contact {
        made += 1
        // Every second one ends in six zero bits, and few first halves are there.
        let low = Bool.random(using: &random) ? made << 6 : made << 6 | UInt64.random(in: 1..<64, using: &random)
        return Contact(
            id: Identifier(high: UInt64.random(in: 1..<14, using: &random), low: low), email: "m\(made)@example.org",
            isSubscribed: true, data: [:], createdAt: StoreContract.time, updatedAt: StoreContract.time)
    }

    func expectPage(_ store: any StoreTransaction, using random: inout SeededGenerator) throws {
        let bounds = (0..<2).compactMap { _ in people.randomElement(using: &random) }.sorted()
        let limit = Int.random(in: 1...20, using: &random)
        for (segment, members) in members {
            let expected = members.sorted().filter { $0 > bounds[0] && $0 <= bounds[1] }.prefix(limit)
            #expect(
                try store.members(of: segment, after: bounds[0], through: bounds[1], limit: limit) == Array(expected))
            let first = members.sorted().filter { $0 <= bounds[1] }.prefix(limit)
            #expect(try store.members(of: segment, after: nil, through: bounds[1], limit: limit) == Array(first))
        }
    }

    func expectListed(_ reader: any StoreReader, using random: inout SeededGenerator) throws {
        for (segment, members) in members {
            #expect(try reader.memberCount(of: segment) == members.count)
            let (limit, offset) = (
                Int.random(in: 1...20, using: &random), Int.random(in: 0...members.count, using: &random)
            )
            let page = try reader.members(of: segment, limit: limit, offset: offset).map(\.contact.id)
            #expect(page == Array(members.sorted().dropFirst(offset).prefix(limit)))
            #expect(
                try reader.audience(ofSegment: segment, in: StoreContract.project.id, at: StoreContract.time).members
                    == members.count)
        }
    }
}
