import EngineTestKit
import Foundation
import JSONValue
import MailModel
import SQLStore
import Testing
import WorkflowModel

@testable import Engine

@Suite struct ErasureTests {
    private static let sizes: HistorySizes = {
        var sizes = HistorySizes()
        sizes.run = 8
        sizes.fanIn = 3
        sizes.merge = 4
        sizes.row = 70
        sizes.erase = 5
        return sizes
    }()

    private static func erase(_ email: String, in engine: EngineFixture) async throws {
        let contact = try #require(try await engine.contact(email))
        try await engine.context.transact { transaction in
            _ = try EventRecorder(transaction: transaction, projectID: engine.project.id).erase(contact: contact.id)
        }
    }

    /// - Returns: in how many transactions.
    @discardableResult
    private static func finish(_ engine: EngineFixture) async throws -> Int {
        var steps = 0
        while try await History(context: engine.context).step(sizes) { steps += 1 }
        return steps
    }

    private static let flow = document(
        reentry: true,
        steps: [
            "mail": ["type": "SEND_EMAIL", "config": ["template": "hello"], "next": "tag"],
            "tag": ["type": "UPDATE_CONTACT", "config": ["data": ["stage": "{{ event.stage }}"]], "next": "wait"],
            "wait": [
                "type": "WAIT_FOR_EVENT", "config": ["eventName": "paid", "lookback": true], "next": "end",
            ],
            "end": ["type": "EXIT"],
        ])

    @Test func contactIsGoneAtOnceAndTheRestFollows() async throws {
        let (engine, database) = try await makeEngine()
        try await engine.apply(Self.flow)
        for email in ["zoe@example.org", "ben@example.org"] {
            try await engine.track("signed_up", email)
            try await engine.track("looked", email)
        }
        let zoe = try #require(try await engine.contact("zoe@example.org"))
        let ben = try #require(try await engine.contact("ben@example.org"))
        let probe = HistoryProbe(store: engine.context.store, project: engine.project.id)
        let bens = try await probe.timeline(of: ben.id).map(\.id)
        let zoes = try await engine.context.store.read { [project = engine.project.id] reader in
            try reader.events(in: project, named: nil, before: nil, limit: 1000, scan: 1000).events
                .filter { $0.contactID == zoe.id }.map(\.event.id)
        }
        try await Self.erase("zoe@example.org", in: engine)
        #expect(try await engine.contact("zoe@example.org") == nil)
        // Nobody finds what is still to be removed, and it goes to nobody.
        let project = engine.project.id
        let (shown, sent) = try await engine.context.store.read { reader in
            let page = try reader.events(in: project, named: nil, before: nil, limit: 1000, scan: 1000)
            return (page.events.map(\.contactID), try zoes.map { try reader.content(ofEvent: $0) })
        }
        #expect(!zoes.isEmpty && !shown.contains(zoe.id) && shown.contains(ben.id))
        #expect(sent.allSatisfy { $0 == nil })
        #expect(try await Self.finish(engine) > 0)
        #expect(try await probe.timeline(of: zoe.id).isEmpty)
        #expect(try await probe.timeline(of: ben.id).map(\.id) == bens, "nobody else loses anything")
        let hex = zoe.id.bytes.map { String(format: "%02X", $0) }.joined()
        for table in [
            "events", "executions", "outbox", "event_occurrences", "waits", "erasures",
            "segment_members", "segment_timers",
        ] {
            let left = try Rows(database.path).count("SELECT count(*) FROM \(table) WHERE hex(contact_id) = '\(hex)'")
            #expect(left == 0, "\(table)")
        }
        let indexed = try Rows(database.path).count(
            "SELECT count(*) FROM contact_history WHERE instr(hex(last) || hex(entries), '\(hex)') > 0")
        #expect(indexed == 0, "the index of histories")
        for (table, owner) in [("step_executions", "executions"), ("pixel_hits", "outbox")] {
            let key = table == "pixel_hits" ? "entry_id" : "execution_id"
            let left = try Rows(database.path).count(
                "SELECT count(*) FROM \(table) WHERE \(key) NOT IN (SELECT id FROM \(owner))")
            #expect(left == 0, "\(table)")
        }
    }

