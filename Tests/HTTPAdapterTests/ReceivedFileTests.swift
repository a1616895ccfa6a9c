import Engine
import EngineTestKit
import Foundation
import JSONValue
import MailFormat
import MailModel
import Testing
import WorkflowModel

@testable import HTTPAdapter

/// Files that came with mail, over the API.
@Suite struct ReceivedFileTests {
    private static let picture: [UInt8] = (0..<3000).map { UInt8(truncatingIfNeeded: $0 &* 7) }

    private func receive(_ server: EngineServer) async throws -> String {
        var configuration = Intake.Configuration()
        configuration.routes = InboundRoutes([
            .init(match: .recipient("help@example.com"), project: "default", disposition: .continue)
        ])
        let intake = Intake(context: server.engine.context, configuration: configuration)
        let encoded = Data(Self.picture).base64EncodedString(options: [
            .lineLength76Characters, .endLineWithCarriageReturn,
        ])
        let body = [
            "--b", "Content-Type: text/plain", "", "See the files.", "--b",
            "Content-Type: image/png; name=\"../../etc/pass wd.png\"", "Content-Transfer-Encoding: base64",
            "Content-Disposition: attachment; filename=\"../../etc/pass wd.png\"", "", encoded, "--b",
            "Content-Type: text/html", "Content-Transfer-Encoding: quoted-printable",
            "Content-Disposition: attachment; filename*=utf-8''%C3%BCber%0D%0AX%3A%20y.html", "",
            "<script>=3D</script>", "--b--", "",
        ].joined(separator: "\r\n")
        let message = ReceivedMessage(
            queueID: "4Q1", clientAddress: "198.51.100.7", reversePath: "ann@example.org",
            recipients: ["help@example.com"],
            headers: [
                HeaderField("From", "Ann <ann@example.org>"), HeaderField("To", "help@example.com"),
                HeaderField("Subject", "Files"), HeaderField("Message-ID", "<f1@example.org>"),
                HeaderField("MIME-Version", "1.0"), HeaderField("Content-Type", "multipart/mixed; boundary=b"),
            ], body: Array(body.utf8))
        let verdict = await withCheckedContinuation { continuation in
            intake.receive(message) { continuation.resume(returning: $0) }
        }
        #expect(verdict == .continue)
        let events = try await server.send("GET", "/events?eventName=email.received")
        return events.body["data"]?.arrayValue?.first?["id"]?.stringValue ?? ""
    }

    private func get(_ server: EngineServer, _ path: String, key: String? = nil) async throws -> Answer {
        try await server.client.request("GET", path, [("Authorization", "Bearer \(key ?? server.key)")])
    }

    @Test func aFileIsReadAsItWasSent() async throws {
        try await withEngine(keepsMail: true) { server in
            let event = try await receive(server)
            let picture = try await get(server, "/events/\(event)/attachments/1")
            #expect(picture.status == 200 && picture.body == Self.picture)
            #expect(picture.field("Content-Type") == "application/octet-stream")
            #expect(picture.field("X-Content-Type-Options") == "nosniff")
            #expect(picture.field("Content-Length") == "3000")
            let name = picture.field("Content-Disposition") ?? ""
            #expect(name == "attachment; filename=\"etcpass wd.png\"; filename*=UTF-8''etcpass%20wd.png", "\(name)")
            let page = try await get(server, "/events/\(event)/attachments/2")
            #expect(
                page.text.hasPrefix("<script>=</script>") && page.field("Content-Type") == "application/octet-stream")
            let other = page.field("Content-Disposition") ?? ""
            #expect(other.hasPrefix("attachment; filename=\"attachment-2\"; filename*=UTF-8''%C3%BCber"), "\(other)")
            #expect(!other.contains("\r") && !other.contains("\n"))
        }
    }

    /// The numbers are those of the event, which was read within the configured limits.
    @Test func filesBeyondTheLimitOfPartsAreNotThereEither() async throws {
        try await withEngine(configure: { $0.readingLimits = ReadingLimits(parts: 3) }, keepsMail: true) { server in
            let event = try await receive(server)
            let events = try await server.send("GET", "/events?eventName=email.received").body["data"]?.arrayValue
            #expect(events?.first?["data"]?["attachments"]?.arrayValue?.count == 1)
            #expect(try await get(server, "/events/\(event)/attachments/2").status == 404)
            #expect(try await get(server, "/events/\(event)/attachments/1").status == 200)
        }
    }

    @Test func whatIsNotThereIsNotFound() async throws {
        try await withEngine(keepsMail: true) { server in
            let event = try await receive(server)
            for number in ["0", "3", "-1", "x", "99999999999999999999"] {
                #expect(
                    try await server.send("GET", "/events/\(event)/attachments/\(number)").status == 404, "\(number)")
            }
            #expect(try await server.send("GET", "/events/x/attachments/1").status == 404)
            // Another project's event, and one that is no mail.
            try await Projects(context: server.engine.context).create("other")
            let foreign = try await Authentication(context: server.engine.context).create(.secret, project: "other")
            #expect(try await server.send("GET", "/events/\(event)/attachments/1", key: foreign).status == 404)
            try await server.engine.track("signed_up", data: ["rawMailId": "x"])
            let events = try await server.send("GET", "/events?eventName=signed_up")
            let plain = events.body["data"]?.arrayValue?.first?["id"]?.stringValue ?? ""
            #expect(try await server.send("GET", "/events/\(plain)/attachments/1").status == 404)
            // The mail is no longer kept.
            let archive = try #require(server.engine.context.rawMail)
            try archive.prune(before: server.engine.clock.now().adding(seconds: 10), largestTotal: 0)
            let gone = try await server.send("GET", "/events/\(event)/attachments/1")
            #expect(gone.status == 404 && gone.message.contains("raw_mail"))
        }
    }

    /// An event that a client made must not open somebody else's mail.
    @Test func anEventOfAClientOpensNoMail() async throws {
        try await withEngine(keepsMail: true) { server in
            let event = try await receive(server)
            let listed = try await server.send("GET", "/events?eventName=email.received")
            let raw = listed.body["data"]?.arrayValue?.first?["data"]?["rawMailId"] ?? .null
            #expect(!raw.isNull && !event.isEmpty)
            try await server.engine.track("mine", data: ["rawMailId": raw])
            let events = try await server.send("GET", "/events?eventName=mine")
            let mine = events.body["data"]?.arrayValue?.first?["id"]?.stringValue ?? ""
            #expect(try await server.send("GET", "/events/\(mine)/attachments/1").status == 404)
        }
    }
}
