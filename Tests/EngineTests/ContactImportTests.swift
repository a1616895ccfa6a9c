import EngineTestKit
import JSONValue
import SQLStore
import Testing
import WorkflowModel

@testable import Engine

extension EngineFixture {
    var contacts: Contacts { Contacts(context: context, projectID: project.id) }

    /// Takes a file in and works on its job to the end.
    func importFile(
        _ text: String, _ configure: (inout ImportPlan.Options) -> Void = { _ in }
    ) async throws -> Contacts.JobDetail {
        let job = try await upload(Array(text.utf8), configure)
        try await runJobs()
        return try await contacts.job(job.id)
    }

    func upload(
        _ bytes: [UInt8], _ configure: (inout ImportPlan.Options) -> Void = { _ in }
    ) async throws -> ContactJob {
        var options = ImportPlan.Options()
        configure(&options)
        var upload = try ContactUpload(context: context, projectID: project.id, options: options)
        try upload.append(bytes)
        return try await upload.begin(context)
    }

    func eventCount(_ name: String) async throws -> Int {
        let project = project.id
        return try await context.store.read {
            try $0.newestEventData(of: name, in: project, among: 1_000_000).count
        }
    }
}

extension ContactJob.Counts {
    init(
        read: Int, created: Int = 0, updated: Int = 0, unchanged: Int = 0, deleted: Int = 0, failed: Int = 0
    ) {
        self.init()
        self.read = read
        self.created = created
        self.updated = updated
        self.unchanged = unchanged
        self.deleted = deleted
        self.failed = failed
    }
}

