import EngineTestKit
import JSONValue
import SQLStore
import Testing
import WorkflowModel

@testable import Engine

private let pro = SegmentStage.pro

@Suite struct SegmentTests {
    // MARK: With every change

    @Test func aContactIsInASegmentAsSoonAsItsValuesSaySo() async throws {
        let stage = try await SegmentStage()
        try await stage.make("Pro plan", pro)
        try await stage.engine.track("signed_up", data: ["plan": "pro"])
        #expect(try await stage.memberships() == ["pro-plan"])
        try await stage.engine.track("changed", data: ["plan": "free"])
        #expect(try await stage.memberships() == [])
        try await stage.engine.track("changed", data: ["plan": "pro"])
        #expect(try await stage.memberships() == ["pro-plan"])
        #expect(try await stage.count("segment.pro-plan.entry") == 2)
        #expect(try await stage.count("segment.pro-plan.exit") == 1)
        #expect(try await stage.memberCount("pro-plan") == 1)
    }

    @Test func aNewContactMayBelongBecauseOfWhatItLacks() async throws {
        let stage = try await SegmentStage()
        try await stage.make("Unnamed", Condition(field: "data.name", operator: .notExists))
        try await stage.make("Quiet", Condition(field: "event.bought", operator: .notTriggered))
        try await stage.engine.track("signed_up")
        #expect(try await stage.memberships() == ["unnamed", "quiet"])
        try await stage.engine.track("bought", data: ["name": "Ann"])
        #expect(try await stage.memberships() == [])
    }

    @Test func whoUnsubscribesLeavesTheSegmentOfSubscribers() async throws {
        let stage = try await SegmentStage()
        try await stage.make("Readers", Condition(field: "subscribed", operator: .equals, value: true))
        try await stage.engine.track("a")
        #expect(try await stage.memberships() == ["readers"])
        try await stage.engine.track("a", subscribed: false)
        #expect(try await stage.memberships() == [])
    }

    @Test func anEventPutsItsContactIn() async throws {
        let stage = try await SegmentStage()
        try await stage.make("Buyers", Condition(field: "event.bought", operator: .triggered))
        try await stage.engine.track("looked")
        #expect(try await stage.memberships() == [])
        try await stage.engine.track("bought")
        #expect(try await stage.memberships() == ["buyers"])
    }

    @Test func onlyWhatAsksForTheChangeIsLookedAt() {
        func segment(_ number: UInt64, _ field: String, _ operation: Condition.Operator = .exists) -> SegmentRecord {
            SegmentRecord(
                id: Identifier(high: 1, low: number), projectID: Identifier(high: 1, low: 0), slug: "s\(number)",
                name: "S", kind: .dynamic, filter: SegmentStage.filter(Condition(field: field, operator: operation)),
                createdAt: Timestamp(seconds: 0), updatedAt: Timestamp(seconds: 0))
        }
        let index = SegmentIndex([
            segment(1, "data.plan"), segment(2, "data.plan.name"), segment(3, "email"), segment(4, "subscribed"),
            segment(5, "event.bought", .triggered), segment(6, "segment.s1", .memberOfSegment), segment(7, "updatedAt"),
            segment(8, "contact.city"), segment(9, "data.a.b.c"), segment(10, "createdAt"),
        ])
        let before = Contact(
            id: Identifier(high: 2, low: 2), email: "a@b.c", isSubscribed: true, data: ["plan": 1, "a.b.c": 1],
            createdAt: Timestamp(seconds: 0), updatedAt: Timestamp(seconds: 0))
        func concerned(_ change: (inout Contact) -> Void) -> [String] {
            var after = before
            change(&after)
            return index.positions(concernedBy: before, after).map { index.segments[$0].slug }
        }
        #expect(concerned { $0.data["plan"] = 2 } == ["s1", "s2"])
        #expect(concerned { $0.data["a"] = 2 } == ["s9"])
        #expect(concerned { $0.data["a.b.c"] = nil } == ["s9"])
        #expect(concerned { $0.data["a.b"] = 1 } == [])
        #expect(concerned { $0.data["city"] = "Ulm" } == ["s8"])
        #expect(concerned { $0.email = "x@b.c" } == ["s3"])
        #expect(concerned { $0.isSubscribed = false } == ["s4"])
        #expect(concerned { $0.updatedAt = Timestamp(seconds: 1) } == ["s7"])
        #expect(concerned { _ in } == [])
        #expect(index.positions(asking: "bought").map { index.segments[$0].slug } == ["s5"])
        #expect(index.positions(asking: Identifier(high: 1, low: 1)).map { index.segments[$0].slug } == ["s6"])
        #expect(index.positions(concernedBy: nil, before).count == 10)
    }

