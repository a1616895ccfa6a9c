import Engine
import EngineTestKit
import Foundation
import JSONValue
import MailModel
import SQLStore
import Testing
import WorkflowModel

/// What is kept of mail as it came, and receiving it again.
@Suite struct RawMailTests {
    private struct Rig {
        var engine: EngineFixture
        var database: TemporaryDatabase
        var files: RawMailFiles
        var intake: Intake

        func receive(_ message: ReceivedMessage) async -> Verdict {
            await withCheckedContinuation { continuation in
                intake.receive(message) { continuation.resume(returning: $0) }
            }
        }

        func notes() throws -> [RawMailNote] {
            var notes: [RawMailNote] = []
            try files.forEach { note in
                notes.append(note)
                return true
            }
            return notes
        }

        /// The data of each `email.received`, by way of the executions it started.
        func events() async throws -> [JSONObject] {
            let executions = try await engine.executions()
            return try await engine.context.store.write { store in
                try executions.compactMap { try store.execution($0.id)?.execution.trigger?.data }
            }
        }
    }

    private func rig(
        keep: RawMailPolicy.Keep, route: RawMailPolicy.Keep? = nil, project: String = "default"
    ) async throws -> Rig {
        let database = try TemporaryDatabase()
        var policy = RawMailPolicy()
        policy.keep = keep
        let files = RawMailFiles(besideDatabase: database.path, policy: policy)
        let store = try SQLiteStore(path: database.path, exclusively: false)
        let engine = try await EngineFixture(store: store, rawMail: files) { $0.rawMail = policy }
        try await engine.apply(
            document(
                event: "email.received", reentry: true,
                steps: ["reply": ["type": "SEND_EMAIL", "config": ["template": "reply"]]],
                templates: ["reply": ["type": "TRANSACTIONAL", "subject": "Re", "text": "Thanks"]]))
        return Rig(
            engine: engine, database: database, files: files,
            intake: intake(engine.context, route: route, project: project))
    }

    private func intake(
        _ context: EngineContext, route keep: RawMailPolicy.Keep? = nil, project: String = "default"
    ) -> Intake {
        var configuration = Intake.Configuration()
        var route = InboundRoutes.Route(
            match: .recipient("help@example.com"), project: project, disposition: .continue)
        route.rawMail = keep
        configuration.routes = InboundRoutes([route])
        return Intake(context: context, configuration: configuration)
    }

    private func message(_ id: String = "m1@x", date: String = "Mon, 05 Jan 2026 09:00:00 +0000") -> ReceivedMessage {
        ReceivedMessage(
            queueID: "4Q1", clientAddress: "198.51.100.7", reversePath: "ann@example.org",
            recipients: ["help@example.com"],
            headers: [
                HeaderField("From", "Ann <ann@example.org>"), HeaderField("To", "help@example.com"),
                HeaderField("Message-ID", "<\(id)>"), HeaderField("Date", date),
            ], body: Array("Hello\r\n".utf8))
    }

    @Test func keptMailIsNamedByItsEvent() async throws {
        let rig = try await rig(keep: .always)
        #expect(await rig.receive(message()) == .continue)
        let note = try #require(try rig.notes().first)
        #expect(note.reason == .always && note.recipients == ["help@example.com"])
        #expect(try await rig.events().first?["rawMailId"] == .string("\(note.id)"))
        // A second copy of the mail is none of its own.
        #expect(await rig.receive(message()) == .continue)
        #expect(try rig.notes().map(\.id) == [note.id])
    }

    @Test(
        arguments: [(.never, nil), (.failures, nil), (.always, .never)] as [(RawMailPolicy.Keep, RawMailPolicy.Keep?)])
    func nothingIsKeptWhereNobodyAsks(_ keep: RawMailPolicy.Keep, _ route: RawMailPolicy.Keep?) async throws {
        let rig = try await rig(keep: keep, route: route)
        #expect(await rig.receive(message()) == .continue)
        #expect(try rig.notes().isEmpty)
        #expect(try await rig.events().first?["rawMailId"] == nil)
    }

    @Test func routeCanAskForMore() async throws {
        let rig = try await rig(keep: .never, route: .always)
        _ = await rig.receive(message())
        #expect(try rig.notes().count == 1)
    }

    @Test func mailThatCannotBeRecordedIsKeptAndReplayed() async throws {
        let rig = try await rig(keep: .failures, project: "gone")
        guard case .tempfail = await rig.receive(message()) else {
            Issue.record("it was recorded")
            return
        }
        let note = try #require(try rig.notes().first)
        #expect(note.reason == .failure && note.error.contains("gone"))
        // After the mend.
        let mended = intake(rig.engine.context)
        let mail = try #require(try rig.files.mail(note.id))
        let taken = try await mended.take(mail.message, Intake.Manner(source: "replay"))
        #expect(taken.count == 1 && taken != [.duplicate])
        #expect(try await rig.events().first?["source"] == "replay")
        // Replaying keeps nothing, and the sender's own retry is a duplicate.
        #expect(try rig.notes().map(\.id) == [note.id])
        #expect(try await mended.take(message(), Intake.Manner(source: "replay")) == [.duplicate])
    }

    @Test func replayIsOnceUnlessToldOtherwise() async throws {
        let rig = try await rig(keep: .never)
        _ = await rig.receive(message())
        var manner = Intake.Manner(source: "replay")
        #expect(try await rig.intake.take(message(), manner) == [.duplicate])
        manner.isAgain = true
        #expect(try await rig.intake.take(message(), manner).first != .duplicate)
        #expect(try await rig.intake.take(message(), manner).first != .duplicate)
        #expect(try await rig.events().count == 3)
    }

    @Test func oldMailIsAnsweredOnlyWhenTold() async throws {
        let rig = try await rig(keep: .never)
        let old = message(date: "Mon, 01 Dec 2025 09:00:00 +0000")
        var manner = Intake.Manner(source: "import")
        _ = try await rig.intake.take(old, manner)
        #expect(try await rig.events().first?["replyRefusal"] == "stale")
        manner.isAgain = true
        manner.answersOldMail = true
        _ = try await rig.intake.take(old, manner)
        #expect(try await rig.events().count { $0["replyRefusal"] == nil } == 1)
        let transport = ScriptedTransport()
        try await rig.engine.runDispatch(transport)
        #expect(transport.sent.count == 1)
    }

    @Test func mailWithoutARouteIsTakenByNobody() async throws {
        let rig = try await rig(keep: .never)
        var other = message()
        other.recipients = ["x@else.example"]
        #expect(try await rig.intake.take(other, Intake.Manner(source: "import")).isEmpty)
    }

    @Test func keptMailHasItsTime() async throws {
        let rig = try await rig(keep: .always)
        _ = await rig.receive(message())
        let housekeeping = Housekeeping(context: rig.engine.context)
        await housekeeping.sweepRawMail()
        #expect(try rig.notes().count == 1)
        rig.engine.clock.advance(seconds: 31 * 86_400)
        await housekeeping.sweepRawMail()
        #expect(try rig.notes().isEmpty)
    }
}
