import Engine
import JSONValue
import Testing
import WorkflowModel

extension StoreContract {
    private static func event(_ number: UInt64, _ name: String = "ping", at offset: Int64 = 0) -> Event {
        Event(
            id: id(number), name: name, data: ["n": .int(Int64(number))], source: .api,
            createdAt: time.adding(seconds: offset))
    }

    /// Small enough that a few rows make runs, merges and merges of merges.
    static let smallSizes: HistorySizes = {
        var sizes = HistorySizes()
        sizes.run = 4
        sizes.fanIn = 3
        sizes.merge = 2
        sizes.row = 70
        sizes.erase = 3
        return sizes
    }()

    /// However the store keeps what is said twice.
    static func eventsComeBackWhole(_ store: any Store) async throws {
        try await seed(store)
        let text = "Yes, \u{e4}nd <soon> & \u{1F600}.\n\n> When?\n"
        let html = "Yes, \u{e4}nd &lt;soon&gt; &amp; \u{1F600}.<br>\n<br>\n&gt; When?<br>\n"
        let data: [JSONObject] = [
            [
                "from": "a", "text": .string(text), "strippedText": "Yes, \u{e4}nd <soon> & \u{1F600}.",
                "body": .string(html), "to": "b",
            ],
            ["text": .string(text), "strippedText": "> When?", "body": "<p>Yes</p>"],
            ["text": .string(text), "strippedText": .string(text), "body": .string(text)],
            ["text": .string(text), "strippedText": "Yes, a\u{308}nd", "body": .string(html + " ")],
            ["text": .string(text), "body": .string(String(html.dropLast()))],
            ["text": "", "strippedText": "", "body": ""],
            ["strippedText": "Yes", "body": .string(html)],
            ["text": .string(text), "strippedText": 3, "body": true],
        ]
        let events = data.enumerated().flatMap { number, data in
            [
                ("email.received", Event.Source.system), ("email.replied", .system), ("email.received", .api),
                ("x", .system),
            ]
            .enumerated().map { kind, what in
                Event(
                    id: id(1000 + UInt64(number * 10 + kind)), name: what.0, data: data, source: what.1,
                    createdAt: time)
            }
        }
        try await store.write { transaction in
            for event in events { try transaction.insert(event, contact: contact.id, in: project.id) }
        }
        // Numbers and true in the place of texts are no data of ours.
        for event in events where event.source == .api || event.name == "x" || event.data["body"] != true {
            let found = try await store.read { try $0.event(event.id, in: project.id) }
            #expect(found == event)
            // The order of members is what a client sees.
            #expect(found.map { JSONWriter.bytes(.object($0.data)) } == JSONWriter.bytes(.object(event.data)))
            #expect(try await store.read { try $0.content(ofEvent: event.id)?.event } == event)
        }
        let ours = events.filter { $0.source == .system && $0.name != "x" && $0.data["body"] != true }
        let listed = try await store.read {
            try $0.events(in: project.id, named: nil, before: nil, limit: 100, scan: 1000).events.map(\.event)
        }
        let timeline = try await HistoryProbe(store: store, project: project.id).timeline(of: contact.id)
        let seen = timeline.compactMap { item in if case .event(let event) = item { event } else { nil } }
        for event in ours { #expect(listed.contains(event) && seen.contains(event)) }
        let first = try await store.read { try $0.newestEventData(of: "email.replied", in: project.id, among: 100) }
        #expect(first.contains(data[0]))
    }

    static func timelineMixesKinds(_ store: any Store) async throws {
        try await seed(store)
        try await store.write {
            try $0.insert(event(100, at: 1), contact: contact.id, in: project.id)
            var stored = execution(200, status: .completed)
            stored.execution.startedAt = time.adding(seconds: 2)
            try $0.insert(stored, once: false)
            var mail = entry(300)
            mail.createdAt = time.adding(seconds: 3)
            try $0.insert(mail)
            try $0.insert(event(101, at: 4), contact: contact.id, in: project.id)
            try $0.insert(event(102, at: 5), contact: nil, in: project.id)
        }
        let probe = HistoryProbe(store: store, project: project.id)
        for limit in 1...5 {
            let items = try await probe.timeline(of: contact.id, pages: limit)
            #expect(items.map(\.id) == [id(101), id(300), id(200), id(100)], "pages of \(limit)")
        }
        #expect(try await probe.timeline(of: contact.id, kinds: [.mail]).map(\.id) == [id(300)])
        let foreign = HistoryProbe(store: store, project: id(77))
        #expect(try await foreign.timeline(of: contact.id).isEmpty)
    }

    static func eventsAreCountedByNameAndDay(_ store: any Store) async throws {
        try await seed(store)
        let day: Int64 = 86_400
        let today = time.microseconds / 1_000_000 / day
        try await store.write {
            for number in 0..<10 as Range<UInt64> {
                try $0.insert(
                    event(100 + number, number % 2 == 0 ? "even" : "odd", at: Int64(number) * day),
                    contact: number < 6 ? id(1000 + number % 3) : nil, in: project.id)
            }
        }
        var isIndexed = false
        repeat {
            let names = try await store.read { try $0.eventNames(in: project.id, limit: 10) }
            #expect(names == [.init(name: "even", count: 5), .init(name: "odd", count: 5)])
            #expect(
                try await store.read { try $0.eventNames(in: project.id, limit: 1) } == [.init(name: "even", count: 5)])
            let counts = try await store.read { try $0.eventCounts(in: project.id, days: today...today + 2) }
            #expect(counts == [.init(name: "even", count: 2), .init(name: "odd", count: 1)])
            let usage = try await store.read { try $0.eventUsage(of: "even", in: project.id) }
            #expect(usage == .init(count: 5, contacts: 3))
            #expect(try await store.read { try $0.eventUsage(of: "never", in: project.id) } == nil)
            #expect(try await store.read { try $0.eventNames(in: id(77), limit: 10) }.isEmpty)
            isIndexed = try await store.write { try $0.indexHistory(smallSizes, isUrgent: true) }
        } while isIndexed
    }

