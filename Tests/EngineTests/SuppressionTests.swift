import EngineTestKit
import JSONValue
import MailModel
import Testing
import WorkflowModel

@testable import Engine

private func template(_ kind: String) -> JSONObject {
    ["ad": ["type": .string(kind), "subject": "News", "text": "Hi"]]
}

/// Addresses that get no more mail: why, of which kind, and until when.
@Suite struct SuppressionTests {
    private func engine(
        _ kind: String, _ configure: (inout EngineConfiguration) -> Void = { _ in }
    ) async throws -> (EngineFixture, TemporaryDatabase) {
        let (engine, database) = try await makeEngine(configure)
        try await engine.apply(
            document(
                reentry: true, steps: ["mail": ["type": "SEND_EMAIL", "config": ["template": "ad"]]],
                templates: template(kind)))
        return (engine, database)
    }

    private func suppress(
        _ engine: EngineFixture, _ reason: Suppression.Reason, _ address: String = "Ann@Example.org",
        until end: Timestamp? = nil
    ) async throws {
        _ = try await Suppressions(context: engine.context).add(
            [.init(address: address, reason: reason, expiresAt: end)], to: engine.project.id)
    }

    private func send(_ engine: EngineFixture, _ outcomes: [DeliveryOutcome] = []) async throws -> Int {
        let transport = ScriptedTransport()
        transport.answer(outcomes)
        try await engine.runDispatch(transport)
        return transport.sent.count
    }

    private func reasons(_ engine: EngineFixture, _ address: String = "ann@example.org") async throws -> [String] {
        try await Suppressions(context: engine.context).page(in: engine.project.id, address: address, limit: 10)
            .suppressions.map(\.reason.rawValue)
    }

    private static let combinations: [(Suppression.Reason, String, Bool)] = [
        (.bounce, "MARKETING", true), (.bounce, "TRANSACTIONAL", true), (.complaint, "TRANSACTIONAL", true),
        (.complaint, "HEADLESS", true), (.manual, "TRANSACTIONAL", true), (.unsubscribe, "MARKETING", true),
        (.unsubscribe, "HEADLESS", true), (.unsubscribe, "TRANSACTIONAL", false),
    ]

    @Test(arguments: combinations)
    func aReasonStopsItsKindsOfMailWhenTheyAreDecided(
        reason: Suppression.Reason, kind: String, stops: Bool
    ) async throws {
        let (engine, database) = try await engine(kind)
        _ = database
        try await suppress(engine, reason)
        try await engine.track("signed_up")
        #expect(try await send(engine) == (stops ? 0 : 1))
        let execution = try #require(try await engine.executions().first)
        #expect(execution.status == .completed)
        let output = try await engine.steps(of: execution).last?.output
        #expect(output?["skipped"] == (stops ? "suppressed" : nil))
        #expect(output?["reason"]?.stringValue == (stops ? reason.rawValue : nil))
    }