    /// Whoever's entries cannot be read stays erased in part, and everybody else's are written on.
    @Test func damagedIndexHoldsUpNothingElse() async throws {
        let (engine, database) = try await makeEngine()
        for number in 0..<8 { try await engine.track("ping", "c\(number)@example.org") }
        try Rows(database.path).run(
            """
            INSERT INTO contact_runs (run, level) VALUES (1, 5);
            INSERT INTO contact_history (run, last, entries) VALUES (1, x'ff', x'01')
            """)
        try await Self.erase("c0@example.org", in: engine)
        let error = await #expect(throws: StoreError.self) {
            _ = try await History(context: engine.context).step(Self.sizes)
        }
        #expect(error?.code == .damaged)
        #expect(try Rows(database.path).count("SELECT through FROM history_progress WHERE kind = 1") ?? 0 > 0)
    }

    @Test func whatIsUnderWayEndsFirstAndCountsStayRight() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        let applied = try await engine.apply(Self.flow)
        _ = applied
        for email in ["zoe@example.org", "ben@example.org"] { try await engine.track("signed_up", email) }
        let started = try await engine.executions()
        let workflow = try #require(started.first).workflowID
        let zoes = try #require(started.first { $0.contactEmail == "zoe@example.org" }).id
        try await Self.erase("zoe@example.org", in: engine)
        let executions = Executions(context: engine.context)
        for act in [executions.cancel, executions.retry] {
            let error = await #expect(throws: UseCaseError.self) {
                _ = try await act(zoes, workflow, engine.project.id)
            }
            #expect(error?.code == .notFound)
        }
        let workflows = Workflows(context: engine.context)
        var stats = try await workflows.stats(of: workflow, project: engine.project.id)
        #expect(stats.executions.filter { $0.value != 0 } == [.waiting: 1, .cancelled: 1])
        try await Self.finish(engine)
        stats = try await workflows.stats(of: workflow, project: engine.project.id)
        #expect(stats.executions.filter { $0.value != 0 } == [.waiting: 1])
        #expect(stats.steps["wait"] == StepCounts(waiting: 1))
        #expect(stats.steps["mail"] == StepCounts(done: 1))
        #expect(try await engine.executions().map(\.contactEmail) == ["ben@example.org"])
        let usage = try await RecordedEvents(context: engine.context, projectID: engine.project.id).usage(
            of: "signed_up")
        #expect(usage.count == 1 && usage.contacts == 1)
    }

    @Test func noByteOfTheContactIsLeftInTheDatabase() async throws {
        let (engine, database) = try await makeEngine()
        try await engine.apply(Self.flow)
        for number in 0..<40 { try await engine.track("signed_up", "other-\(number)@example.org") }
        for number in 0..<30 {
            try await engine.track(
                number == 0 ? "signed_up" : "looked", "zoe.unmistakable@example.org",
                data: ["hobby": "cliffhanging", "stage": .string("stage-quagmire-\(number)")])
            try await engine.track("looked", "other-\(number)@example.org")
        }
        try await Self.send(
            engine, to: ["zoe.unmistakable@example.org"],
            body: "<p>spelunking \(String(repeating: "b", count: 9000))</p>",
            file: String(repeating: "spelunking", count: 5000))
        try await Self.nameElsewhere("zoe.unmistakable@example.org", in: engine)
        try await engine.runDispatch(ScriptedTransport())
        for _ in 0..<5 { _ = try await History(context: engine.context).step(Self.sizes) }
        try await Self.erase("zoe.unmistakable@example.org", in: engine)
        try await Self.finish(engine)
        let store = try #require(engine.context.store as? SQLiteStore)
        try store.close()
        // Without the daemon's lock, closing leaves the log to it.
        try Rows(database.path).run("PRAGMA wal_checkpoint(TRUNCATE)")
        // Without what SQLite has moved from page to page: it leaves that in the unused part of the first one, until it is used.
        let copy = database.path + ".copy"
        try Rows(database.path).run("VACUUM INTO '\(copy)'")
        let secrets = ["unmistakable", "Unmistakable", "cliffhanging", "quagmire", "spelunking"]
        #expect(Self.occurrences(of: secrets, in: copy).isEmpty)
        #expect(Self.occurrences(of: ["other-3@"], in: copy).count > 0)
        // Of some thousand that there were.
        let left = [database.path, database.path + "-wal"].flatMap { Self.occurrences(of: secrets, in: $0) }
        #expect(left.count <= 3, "\(left)")
    }

    /// Each time that one of the texts stands in a file.
    private static func occurrences(of texts: [String], in file: String) -> [String] {
        guard let bytes = FileManager.default.contents(atPath: file) else { return [] }
        return texts.flatMap { text in
            var found: [String] = []
            var start = bytes.startIndex
            while let range = bytes.range(of: Data(text.utf8), in: start..<bytes.endIndex) {
                found.append("\(text) at \(range.lowerBound)")
                start = range.upperBound
            }
            return found
        }
    }

    /// Test mails, a job about many contacts, and a mail that became no event: no history of the contact leads to these.
    private static func nameElsewhere(_ email: String, in engine: EngineFixture) async throws {
        let contact = try #require(try await engine.contact(email))
        let project = engine.project.id
        let catalog = try await engine.context.store.read { try $0.loadCatalog() }
        let template = try #require(catalog.template("hello", in: project))
        let templates = Templates(context: engine.context, projectID: project)
        _ = try await templates.sendTest(
            template.id, to: "author@example.com", PreviewRequest(contactID: contact.id))
        _ = try await templates.sendTest(template.id, to: email, PreviewRequest())
        _ = try await engine.contacts.begin(.update(["seen": true]), on: ContactQuery(search: email))
        while try await ContactJobs(context: engine.context).pass() {}
        let now = engine.clock.now()
        try await engine.context.store.write { store in
            _ = try store.insert(
                InboundGap(
                    queueID: "4Bq", recipient: "in@example.com", messageID: nil, sender: email.capitalized, at: now,
                    foundAt: now))
        }
    }

    private static func send(
        _ engine: EngineFixture, to emails: [String], body: String, file: String
    ) async throws {
        _ = try await DirectMail(context: engine.context).send(
            .init(
                projectID: engine.project.id, recipients: emails.map { .init(email: $0) }, subject: "Hello",
                body: body,
                attachments: [.init(filename: "a.txt", contentType: "text/plain", bytes: Array(file.utf8))]))
    }

    /// Sets of attachments, unnamed versions, and versions in all.
    private static func parts(_ database: TemporaryDatabase) throws -> [Int] {
        try [
            "SELECT count(DISTINCT set_id) FROM mail_attachments", "SELECT count(*) FROM unnamed_versions",
            "SELECT count(*) FROM template_versions",
        ].map { try Rows(database.path).count($0) ?? -1 }
    }

    @Test func filesAndBodiesGoWithTheLastMailThatNeedsThem() async throws {
        let (engine, database) = try await makeEngine()
        try await engine.apply(Self.flow)
        try await Self.send(engine, to: ["zoe@example.org", "ben@example.org"], body: "<p>Hi</p>", file: "one")
        try await Self.send(engine, to: ["ben@example.org"], body: "<p>Hi</p>", file: "two")
        #expect(try Self.parts(database) == [2, 1, 2])
        try await Self.erase("zoe@example.org", in: engine)
        try await Self.finish(engine)
        #expect(try Self.parts(database) == [2, 1, 2], "another mail needs them")
        let transport = ScriptedTransport()
        try await engine.runDispatch(transport)
        #expect(transport.sent.count == 2)
        try await Self.erase("ben@example.org", in: engine)
        try await Self.finish(engine)
        #expect(try Self.parts(database) == [0, 0, 1], "a template's version stays")
    }

    @Test func housekeepingFindsFilesAndBodiesThatNoMailNeeds() async throws {
        let (engine, database) = try await makeEngine()
        try await Self.send(engine, to: ["zoe@example.org"], body: "<p>Hi</p>", file: "one")
        try await engine.context.store.write { store in
            for number in 1...3 as ClosedRange<UInt64> {
                let id = Identifier(high: number, low: 1)
                try store.insert([MailAttachment(filename: "a", contentType: "text/plain", bytes: [1])], asSet: id)
                let version = TemplateVersion(
                    id: id, templateID: id, kind: .transactional,
                    content: TemplateContent(subject: "Hi", html: nil, text: "Hi"))
                try store.insertUnnamed(
                    version, hash: [UInt8(number)], in: engine.project.id, at: Timestamp(seconds: 0))
            }
        }
        #expect(try Self.parts(database) == [4, 4, 4])
        // In steps.
        let first = try await engine.context.store.write { try $0.pruneMailParts(after: nil, limit: 1) }
        #expect(first != nil)
        #expect(try Self.parts(database) == [3, 3, 3])
        #expect(try await Housekeeping(context: engine.context).sweepMailParts(after: first) == nil)
        #expect(try Self.parts(database) == [1, 1, 1])
    }

    @Test func erasureIsBoundedAndGoesOnAfterARestart() async throws {
        let (engine, database) = try await makeEngine()
        for number in 0..<200 { try await engine.track("event-\(number % 3)", "zoe@example.org") }
        let zoe = try #require(try await engine.contact("zoe@example.org"))
        try await Self.erase("zoe@example.org", in: engine)
        let probe = HistoryProbe(store: engine.context.store, project: engine.project.id)
        let before = try await probe.timeline(of: zoe.id).count
        var left = before
        for _ in 0..<10 {
            #expect(try await History(context: engine.context).step(Self.sizes))
            let now = try await probe.timeline(of: zoe.id).count
            #expect(left - now <= Self.sizes.erase)
            left = now
        }
        #expect(left > 0 && left < before)
        try (engine.context.store as? SQLiteStore)?.close()
        let again = try await EngineFixture(store: try SQLiteStore(path: database.path, exclusively: false))
        try await Self.finish(again)
        #expect(
            try await HistoryProbe(store: again.context.store, project: again.project.id).timeline(of: zoe.id).isEmpty)
        #expect(try Rows(database.path).count("SELECT count(*) FROM erasures") == 0)
    }

    @Test func neverStarvesWhileEventsKeepComing() async throws {
        let (engine, database) = try await makeEngine()
        for _ in 0..<20 { try await engine.track("ping", "zoe@example.org") }
        try await Self.erase("zoe@example.org", in: engine)
        for _ in 0..<30 {
            try await engine.track("ping", "ben@example.org")
            _ = try await History(context: engine.context).step(Self.sizes)
        }
        #expect(try Rows(database.path).count("SELECT count(*) FROM erasures") == 0)
    }

    @Test func addressComesBackUnsubscribedUnlessItSaysOtherwise() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        for email in ["zoe@example.org", "ben@example.org"] {
            try await engine.track("ping", email)
            try await Self.erase(email, in: engine)
        }
        try await engine.track("ping", "Zoe@example.org")
        try await engine.track("ping", "ben@example.org", subscribed: true)
        try await engine.track("ping", "new@example.org")
        #expect(try await engine.contact("zoe@example.org")?.isSubscribed == false)
        #expect(try await engine.contact("ben@example.org")?.isSubscribed == true)
        #expect(try await engine.contact("new@example.org")?.isSubscribed == true)
    }

    @Test func tombstoneDoesNotHoldTheAddress() async throws {
        let (engine, database) = try await makeEngine()
        try await engine.track("ping", "zoe@example.org")
        try await Self.erase("zoe@example.org", in: engine)
        #expect(
            try Rows(database.path).count(
                "SELECT count(*) FROM suppressed_addresses WHERE length(hash) = 32 AND reason = 'erased'") == 1)
        #expect(
            SuppressedAddress.hash("zoe@example.org", engine.context)
                != engine.context.cryptography.digest(Array("zoe@example.org".utf8)))
    }

    @Test func mailToAnErasedContactDoesNotLeave() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        try await engine.apply(document(steps: ["mail": ["type": "SEND_EMAIL", "config": ["template": "hello"]]]))
        try await engine.track("signed_up", "zoe@example.org")
        let now = engine.clock.now()
        let claimed = try await engine.context.store.write { try $0.claimEntries(dueAt: now, limit: 10) }
        #expect(claimed.count == 1)
        try await Self.erase("zoe@example.org", in: engine)
        let transport = ScriptedTransport()
        for entry in claimed { await Dispatch(context: engine.context, transport: transport).deliver(entry) }
        #expect(transport.sent.isEmpty)
        try await Self.finish(engine)
        try await engine.runDispatch(transport)
        #expect(transport.sent.isEmpty)
    }

    /// A relay that takes the mail in the very moment: its outcome must not write the address down again.
    @Test func outcomeAfterTheErasureRecordsNothing() async throws {
        let (engine, database) = try await makeEngine()
        try await engine.apply(document(steps: ["mail": ["type": "SEND_EMAIL", "config": ["template": "hello"]]]))
        try await engine.track("signed_up", "zoe@example.org")
        let transport = ErasingTransport { try? await Self.erase("zoe@example.org", in: engine) }
        try await engine.runDispatch(transport)
        try await Self.finish(engine)
        #expect(try Rows(database.path).count("SELECT count(*) FROM events WHERE data LIKE '%zoe@%'") == 0)
    }

    @Test func contactOfAnotherProjectIsLeftAlone() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        try await engine.track("ping", "zoe@example.org")
        let zoe = try #require(try await engine.contact("zoe@example.org"))
        let isErased = try await engine.context.transact { transaction in
            try EventRecorder(transaction: transaction, projectID: Identifier(high: 1, low: 1)).erase(contact: zoe.id)
        }
        #expect(!isErased)
        #expect(try await engine.contact("zoe@example.org") != nil)
    }
}

