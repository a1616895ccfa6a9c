import EngineTestKit
import JSONValue
import MailModel
import SQLStore
import Testing
import WorkflowModel

@testable import Engine

/// Broadcasts: who gets one, and what becomes of it.
@Suite struct BroadcastTests {
    // MARK: Whom it reaches

    @Test func membersWhoHaveSubscribedGetOneMailEach() async throws {
        let stage = try await BroadcastStage()
        stage.engine.context.trackingAddress.value = "https://mail.example.com"
        let people = try await stage.people(4)
        let gone = try await stage.people(1, from: 4, subscribed: false)
        try await stage.people(2, from: 5)
        try await stage.segment("vip", people + gone)
        try await stage.store.write { [project = stage.project] store in
            try store.save(
                Suppression(
                    projectID: project, address: "c3@example.org", reason: .manual, createdAt: Timestamp(seconds: 1)))
        }
        let broadcast = try await stage.send(segment: "vip", data: ["code": "SPRING"])
        #expect(broadcast.status == .sending && broadcast.phase == .rest)
        try await stage.run()
        #expect(Set(stage.recipients) == ["c0@example.org", "c1@example.org", "c2@example.org"])
        #expect(stage.recipients.count == 3)
        let mail = try #require(stage.mails.first { $0.text.contains("Hi N0") })
        #expect(mail.text.contains("SPRING of Spring"))
        #expect(mail.field("Subject") == "News for N0")
        #expect(mail.field("List-Unsubscribe-Post") == "List-Unsubscribe=One-Click")
        #expect(mail.field("Precedence") == "bulk" && mail.field(MailBuilder.markerField) != nil)
        let ended = try await stage.broadcast(broadcast.id)
        #expect(ended.status == .sent && ended.completedAt == stage.engine.clock.now())
        let total = try await stage.total(broadcast.id)
        #expect(total == BroadcastCounts([.recipients: 5, .skipped: 2, .sent: 3]))
        let sent = try await stage.store.read { [project = stage.project] in
            try $0.newestEventData(of: "email.sent", in: project, among: 100)
        }
        #expect(sent.count == 3)
        #expect(sent.allSatisfy { $0["sourceType"] == "CAMPAIGN" })
        #expect(sent.allSatisfy { $0["broadcastId"] == .string("\(broadcast.id)") && $0["variant"] == nil })
    }

    @Test func withoutASegmentEverybodyWhoHasSubscribedIsReached() async throws {
        let stage = try await BroadcastStage()
        try await stage.people(3)
        try await stage.people(2, from: 3, subscribed: false)
        let broadcast = try await stage.send()
        try await stage.run()
        #expect(Set(stage.recipients) == ["c0@example.org", "c1@example.org", "c2@example.org"])
        // The others are no part of the audience.
        #expect(try await stage.total(broadcast.id) == BroadcastCounts([.recipients: 3, .sent: 3]))
    }

    @Test func nobodyIsSoonDone() async throws {
        let stage = try await BroadcastStage()
        try await stage.segment("vip", [])
        for segment in ["vip", nil] {
            let broadcast = try await stage.send(segment: segment)
            try await stage.run()
            #expect(try await stage.broadcast(broadcast.id).status == .sent)
            #expect(try await stage.total(broadcast.id) == BroadcastCounts())
        }
    }

    @Test func audienceIsWhoeverIsInTheSegmentWhenHisTurnComes() async throws {
        let stage = try await BroadcastStage()
        let people = try await stage.people(3000)
        let segment = try await stage.segment("vip", Array(people[..<2999]))
        let broadcast = try await stage.send(segment: "vip")
        try await stage.write()
        let cursor = try #require(try await stage.broadcast(broadcast.id).cursor)
        let order = people.map(\.id).sorted()
        let place = try #require(order.firstIndex(of: cursor))
        #expect(place < 2900)
        // One leaves before his turn, one comes in time, and one becomes a contact after it began.
        let now = stage.engine.clock.now()
        let late = try await stage.people(1, from: 9000)
        try await stage.store.write { (store) throws in
            _ = try store.leave(order[2950], segment)
            _ = try store.enter(people[2999].id, segment, at: now)
            _ = try store.enter(late[0].id, segment, at: now)
        }
        try await stage.run()
        let left = try #require(people.first { $0.id == order[2950] })
        #expect(!stage.recipients.contains(left.email))
        let isInTime = people[2999].id > cursor
        #expect(stage.recipients.contains(people[2999].email) == isInTime)
        #expect(!stage.recipients.contains("c9000@example.org"))
        #expect(Set(stage.recipients).count == stage.recipients.count)
    }

