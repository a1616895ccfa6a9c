import Engine
import Foundation
import MailModel
import Testing

@testable import MailLogAdapter

/// A log in a folder of its own.
private final class Scratch {
    let folder: String
    var path: String { "\(folder)/mail.log" }

    init() throws {
        var template = Array("\(FileManager.default.temporaryDirectory.path)/mail-log-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw CocoaError(.fileWriteUnknown) }
        folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    static func line(_ id: String) -> String { "Nov 26 18:35:37 mx postfix/qmgr[1]: \(id): removed\n" }

    func append(_ text: String, to name: String = "mail.log") throws {
        let path = "\(folder)/\(name)"
        if !FileManager.default.fileExists(atPath: path) {
            _ = FileManager.default.createFile(atPath: path, contents: nil)
        }
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data(text.utf8))
        try handle.close()
    }

    func write(_ ids: String..., to name: String = "mail.log") throws {
        try append(ids.map(Self.line).joined(), to: name)
    }

    func rename(_ old: String, _ new: String) throws {
        try FileManager.default.moveItem(atPath: "\(folder)/\(old)", toPath: "\(folder)/\(new)")
    }
}

/// Reads until the end.
private struct Follower {
    let log: LogFile
    var position: String?
    var losses = 0

    init(_ scratch: Scratch, from position: String? = nil) {
        log = LogFile(path: scratch.path)
        self.position = position
    }

    mutating func read() async -> [String] {
        var ids: [String] = []
        for _ in 0..<1000 {
            let batch = await log.next(after: position)
            ids += batch.lines.map(\.record.queueID)
            if batch.hasLoss { losses += 1 }
            position = batch.position ?? position
            if batch.isAtEnd { return ids }
        }
        Issue.record("no end")
        return ids
    }
}

@Suite struct LogFileTests {
    @Test func firstLookBeginsAtTheEnd() async throws {
        let scratch = try Scratch()
        try scratch.write("0A0000001")
        var follower = Follower(scratch)
        #expect(await follower.read() == [])
        try scratch.write("0A0000002", "0A0000003")
        #expect(await follower.read() == ["0A0000002", "0A0000003"])
        #expect(await follower.read() == [])
    }

    @Test func lineThatIsBeingWrittenWaitsForItsEnd() async throws {
        let scratch = try Scratch()
        try scratch.write("0A0000001")
        var follower = Follower(scratch)
        _ = await follower.read()
        let line = Scratch.line("0A0000002")
        try scratch.append(String(line.prefix(30)))
        #expect(await follower.read() == [])
        try scratch.append(String(line.dropFirst(30)))
        #expect(await follower.read() == ["0A0000002"])
    }

    @Test func renamedFileIsReadToItsEndBeforeTheNewOne() async throws {
        let scratch = try Scratch()
        try scratch.write("0A0000001")
        var follower = Follower(scratch)
        _ = await follower.read()
        try scratch.write("0A0000002")
        try scratch.rename("mail.log", "mail.log.1")
        #expect(await follower.read() == ["0A0000002"], "there may be none for a moment")
        try scratch.append("")
        // Writers go on with the old file until they are told.
        try scratch.write("0A0000003", to: "mail.log.1")
        #expect(await follower.read() == ["0A0000003"])
        try scratch.write("0A0000004", to: "mail.log.1")
        try scratch.write("0A0000005")
        #expect(await follower.read() == ["0A0000004"])
        #expect(await follower.read() == ["0A0000005"])
        #expect(follower.losses == 0)
    }

    @Test func copiedAndTruncatedFileIsReadOn() async throws {
        let scratch = try Scratch()
        try scratch.write("0A0000001")
        var follower = Follower(scratch)
        _ = await follower.read()
        try scratch.write("0A0000002")
        try FileManager.default.copyItem(atPath: scratch.path, toPath: "\(scratch.folder)/mail.log.1")
        _ = truncate(scratch.path, 0)
        try scratch.write("0B0000003")
        var ids = await follower.read()
        ids += await follower.read()
        #expect(ids == ["0A0000002", "0B0000003"] && follower.losses == 0)
    }