    // MARK: Workflows

    @Test func entryStartsAWorkflowAndExitEndsAWait() async throws {
        let stage = try await SegmentStage()
        try await stage.make("VIP", pro)
        try await stage.applyWait(for: "segment.vip.exit", reason: "gone")
        try await stage.engine.track("a", data: ["plan": "pro"])
        let waiting = try await stage.engine.executions()
        #expect(waiting.map(\.status) == [.waiting])
        #expect(waiting.first?.context["segmentName"] == nil)
        try await stage.engine.track("a", data: ["plan": "free"])
        let ended = try await stage.engine.executions()
        #expect(ended.map(\.status) == [.exited])
        #expect(ended.first?.exitReason == "gone")
        #expect(ended.first?.context["segmentName"] == "VIP")
    }

    /// One request changes the contact, by which it enters, and is then what the workflow of that entry waits for.
    @Test func aWaitThatTheChangeHasBegunSeesTheEventOfItsRequest() async throws {
        let stage = try await SegmentStage()
        try await stage.make("VIP", pro)
        try await stage.applyWait(for: "bought", reason: "bought")
        try await stage.engine.track("seen")
        try await stage.engine.track("bought", data: ["plan": "pro"])
        #expect(try await stage.engine.executions().map(\.exitReason) == ["bought"])
    }

    @Test func whoSeesTheChangeSeesTheMembership() async throws {
        let stage = try await SegmentStage()
        try await stage.make("VIP", pro)
        try await stage.make("Buyers", Condition(field: "event.bought", operator: .triggered))
        for event in ["contact.created", "contact.updated", "bought"] {
            let segment = event == "bought" ? "buyers" : "vip"
            try await stage.engine.apply([
                "workflow": .string(event.replacing(".", with: "-")), "enabled": true,
                "trigger": ["event": .string(event)],
                "steps": [
                    "trigger": ["type": "TRIGGER", "next": "check"],
                    "check": [
                        "type": "CONDITION",
                        "config": ["field": .string("segment.\(segment)"), "operator": "memberOfSegment"],
                        "next": ["yes": "in", "no": "out"],
                    ],
                    "in": ["type": "EXIT", "config": ["reason": "in"]],
                    "out": ["type": "EXIT", "config": ["reason": "out"]],
                ],
            ])
        }
        try await stage.engine.track("a", data: ["plan": "pro"])
        try await stage.engine.track("a", data: ["plan": "free"])
        try await stage.engine.track("bought")
        #expect(try await stage.engine.executions("contact-created").map(\.exitReason) == ["in"])
        #expect(try await stage.engine.executions("contact-updated").map(\.exitReason) == ["out"])
        #expect(try await stage.engine.executions("bought").map(\.exitReason) == ["in"])
    }

    /// Entry changes the contact so that it leaves, exit so that it comes again.
    @Test func aSegmentThatFeedsItselfStopsVisibly() async throws {
        let stage = try await SegmentStage()
        try await stage.make("Loop", pro)
        for (event, plan) in [("entry", "free"), ("exit", "pro")] {
            try await stage.engine.apply([
                "workflow": .string(event), "enabled": true, "allowReentry": true,
                "trigger": ["event": .string("segment.loop.\(event)")],
                "steps": [
                    "trigger": ["type": "TRIGGER", "next": "change"],
                    "change": ["type": "UPDATE_CONTACT", "config": ["data": ["plan": .string(plan)]], "next": "end"],
                    "end": ["type": "EXIT"],
                ],
            ])
        }
        try await stage.engine.track("a", data: ["plan": "pro"])
        #expect(try await stage.engine.counter("event_loops_stopped") > 0)
        let stopped = try await (stage.engine.executions("entry") + stage.engine.executions("exit")).filter {
            $0.exitReason?.contains("event_loop: segment.loop.") == true
        }
        #expect(stopped.count == 1)
        // What is kept is right all the same.
        let contact = try #require(try await stage.engine.contact())
        #expect(try await stage.memberships().contains("loop") == (contact.data["plan"] == "pro"))
    }