    @Test func segmentThatIsBeingComputedIsWaitedFor() async throws {
        let stage = try await BroadcastStage()
        try await stage.people(3)
        _ = try await stage.segments.create(
            .init(
                name: "Named", slug: "named", kind: .dynamic,
                filter: Filter(.all, [.init([Condition(field: "data.name", operator: .exists)])])))
        let broadcast = try await stage.send(segment: "named")
        try await stage.run()
        #expect(try await stage.broadcast(broadcast.id).status == .sending)
        while try await Segmenter(context: stage.engine.context).pass() {}
        try await stage.run()
        #expect(stage.recipients.count == 3)
        #expect(try await stage.broadcast(broadcast.id).status == .sent)
    }

    // MARK: A few at a time

    @Test func outboxStaysShallowAndIsFilledAgain() async throws {
        let stage = try await BroadcastStage()
        try await stage.people(5000)
        let broadcast = try await stage.send()
        try await stage.write()
        let open = try await stage.open(broadcast.id)
        #expect((BroadcastWriter.high - BroadcastWriter.refill...BroadcastWriter.high).contains(open))
        try await stage.run()
        #expect(stage.recipients.count == 5000 && Set(stage.recipients).count == 5000)
        #expect(try await stage.total(broadcast.id) == BroadcastCounts([.recipients: 5000, .sent: 5000]))
    }

    @Test func mailThatSomebodyWaitsForGoesFirst() async throws {
        let stage = try await BroadcastStage()
        try await stage.people(50)
        _ = try await stage.send()
        try await stage.write()
        stage.engine.clock.advance(seconds: 60)
        _ = try await DirectMail(context: stage.engine.context).send(
            .init(projectID: stage.project, recipients: [.init(email: "now@example.org")], subject: "S", body: "B"))
        let claimed = try await stage.claim(4)
        #expect(claimed.first?.request.recipient == "now@example.org")
        #expect(claimed.count == 4 && claimed.dropFirst().allSatisfy { $0.isBulk && $0.request.broadcast != nil })
    }

    /// Mails of a slow domain do not keep the others waiting.
    @Test func moreIsWrittenWhenNothingThatWaitsCanGo() async throws {
        let stage = try await BroadcastStage()
        try await stage.people(4000)
        let broadcast = try await stage.send()
        try await stage.write()
        stage.engine.context.readyMails.register { _ in 0 }
        var passes = 0
        while try await stage.open(broadcast.id) < 4000 {
            try await stage.write()
            stage.engine.clock.advance(microseconds: 100_000)
            passes += 1
            try #require(passes < 100)
        }
        // One batch at a time.
        #expect(passes > 3)
        let phase = try await stage.broadcast(broadcast.id).phase
        #expect(phase == .rest || phase == .written)
    }

    /// Whatever transaction the process dies at, each contact has one mail, and the counts say so.
    @Test(arguments: [false, true]) func deathAtAnyMomentLosesNothingAndDoublesNothing(afterCommit: Bool) async throws {
        let stage = try await BroadcastStage()
        try await stage.people(700)
        try await stage.people(20, from: 700, subscribed: false)
        let broadcast = try await stage.send(
            variants: ["a", "b"], test: .init(share: 30, rule: .opens, duration: 60))
        var deaths = 0
        while true {
            let dying = FailingStore(stage.store, after: deaths % 4, isAfterCommit: afterCommit)
            let context = EngineContext(
                store: dying, clock: stage.engine.clock, cryptography: TestCryptography(),
                identifiers: .seeded(UInt64(deaths) + 99), configuration: stage.engine.context.configuration,
                secret: [UInt8](repeating: 1, count: 32), logger: stage.engine.context.logger)
            do {
                while try await BroadcastWriter(context: context).pass() {}
                // The time of the test begins when its mails have left.
                try await stage.engine.runDispatch(stage.transport)
                stage.engine.clock.advance(seconds: 61)
                if try await stage.broadcast(broadcast.id).phase == .written { break }
            } catch is FailingStore.Died {
                deaths += 1
            }
            try #require(deaths < 300)
        }
        #expect(deaths > 3)
        let rows = Rows(stage.database.path)
        #expect(try rows.count("SELECT count(*) FROM broadcast_mails") == 700)
        #expect(try rows.count("SELECT count(DISTINCT contact_id) FROM outbox WHERE broadcast_id IS NOT NULL") == 700)
        #expect(try rows.count("SELECT count(*) FROM outbox WHERE broadcast_id IS NOT NULL") == 700)
        try await stage.run()
        #expect(Set(stage.recipients).count == 700 && stage.recipients.count == 700)
        let total = try await stage.total(broadcast.id)
        #expect(total[.recipients] == 700 && total[.sent] == 700)
        #expect(try await stage.broadcast(broadcast.id).status == .sent)
    }

