import EngineTestKit
import JSONValue
import SQLStore
import Testing
import WorkflowModel
@testable import Engine

private let pro = SegmentStage.pro

/// Segments from their first computation to their end, and what names them.
@Suite struct SegmentUseTests {
    // MARK: Computing

    @Test func whoIsThereFromTheBeginningIsNotTold() async throws {
        let stage = try await SegmentStage()
        for name in ["ann", "ben", "cem"] {
            try await stage.engine.track("a", "\(name)@example.org", data: ["plan": name == "cem" ? "free" : "pro"])
        }
        let made = try await stage.segments.create(
            .init(name: "Pro", kind: .dynamic, filter: SegmentStage.filter(pro)))
        #expect(made.isComputing)
        #expect(try await stage.segments.segment("pro").isComputing)
        try await stage.run()
        let computed = try await stage.segments.segment("pro")
        #expect(!computed.isComputing && computed.memberCount == 2)
        #expect(try await stage.count("segment.pro.entry") == 0)
        try await stage.make("Also pro", pro, announces: true)
        #expect(try await stage.count("segment.also-pro.entry") == 2)
    }

    @Test(arguments: [false, true]) func anotherFilterIsComputed(_ announces: Bool) async throws {
        let stage = try await SegmentStage()
        try await stage.engine.track("a", "ann@example.org", data: ["plan": "pro"])
        try await stage.engine.track("a", "ben@example.org", data: ["plan": "free"])
        try await stage.make("Plan", pro)
        try await stage.make("Dependent", Condition(field: "segment.plan", operator: .memberOfSegment))
        let free = SegmentStage.filter(Condition(field: "data.plan", operator: .equals, value: "free"))
        let changed = try await stage.segments.change("plan", .init(filter: free), announces: announces)
        #expect(changed.isComputing)
        try await stage.run()
        #expect(try await stage.memberships("ann@example.org") == [])
        #expect(try await stage.memberships("ben@example.org") == ["plan", "dependent"])
        for name in ["plan", "dependent"] {
            #expect(try await stage.count("segment.\(name).entry") == (announces ? 1 : 0))
            #expect(try await stage.count("segment.\(name).exit") == (announces ? 1 : 0))
        }
    }

    /// While nobody has looked at everybody, a change of somebody who is still to come says nothing that the computation
    /// would not say; of somebody new or already looked at it does.
    @Test func duringAComputationOnlyRealChangesAreTold() async throws {
        let stage = try await SegmentStage()
        try await stage.engine.track("a", "ann@example.org", data: ["plan": "pro"])
        _ = try await stage.segments.create(.init(name: "Pro", kind: .dynamic, filter: SegmentStage.filter(pro)))
        try await stage.engine.track("a", "ann@example.org", data: ["plan": "free"])
        try await stage.engine.track("a", "ann@example.org", data: ["plan": "pro"])
        #expect(try await stage.memberships() == ["pro"])
        #expect(try await stage.count("segment.pro.entry") == 0)
        try await stage.engine.track("a", "ben@example.org", data: ["plan": "pro"])
        #expect(try await stage.count("segment.pro.entry") == 1)
        try await stage.run()
        #expect(try await stage.count("segment.pro.entry") == 1)
        #expect(try await stage.memberCount("pro") == 2)
    }

    @Test func aComputationGoesOnAfterAStop() async throws {
        let stage = try await SegmentStage()
        try await stage.insert(6000) { ["n": .int(Int64($0 % 3))] }
        _ = try await stage.segments.create(
            .init(
                name: "Third", kind: .dynamic,
                filter: SegmentStage.filter(Condition(field: "data.n", operator: .equals, value: 0))))
        #expect(try await Segmenter(context: stage.engine.context).pass())
        let part = try await stage.segments.segment("third")
        #expect(part.isComputing && part.memberCount > 0 && part.memberCount < 2000)
        // Another process, as it were.
        let other = try await EngineFixture(store: stage.store, clock: stage.engine.clock, seed: 2)
        while try await Segmenter(context: other.context).pass() {}
        let whole = try await stage.segments.segment("third")
        #expect(!whole.isComputing && whole.memberCount == 2000)
        #expect(try await stage.segments.refresh("third").memberCount == 2000)
    }