    @Test func whatIsAddedAfterTheDecisionStopsTheMailBeforeItsAttempt() async throws {
        let (engine, database) = try await engine("TRANSACTIONAL")
        _ = database
        try await engine.track("signed_up")
        try await suppress(engine, .complaint)
        let now = engine.clock.now()
        let entry = try #require(
            try await engine.context.store.write { try $0.claimEntries(dueAt: now, limit: 10) }.first)
        let transport = ScriptedTransport()
        await Dispatch(context: engine.context, transport: transport).deliver(entry)
        #expect(transport.sent.isEmpty)
        let status = try await engine.context.store.read { try $0.mailStatus(entry.id, in: engine.project.id) }
        #expect(status?.entry.status == .suppressed)
        #expect(status?.lastReply == "suppressed: complaint")
    }

    @Test func aSuppressionEndsAtItsTimeAndByRemoval() async throws {
        let (engine, database) = try await engine("TRANSACTIONAL")
        _ = database
        try await suppress(engine, .manual, until: engine.clock.now().adding(seconds: 100))
        try await engine.track("signed_up")
        #expect(try await send(engine) == 0)
        engine.clock.advance(seconds: 100)
        #expect(try await reasons(engine).isEmpty)
        try await engine.track("signed_up")
        #expect(try await send(engine) == 1)
        try await suppress(engine, .manual)
        try await suppress(engine, .bounce)
        let suppressions = Suppressions(context: engine.context)
        try await suppressions.remove("ANN@example.org", reason: .manual, from: engine.project.id)
        #expect(try await reasons(engine) == ["bounce"])
        try await suppressions.remove("ann@example.org", from: engine.project.id)
        try await engine.track("signed_up")
        #expect(try await send(engine) == 1)
        await #expect(throws: UseCaseError.self) {
            try await suppressions.remove("ann@example.org", from: engine.project.id)
        }
    }

    @Test func anotherProjectsListIsAnotherList() async throws {
        let (engine, database) = try await engine("TRANSACTIONAL")
        _ = database
        let other = Project(id: Identifier(high: 9, low: 9), slug: "other", name: "Other")
        let now = engine.clock.now()
        try await engine.context.store.write { try $0.insert(other, at: now) }
        _ = try await Suppressions(context: engine.context).add(
            [.init(address: "ann@example.org", reason: .bounce)], to: other.id)
        try await engine.track("signed_up")
        #expect(try await send(engine) == 1)
        #expect(try await reasons(engine).isEmpty)
        await #expect(throws: UseCaseError.self) {
            try await Suppressions(context: engine.context).remove("ann@example.org", from: engine.project.id)
        }
    }

    @Test func aDisplayNameIsNoWayAroundTheList() async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        try await engine.apply(
            document(
                steps: [
                    "mail": [
                        "type": "SEND_EMAIL", "config": ["template": "ad", "to": "\"Ann, A.\" <ANN@example.org>"],
                    ]
                ], templates: template("TRANSACTIONAL")))
        try await suppress(engine, .bounce)
        try await engine.track("signed_up", "ben@example.org")
        #expect(try await send(engine) == 0)
    }

    @Test func theAuditLogNamesNoAddress() async throws {
        let (engine, database) = try await engine("TRANSACTIONAL")
        _ = database
        try await suppress(engine, .bounce)
        try await Suppressions(context: engine.context).remove("ann@example.org", from: engine.project.id)
        let records = try await AuditLog(context: engine.context).page(
            AuditSelection(projectID: engine.project.id, action: "suppression.", limit: 10)
        ).records
        #expect(records.map(\.action) == ["suppression.removed", "suppression.added"])
        #expect(Set(records.map(\.target)).count == 1, "one address is one target")
        for record in records {
            #expect(record.target.hasPrefix("address:") && record.target.utf8.count == 24)
            #expect(!JSONWriter.write(record.json).contains("example.org"))
        }
    }

    // MARK: Erasure

    private func erase(_ engine: EngineFixture) async throws {
        let contact = try #require(try await engine.contact())
        try await engine.contacts.delete(contact.id)
    }

    @Test(arguments: [Suppression.Reason.bounce, .complaint, .manual])
    func whatStandsAgainstAnAddressOutlivesItsContact(reason: Suppression.Reason) async throws {
        let (engine, database) = try await engine("MARKETING")
        try await engine.track("looked")
        try await suppress(engine, reason)
        try await erase(engine)
        #expect(try Rows(database.path).count("SELECT count(*) FROM suppressions") == 0)
        // The address as such, then a contact again: by a request's mail, and by a workflow.
        #expect(try await reasons(engine) == [reason.rawValue])
        let mail = try await DirectMail(context: engine.context).send(
            .init(
                projectID: engine.project.id, recipients: [.init(email: "Ann@Example.org")], subject: "Hi",
                body: "<p>Hi</p>", subscribed: true))
        #expect(try await send(engine) == 0)
        let id = try #require(mail.mails.first).id
        let status = try await engine.context.store.read { try $0.mailStatus(id, in: engine.project.id) }
        #expect(status?.entry.status == .suppressed)
        #expect(status?.lastReply == "suppressed: \(reason.rawValue)")
        try await engine.track("signed_up", subscribed: true)
        #expect(try await send(engine) == 0)
        let execution = try #require(try await engine.executions().first)
        let output = try await engine.steps(of: execution).last?.output
        #expect(output?["skipped"] == "suppressed")
        #expect(output?["reason"]?.stringValue == reason.rawValue)
        // Erased again, it is still there.
        try await erase(engine)
        #expect(try await reasons(engine) == [reason.rawValue])
    }

    @Test func whatOutlivesAContactEndsAtItsTimeAndByRemoval() async throws {
        let (engine, database) = try await engine("TRANSACTIONAL")
        try await engine.track("looked")
        let start = engine.clock.now()
        try await suppress(engine, .complaint, until: start.adding(seconds: 10))
        try await suppress(engine, .manual, until: start.adding(seconds: 100))
        try await suppress(engine, .bounce)
        try await suppress(engine, .unsubscribe)
        engine.clock.advance(seconds: 10)
        try await erase(engine)
        #expect(
            try Rows(database.path).count("SELECT count(*) FROM suppressed_addresses WHERE reason = 'complaint'") == 0,
            "it has ended")
        #expect(try await reasons(engine) == ["bounce", "manual", "unsubscribe"])
        let suppressions = Suppressions(context: engine.context)
        try await suppressions.remove("ANN@example.org", reason: .bounce, from: engine.project.id)
        try await engine.track("signed_up")
        #expect(try await send(engine) == 0)
        engine.clock.advance(seconds: 90)
        #expect(try await reasons(engine) == ["unsubscribe"])
        try await engine.track("signed_up")
        #expect(try await send(engine) == 1)
        try await suppressions.remove("ann@example.org", from: engine.project.id)
        await #expect(throws: UseCaseError.self) {
            try await suppressions.remove("ann@example.org", from: engine.project.id)
        }
        // What is added anew takes the place of what was kept, and ends no sooner.
        let end = engine.clock.now().adding(seconds: 50)
        try await suppress(engine, .manual, until: end)
        try await erase(engine)
        try await suppress(engine, .manual, until: end.adding(seconds: -40))
        #expect(try Rows(database.path).count("SELECT count(*) FROM suppressed_addresses WHERE reason = 'manual'") == 0)
        engine.clock.advance(seconds: 49)
        #expect(try await reasons(engine) == ["manual"])
        engine.clock.advance(seconds: 1)
        #expect(try await reasons(engine).isEmpty)
    }

    // MARK: Bounces

    private static let replies: [(Int, String?, [String])] = [
        (550, "5.1.1", ["bounce"]), (550, "5.1.6", ["bounce"]), (550, "5.2.1", ["bounce"]), (554, "5.7.1", []),
        (552, "5.2.2", []), (554, "5.6.0", []), (550, nil, []), (553, "5.1.8", []),
    ]

    @Test(arguments: replies)
    func aRefusalThatSaysTheAddressIsDeadEndsAllMailToIt(code: Int, enhanced: String?, found: [String]) async throws {
        let (engine, database) = try await engine("TRANSACTIONAL")
        _ = database
        try await engine.track("signed_up")
        let reply = Reply(code: code, enhancedCode: enhanced, text: "no")
        #expect(try await send(engine, [.rejected(reply: reply)]) == 1)
        #expect(try await reasons(engine) == found)
        let evidence = try await engine.context.store.read {
            try $0.suppressions(of: "ann@example.org", in: engine.project.id).first?.evidence
        }
        if !found.isEmpty {
            #expect(evidence?["status"]?.stringValue == enhanced && evidence?["diagnostic"] == "no")
            #expect(evidence?["replyCode"] == .int(Int64(code)))
        }
        try await engine.track("signed_up")
        #expect(try await send(engine) == (found.isEmpty ? 1 : 0))
    }

    @Test func policyMayKeepWritingToDeadAddresses() async throws {
        let (engine, database) = try await engine("TRANSACTIONAL") { $0.suppression.suppressesBounces = false }
        _ = database
        try await engine.track("signed_up")
        _ = try await send(engine, [.rejected(reply: Reply(code: 550, enhancedCode: "5.1.1", text: "no"))])
        #expect(try await reasons(engine).isEmpty)
    }

    @Test func mailboxesThatStayFullAreLeftAloneForAWhile() async throws {
        let (engine, database) = try await engine("TRANSACTIONAL")
        _ = database
        let full = DeliveryOutcome.rejected(reply: Reply(code: 552, enhancedCode: "5.2.2", text: "full"))
        // Four on two days are not enough, and a fifth on the same day is not either.
        for day in [0, 0, 1, 0, 0] {
            engine.clock.advance(seconds: Int64(day) * 86_400)
            try await engine.track("signed_up")
            #expect(try await send(engine, [full]) == 1)
        }
        #expect(try await reasons(engine).isEmpty)
        engine.clock.advance(seconds: 86_400)
        try await engine.track("signed_up")
        _ = try await send(engine, [full])
        #expect(try await reasons(engine) == ["bounce"])
        try await engine.track("signed_up")
        #expect(try await send(engine) == 0)
        engine.clock.advance(seconds: 30 * 86_400)
        try await engine.track("signed_up")
        #expect(try await send(engine) == 1)
    }

    @Test func oldSoftBouncesDoNotCount() async throws {
        let (engine, database) = try await engine("TRANSACTIONAL")
        _ = database
        let full = DeliveryOutcome.rejected(reply: Reply(code: 552, enhancedCode: "5.2.2", text: "full"))
        for _ in 0..<8 {
            engine.clock.advance(seconds: 8 * 86_400)
            try await engine.track("signed_up")
            #expect(try await send(engine, [full]) == 1)
        }
        #expect(try await reasons(engine).isEmpty)
    }

    // MARK: Files

    @Test func aFileIsReadBackAsItWasWritten() async throws {
        let (engine, database) = try await engine("TRANSACTIONAL")
        _ = database
        let suppressions = Suppressions(context: engine.context)
        _ = try await suppressions.add(
            [
                .init(address: "a@example.org", reason: .complaint, note: "said \"no\", twice\nand again"),
                .init(address: "b@example.org", expiresAt: engine.clock.now().adding(seconds: 3600)),
            ], to: engine.project.id)
        var bytes = SuppressionFile.header()
        try await suppressions.forEach(in: engine.project.id) { bytes += SuppressionFile.row($0) }
        let content = try SuppressionFile.read(bytes)
        #expect(content.problems.isEmpty)
        let before = try await suppressions.page(in: engine.project.id, limit: 10).suppressions
        for suppression in before {
            try await suppressions.remove(suppression.address, from: engine.project.id)
        }
        _ = try await suppressions.add(content.additions, to: engine.project.id)
        #expect(try await suppressions.page(in: engine.project.id, limit: 10).suppressions == before)
    }

    @Test func rowsThatCannotBeUsedAreNamed() throws {
        let text = """
            Reason,Address
            bounce,ANN@example.org
            because,b@example.org
            ,nobody
            ,c@example.org
            """
        let content = try SuppressionFile.read(Array(text.utf8), reason: .unsubscribe)
        #expect(content.additions.map(\.address) == ["ann@example.org", "c@example.org"])
        #expect(content.additions.map(\.reason) == [.bounce, .unsubscribe])
        #expect(content.problems.map(\.row) == [3, 4])
        for broken in ["", "reason\nbounce", "\"email\nx"] {
            #expect(throws: UseCaseError.self) { try SuppressionFile.read(Array(broken.utf8)) }
        }
    }

    // MARK: The list

    @Test func pagesGoThroughTheListInOrder() async throws {
        let (engine, database) = try await engine("TRANSACTIONAL")
        _ = database
        let suppressions = Suppressions(context: engine.context)
        _ = try await suppressions.add(
            (0..<7).map { .init(address: "p\($0)@example.org", reason: $0 % 2 == 0 ? .manual : .bounce) },
            to: engine.project.id)
        try await suppress(engine, .bounce, "p0@example.org")
        var seen: [String] = []
        var position: SuppressionPosition?
        repeat {
            let page = try await suppressions.page(in: engine.project.id, after: position, limit: 3)
            seen += page.suppressions.map { "\($0.address) \($0.reason.rawValue)" }
            position = page.next.flatMap { SuppressionPosition("\($0)") }
        } while position != nil
        #expect(seen.count == 8 && seen == seen.sorted())
        let bounces = try await suppressions.page(in: engine.project.id, reason: .bounce, limit: 10).suppressions
        #expect(bounces.map(\.address) == ["p0@example.org", "p1@example.org", "p3@example.org", "p5@example.org"])
        #expect(SuppressionPosition("!") == nil && SuppressionPosition("") == nil)
    }
}