/// Does something before it takes a mail.
private struct ErasingTransport: MailTransport {
    let concurrency = 1
    let body: @Sendable () async -> Void

    init(_ body: @escaping @Sendable () async -> Void) { self.body = body }

    func deliver(_ mail: OutgoingMail) async -> DeliveryOutcome {
        await body()
        return ScriptedTransport.accepted
    }

    func stop() {}
}

/// Many at once.
@Suite struct BulkErasureTests {
    private static func fill(_ engine: EngineFixture, _ count: Int) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<count {
                group.addTask { try await engine.track("signed_up", "c\(number)@example.org", data: ["n": 1]) }
            }
            try await group.waitForAll()
        }
    }

    private static func left(_ database: TemporaryDatabase) throws -> Int? {
        try Rows(database.path).count(
            """
            SELECT (SELECT count(*) FROM erasures) + (SELECT count(*) FROM events WHERE contact_id IS NOT NULL)
                + (SELECT count(*) FROM executions) + (SELECT count(*) FROM outbox)
                + (SELECT count(*) FROM contact_history) + (SELECT count(*) FROM receptions WHERE recipient LIKE 'c%')
            """)
    }

    @Test func contactsWithLittleAreErasedManyAtATime() async throws {
        let (engine, database) = try await makeEngine()
        try await engine.apply(
            document(steps: ["mail": ["type": "SEND_EMAIL", "config": ["template": "hello"]]]))
        let count = 600
        try await Self.fill(engine, count)
        let project = engine.project.id
        try await engine.context.store.write { store in
            for number in 0..<count {
                _ = try store.insert(
                    Reception(
                        key: [UInt8](repeating: UInt8(number % 251), count: 30) + [
                            UInt8(number / 256), UInt8(number % 256),
                        ],
                        projectID: project, eventID: Identifier(high: 1, low: UInt64(number)),
                        recipient: "C\(number)@Example.org", queueID: "q", receivedAt: Timestamp(seconds: 0)))
            }
        }
        _ = try await engine.contacts.begin(.delete, on: ContactQuery())
        try await engine.runJobs()
        var sizes = HistorySizes()
        sizes.erase = 1000
        sizes.eraseTime = .seconds(3600)
        var steps = 0
        while try Rows(database.path).count("SELECT count(*) FROM erasures") != 0 {
            _ = try await History(context: engine.context).step(sizes)
            steps += 1
        }
        #expect(steps <= 12, "\(steps)")
        #expect(try Self.left(database) == 0)
    }

    @Test func aProjectWithManyKeepsNoOtherWaiting() async throws {
        let (engine, database) = try await makeEngine()
        try await Self.fill(engine, 300)
        let other = Project(id: Identifier(high: .max, low: 5), slug: "other", name: "Other")
        try await engine.context.store.write { try $0.insert(other, at: Timestamp(seconds: 0)) }
        _ = try await Events(context: engine.context).track(
            .init(projectID: other.id, event: "signed_up", email: "zoe@example.org"))
        _ = try await engine.contacts.begin(.delete, on: ContactQuery())
        try await engine.runJobs()
        let zoe = try #require(
            try await engine.context.store.read { try $0.contact(email: "zoe@example.org", in: other.id) })
        try await Contacts(context: engine.context, projectID: other.id).delete(zoe.id)
        var sizes = HistorySizes()
        sizes.erase = 20
        sizes.eraseTime = .seconds(3600)
        _ = try await History(context: engine.context).step(sizes)
        let rows = Rows(database.path)
        #expect(try rows.count("SELECT count(*) FROM erasures WHERE stage < 5 AND email LIKE 'zoe%'") == 0)
        #expect(try rows.count("SELECT count(*) FROM erasures WHERE stage < 5") ?? 0 > 200)
    }

    /// One of them in the middle of a merge, some of them with more than a step takes.
    @Test(arguments: 1...6 as ClosedRange<UInt64>) func whateverTheSizesAndEndsNothingIsLeft(_ seed: UInt64)
        async throws
    {
        let database = try TemporaryDatabase()
        var engine = try await EngineFixture(
            store: try SQLiteStore(path: database.path, exclusively: false), seed: seed)
        var random = SeededGenerator(seed: seed)
        var sizes = HistorySizes()
        sizes.run = 8
        sizes.fanIn = 2
        sizes.merge = 5
        sizes.row = 70
        sizes.erase = 1 + Int(random.next() % 12)
        sizes.contacts = 1 + Int(random.next() % 4)
        for number in 0..<120 {
            try await engine.track("e\(number % 3)", "c\(random.next() % (random.next() % 30 + 1))@example.org")
            if number.isMultiple(of: 3) {
                _ = try await History(context: engine.context).step(sizes)
            }
        }
        _ = try await engine.contacts.begin(.delete, on: ContactQuery())
        try await engine.runJobs()
        var round: UInt64 = 0
        while try Rows(database.path).count("SELECT count(*) FROM erasures") != 0 {
            round += 1
            if random.next() % 5 == 0 {
                try (engine.context.store as? SQLiteStore)?.close()
                engine = try await EngineFixture(
                    store: try SQLiteStore(path: database.path, exclusively: false), clock: engine.clock,
                    seed: 1000 * seed + round)
            }
            _ = try await History(context: engine.context).step(sizes)
        }
        #expect(try Self.left(database) == 0)
        try (engine.context.store as? SQLiteStore)?.close()
    }
}
