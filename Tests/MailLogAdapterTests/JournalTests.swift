import Engine
import Foundation
import Glibc
import MailModel
import Testing
import WorkflowModel

@testable import MailLogAdapter

/// A program that does what the test says, in place of journalctl(1) or postqueue(1).
private struct Program {
    let folder: String
    let path: String

    init(_ script: String) throws {
        var template = Array("\(FileManager.default.temporaryDirectory.path)/program-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw CocoaError(.fileWriteUnknown) }
        folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        path = "\(folder)/program"
        // Closed in every process that another test starts meanwhile: a file that somebody may write to cannot be run.
        let file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o755)
        guard file >= 0 else { throw CocoaError(.fileWriteUnknown) }
        defer { close(file) }
        let bytes = Array("#!/bin/sh\ncd '\(folder)'\n\(script)\n".utf8)
        guard write(file, bytes, bytes.count) == bytes.count else { throw CocoaError(.fileWriteUnknown) }
    }

    func remove() { try? FileManager.default.removeItem(atPath: folder) }

    func text(_ name: String) -> String {
        String(decoding: FileManager.default.contents(atPath: "\(folder)/\(name)") ?? Data(), as: UTF8.self)
    }
}

@Suite struct JournalTests {
    private static func entry(_ cursor: String, _ id: String) -> String {
        """
        {"__CURSOR":"\(cursor)","__REALTIME_TIMESTAMP":"1795718137250000","SYSLOG_IDENTIFIER":"postfix/qmgr",\
        "MESSAGE":"\(id): removed"}
        """
    }

    @Test func entriesComeWithTimeAndCursor() async throws {
        let program = try Program(
            """
            echo "$@" > words
            echo '\(Self.entry("s=1", "0A0000001"))'
            echo '{"__CURSOR":"s=2","__REALTIME_TIMESTAMP":"5","SYSLOG_IDENTIFIER":"sshd","MESSAGE":"other"}'
            echo 'no json'
            exec sleep 60
            """)
        defer { program.remove() }
        let log = JournalLog(program: program.path)
        var (lines, position): ([MailLogBatch.Line], String?) = ([], "s=0")
        for _ in 0..<100 where position != "s=2" {
            let batch = await log.next(after: position)
            lines += batch.lines
            position = batch.position ?? position
        }
        #expect(position == "s=2")
        #expect(lines.map(\.record.queueID) == ["0A0000001"])
        #expect(lines.first?.at == Timestamp(microseconds: 1_795_718_137_250_000))
        #expect(program.text("words").contains("--after-cursor=s=0"))
        #expect(program.text("words").contains("SYSLOG_FACILITY=2"))
        let rest = await log.next(after: position)
        #expect(rest.isAtEnd && rest.position == nil && rest.trouble == nil)
        log.stop()
    }

    @Test func lostCursorIsALossOnceAndTheJournalGoesOn() async throws {
        let program = try Program(
            """
            case "$*" in *after-cursor*) exit 1;; esac
            echo '\(Self.entry("s=9", "0A0000009"))'
            exec sleep 60
            """)
        defer { program.remove() }
        let log = JournalLog(program: program.path)
        var (losses, ids, position): (Int, [String], String?) = (0, [], "s=1")
        for _ in 0..<100 where position != "s=9" {
            let batch = await log.next(after: position)
            if batch.hasLoss { losses += 1 }
            ids += batch.lines.map(\.record.queueID)
            position = batch.position ?? position
        }
        #expect(position == "s=9" && ids == ["0A0000009"] && losses == 1)
        log.stop()
    }

    @Test func missingProgramIsTrouble() async {
        let batch = await JournalLog(program: "/nonexistent/journalctl").next(after: nil)
        #expect(batch.isAtEnd && batch.trouble?.contains("cannot be started") == true)
    }
}

@Suite struct PostqueueTests {
    private static let listing = """
        {"queue_name": "active", "queue_id": "0A0000001", "recipients": [{"address": "Ann@customer.example"}]}
        {"queue_name": "deferred", "queue_id": "0A0000002", "recipients": [{"address": "ben@customer.example"}]}
        {"queue_name": "maildrop", "queue_id": "0A0000003", "recipients": [{"address": "eve@customer.example"}]}
        """

    private static func queued(_ program: Program, _ wanted: (String, String)...) async -> Set<String>? {
        await PostqueueListing(program: program.path, configuration: "/etc/postfix-out")
            .queued(among: wanted.map { (queueID: $0.0, recipient: $0.1) })
    }

    @Test func mailIsFoundByIDAndRecipient() async throws {
        let program = try Program("echo \"$@\" > words\ncat <<'END'\n\(Self.listing)\nEND")
        defer { program.remove() }
        #expect(await Self.queued(program, ("0A0000001", "ann@customer.example")) == ["0A0000001"])
        #expect(await Self.queued(program, ("0A0000001", "other@customer.example")) == [], "an id that was given again")
        #expect(await Self.queued(program, ("0A0000003", "eve@customer.example")) == [], "not in the queue yet")
        #expect(await Self.queued(program, ("0A0000009", "ann@customer.example")) == [])
        #expect(program.text("words") == "-c /etc/postfix-out -j\n")
    }

    @Test func listingThatFailsProvesOnlyWhatItShows() async throws {
        let program = try Program("cat <<'END'\n\(Self.listing)\nEND\nexit 69")
        defer { program.remove() }
        #expect(await Self.queued(program, ("0A0000002", "ben@customer.example")) == ["0A0000002"])
        #expect(await Self.queued(program, ("0A0000009", "ann@customer.example")) == nil)
        let none = PostqueueListing(program: "/nonexistent/postqueue", configuration: nil)
        #expect(await none.queued(among: [(queueID: "0A0000001", recipient: "a@b.example")]) == nil)
    }
}