    /// It has grown beyond the old place before anybody looked.
    @Test func truncatedFileThatHasGrownAgainIsKnownByItsBeginning() async throws {
        let scratch = try Scratch()
        try scratch.write("0A0000001")
        var follower = Follower(scratch)
        _ = await follower.read()
        _ = truncate(scratch.path, 0)
        try scratch.write("0B0000001", "0B0000002", "0B0000003")
        // Not looked at while the place reads well: the first line is missed there, and the rest is not.
        var restarted = Follower(scratch, from: follower.position)
        #expect(await restarted.read() == ["0B0000001", "0B0000002", "0B0000003"])
        #expect(restarted.losses == 1)
    }

    @Test func restartGoesOnWhereItWas() async throws {
        let scratch = try Scratch()
        try scratch.write("0A0000001")
        var first = Follower(scratch)
        _ = await first.read()
        try scratch.write("0A0000002")
        #expect(await first.read() == ["0A0000002"])
        try scratch.write("0A0000003")
        var second = Follower(scratch, from: first.position)
        #expect(await second.read() == ["0A0000003"])
    }

    @Test func rotationsWhileNobodyLookedAreCaughtUpWith() async throws {
        let scratch = try Scratch()
        try scratch.write("0A0000001")
        var first = Follower(scratch)
        _ = await first.read()
        try scratch.write("0A0000002")
        try scratch.rename("mail.log", "mail.log.2")
        try scratch.write("0B0000003")
        setTime(scratch, "mail.log.2", 1000)
        try scratch.rename("mail.log", "mail.log.1")
        setTime(scratch, "mail.log.1", 2000)
        try scratch.write("0C0000004")
        try scratch.append("compressed", to: "mail.log.3.gz")
        var second = Follower(scratch, from: first.position)
        #expect(await second.read() == ["0A0000002", "0B0000003", "0C0000004"])
        #expect(second.losses == 0)
    }

    @Test func whatWasRotatedAwayIsALoss() async throws {
        let scratch = try Scratch()
        try scratch.write("0A0000001")
        var first = Follower(scratch)
        _ = await first.read()
        try FileManager.default.removeItem(atPath: scratch.path)
        try scratch.write("0B0000002")
        var second = Follower(scratch, from: first.position)
        #expect(await second.read() == ["0B0000002"])
        #expect(second.losses == 1)
    }

    @Test func missingFileIsTroubleAndNoEnd() async throws {
        let scratch = try Scratch()
        let batch = await LogFile(path: scratch.path).next(after: nil)
        #expect(batch.isAtEnd && batch.position == nil)
        #expect(try #require(batch.trouble).contains("cannot be opened"))
    }

    @Test func batchThatWasNotTakenComesAgain() async throws {
        let scratch = try Scratch()
        try scratch.write("0A0000001")
        let log = LogFile(path: scratch.path)
        let start = await log.next(after: nil).position
        try scratch.write("0A0000002")
        for _ in 0..<3 {
            #expect(await log.next(after: start).lines.map(\.record.queueID) == ["0A0000002"])
        }
    }

    @Test func hugeLogComesInBatchesAndEndlessLinesArePassedOver() async throws {
        let scratch = try Scratch()
        try scratch.write("0A0000001")
        var follower = Follower(scratch)
        _ = await follower.read()
        try scratch.append(String(repeating: "x", count: 700_000) + "\n")
        let ids = (0..<20_000).map { "0C\(1_000_000 + $0)" }
        try scratch.append(ids.map(Scratch.line).joined())
        #expect(await follower.read() == ids)
    }

    @Test(arguments: ["", "{}", "[]", #"{"inode":"1","offset":-1,"headLength":0,"head":"1"}"#, "x"])
    func positionThatCannotBeReadBeginsAtTheEnd(text: String) async throws {
        let scratch = try Scratch()
        try scratch.write("0A0000001")
        var follower = Follower(scratch, from: text)
        #expect(await follower.read() == [])
    }

    private func setTime(_ scratch: Scratch, _ name: String, _ seconds: Double) {
        try? FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSince1970: seconds)], ofItemAtPath: "\(scratch.folder)/\(name)")
    }
}
