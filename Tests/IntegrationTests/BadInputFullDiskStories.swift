import Foundation
import JSONValue
import ServerTestKit
import Testing

/// A database on a disk without room: mail waits at the sender or flows on as configured, the API says so, nothing goes
/// out twice, and the daemon recovers by itself once there is room.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct BadInputFullDiskStories {
    @Test func mailIsDeferredAndTakenOnceWhenThereIsRoomAgain() async throws {
        try await Self.play { stage, disk in
            try await stage.expectMailWorks("before")
            try await disk.fill()
            let text = BadInputStage.mail(from: "ann@sender.example")
            for attempt in 1...3 {
                let refused = try await stage.site.receive(from: "ann@sender.example", text)
                #expect(refused.final.code == 451, "attempt \(attempt): \(refused.final)")
            }
            #expect(stage.daemon.process.lines.contains { $0.text.contains("mail not recorded") })
            try disk.makeRoom()
            let taken = try await stage.site.receive(from: "ann@sender.example", text)
            #expect(taken.final.code == 250, "\(taken.final)")
            #expect(try await stage.runs(of: "ann@sender.example").count == 1)
            try await stage.expectMailWorks("after it")
        }
    }

    @Test func mailFlowsOnWithoutEventWhereThatIsConfigured() async throws {
        try await Self.play(prepare: { $0.milterLines = "  on_failure: accept" }) { stage, disk in
            try await disk.fill()
            let text = BadInputStage.mail(from: "ann@sender.example")
            let taken = try await stage.site.receive(from: "ann@sender.example", text)
            #expect(taken.final.code == 250, "\(taken.final)")
            let queueID = try #require(taken.queueID)
            try await stage.daemon.process.waitForLine(containing: "mail not recorded")
            #expect(stage.daemon.process.lines.contains { $0.text.contains(queueID) }, "the log names the lost event")
            try await eventually("the mail is in its mailbox") { try await !stage.site.mailbox(Site.inbox).isEmpty }
            try disk.makeRoom()
            #expect(try await stage.runs(of: "ann@sender.example").isEmpty)
            try await stage.expectMailWorks("after it")
        }
    }

    @Test func theAPIAnswers503AndWorksAgain() async throws {
        try await Self.play { stage, disk in
            #expect(try await stage.daemon.track("signup", "bob@customer.example") == 200)
            try await disk.fill()
            #expect(try await stage.daemon.track("signup", "eve@customer.example") == 503)
            #expect(try await stage.daemon.http.get("/healthz").status == 200, "reading works without room")
            try disk.makeRoom()
            #expect(try await stage.daemon.track("signup", "eve@customer.example") == 200)
        }
    }

    /// The disk fills up while the relay is already taking the mail: the outcome cannot be written down at once.
    @Test func aDeliveryUnderWayGoesOutOnce() async throws {
        try await Self.play(
            workflow: BadInputStage.answerEveryMail,
            prepare: {
                $0.submitsToSink = true
                $0.sink.delays = ["DATA": 2]
            }
        ) { stage, disk in
            let sender = "ann@sender.example"
            try await stage.site.receive(from: sender, BadInputStage.mail(from: sender))
            try await eventually("the answer is claimed") {
                try await stage.daemon.health()["outbox"]?["claimed"]?.intValue == 1
            }
            try await disk.fill()
            let start = stage.daemon.process.lines.count
            try await eventually("the answer is in its mailbox") { try await !stage.site.mailbox(sender).isEmpty }
            try await Self.expectPatience("outcome not recorded", from: start, stage)
            try disk.makeRoom()
            try await stage.daemon.process.waitForLine(containing: "mail delivered", from: start)
            #expect(try await stage.daemon.health()["outbox"]?["claimed"]?.intValue == 0)
            #expect(try await stage.site.mailbox(sender).count == 1)
            try await Self.restart(stage)
            #expect(try await stage.site.mailbox(sender).count == 1, "nor does a restart send it again")
        }
    }

    /// The disk is full before anything is claimed: nothing is sent, and the mail leaves when there is room.
    @Test func anOutboxThatCannotBeClaimedWaits() async throws {
        try await Self.play(
            workflow: BadInputStage.answerEveryMail,
            prepare: {
                $0.submitsToSink = true
                $0.sink.soft = ["MAIL"]
                $0.smtpLines = "  first_retry: 2s\n  max_retry: 2s"
            }
        ) { stage, disk in
            let sender = "ann@sender.example"
            try await stage.site.receive(from: sender, BadInputStage.mail(from: sender))
            try await stage.daemon.process.waitForLine(containing: "mail pending")
            try await disk.fill()
            let start = stage.daemon.process.lines.count
            try await Self.expectPatience("outbox waits for the database", from: start, stage)
            try disk.makeRoom()
            let again = stage.daemon.process.lines.count
            try await stage.daemon.process.waitForLine(containing: "mail pending", from: again, deadline: .seconds(10))
        }
    }

    // MARK: Acts

    /// A site whose database lives on a disk of 16 MiB.
    private static func play(
        workflow: String = BadInputStage.noteEveryMail, prepare: (inout Site.Plan) -> Void = { _ in },
        _ story: (BadInputStage, FullDisk) async throws -> Void
    ) async throws {
        let place = try ServerDirectory.temporary()
        let disk: FullDisk
        do {
            disk = try await FullDisk.mount(in: place, kibibytes: 16 * 1024)
        } catch let error as FixtureError where error.code == .unavailable {
            print("skipped: no story with a full disk: \(error.explanation)")
            return
        }
        do {
            try await BadInputStage.play(
                workflow: workflow,
                prepare: { plan, _ in
                    plan.databaseDirectory = disk.path
                    prepare(&plan)
                }
            ) { try await story($0, disk) }
        } catch {
            try? await disk.unmount()
            throw error
        }
        try await disk.unmount()
        try await place.remove()
    }

    /// Waits until the daemon has failed at the same thing twice. By the clock of its own log it paused in between,
    /// and it said little else: it is in no hot loop.
    private static func expectPatience(_ complaint: String, from start: Int, _ stage: BadInputStage) async throws {
        func failures() -> [String] {
            stage.daemon.process.lines.dropFirst(start).map(\.text).filter { $0.contains(complaint) }
        }
        try await eventually("the second “\(complaint)”") { failures().count >= 2 }
        let lines = stage.daemon.process.lines.dropFirst(start).map(\.text)
        let times = try failures().prefix(2).map(time)
        #expect(times[1].timeIntervalSince(times[0]) > 0.5, "no hot loop: \(lines.joined(separator: "\n"))")
        #expect(lines.count < 20, "no hot loop: \(lines.joined(separator: "\n"))")
    }

    /// When a line of the daemon's log was written.
    private static func time(ofLine line: String) throws -> Date {
        try Date(
            String(line.prefix { $0 != " " }),
            strategy: .iso8601.year().month().day().time(includingFractionalSeconds: true))
    }

    /// Another daemon takes over the database for a moment and must find nothing to send.
    private static func restart(_ stage: BadInputStage) async throws {
        #expect(try await stage.daemon.process.terminate() == .exited(0))
        let second = try await stage.site.startDaemon()
        #expect(try await second.health()["outbox"]?["claimed"]?.intValue == 0)
        #expect(try await second.health()["outbox"]?["pending"]?.intValue == 0)
        #expect(!second.process.lines.contains { $0.text.contains("may go out a second time") })
        #expect(try await second.process.terminate() == .exited(0))
    }
}