    @Test func entriesAndExitsAreToldInTheirOrder() async throws {
        let stage = try await SegmentStage()
        try await stage.make("First", pro)
        try await stage.make("Second", pro)
        // The entry into the first takes the contact out of both before the second entry is told.
        try await stage.engine.apply([
            "workflow": "flow", "enabled": true, "trigger": ["event": "segment.first.entry"],
            "steps": [
                "trigger": ["type": "TRIGGER", "next": "change"],
                "change": ["type": "UPDATE_CONTACT", "config": ["data": ["plan": nil]], "next": "end"],
                "end": ["type": "EXIT"],
            ],
        ])
        try await stage.engine.apply([
            "workflow": "second", "enabled": true, "allowReentry": true, "trigger": ["event": "segment.second.entry"],
            "steps": [
                "trigger": ["type": "TRIGGER", "next": "wait"],
                "wait": ["type": "WAIT_FOR_EVENT", "config": ["eventName": "segment.second.exit"], "next": "end"],
                "end": ["type": "EXIT"],
            ],
        ])
        try await stage.engine.track("a", data: ["plan": "pro"])
        #expect(try await stage.memberships() == [])
        #expect(try await stage.engine.executions("second").map(\.status) == [.exited])
    }

    // MARK: Time

    @Test func membershipByAgeEndsExactlyWhenTheTimeHasPassed() async throws {
        let stage = try await SegmentStage()
        try await stage.make("New", Condition(field: "createdAt", operator: .within, value: 7, unit: .days))
        try await stage.make("Old", Condition(field: "createdAt", operator: .olderThan, value: 7, unit: .days))
        try await stage.engine.track("a")
        #expect(try await stage.memberships() == ["new"])
        stage.engine.clock.advance(seconds: 7 * 86_400)
        try await stage.run()
        #expect(try await stage.memberships() == ["new"])
        stage.engine.clock.advance(microseconds: 1)
        try await stage.run()
        #expect(try await stage.memberships() == ["old"])
        #expect(try await stage.count("segment.new.exit") == 1)
        #expect(try await stage.count("segment.old.entry") == 1)
        #expect(try await stage.store.write { try $0.nextSegmentTimer() } == nil)
    }

    @Test func anEventsWindowSlides() async throws {
        let stage = try await SegmentStage()
        let hour = Condition(field: "event.seen", operator: .triggeredWithin, value: 1, unit: .hours)
        let quiet = Condition(field: "event.seen", operator: .notTriggeredWithin, value: 1, unit: .hours)
        try await stage.make("Active", hour)
        try await stage.make("Quiet", quiet)
        try await stage.engine.track("seen")
        #expect(try await stage.memberships() == ["active"])
        stage.engine.clock.advance(seconds: 3000)
        try await stage.engine.track("seen")
        stage.engine.clock.advance(seconds: 3600)
        try await stage.run()
        #expect(try await stage.memberships() == ["active"])
        stage.engine.clock.advance(microseconds: 1)
        try await stage.run()
        #expect(try await stage.memberships() == ["quiet"])
        #expect(try await stage.count("segment.active.entry") == 1)
        #expect(try await stage.count("segment.active.exit") == 1)
    }

    /// Somebody may mend the contact: its moment is put off, not forgotten.
    @Test func whoCannotBeReadIsLookedAtAgain() async throws {
        let stage = try await SegmentStage()
        try await stage.make("New", Condition(field: "createdAt", operator: .within, value: 1, unit: .minutes))
        for name in ["ann", "ben"] { try await stage.engine.track("a", "\(name)@example.org", data: ["n": 1]) }
        let damage = DamagedDatabase(stage.database.path)
        try damage.spoil("UPDATE contacts SET data = '{' WHERE email = 'ann@example.org'")
        stage.engine.clock.advance(seconds: 61)
        let now = stage.engine.clock.now()
        try await stage.run()
        #expect(try await stage.memberCount("new") == 1)
        #expect(try await stage.count("segment.new.exit") == 1)
        #expect(try await stage.store.write { try $0.nextSegmentTimer() } == now.adding(seconds: 3600))
        try damage.spoil("UPDATE contacts SET data = '{}' WHERE email = 'ann@example.org'")
        stage.engine.clock.advance(seconds: 3600)
        try await stage.run()
        #expect(try await stage.memberCount("new") == 0)
        #expect(try await stage.count("segment.new.exit") == 2)
        #expect(try await stage.store.write { try $0.nextSegmentTimer() } == nil)
    }

