import Engine
import EngineTestKit
import Foundation
import MailModel
import SQLStore
import Testing
import WorkflowModel

@Suite struct RawMailFilesTests {
    private let database: TemporaryDatabase
    private let identifiers = IdentifierSource.seeded(7)
    private let start = Timestamp(seconds: 1_767_600_000)

    init() throws { database = try TemporaryDatabase() }

    private func files(_ change: (inout RawMailPolicy) -> Void = { _ in }) -> RawMailFiles {
        var policy = RawMailPolicy()
        change(&policy)
        return RawMailFiles(besideDatabase: database.path, policy: policy)
    }

    private func mail(
        at seconds: Int64 = 0, subject: String = "Opening hours", body: String = "Hello\r\n",
        reason: RawMail.Reason = .always
    ) -> RawMail {
        let time = start.adding(seconds: seconds)
        let message = ReceivedMessage(
            queueID: "4Q1", clientAddress: "198.51.100.7", clientName: "mx.example.org", helo: "mx",
            authenticatedUser: "ann", reversePath: "ann@example.org", recipients: ["help@example.com", "b@c.example"],
            hasFurtherRecipients: true, isInternal: true,
            headers: [
                HeaderField(name: "Subject", value: Array(" \(subject)".utf8)),
                HeaderField(name: "X-Long", value: Array(" a\n\tb".utf8)),
                HeaderField(name: "X-Bytes", value: [0x20, 0xFF, 0x80]),
            ],
            body: Array(body.utf8), isBodyTruncated: true, areHeadersTruncated: true)
        return RawMail(
            id: identifiers.make(at: time), reason: reason, error: reason == .failure ? "disk\r\nX: y" : "",
            receivedAt: time, message: message)
    }

    @Test func mailComesBackWhole() throws {
        let files = files()
        let kept = mail(reason: .failure)
        #expect(try files.keep(kept))
        let read = try #require(try files.mail(kept.id))
        #expect(read.id == kept.id && read.reason == .failure && read.error == kept.error)
        #expect(read.receivedAt == kept.receivedAt)
        let (left, right) = (read.message, kept.message)
        #expect(left.body == right.body && left.recipients == right.recipients && left.queueID == right.queueID)
        #expect(
            left.headers.map(\.text) == right.headers.map(\.text)
                && left.headers.map(\.name) == right.headers.map(\.name))
        #expect(left.headers[2].value == right.headers[2].value)
        #expect(left.reversePath == right.reversePath && left.authenticatedUser == "ann" && left.helo == "mx")
        #expect(left.clientAddress == right.clientAddress && left.clientName == right.clientName)
        #expect(left.hasFurtherRecipients && left.isInternal && left.isBodyTruncated && left.areHeadersTruncated)
        #expect(MessageFingerprint.input(for: left) == MessageFingerprint.input(for: right))
        #expect(try files.mail(identifiers.make(at: start)) == nil)
    }

    @Test func listIsInTheOrderOfTimeAndPassesOverWhatIsNoMail() throws {
        let files = files()
        for seconds: Int64 in [172_800, 0, 60] {
            _ = try files.keep(mail(at: seconds, subject: "=?utf-8?q?n=C2=B0?= \(seconds)"))
        }
        let folder = database.path + "-mail/2026-01-05"
        try Data("X-Postrider-Envelope: {}\r\n\r\n".utf8).write(
            to: URL(fileURLWithPath: "\(folder)/\(identifiers.make(at: start)).eml"))
        var notes: [RawMailNote] = []
        try files.forEach { note in
            notes.append(note)
            return true
        }
        #expect(notes.map(\.subject) == ["n° 0", "n° 60", "n° 172800"])
        #expect(notes.allSatisfy { $0.reversePath == "ann@example.org" && $0.size > 300 && $0.recipients.count == 2 })
        #expect(throws: StoreError.self) {
            let damaged = try FileManager.default.contentsOfDirectory(atPath: folder).compactMap {
                Identifier(String($0.dropLast(4)))
            }
            for id in damaged { _ = try files.mail(id) }
        }
    }

    @Test func onlyTheOwnerReadsThem() throws {
        let files = files()
        _ = try files.keep(mail())
        let folder = database.path + "-mail"
        let names = try FileManager.default.subpathsOfDirectory(atPath: folder)
        for name in names + ["."] {
            let mode = try FileManager.default.attributesOfItem(atPath: "\(folder)/\(name)")[.posixPermissions] as? Int
            #expect((mode ?? 0o777) & 0o077 == 0, "\(name)")
        }
        #expect(names.allSatisfy { !$0.hasSuffix(".part") })
    }

    @Test func whatIsTooLargeIsNotKept() throws {
        let files = files { ($0.largestSize, $0.largestTotal) = (1000, 3000) }
        #expect(try !files.keep(mail(body: String(repeating: "x", count: 1001))))
        var kept = 0
        for _ in 0..<10 where try files.keep(mail(body: String(repeating: "x", count: 900))) { kept += 1 }
        #expect(kept > 0 && kept < 4)
        #expect(files.numbers["skipped"] == 11 - kept)
        // Room for what comes next is made by pruning.
        #expect(try files.prune(before: start, largestTotal: 3000) > 0)
        #expect(try files.keep(mail(body: String(repeating: "x", count: 900))))
    }

    @Test func pruningRemovesOldMailAndTheOldestBeyondTheTotal() throws {
        let files = files()
        let mails = (0..<10).map { mail(at: $0 * 43_200, body: String(repeating: "x", count: 1000)) }
        for mail in mails { _ = try files.keep(mail) }
        #expect(try files.prune(before: start.adding(seconds: 2 * 43_200), largestTotal: 1 << 30) == 2)
        #expect(try files.mail(mails[1].id) == nil && files.mail(mails[2].id) != nil)
        _ = try files.prune(before: start, largestTotal: 5000)
        #expect(try files.mail(mails[5].id) == nil && files.mail(mails[9].id) != nil)
        #expect(try #require(files.numbers["bytes"]) <= 5000)
        // Days without mail are gone.
        #expect(!FileManager.default.fileExists(atPath: database.path + "-mail/2026-01-05"))
        files.remove(mails[9].id)
        #expect(try files.mail(mails[9].id) == nil)
    }

    @Test func folderThatCannotBeMadeIsAnError() throws {
        try Data().write(to: URL(fileURLWithPath: database.path + "-mail"))
        let files = files()
        #expect(throws: StoreError.self) { try files.keep(mail()) }
        #expect(files.numbers["failed"] == 1)
    }
}
