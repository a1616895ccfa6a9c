import EngineTestKit
import JSONValue
import MailModel
import SQLStore
import Testing
import WorkflowModel

@testable import Engine

/// Broadcasts: how they stop, go on and begin at their time, and what each state allows.
@Suite struct BroadcastStateTests {
    // MARK: Stopping

    @Test func pausedMailWaitsAndGoesOn() async throws {
        let stage = try await BroadcastStage()
        try await stage.people(1200)
        let broadcast = try await stage.send()
        try await stage.write()
        // One is on its way to the relay already.
        let claimed = try await stage.claim(1)
        #expect(try await stage.broadcasts.pause(broadcast.id).status == .paused)
        await Dispatch(context: stage.engine.context, transport: stage.transport).deliver(claimed[0])
        try await stage.run()
        #expect(stage.recipients.isEmpty)
        let held = try await stage.store.read { try $0.entry(claimed[0].id) }
        #expect(held?.status == .held && held?.attempts == 0)
        #expect(try await stage.total(broadcast.id).queued == 1200)
        stage.engine.clock.advance(seconds: 86_400)
        try await stage.run()
        #expect(stage.recipients.isEmpty)
        #expect(try await stage.broadcasts.resume(broadcast.id).status == .sending)
        try await stage.run()
        #expect(Set(stage.recipients).count == 1200 && stage.recipients.count == 1200)
        #expect(try await stage.broadcast(broadcast.id).status == .sent)
    }

    @Test func pauseThatEndsWhileAMailIsPutAsideForgetsNoMail() async throws {
        let stage = try await BroadcastStage()
        try await stage.people(1)
        let broadcast = try await stage.send()
        try await stage.write()
        let claimed = try await stage.claim(1)
        _ = try await stage.broadcasts.pause(broadcast.id)
        try await stage.write()
        let dispatch = Dispatch(context: stage.engine.context, transport: stage.transport)
        let material = await dispatch.materials(for: claimed)[0]
        #expect(try material.get().isHeld)
        _ = try await stage.broadcasts.resume(broadcast.id)
        try await stage.write()
        await dispatch.hold(claimed[0], nil)
        try await stage.run()
        #expect(stage.recipients == ["c0@example.org"])
    }

    @Test func cancelledMailIsDroppedAndSaysSo() async throws {
        let stage = try await BroadcastStage()
        try await stage.people(3000)
        let broadcast = try await stage.send()
        try await stage.write()
        let claimed = try await stage.claim(2)
        let cancelled = try await stage.broadcasts.cancel(broadcast.id)
        #expect(cancelled.status == .cancelled && cancelled.completedAt == stage.engine.clock.now())
        let dispatch = Dispatch(context: stage.engine.context, transport: stage.transport)
        for entry in claimed { await dispatch.deliver(entry) }
        try await stage.run()
        #expect(stage.recipients.isEmpty)
        let total = try await stage.total(broadcast.id)
        #expect(total[.recipients] <= BroadcastWriter.high && total.queued == 0)
        #expect(total == BroadcastCounts([.recipients: total[.recipients], .cancelled: total[.recipients]]))
        for entry in claimed {
            let status = try await stage.store.read { [project = stage.project] in
                try $0.mailStatus(entry.id, in: project)
            }
            #expect(status?.state == "cancelled" && status?.lastReply == "its broadcast was cancelled")
        }
        #expect(try await stage.broadcasts.cancel(broadcast.id).status == .cancelled)
        #expect(try await stage.store.read { try $0.activeBroadcasts() } == [])
    }

    @Test func pausedBroadcastCanBeCancelled() async throws {
        let stage = try await BroadcastStage()
        try await stage.people(10)
        let broadcast = try await stage.send()
        try await stage.write()
        _ = try await stage.broadcasts.pause(broadcast.id)
        try await stage.write()
        _ = try await stage.broadcasts.cancel(broadcast.id)
        try await stage.run()
        #expect(try await stage.total(broadcast.id) == BroadcastCounts([.recipients: 10, .cancelled: 10]))
    }

    @Test func mailThatFailedForNowIsHeldWhenItsTimeComes() async throws {
        let stage = try await BroadcastStage()
        try await stage.people(1)
        let broadcast = try await stage.send()
        stage.transport.answer([.deferred(reply: Reply(code: 451, enhancedCode: "4.2.0", text: "later"))])
        try await stage.run()
        #expect(try await stage.broadcast(broadcast.id).status == .sending)
        _ = try await stage.broadcasts.pause(broadcast.id)
        try await stage.run()
        stage.engine.clock.advance(seconds: 3600)
        try await stage.run()
        #expect(stage.recipients.count == 1)
        _ = try await stage.broadcasts.resume(broadcast.id)
        try await stage.run()
        #expect(stage.recipients.count == 2)
        #expect(try await stage.broadcast(broadcast.id).status == .sent)
    }

    // MARK: Time

    @Test func scheduledOneBeginsAtItsTime() async throws {
        let stage = try await BroadcastStage()
        try await stage.people(1)
        let draft = try await stage.draft()
        let time = stage.engine.clock.now().adding(seconds: 3600)
        let scheduled = try await stage.broadcasts.schedule(draft.id, at: time)
        #expect(scheduled.status == .scheduled && scheduled.scheduledAt == time)
        stage.engine.clock.advance(seconds: 3599)
        try await stage.run()
        #expect(stage.recipients.isEmpty)
        // Whoever comes before it begins is reached.
        try await stage.people(1, from: 1)
        try await stage.run()
        #expect(stage.recipients.count == 2)
        let ended = try await stage.broadcast(draft.id)
        #expect(ended.status == .sent && ended.startedAt == stage.engine.clock.now())
    }