    @Test func aDateInTheDataHasItsMoment() async throws {
        let stage = try await SegmentStage()
        try await stage.make(
            "Trial over", Condition(field: "data.trialEnd", operator: .olderThan, value: 1, unit: .minutes))
        let end = stage.engine.clock.now().adding(seconds: 600)
        try await stage.engine.track("a", data: ["trialEnd": .string("\(end)")])
        stage.engine.clock.advance(seconds: 660)
        try await stage.run()
        #expect(try await stage.memberships() == [])
        stage.engine.clock.advance(microseconds: 1)
        try await stage.run()
        #expect(try await stage.memberships() == ["trial-over"])
        // Another date, another moment.
        try await stage.engine.track("a", data: ["trialEnd": .string("\(end.adding(seconds: 3600))")])
        #expect(try await stage.memberships() == [])
        let next = try await stage.store.write { try $0.nextSegmentTimer() }
        #expect(next == end.adding(seconds: 3660).adding(microseconds: 1))
    }

    @Test func theLoopWakesForTheNextMoment() async throws {
        let stage = try await SegmentStage()
        try await stage.make("New", Condition(field: "createdAt", operator: .within, value: 1, unit: .minutes))
        try await stage.note("segment.new.exit", as: "flow")
        try await stage.engine.track("a")
        let loop = Task { await Segmenter(context: stage.engine.context).run() }
        for _ in 0..<10_000 {
            if try await !stage.engine.executions().isEmpty { break }
            if await stage.engine.clock.hasSleeper { stage.engine.clock.advance(seconds: 30) }
            await Task.yield()
        }
        #expect(try await stage.engine.executions().map(\.status) == [.exited])
        loop.cancel()
        await loop.value
    }

    // MARK: Segments of segments

    @Test func aSegmentOfSegmentsFollowsThem() async throws {
        let stage = try await SegmentStage()
        try await stage.makeStatic("Staff")
        try await stage.make("Pro", pro)
        try await stage.make(
            "Customers", Condition(field: "segment.pro", operator: .memberOfSegment),
            Condition(field: "segment.staff", operator: .notMemberOfSegment))
        try await stage.make("Not customers", Condition(field: "segment.customers", operator: .notMemberOfSegment))
        try await stage.engine.track("a", data: ["plan": "pro"])
        #expect(try await stage.memberships() == ["pro", "customers"])
        _ = try await stage.segments.add(.init(emails: ["ANN@example.org"]), to: "staff")
        #expect(try await stage.memberships() == ["pro", "staff", "not-customers"])
        _ = try await stage.segments.remove(["ann@example.org"], from: "staff")
        #expect(try await stage.memberships() == ["pro", "customers"])
        #expect(try await stage.count("segment.customers.exit") == 1)
        #expect(try await stage.count("segment.customers.entry") == 2)
    }