    static func deletedEventsLeaveNoCount(_ store: any Store) async throws {
        try await seed(store)
        try await store.write {
            for number in 0..<10 as Range<UInt64> {
                try $0.insert(
                    event(100 + number, number % 2 == 0 ? "even" : "odd"), contact: contact.id, in: project.id)
            }
            // Some are in the index, some are not.
            _ = try $0.indexHistory(smallSizes, isUrgent: false)
        }
        let (rows, last) = try await store.read { try $0.eventRows(named: "odd", in: project.id, after: 0, scan: 100) }
        #expect(rows.count == 5 && last == nil)
        #expect(try await store.write { try $0.deleteEvents(rows, in: id(77)) } == 0, "another project's")
        #expect(try await store.write { try $0.deleteEvents(rows, in: project.id) } == 5)
        let probe = HistoryProbe(store: store, project: project.id)
        #expect(try await probe.timeline(of: contact.id).map(\.id) == [108, 106, 104, 102, 100].map(id))
        #expect(try await store.read { try $0.eventUsage(of: "odd", in: project.id) } == nil)
        // Places are taken again, and are found all the same.
        try await store.write {
            for number in 0..<3 as Range<UInt64> {
                try $0.insert(event(200 + number, "odd"), contact: contact.id, in: project.id)
            }
            while try $0.indexHistory(smallSizes, isUrgent: true) {}
        }
        #expect(
            try await probe.timeline(of: contact.id).map(\.id) == [202, 201, 200, 108, 106, 104, 102, 100].map(id))
        #expect(try await store.read { try $0.eventUsage(of: "odd", in: project.id)?.count } == 3)
        #expect(try await store.read { try $0.eventUsage(of: "even", in: project.id)?.count } == 5)
    }

    static func suppressedAddressesAreOneProjects(_ store: any Store) async throws {
        try await seed(store)
        let hash: [UInt8] = Array(repeating: 9, count: 32)
        let found = try await store.write { store in
            let before = try store.hasSuppressedAddresses(in: project.id)
            try store.suppress(hash, reason: .erased, in: project.id, at: time)
            try store.suppress(hash, reason: .erased, in: project.id, at: time)
            return [
                before, try store.isSuppressed(hash, in: project.id),
                try store.isSuppressed([1], in: project.id), try store.isSuppressed(hash, in: id(77)),
                try store.hasSuppressedAddresses(in: project.id), try store.hasSuppressedAddresses(in: id(77)),
            ]
        }
        #expect(found == [false, true, false, false, true, false])
        let address = "ann@example.org"
        let kept = try await store.write { store in
            let ends: [(Suppression.Reason, Timestamp?)] = [
                (.bounce, nil), (.manual, time.adding(seconds: 9)), (.complaint, time),
            ]
            for (reason, end) in ends {
                try store.save(
                    Suppression(
                        projectID: project.id, address: address, reason: reason, createdAt: time, expiresAt: end))
            }
            try store.keepSuppressions(of: address, as: hash, in: project.id, at: time)
            // What is there for good is not shortened, what ends is made longer.
            for (reason, end) in [(Suppression.Reason.bounce, 5), (.manual, 20)] as [(Suppression.Reason, Int64)] {
                try store.save(
                    Suppression(
                        projectID: project.id, address: address, reason: reason, createdAt: time,
                        expiresAt: time.adding(seconds: end)))
            }
            try store.keepSuppressions(of: address, as: hash, in: project.id, at: time)
            return try store.keptSuppressions(of: address, hash: hash, in: project.id)
        }
        #expect(kept.map(\.reason) == [.bounce, .manual])
        #expect(kept.map(\.expiresAt) == [nil, time.adding(seconds: 20)])
        let left = try await store.write { store in
            let deleted = [
                try store.deleteKeptSuppressions(of: hash, reason: .bounce, in: project.id),
                try store.deleteKeptSuppressions(of: hash, reason: nil, in: id(77)),
                try store.deleteKeptSuppressions(of: hash, reason: nil, in: project.id),
            ]
            return (deleted, try store.isSuppressed(hash, in: project.id))
        }
        #expect(left.0 == [1, 0, 1] && left.1, "that it was erased stays known")
    }
}