    @Test func scheduledOneThatCannotBeginIsPausedWithTheReason() async throws {
        let stage = try await BroadcastStage()
        try await stage.people(1)
        let draft = try await stage.draft()
        _ = try await stage.broadcasts.schedule(draft.id, at: stage.engine.clock.now().adding(seconds: 60))
        let template = try #require(draft.definition.content.template)
        try await stage.store.write { try $0.delete(template: template) }
        stage.engine.clock.advance(seconds: 61)
        try await stage.run()
        let paused = try await stage.broadcast(draft.id)
        #expect(paused.status == .paused && paused.reason == "there is no template \(template)")
        let error = await #expect(throws: UseCaseError.self) { try await stage.broadcasts.resume(draft.id) }
        #expect(error?.code == .notFound)
        #expect(try await stage.broadcasts.cancel(draft.id).status == .cancelled)
        #expect(stage.recipients.isEmpty)
    }

    @Test func mailLeavesInItsWindowByTheContactsClock() async throws {
        // It is 09:00 UTC.
        let stage = try await BroadcastStage()
        let people = try await stage.people(2)
        var tokyo = people[1]
        tokyo.data["timezone"] = "Asia/Tokyo"
        let changed = tokyo
        try await stage.store.write { try $0.update(changed) }
        let window = SendWindow.read(["from": "09:00", "to": "12:00"], path: "window", zones: nil).window
        let draft = try await stage.draft(window: window)
        _ = try await stage.broadcasts.send(draft.id)
        try await stage.run()
        #expect(stage.recipients == ["c0@example.org"])
        stage.engine.clock.advance(seconds: 15 * 3600)
        try await stage.run()
        #expect(stage.recipients == ["c0@example.org", "c1@example.org"])
        #expect(try await stage.broadcast(draft.id).status == .sent)
    }

    /// Those who sleep until tomorrow leave room for those who read today.
    @Test func moreMayWaitWhereEachWaitsForTheContactsClock() async throws {
        let stage = try await BroadcastStage()
        func ceiling(_ zone: String?) async throws -> Int {
            var window = SendWindow.read(["from": "09:00", "to": "12:00"], path: "window", zones: nil).window
            window?.timezone = zone
            let draft = try await stage.draft(window: window)
            return BroadcastWriter.ceiling(of: try await stage.broadcast(draft.id).definition)
        }
        let (byContact, byOne) = (try await ceiling(nil), try await ceiling("Asia/Tokyo"))
        #expect(byContact > byOne && byOne > BroadcastWriter.high)
    }

    // MARK: States

    @Test func eachStateAllowsWhatItAllows() async throws {
        let stage = try await BroadcastStage()
        try await stage.people(1)
        let all = stage.broadcasts
        func refused(_ body: () async throws -> some Any) async {
            let error = await #expect(throws: UseCaseError.self) { _ = try await body() }
            #expect(error?.code == .conflict)
        }
        let id = try await stage.draft().id
        let time = stage.engine.clock.now().adding(seconds: 60)
        for body in [all.pause, all.resume, all.cancel, all.unschedule] { await refused { try await body(id) } }
        await refused { try await all.choose("a", for: id) }
        let past = await #expect(throws: UseCaseError.self) {
            try await all.schedule(id, at: stage.engine.clock.now())
        }
        #expect(past?.problems.map(\.path) == ["at"])
        _ = try await all.schedule(id, at: time)
        await refused { try await all.change(id, Broadcasts.Changes()) }
        await refused { try await all.delete(id) }
        await refused { try await all.pause(id) }
        #expect(try await all.unschedule(id).status == .draft)
        _ = try await all.send(id)
        for body in [all.send, all.unschedule] { await refused { try await body(id) } }
        await refused { try await all.schedule(id, at: time) }
        await refused { try await all.delete(id) }
        await refused { try await all.choose("a", for: id) }
        #expect(try await all.resume(id).status == .sending)
        #expect(try await all.pause(id).status == .paused)
        #expect(try await all.pause(id).status == .paused)
        #expect(try await all.resume(id).status == .sending)
        try await stage.run()
        for body in [all.send, all.pause, all.resume, all.cancel] { await refused { try await body(id) } }
        let copy = try await all.duplicate(id)
        #expect(copy.status == .draft && copy.name == "Spring (Copy)" && copy.definition.content.template != nil)
    }

    @Test func othersSeeNothingOfIt() async throws {
        let stage = try await BroadcastStage()
        let id = try await stage.draft().id
        let other = try await Projects(context: stage.engine.context).create("other")
        let others = Broadcasts(context: stage.engine.context, projectID: other.id)
        for body in [others.broadcast, others.send, others.pause, others.cancel, others.duplicate] {
            let error = await #expect(throws: UseCaseError.self) { _ = try await body(id) }
            #expect(error?.code == .notFound)
        }
        #expect(try await others.list(status: nil, limit: 10, offset: 0).rows.isEmpty)
        var new = Broadcasts.Changes()
        new.name = "X"
        new.content.template = "news"
        let changes = new
        let error = await #expect(throws: UseCaseError.self) { try await others.create(changes) }
        #expect(error?.code == .notFound && error?.problems.map(\.path) == ["template"])
    }
}
