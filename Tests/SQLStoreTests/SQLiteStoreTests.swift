import Engine
import EngineTestKit
import Foundation
import JSONValue
import SQLStore
import Testing
import WorkflowModel

@Suite struct SQLiteStoreTests {
    @Test(arguments: StoreContract.allCases)
    func keepsTheContract(_ rule: StoreContract) async throws {
        let database = try TemporaryDatabase()
        try await rule.verify(try SQLiteStore(path: database.path, exclusively: true))
    }

    @Test func secondDaemonIsRefusedWithASentence() throws {
        let database = try TemporaryDatabase()
        let first = try SQLiteStore(path: database.path, exclusively: true)
        let error = #expect(throws: StoreError.self) { try SQLiteStore(path: database.path, exclusively: true) }
        #expect(error?.code == .inUse)
        #expect(error?.description.contains(database.path) == true)
        // A command may work beside the daemon.
        try SQLiteStore(path: database.path, exclusively: false).close()
        try first.close()
    }

    @Test func symbolicLinkIsNoWayAroundTheLock() throws {
        let database = try TemporaryDatabase()
        let first = try SQLiteStore(path: database.path, exclusively: true)
        let link = database.directory.appendingPathComponent("alias.db").path
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: database.path)
        let error = #expect(throws: StoreError.self) { try SQLiteStore(path: link, exclusively: true) }
        #expect(error?.code == .inUse)
        try first.close()
    }

    @Test func fileThatIsNoDatabaseIsRefusedWithASentence() throws {
        let database = try TemporaryDatabase()
        try Data(repeating: 0x58, count: 8192).write(to: URL(fileURLWithPath: database.path))
        let error = #expect(throws: StoreError.self) { try SQLiteStore(path: database.path, exclusively: true) }
        #expect(error?.code == .unusable)
        #expect(error?.description.contains(database.path) == true)
    }

    @Test func missingDirectoryIsNamed() {
        let error = #expect(throws: StoreError.self) {
            try SQLiteStore(path: "/nonexistent-directory/postrider.db", exclusively: true)
        }
        #expect(error?.code == .unusable)
    }

    @Test func databaseOfANewerVersionIsRefused() async throws {
        let database = try TemporaryDatabase()
        try SQLiteStore(path: database.path, exclusively: false).close()
        try Self.setSchema(99, of: database)
        let error = #expect(throws: StoreError.self) { try SQLiteStore(path: database.path, exclusively: false) }
        #expect(error?.code == .newerSchema)
    }

    /// As earlier versions stored them: with letters in the domain.
    @Test func addressesOfEarlierVersionsGetTheFormUnderWhichTheyAreLookedFor() async throws {
        let database = try TemporaryDatabase()
        let first = try SQLiteStore(path: database.path, exclusively: false)
        let now = Timestamp(microseconds: 1_800_000_000_000_000)
        let identifiers = IdentifierSource()
        let project = Project(id: identifiers.make(at: now), slug: "shop", name: "Shop")
        func contact(_ email: String, _ isSubscribed: Bool) -> Contact {
            Contact(
                id: identifiers.make(at: now), email: email, isSubscribed: isSubscribed, data: [:], createdAt: now,
                updatedAt: now)
        }
        let (old, twice) = (contact("ann@bücher.example", true), contact("eve@xn--bcher-kva.example", true))
        let unsubscribed = contact("eve@bücher.example", false)
        try await first.write { transaction in
            try transaction.insert(project, at: now)
            try transaction.insert(old, in: project.id)
            try transaction.insert(twice, in: project.id)
            // The same person, who has unsubscribed.
            try transaction.insert(unsubscribed, in: project.id)
            for email in ["ann@bücher.example", "dan@example.org"] {
                try transaction.save(
                    Suppression(projectID: project.id, address: email, reason: .manual, createdAt: now))
            }
        }
        try first.close()
        try database.goBack(toSchema: 17)
        let second = try SQLiteStore(path: database.path, exclusively: false)
        let (found, other, listed) = try await second.read { reader in
            (
                try reader.contact(email: "ann@xn--bcher-kva.example", in: project.id),
                try reader.contact(email: "eve@xn--bcher-kva.example", in: project.id),
                try reader.suppression(
                    of: "ann@xn--bcher-kva.example", in: project.id, for: .transactional, at: now)
            )
        }
        #expect(found?.id == old.id && found?.isSubscribed == true)
        #expect(other?.id == twice.id && other?.isSubscribed == false)
        #expect(listed == .manual)
        try second.close()
    }

    /// Filters ask for the first click in each mail.
    @Test func clicksOfEarlierVersionsAreToldApart() async throws {
        let database = try TemporaryDatabase()
        let first = try SQLiteStore(path: database.path, exclusively: false)
        let now = Timestamp(seconds: 1_800_000_000)
        let project = Project(id: Identifier(high: 1, low: 1), slug: "shop", name: "Shop")
        let contact = Contact(
            id: Identifier(high: 1, low: 2), email: "ann@example.org", isSubscribed: true, data: [:], createdAt: now,
            updatedAt: now)
        try await first.write { store in
            try store.insert(project, at: now)
            try store.insert(contact, in: project.id)
            try store.keepEvents(["email.clicked"], in: project.id)
            for (number, isFirst) in [true, false].enumerated() {
                let event = Event(
                    id: Identifier(high: 2, low: UInt64(number)), name: "email.clicked",
                    data: ["isFirstClick": .bool(isFirst)], source: .system,
                    createdAt: now.adding(seconds: Int64(number)))
                try store.insert(event, contact: contact.id, in: project.id)
                try store.insertOccurrence(of: event, contact: contact.id)
            }
        }
        try first.close()
        try database.goBack(toSchema: 19)
        var schemas: Set<Int> = []
        let second = try SQLiteStore(path: database.path, exclusively: false) { schemas.insert($0) }
        #expect(schemas == [19], "whoever wonders is told")
        let last = try await second.write { try $0.lastOccurrence(of: "email.clicked", contact: contact.id) }
        #expect(last == now)
        try second.close()
    }

    /// Version 21 writes many entries of the index of histories into one row.
    @Test func indexOfHistoriesOfEarlierVersionsIsPacked() async throws {
        let database = try TemporaryDatabase()
        let first = try SQLiteStore(path: database.path, exclusively: false)
        let project = Project(id: Identifier(high: 1, low: 1), slug: "shop", name: "Shop")
        let now = Timestamp(seconds: 1_800_000_000)
        let contacts = (1...3 as ClosedRange<UInt64>).map { Identifier(high: 2, low: $0) }
        try await first.write { store in
            try store.insert(project, at: now)
            for contact in contacts {
                try store.insert(
                    Contact(
                        id: contact, email: "\(contact)@example.org", isSubscribed: true, data: [:], createdAt: now,
                        updatedAt: now), in: project.id)
            }
            for number in 0..<300 {
                let event = Event(
                    id: Identifier(high: 3, low: UInt64(number)), name: "ping", data: [:], source: .api,
                    createdAt: now.adding(seconds: Int64(number)))
                try store.insert(event, contact: contacts[number % 3], in: project.id)
            }
            try store.insert(
                StoredExecution(
                    execution: Execution(
                        id: Identifier(high: 4, low: 1), workflowID: Identifier(high: 5, low: 1),
                        contactID: contacts[0], status: .completed, startedAt: now, completedAt: now),
                    projectID: project.id, versionID: Identifier(high: 6, low: 1)), once: false)
            try store.insert(
                OutboxEntry(
                    id: Identifier(high: 4, low: 2), projectID: project.id, contactID: contacts[0], executionID: nil,
                    dueAt: now, createdAt: now, generation: 0,
                    request: MailRequest(
                        id: Identifier(high: 4, low: 2), step: "s", templateVersionID: Identifier(high: 5, low: 1),
                        kind: .transactional, recipient: "a@example.org", from: nil, replyTo: nil, variables: [:]),
                    messageID: "m"))
        }
        let probe = HistoryProbe(store: first, project: project.id)
        var before: [[Identifier]] = []
        for contact in contacts { before.append(try await probe.timeline(of: contact).map(\.id)) }
        try first.close()
        try database.goBack(toSchema: 20)
        // A merge that has begun, an empty run, one with much of a contact that is gone, and the last ten events in none.
        let hex = contacts[0].bytes.map { String(format: "%02x", $0) }.joined()
        try Rows(database.path).run(
            """
            INSERT INTO contact_runs (run, level, into_run) VALUES (1, 0, 4), (2, 0, 4), (3, 0, NULL), (4, 1, NULL),
                (5, 2, NULL);
            INSERT INTO contact_history (run, contact_id, kind, ref)
                SELECT CASE WHEN contact_id = x'\(hex)' AND rowid <= 100 THEN 4 WHEN rowid < 200 THEN 1 ELSE 2 END,
                    contact_id, 1, rowid FROM events WHERE rowid <= 290;
            INSERT INTO contact_history (run, contact_id, kind, ref) SELECT 2, contact_id, 2, id FROM executions;
            INSERT INTO contact_history (run, contact_id, kind, ref) SELECT 2, contact_id, 3, id FROM outbox;
            INSERT INTO contact_history (run, contact_id, kind, ref)
                WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000)
                SELECT 5, x'09000000000000000000000000000001', 1, i FROM n;
            DELETE FROM contact_journal;
            UPDATE history_progress SET through = 290 WHERE kind = 1
            """)
        let second = try SQLiteStore(path: database.path, exclusively: false)
        for (contact, expected) in zip(contacts, before) {
            let found = try await HistoryProbe(store: second, project: project.id).timeline(of: contact).map(\.id)
            #expect(found == expected)
        }
        let perRow = 950 / 25
        #expect(
            try Rows(database.path).count("SELECT count(*) FROM contact_history WHERE run = 5")
                == (12_000 + perRow - 1) / perRow)
        // They are merged as if they had been written so.
        for _ in 0..<20 {
            _ = try await second.write { store in
                var sizes = HistorySizes()
                sizes.fanIn = 2
                return try store.indexHistory(sizes, isUrgent: true)
            }
        }
        for (contact, expected) in zip(contacts, before) {
            let found = try await HistoryProbe(store: second, project: project.id).timeline(of: contact).map(\.id)
            #expect(found == expected)
        }
        try second.close()
    }

    /// Nobody is told a part as if it were all.
    @Test func damagedIndexOfHistoriesIsAnError() async throws {
        let database = try TemporaryDatabase()
        let store = try SQLiteStore(path: database.path, exclusively: false)
        let project = Project(id: Identifier(high: 1, low: 1), slug: "shop", name: "Shop")
        try await store.write { try $0.insert(project, at: Timestamp(seconds: 0)) }
        let contact = Identifier(high: 2, low: 1)
        let good = contact.bytes + [1] + [0, 0, 0, 0, 0, 0, 0, 1]
        let damaged: [[UInt8]] = [
            [], [1], good + [2], contact.bytes + [9] + good, Array(good.dropLast()), contact.bytes + [2] + good,
        ]
        for entries in damaged {
            func hex(_ bytes: [UInt8]) -> String { bytes.map { String(format: "%02x", $0) }.joined() }
            try Rows(database.path).run(
                """
                DELETE FROM contact_history; INSERT INTO contact_runs (run, level) VALUES (1, 0) ON CONFLICT DO NOTHING;
                INSERT INTO contact_history (run, last, entries) VALUES (1, x'\(hex(good))', x'\(hex(entries))')
                """)
            let error = await #expect(throws: StoreError.self) {
                _ = try await HistoryProbe(store: store, project: project.id).timeline(of: contact)
            }
            #expect(error?.code == .damaged)
        }
        try store.close()
    }

    /// PRAGMA user_version is the four bytes at offset 60 of the file (sqlite.org/fileformat.html, section 1.3).
    private static func setSchema(_ number: UInt8, of database: TemporaryDatabase) throws {
        let handle = try FileHandle(forUpdating: URL(fileURLWithPath: database.path))
        try handle.seek(toOffset: 60)
        try handle.write(contentsOf: Data([0, 0, 0, number]))
        try handle.close()
    }

    @Test func whatWasWrittenIsThereAfterOpeningAgain() async throws {
        let database = try TemporaryDatabase()
        let first = try SQLiteStore(path: database.path, exclusively: true)
        try await first.write { try $0.count("c", by: 7) }
        try first.close()
        let second = try SQLiteStore(path: database.path, exclusively: false)
        let counters = try await second.read { try $0.counters() }
        #expect(counters["c"] == 7)
    }

    /// A writer that never rests must not let the log grow for ever.
    @Test func logStartsOverUnderConstantWork() async throws {
        let database = try TemporaryDatabase()
        let store = try SQLiteStore(path: database.path, exclusively: true)
        // 40 MB in transactions of some pages each; the log is copied back from 16 MB.
        for number in 0..<1200 {
            try await store.write { transaction in
                for part in 0..<8 {
                    _ = try transaction.secret("filler-\(number)-\(part)", orInsert: Array(repeating: 7, count: 4000))
                }
            }
        }
        let log = try FileManager.default.attributesOfItem(atPath: database.path + "-wal")[.size] as? Int ?? .max
        #expect(log < 36_000_000, "the log has \(log) bytes")
        let file = try FileManager.default.attributesOfItem(atPath: database.path)[.size] as? Int ?? 0
        #expect(file > 10_000_000, "nothing was copied back")
        try store.close()
    }

    @Test func closingTwiceIsNoHarm() async throws {
        let database = try TemporaryDatabase()
        let store = try SQLiteStore(path: database.path, exclusively: true)
        try await store.write { try $0.count("c", by: 1) }
        try store.close()
        try store.close()
        await #expect(throws: StoreError.self) { try await store.write { try $0.count("c", by: 1) } }
    }
}