@Suite struct ContactImportTests {
    /// Nobody is left out in silence.
    @Test(arguments: ["\"oops", "\"oops\" and more\nx@example.org,\"1\""])
    func aStrayQuoteEndsTheJobWhereItStands(_ cell: String) async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        let after = (0..<50).map { "after\($0)@example.org,1" }.joined(separator: "\n")
        let job = try await engine.importFile("email,plan\na@example.org,1\nb@example.org,\(cell)\n\(after)\n")
        if cell == "\"oops" {
            #expect(job.job.status == .failed)
            #expect(job.job.reason?.contains("row 3") == true && job.job.reason?.contains("50 lines") == true)
            #expect(job.job.counts.created == 1)
        } else {
            // It closes in its own row, which is reported, and takes nobody with it.
            #expect(job.job.status == .completed)
            #expect(job.job.counts.failed == 1 && job.job.counts.created == 52)
        }
    }

    @Test func rowsBecomeContactsWithTheirEvents() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        try await engine.track("old", "known@example.org", data: ["plan": "free", "kept": 1])
        let job = try await engine.importFile(
            """
            \u{FEFF}Email,subscribed,plan,data.subscribed,id,\r
            Ann@Example.org,no,pro,x,17,\r
            known@example.org,,pro,,,\r
            "bob@example.org",,"a, b",,,z\r

            """)
        #expect(job.job.status == .completed && job.job.progress == 1 && job.errors.isEmpty)
        #expect(job.job.counts == .init(read: 3, created: 2, updated: 1))
        let ann = try #require(try await engine.contact("ann@example.org"))
        #expect(!ann.isSubscribed && ann.data == ["plan": "pro", "subscribed": "x"])
        #expect(try await engine.contact("known@example.org")?.data == ["plan": "pro", "kept": 1])
        let bob = try #require(try await engine.contact("bob@example.org"))
        #expect(bob.isSubscribed && bob.data == ["plan": "a, b"])
        #expect(try await engine.eventCount("contact.created") == 3)
        #expect(try await engine.eventCount("contact.updated") == 1)
        #expect((engine.context.spool as? MemorySpool)?.files == [])
    }

    /// However often somebody else's file says so.
    @Test func aFileDoesNotSubscribeWhoWasErased() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        try await engine.track("looked", "zoe@example.org")
        try await engine.contacts.delete(try #require(try await engine.contact("zoe@example.org")).id)
        try await engine.track("looked", "ben@example.org", subscribed: false)
        let file = "email,subscribed\nzoe@example.org,yes\nben@example.org,yes\n"
        let first = try await engine.importFile(file)
        #expect(first.job.counts == .init(read: 2, created: 1, updated: 1))
        let second = try await engine.importFile(file)
        #expect(second.job.counts == .init(read: 2, unchanged: 2))
        #expect(try await engine.contact("zoe@example.org")?.isSubscribed == false)
        #expect(try await engine.contact("ben@example.org")?.isSubscribed == true, "nobody erased this one")
        _ = try await engine.contacts.upsert(email: "zoe@example.org", subscribed: true, data: [:])
        _ = try await engine.importFile(file)
        #expect(try await engine.contact("zoe@example.org")?.isSubscribed == true)
        _ = try await engine.importFile("email,subscribed\nzoe@example.org,no\n")
        #expect(try await engine.contact("zoe@example.org")?.isSubscribed == false)
    }

    @Test func importedContactsStartWorkflowsUnlessEventsAreOff() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        try await engine.apply(document(event: "contact.created", steps: ["end": ["type": "EXIT"]]))
        let file = "email\nann@example.org\nbob@example.org\n"
        #expect(try await engine.importFile(file) { $0.recordsEvents = false }.job.counts.created == 2)
        #expect(try await engine.executions().isEmpty)
        #expect(try await engine.eventCount("contact.created") == 0)
        #expect(try await engine.importFile("email\ncat@example.org\n").job.counts.created == 1)
        #expect(try await engine.executions().count == 1)
    }

    @Test func everyRowThatCannotBeAppliedIsReportedAndTheRestIsApplied() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        var bytes = Array(
            """
            email,subscribed,plan
            ok@example.org,true,a
            ragged@example.org,true
            ragged@example.org,true,a,b
            ,true,a
            no address,true,a
            flag@example.org,perhaps,a
            OK@example.org,false,b
            "quote"d@example.org,true,a
            large@example.org,true,\(String(repeating: "x", count: Contact.dataLimit))

            """.utf8)
        bytes += [0x61, 0xFF, 0x40, 0x62, 0x0A]
        bytes += Array("last@example.org,,\n\"open@example.org,true,a".utf8)
        let job = try await engine.upload(bytes)
        try await engine.runJobs()
        let detail = try await engine.contacts.job(job.id)
        #expect(detail.job.status == .completed)
        #expect(detail.job.counts == .init(read: 12, created: 2, failed: 10))
        #expect(
            detail.errors.map { "\($0.row) \($0.column ?? "-") \($0.rule)" } == [
                "3 - ragged", "4 - ragged", "5 email email", "6 email email", "7 subscribed subscribed",
                "8 - duplicate", "9 - quote", "10 - tooLarge", "11 - encoding", "13 - quote",
            ])
        // The first row of an address counts.
        #expect(try await engine.contact("ok@example.org")?.data == ["plan": "a"])
        #expect(try await engine.contact("large@example.org") == nil)
        let sink = Pieces()
        try await engine.contacts.report(of: job.id) { sink.append($0) }
        let report = sink.text
        #expect(report.hasPrefix("row,column,rule,message\r\n3,,ragged,"))
        #expect(report.split(separator: "\r\n").count == 11)
    }

    @Test func cellsAreTextsUnlessTheFileIsTyped() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        let header = "email,a,b,c,d,e,f,locale\n"
        let row = "@example.org,17,-2.5,true,\"[1,{}]\",01,'-2.5,7\n"
        _ = try await engine.importFile(header + "plain" + row)
        _ = try await engine.importFile(header + "typed" + row) { $0.isTyped = true }
        #expect(
            try await engine.contact("plain@example.org")?.data == [
                "a": "17", "b": "-2.5", "c": "true", "d": "[1,{}]", "e": "01", "f": "-2.5", "locale": "7",
            ])
        #expect(
            try await engine.contact("typed@example.org")?.data == [
                "a": 17, "b": -2.5, "c": true, "d": [1, [:]], "e": "01", "f": "-2.5", "locale": "7",
            ])
    }

    @Test(arguments: [
        ("", "empty"), ("\n\n", "empty"), ("name\nAnn\n", "column email"),
        ("email;name\na@b;c\n", "separator=semicolon"),
        ("email,email\n", "twice"), ("email,unsubscribeUrl\n", "word of ours"), ("\"email\n", "quote"),
        ("email,\"\u{0}", "quote"),
    ])
    func headersThatCannotBeUsedAreRefusedAndNothingIsLeft(text: String, word: String) async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        let error = await #expect(throws: UseCaseError.self) { try await engine.upload(Array(text.utf8)) }
        #expect(error?.code == .invalid)
        #expect(error?.problems.contains { $0.message.contains(word) } == true, "\(error?.problems ?? [])")
        #expect((engine.context.spool as? MemorySpool)?.files == [])
        #expect(try await engine.contacts.jobs(limit: 10).isEmpty)
    }

    @Test(arguments: [
        [0xFF, 0xFE, 0x65, 0x00] as [UInt8], [0xFE, 0xFF, 0x00, 0x65], [0x65, 0x00, 0x6D, 0x00],
        [0x00, 0x65, 0x00, 0x6D],
    ])
    func sixteenBitsAreRefusedWithTheMend(bytes: [UInt8]) async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        let error = await #expect(throws: UseCaseError.self) { try await engine.upload(bytes) }
        #expect(error?.problems.first?.message.contains("save it as UTF-8") == true)
    }

    @Test func secondImportOfAFileChangesNothing() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        let file = "email,plan\nann@example.org,a\nbob@example.org,b\n"
        _ = try await engine.importFile(file)
        #expect(try await engine.importFile(file).job.counts == .init(read: 2, unchanged: 2))
        #expect(try await engine.eventCount("contact.updated") == 0)
    }

    @Test func aFileThatCannotBeReadForNowHoldsUpNobodyAndIsReadLater() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        let spool = try #require(engine.context.spool as? MemorySpool)
        let first = try await engine.upload(Array("email\nann@example.org\n".utf8))
        engine.clock.advance(seconds: 1)
        let second = try await engine.upload(Array("email\nbob@example.org\n".utf8))
        spool.setReadable(first.id, false)
        let jobs = ContactJobs(context: engine.context)
        while try await jobs.pass() {}
        #expect(try await engine.contacts.job(second.id).job.status == .completed)
        #expect(try await engine.contacts.job(first.id).job.status == .running)
        spool.setReadable(first.id, true)
        #expect(try await !jobs.pass())
        engine.clock.advance(seconds: ContactJobs.rest)
        while try await jobs.pass() {}
        #expect(try await engine.contacts.job(first.id).job.status == .completed)
        #expect(try await engine.contact() != nil)
    }

    @Test func anExportWithAllItsColumnsCanBeImportedAgain() async throws {
        let ours = ["id", "email", "subscribed", "createdAt", "updatedAt"]
        let keys = (0..<ContactExport.columnLimit).map { "k\($0)" }
        #expect(try ImportPlan(header: ours + keys, options: .init()).columns.count == 1005)
        #expect(throws: UseCaseError.self) { try ImportPlan(header: ours + keys + ["more"], options: .init()) }
    }

    /// The process dies at every single write, before or after its commit, and a new one goes on.
    @Test(arguments: [true, false])
    func everyRowIsAppliedOnceHoweverTheProcessDies(afterCommit: Bool) async throws {
        let database = try TemporaryDatabase()
        let store = try SQLiteStore(path: database.path, exclusively: false)
        let spool = MemorySpool()
        let engine = try await EngineFixture(store: store, spool: spool)
        var lines = (0..<600).map { "c\($0)@example.org,\($0)" }
        lines[77] = "nobody"
        lines[300] = lines[20]
        let job = try await engine.upload(Array((["email,n"] + lines).joined(separator: "\n").utf8))
        var deaths = 0
        while true {
            let dying = FailingStore(store, after: deaths % 5, isAfterCommit: afterCommit)
            let next = try await EngineFixture(store: store, spool: spool, seed: UInt64(deaths + 2))
            let context = EngineContext(
                store: dying, clock: next.clock, cryptography: TestCryptography(),
                identifiers: .seeded(UInt64(deaths) + 99),
                configuration: EngineConfiguration(), secret: [UInt8](repeating: 1, count: 32), spool: spool,
                logger: engine.context.logger)
            do {
                while try await ContactJobs(context: context).pass() {}
                break
            } catch is FailingStore.Died {
                deaths += 1
            }
            try #require(deaths < 200)
        }
        #expect(deaths > 2)
        let detail = try await engine.contacts.job(job.id)
        #expect(detail.job.status == .completed)
        #expect(detail.job.counts == .init(read: 600, created: 598, failed: 2))
        #expect(detail.errors.map(\.row) == [79, 302])
        #expect(try await engine.eventCount("contact.created") == 598)
        #expect(try await engine.contacts.list(ContactQuery(), after: nil, limit: 1).total == 598)
    }

    @Test func jobOfAnotherProcessIsLeftAloneUntilItsLeaseEnds() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        let lines = (0..<250).map { "c\($0)@example.org" }
        let job = try await engine.upload(Array((["email"] + lines).joined(separator: "\n").utf8))
        let command = ContactJobs(context: engine.context, owner: "command")
        #expect(try await command.pass())
        let daemon = ContactJobs(context: engine.context)
        #expect(try await !daemon.pass())
        engine.clock.advance(seconds: ContactJobs.lease)
        while try await daemon.pass() {}
        let ended = try await engine.contacts.job(job.id).job
        #expect(ended.status == .completed && ended.counts == .init(read: 250, created: 250))
    }

    @Test func cancelledJobKeepsWhatItHasDone() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        let lines = (0..<250).map { "c\($0)@example.org" }
        let job = try await engine.upload(Array((["email"] + lines).joined(separator: "\n").utf8))
        let jobs = ContactJobs(context: engine.context)
        #expect(try await jobs.pass())
        #expect(try await engine.contacts.cancelJob(job.id).status == .cancelled)
        #expect(try await !jobs.pass())
        #expect(try await engine.contacts.list(ContactQuery(), after: nil, limit: 1).total == ContactJobs.firstBatch)
        let error = await #expect(throws: UseCaseError.self) { try await engine.contacts.cancelJob(job.id) }
        #expect(error?.code == .conflict)
    }

    @Test func jobWhoseFileIsGoneFailsAlone() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        let lost = try await engine.upload(Array("email\nann@example.org\n".utf8))
        engine.context.spool?.remove(lost.id)
        let other = try await engine.importFile("email\nbob@example.org\n")
        let job = try await engine.contacts.job(lost.id).job
        #expect(job.status == .failed && job.reason?.contains("gone") == true)
        #expect(other.job.status == .completed)
    }

    @Test func exportComesBackAsItWas() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        let data: JSONObject = [
            "plan": "=1+1", "count": -5, "text": "-5", "list": [1, ["a": "b\n"]], "flag": false,
            "subscribed": "yes, \"so\"",
            "data.x": "y", "quoted": "'=z",
        ]
        _ = try await engine.contacts.upsert(email: "-ann@example.org", subscribed: false, data: data)
        _ = try await engine.contacts.upsert(email: "bob@example.org", subscribed: true, data: ["other": "a"])
        let sink = Pieces()
        try await ContactExport(context: engine.context, projectID: engine.project.id, format: .csv)
            .write { sink.append($0) }
        #expect(sink.text.hasPrefix("id,email,subscribed,createdAt,updatedAt,plan,"))
        #expect(sink.text.contains("'=1+1") && sink.text.contains(",'-ann@example.org,false,"))

        let (second, _other) = try await makeEngine()
        _ = _other
        let job = try await second.importFile(sink.text) { $0.isTyped = true }
        #expect(job.job.counts == .init(read: 2, created: 2), "\(job.errors)")
        let ann = try #require(try await second.contact("-ann@example.org"))
        #expect(ann.data == data && !ann.isSubscribed)
        #expect(try await second.contact("bob@example.org")?.data == ["other": "a"])

        let raw = Pieces()
        try await ContactExport(
            context: engine.context, projectID: engine.project.id, format: .csv, guardsFormulas: false
        ).write { raw.append($0) }
        #expect(raw.text.contains(",=1+1,"))
    }

    @Test func exportOfManyComesInPagesAsOneList() async throws {
        let (engine, _database) = try await makeEngine()
        _ = _database
        for format in ContactExport.Format.allCases {
            let empty = Pieces()
            try await ContactExport(context: engine.context, projectID: engine.project.id, format: format)
                .write { empty.append($0) }
            #expect(empty.text == (format == .json ? "[]\n" : "id,email,subscribed,createdAt,updatedAt\r\n"))
        }
        let lines = (0..<1203).map { "c\($0)@example.org" }
        _ = try await engine.importFile((["email"] + lines).joined(separator: "\n"))
        let sink = Pieces()
        try await ContactExport(context: engine.context, projectID: engine.project.id, format: .json)
            .write { sink.append($0) }
        let list = try JSONParser.parse(Array(sink.text.utf8)).arrayValue ?? []
        #expect(Set(list.compactMap { $0["email"]?.stringValue }) == Set(lines))
        #expect(list.count == 1203 && sink.count > 2)
    }
}

/// What was written, piece by piece.
final class Pieces {
    private var bytes: [UInt8] = []
    private(set) var count = 0

    var text: String { String(decoding: bytes, as: UTF8.self) }

    func append(_ piece: [UInt8]) {
        bytes += piece
        count += 1
    }
}