    /// Of two pages, with somebody in the first who cannot be read, and somebody who came after the computation began.
    @Test func aComputationByTheClockGoesThroughEverybody() async throws {
        let stage = try await SegmentStage()
        try await stage.insert(1500) { _ in ["n": 1] }
        try DamagedDatabase(stage.database.path).spoil(
            "UPDATE contacts SET data = '{' WHERE email = 'c700@example.org'")
        let young = Condition(field: "createdAt", operator: .within, value: 1, unit: .hours)
        _ = try await stage.segments.create(.init(name: "Young", kind: .dynamic, filter: SegmentStage.filter(young)))
        try await stage.engine.track("a", "late@example.org", data: ["n": 1])
        #expect(try await stage.count("segment.young.entry") == 1, "who is new is told")
        try await stage.run()
        let whole = try await stage.segments.segment("young")
        #expect(!whole.isComputing && whole.memberCount == 1500)
        #expect(try await stage.count("segment.young.entry") == 1)
        #expect(try await stage.memberships("c1499@example.org") == ["young"])
        #expect(try await stage.store.write { try $0.nextSegmentTimer() } != nil)
    }

    // MARK: Keeping what is used

    @Test func whatIsUsedStays() async throws {
        let stage = try await SegmentStage()
        try await stage.make("VIP", pro)
        try await stage.make("More", Condition(field: "segment.vip", operator: .memberOfSegment))
        func refusal(_ body: () async throws -> Void) async -> String {
            do {
                try await body()
                return "none"
            } catch let error as UseCaseError {
                #expect(error.code == .conflict)
                return error.description
            } catch { return "\(error)" }
        }
        #expect(await refusal { try await stage.segments.delete("vip") }.contains("the segment more"))
        try await stage.segments.delete("more")
        try await stage.engine.apply([
            "workflow": "weekly", "trigger": ["schedule": "0 9 * * 1", "segmentId": "vip"],
            "steps": ["trigger": ["type": "TRIGGER"]],
        ])
        #expect(await refusal { try await stage.segments.delete("vip") }.contains("the workflow weekly"))
        #expect(
            await refusal { _ = try await stage.segments.change("vip", .init(slug: "best")) }.contains(
                "the workflow weekly"))
        try await stage.engine.apply([
            "workflow": "weekly", "trigger": ["event": "segment.vip.entry"], "steps": ["trigger": ["type": "TRIGGER"]],
        ])
        #expect(
            await refusal { _ = try await stage.segments.change("vip", .init(slug: "best")) }.contains(
                "the workflow weekly"))
        // Another name is nobody's matter, and the slug stays.
        #expect(try await stage.segments.change("vip", .init(name: "Best")).segment.slug == "vip")
        try await stage.engine.apply([
            "workflow": "weekly", "trigger": ["event": "b"], "steps": ["trigger": ["type": "TRIGGER"]],
        ])
        #expect(try await stage.segments.change("vip", .init(slug: "best")).segment.slug == "best")
        try await stage.segments.delete("best")
        await #expect(throws: UseCaseError.self) { _ = try await stage.segments.segment("best") }
    }

    @Test func aDeletedSegmentLeavesNothing() async throws {
        let stage = try await SegmentStage()
        try await stage.engine.track("a", data: ["plan": "pro"])
        try await stage.make("VIP", pro, Condition(field: "createdAt", operator: .within, value: 7, unit: .days))
        #expect(try await stage.memberships() == ["vip"])
        let id = try await stage.segments.segment("vip").segment.id
        try await stage.segments.delete("vip")
        #expect(try await stage.memberships() == [])
        try await stage.run()
        let contact = try #require(try await stage.engine.contact()).id
        #expect(try await stage.store.read { try !$0.isMember(contact, of: id) })
        #expect(try await stage.store.write { try $0.nextSegmentTimer() } == nil)
        // Its slug is free.
        #expect(try await stage.make("VIP", pro).segment.slug == "vip")
        #expect(try await stage.count("segment.vip.exit") == 0)
    }

    @Test func anErasedContactIsInNothing() async throws {
        let stage = try await SegmentStage()
        try await stage.make("VIP", pro, Condition(field: "createdAt", operator: .within, value: 7, unit: .days))
        try await stage.engine.track("a", data: ["plan": "pro"])
        let contact = try #require(try await stage.engine.contact()).id
        let project = stage.project
        _ = try await stage.engine.context.transact { transaction in
            try EventRecorder(transaction: transaction, projectID: project).erase(contact: contact)
        }
        #expect(try await stage.memberCount("vip") == 0)
        #expect(try await stage.segments.members(of: "vip", limit: 10, offset: 0).rows.isEmpty)
        #expect(try await stage.store.write { try $0.nextSegmentTimer() } == nil)
        #expect(try await stage.count("segment.vip.exit") == 0)
    }

    @Test func aProjectHasSoManySegments() async throws {
        let stage = try await SegmentStage()
        let project = stage.project
        try await stage.store.write { store in
            for number in 1..<Segments.countLimit {
                try store.save(
                    SegmentRecord(
                        id: Identifier(high: 3, low: UInt64(number)), projectID: project, slug: "s\(number)", name: "S",
                        kind: .static, filter: nil, createdAt: Timestamp(seconds: 0), updatedAt: Timestamp(seconds: 0)))
            }
        }
        try await stage.makeStatic("Last")
        let error = await #expect(throws: UseCaseError.self) { try await stage.makeStatic("Too many") }
        #expect(error?.code == .conflict && error?.description.contains("1000") == true)
        try await stage.segments.delete("last")
        try await stage.makeStatic("Another")
    }

    @Test func slugsAreUniqueAndNoIds() async throws {
        let stage = try await SegmentStage()
        #expect(try await stage.make("Pro", pro).segment.slug == "pro")
        #expect(try await stage.make("PRO!", pro).segment.slug == "pro-2")
        let looksLikeAnId = "0190a000-0000-7000-8000-000000000001"
        #expect(try await stage.make(looksLikeAnId, pro).segment.slug.hasPrefix("segment-0190a000"))
        for (slug, code) in [("pro", UseCaseError.Code.conflict), (looksLikeAnId, .invalid), ("A b", .invalid)] {
            let error = await #expect(throws: UseCaseError.self) {
                _ = try await stage.segments.create(
                    .init(name: "X", slug: slug, kind: .dynamic, filter: SegmentStage.filter(pro)))
            }
            #expect(error?.code == code, "\(slug)")
        }
    }

    // MARK: Schedules and simulations

    @Test func aScheduleEnrolsTheMembersOfItsTime() async throws {
        let stage = try await SegmentStage()
        try await stage.make("VIP", pro)
        for name in ["ann", "ben", "cem"] {
            try await stage.engine.track("a", "\(name)@example.org", data: ["plan": name == "ben" ? "free" : "pro"])
        }
        try await stage.engine.apply([
            "workflow": "flow", "enabled": true, "trigger": ["schedule": "0 10 * * *", "segmentId": "vip"],
            "steps": ["trigger": ["type": "TRIGGER", "next": "end"], "end": ["type": "EXIT"]],
        ])
        let scheduler = Scheduler(context: stage.engine.context)
        while try await scheduler.pass() {}
        try await stage.engine.track("a", "cem@example.org", subscribed: false)
        stage.engine.clock.advance(seconds: 3600)
        while try await scheduler.pass() {}
        #expect(try await stage.engine.executions().map(\.contactEmail) == ["ann@example.org"])
    }

    @Test func aSimulationKnowsTheSegmentsOfItsContact() async throws {
        let stage = try await SegmentStage()
        try await stage.make("VIP", pro)
        try await stage.makeStatic("Staff")
        try await stage.engine.track("a")
        _ = try await stage.segments.add(.init(emails: ["ann@example.org"]), to: "staff")
        let document = try WorkflowDocument([
            "workflow": "flow", "trigger": ["event": "go"],
            "steps": [
                "trigger": ["type": "TRIGGER", "next": "check"],
                "check": [
                    "type": "CONDITION",
                    "config": [
                        "filter": [
                            "logic": "AND",
                            "groups": [
                                [
                                    "filters": [
                                        ["field": "segment.vip", "operator": "memberOfSegment"],
                                        ["field": "segment.staff", "operator": "memberOfSegment"],
                                    ]
                                ]
                            ],
                        ]
                    ], "next": ["yes": "in", "no": "out"],
                ], "in": ["type": "EXIT", "config": ["reason": "in"]],
                "out": ["type": "EXIT", "config": ["reason": "out"]],
            ],
        ])
        for (data, reason): (JSON, String) in [([:], "out"), (["plan": "pro"], "in")] {
            let request = try SimulationRequest(json: ["contact": ["email": "ann@example.org", "data": data]])
            let report = try await Simulation(context: stage.engine.context).run(request, document: document)
            #expect(report.visits.last?.execution.output["reason"] == .string(reason))
        }
    }
}