    @Test func contactThatCannotBeReadIsPassedOver() async throws {
        let stage = try await BroadcastStage()
        try await stage.people(30)
        try DamagedDatabase(stage.database.path).spoil(
            "UPDATE contacts SET data = 'no json' WHERE email IN ('c7@example.org', 'c8@example.org')")
        let broadcast = try await stage.send()
        try await stage.run()
        #expect(stage.recipients.count == 28)
        let total = try await stage.total(broadcast.id)
        #expect(total == BroadcastCounts([.recipients: 30, .sent: 28, .failed: 2]))
        #expect(try await stage.broadcast(broadcast.id).status == .sent)
    }

    /// No contact is to blame, and nobody's turn is used up.
    @Test func templateThatCannotBeReadPausesTheBroadcast() async throws {
        let stage = try await BroadcastStage()
        try await stage.people(30)
        let broadcast = try await stage.send()
        try DamagedDatabase(stage.database.path).spoil("UPDATE template_versions SET kind = 'NONE'")
        try await stage.run()
        let paused = try await stage.broadcast(broadcast.id)
        #expect(paused.status == .paused && paused.reason == "its template cannot be read")
        #expect(try await stage.total(broadcast.id)[.failed] == 0)
    }

    // MARK: What happens meanwhile

    @Test func templateThatIsChangedWhileItIsSentChangesNothing() async throws {
        let stage = try await BroadcastStage()
        try await stage.people(2500)
        let broadcast = try await stage.send()
        try await stage.write()
        let template = try #require(broadcast.definition.content.template)
        var changes = TemplateChanges()
        changes.subject = "Other"
        let templates = Templates(context: stage.engine.context, projectID: stage.project)
        _ = try await templates.change(template, changes)
        // It may even go: its versions stay.
        try await templates.delete([template])
        try await stage.run()
        #expect(stage.recipients.count == 2500)
        #expect(stage.mails.allSatisfy { $0.field("Subject")?.hasPrefix("News for N") == true })
    }

    @Test func templateOfADraftStaysAndSoDoesItsSegment() async throws {
        let stage = try await BroadcastStage()
        try await stage.segment("vip", try await stage.people(1))
        let broadcast = try await stage.draft(segment: "vip")
        let template = try #require(broadcast.definition.content.template)
        let templates = Templates(context: stage.engine.context, projectID: stage.project)
        let error = await #expect(throws: UseCaseError.self) { try await templates.delete([template]) }
        #expect(error?.code == .conflict && error?.description == "the broadcast Spring sends the template news")
        let other = await #expect(throws: UseCaseError.self) { try await stage.segments.delete("vip") }
        #expect(other?.code == .conflict && other?.description.contains("the broadcast Spring") == true)
        try await stage.broadcasts.delete(broadcast.id)
        try await templates.delete([template])
        try await stage.segments.delete("vip")
    }

    @Test func segmentThatIsGoneAllTheSamePausesIt() async throws {
        let stage = try await BroadcastStage()
        let segment = try await stage.segment("vip", try await stage.people(2))
        let broadcast = try await stage.send(segment: "vip")
        let now = stage.engine.clock.now()
        try await stage.store.write { try $0.delete(segment: segment.id, at: now) }
        try await stage.run()
        let paused = try await stage.broadcast(broadcast.id)
        #expect(paused.status == .paused && paused.reason == "its segment is gone or cannot be read")
        #expect(stage.recipients.isEmpty)
        let error = await #expect(throws: UseCaseError.self) { try await stage.broadcasts.resume(broadcast.id) }
        #expect(error?.code == .notFound)
        #expect(try await stage.broadcasts.cancel(broadcast.id).status == .cancelled)
    }