    @Test func aCircleIsRefusedAndNamed() async throws {
        let stage = try await SegmentStage()
        let a = try await stage.make("A", pro)
        try await stage.make("B", Condition(field: "segment.a", operator: .memberOfSegment))
        try await stage.make("C", Condition(field: "segment.b", operator: .notMemberOfSegment))
        for target in ["c", "b", "a", "\(a.segment.id)"] {
            let error = await #expect(throws: UseCaseError.self) {
                _ = try await stage.segments.change(
                    "a",
                    .init(
                        filter: SegmentStage.filter(Condition(field: "segment.\(target)", operator: .memberOfSegment))))
            }
            #expect(error?.code == .invalid)
            #expect(error?.problems.first?.path == "filter")
            #expect(error?.problems.first?.message.contains("a -> ") == true, "\(target): \(error?.problems ?? [])")
        }
        #expect(try await stage.segments.segment("a").segment.filter == a.segment.filter)
    }

    @Test func whatIsNotThereCannotBeAskedFor() async throws {
        let stage = try await SegmentStage()
        let missing = SegmentStage.filter(pro, Condition(field: "segment.nobody", operator: .memberOfSegment))
        let error = await #expect(throws: UseCaseError.self) {
            _ = try await stage.segments.create(.init(name: "A", kind: .dynamic, filter: missing))
        }
        #expect(error?.problems.map(\.path) == ["filter.groups.0.filters.1.field"])
        await #expect(throws: UseCaseError.self) {
            _ = try await stage.segments.preview(missing, path: "filter", limit: 1)
        }
        let condition: JSON = [
            "logic": "AND", "groups": [["filters": [["field": "segment.nobody", "operator": "memberOfSegment"]]]],
        ]
        for (trigger, steps, path): (JSON, JSON, String) in [
            (["schedule": "* * * * *", "segmentId": "nobody"], ["t": ["type": "TRIGGER"]], "trigger.segmentId"),
            (
                ["schedule": "* * * * *", "filter": condition], ["t": ["type": "TRIGGER"]],
                "trigger.filter.groups.0.filters.0.field"
            ),
            (
                ["event": "a"],
                [
                    "t": ["type": "TRIGGER", "next": "c"],
                    "c": ["type": "CONDITION", "config": ["filter": condition]],
                ], "steps.c.config.filter.groups.0.filters.0.field"
            ),
            (
                ["event": "a"],
                [
                    "t": ["type": "TRIGGER", "next": "c"],
                    "c": ["type": "CONDITION", "config": ["field": "segment.nobody", "operator": "memberOfSegment"]],
                ], "steps.c.config.field"
            ),
            (
                ["event": "a"],
                [
                    "t": ["type": "TRIGGER", "next": "w"],
                    "w": ["type": "WAIT_FOR_EVENT", "config": ["eventName": "b", "filter": condition]],
                ], "steps.w.config.filter.groups.0.filters.0.field"
            ),
        ] {
            let error = await #expect(throws: UseCaseError.self) {
                try await stage.engine.apply(["workflow": "flow", "trigger": trigger, "steps": steps])
            }
            #expect(error?.problems.map(\.path) == [path])
        }
    }

    // MARK: STATIC segments

    @Test func contactsArePutInAndTakenOutByHand() async throws {
        let stage = try await SegmentStage()
        try await stage.makeStatic("Beta testers")
        try await stage.note("segment.beta-testers.entry", as: "flow")
        try await stage.engine.track("a")
        let first = try await stage.segments.add(
            .init(emails: ["ann@example.org", "ben@example.org", "Ann@Example.org"]), to: "beta-testers")
        #expect(first == .init(added: 1, created: 0, unchanged: 0, missing: ["ben@example.org"]))
        let second = try await stage.segments.add(
            .init(emails: ["ann@example.org", "ben@example.org"], createsMissing: true), to: "beta-testers")
        #expect(second == .init(added: 1, created: 1, unchanged: 1, missing: []))
        #expect(try await stage.engine.contact("ben@example.org")?.isSubscribed == false)
        #expect(try await stage.engine.executions().count == 2)
        #expect(try await stage.memberCount("beta-testers") == 2)
        let removed = try await stage.segments.remove(
            ["ann@example.org", "nobody@example.org"], from: "beta-testers", announces: false)
        #expect(removed == .init(removed: 1, unchanged: 0, missing: ["nobody@example.org"]))
        #expect(try await stage.count("segment.beta-testers.exit") == 0)
        let page = try await stage.segments.members(of: "beta-testers", limit: 10, offset: 0)
        #expect(page.rows.map(\.contact.email) == ["ben@example.org"] && page.total == 1)
        try await stage.make("Pro", pro)
        for reference in ["pro"] {
            await #expect(throws: UseCaseError.self) {
                _ = try await stage.segments.add(.init(emails: ["ann@example.org"]), to: reference)
            }
            await #expect(throws: UseCaseError.self) {
                _ = try await stage.segments.remove(["ann@example.org"], from: reference)
            }
        }
        await #expect(throws: UseCaseError.self) { _ = try await stage.segments.compute("beta-testers") }
    }

}
