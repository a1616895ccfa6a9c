import Engine
import EngineTestKit
import Foundation
import JSONValue
import MailModel
import SQLStore
import Testing
import WorkflowModel

/// The exact bytes of a mail of each class, as it is handed to the relay: a change of any of them is one that somebody made on
/// purpose. `POSTRIDER_RECORD_GOLDEN=1` writes them anew.
@Suite struct MailGoldenTests {
    private static let html = """
        <html><body><h1>Gr\u{FC}\u{DF}e</h1><p>Hallo {{ name }}, <a href="https://shop.example/a?b=1&amp;c=2">hier</a>.</p>
        <p><a href="{{ unsubscribeUrl }}">Abbestellen</a></p></body></html>
        """

    private func expectRecorded(_ mail: OutgoingMail?, _ name: String) throws {
        let mail = try #require(mail)
        let envelope = "MAIL FROM:<\(mail.reversePath)>\r\nRCPT TO:<\(mail.recipient)>\r\nDATA\r\n"
        let bytes = Array(envelope.utf8) + mail.bytes
        #expect(bytes.allSatisfy { $0 < 0x80 && $0 != 0 }, "7-bit")
        #expect(
            String(decoding: bytes, as: UTF8.self).components(separatedBy: "\r\n").allSatisfy { $0.utf8.count <= 998 })
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("Golden/\(name).eml")
        if ProcessInfo.processInfo.environment["POSTRIDER_RECORD_GOLDEN"] != nil {
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(bytes).write(to: file)
        }
        let recorded = [UInt8](try Data(contentsOf: file))
        #expect(String(decoding: bytes, as: UTF8.self) == String(decoding: recorded, as: UTF8.self))
    }

    /// A database whose tokens are the same in every run.
    private func database() async throws -> TemporaryDatabase {
        let database = try TemporaryDatabase()
        let store = try SQLiteStore(path: database.path, exclusively: false)
        _ = try await store.write { try $0.secret("tokens", orInsert: Array(repeating: 7, count: 32)) }
        try store.close()
        return database
    }

    private func engine(
        _ database: TemporaryDatabase, _ configure: (inout EngineConfiguration) -> Void = { _ in }
    ) async throws -> EngineFixture {
        let engine = try await EngineFixture(
            store: try SQLiteStore(path: database.path, exclusively: false), configure: configure)
        engine.context.trackingAddress.value = "https://mail.example.com"
        return engine
    }

    @Test(arguments: ["MARKETING", "TRANSACTIONAL", "HEADLESS"])
    func aMailOfEachClassIsAsRecorded(kind: String) async throws {
        let database = try await database()
        let engine = try await engine(database) {
            $0.returnAddresses = ReturnAddresses(
                .init(
                    returnPath: MailAddress.parse("bounce@mail.example.com"),
                    replies: MailAddress.parse("reply@mail.example.com")))
        }
        try await engine.apply(
            document(
                reentry: true, steps: ["mail": ["type": "SEND_EMAIL", "config": ["template": "hello"]]],
                templates: [
                    "hello": [
                        "type": .string(kind), "subject": "Gr\u{FC}\u{DF}e f\u{FC}r {{ name }}",
                        "from": "B\u{FC}cher & Co. <shop@b\u{FC}cher.example>", "html": .string(Self.html),
                        "trackOpens": true, "trackClicks": true,
                    ]
                ]))
        try await engine.track("signed_up", data: ["name": "Ann M\u{FC}ller"], subscribed: true)
        let transport = ScriptedTransport()
        try await engine.runDispatch(transport)
        try expectRecorded(transport.sent.first, kind.lowercased())
    }

    @Test func anAutomaticReplyIsAsRecorded() async throws {
        let stage = try await ReplyStage(database: try await database())
        let mail = stage.mail(header: [("Message-ID", "<m1@example.org>"), ("References", "<m0@example.org>")])
        #expect(try await stage.refusal(of: mail) == nil)
        try expectRecorded(try await stage.sent().first, "reply")
    }

    /// As /v1/send takes them: one picture within the text and one file beside it, with names that no plain parameter holds.
    @Test func filesAreAsRecorded() async throws {
        let database = try await database()
        let engine = try await engine(database)
        let long = String(repeating: "\u{65E5}\u{672C}", count: 12) + ".pdf"
        _ = try await DirectMail(context: engine.context).send(
            .init(
                projectID: engine.project.id, recipients: [.init(email: "ann@b\u{FC}cher.example")],
                subject: "Rechnung", body: "<p><img src=\"cid:logo\" alt=\"Logo\"> Guten Tag</p>",
                attachments: [
                    .init(filename: "logo.png", contentType: "image/png", contentID: "logo", bytes: Array(0..<60)),
                    .init(filename: long, contentType: "application/pdf", contentID: nil, bytes: Array("%PDF".utf8)),
                    .init(
                        filename: "Stra\u{DF}e.txt", contentType: "text/plain", contentID: nil,
                        bytes: Array("Hallo\r\n".utf8)),
                ]))
        let transport = ScriptedTransport()
        try await engine.runDispatch(transport)
        try expectRecorded(transport.sent.first, "files")
    }
}
