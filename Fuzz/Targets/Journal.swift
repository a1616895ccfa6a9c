import FuzzKit
import Synchronization
import WorkflowModel

@testable import Engine

/// The lines a dead daemon left: whatever the file holds, what is taken over survives being written again.
@_cdecl("LLVMFuzzerTestOneInput")
package func fuzzJournal(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    let log = LeftLines(text: input.text())
    let journal = FetchJournal(log)
    var found = 0
    var batch = journal.takeOver()
    while !batch.isEmpty {
        found += batch.count
        for fetch in batch {
            let again = NotedFetch(line: fetch.line)
            expect(again?.line == fetch.line, "a line comes back")
            expect(again?.subject == fetch.subject && again?.at == fetch.at, "with its facts")
            expect(!fetch.line.utf8.contains(0x0A), "a line is one line")
            _ = "\(fetch.at)"
        }
        journal.recorded(batch.count)
        batch = journal.next()
    }
    expect(found <= log.lines().count, "a line is one fetch at most")
    expect(found == 0 || log.isCleared, "the log is empty when everything is recorded")
    return 0
}

private final class LeftLines: FetchLog {
    private let text: String
    private let cleared = Mutex(false)

    init(text: String) { self.text = text }

    var isCleared: Bool { cleared.withLock { $0 } }

    func append(_ line: String) {}
    func lines() -> [String] { text.split(separator: "\n").map(String.init) }
    func clear() { cleared.withLock { $0 = true } }
}