    @Test func erasedContactGetsNothingMoreAndTheRestAddsUp() async throws {
        let stage = try await BroadcastStage()
        let people = try await stage.people(1500)
        let broadcast = try await stage.send()
        try await stage.write()
        for contact in [people[3], people[4], people[1400]] {
            try await stage.engine.context.transact { [project = stage.project] transaction in
                _ = try EventRecorder(transaction: transaction, projectID: project).erase(contact: contact.id)
            }
        }
        while try await History(context: stage.engine.context).step(History.sizes) {}
        #expect(try Rows(stage.database.path).count("SELECT count(*) FROM broadcast_mails") == 1497)
        try await stage.run()
        #expect(stage.recipients.count == 1497)
        #expect(!stage.recipients.contains(people[3].email))
        let total = try await stage.total(broadcast.id)
        #expect(total.addsUp && total[.skipped] == 3 && total[.sent] == 1497)
        #expect(try await stage.broadcast(broadcast.id).status == .sent)
    }

    @Test func erasedContactsOfAPausedBroadcastAreCountedOnce() async throws {
        let stage = try await BroadcastStage()
        let people = try await stage.people(5)
        let broadcast = try await stage.send()
        try await stage.write()
        let now = stage.engine.clock.now()
        // One mail is on its way to the relay.
        let claimed = try await stage.store.write { try $0.claimEntries(dueAt: now, limit: 1) }
        _ = try await stage.broadcasts.pause(broadcast.id)
        try await stage.write()
        let other = try #require(people.first { $0.id != claimed[0].contactID })
        for contact in [claimed[0].contactID, other.id] {
            try await stage.engine.context.transact { [project = stage.project] transaction in
                _ = try EventRecorder(transaction: transaction, projectID: project).erase(contact: contact)
            }
        }
        while try await History(context: stage.engine.context).step(History.sizes) {}
        await Dispatch(context: stage.engine.context, transport: stage.transport).deliver(claimed[0])
        _ = try await stage.broadcasts.resume(broadcast.id)
        try await stage.run()
        let total = try await stage.total(broadcast.id)
        #expect(total.addsUp && total[.skipped] == 2 && total[.sent] == 3, "\(total)")
        #expect(try await stage.broadcast(broadcast.id).status == .sent)
    }

    @Test func contactErasedBeforeHisTurnIsNoRecipient() async throws {
        let stage = try await BroadcastStage()
        let people = try await stage.people(5)
        try await stage.segment("vip", people)
        let broadcast = try await stage.send(segment: "vip")
        try await stage.engine.context.transact { [project = stage.project] transaction in
            _ = try EventRecorder(transaction: transaction, projectID: project).erase(contact: people[2].id)
        }
        try await stage.run()
        #expect(try await stage.total(broadcast.id) == BroadcastCounts([.recipients: 4, .sent: 4]))
    }

    @Test func whoUnsubscribesBeforeHisMailGoesIsSkipped() async throws {
        let stage = try await BroadcastStage()
        try await stage.people(3)
        let broadcast = try await stage.send()
        try await stage.write()
        try await stage.engine.track("left", "c1@example.org", subscribed: false)
        try await stage.run()
        #expect(stage.recipients.sorted() == ["c0@example.org", "c2@example.org"])
        #expect(try await stage.total(broadcast.id) == BroadcastCounts([.recipients: 3, .skipped: 1, .sent: 2]))
    }

    @Test func wordsOfItsOwnStayWhileTheyAreNeeded() async throws {
        let stage = try await BroadcastStage()
        try await stage.people(2)
        let draft = try await stage.draft(template: nil, subject: "Own {{ name }}", body: "<p>{{ code }}</p>")
        let broadcast = try await stage.broadcasts.send(draft.id)
        let housekeeping = Housekeeping(context: stage.engine.context)
        _ = try await housekeeping.sweepMailParts()
        try await stage.run()
        #expect(stage.mails.compactMap { $0.field("Subject") }.sorted() == ["Own N0", "Own N1"])
        #expect(try await stage.broadcast(broadcast.id).status == .sent)
    }
}
