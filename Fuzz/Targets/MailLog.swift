import FuzzKit
import MailModel

/// Lines of Postfix's log, as anybody can write into it.
@_cdecl("LLVMFuzzerTestOneInput")
package func fuzzMailLog(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    while !input.rest.isEmpty {
        let line = input.bytes(to: 0x0A)
        guard let record = MailLogReader.record(in: line[...]) else { continue }
        expect(!record.instance.isEmpty && !record.program.isEmpty, "a program has a name")
        expect((5...32).contains(record.queueID.utf8.count), "a queue id has its length")
        if case .local(let month, let day, let hour, let minute, let second) = record.moment {
            expect((1...12).contains(month) && (1...31).contains(day), "a day of a year")
            expect((0...23).contains(hour) && (0...59).contains(minute) && (0...60).contains(second), "a time of a day")
        }
        switch record.fact {
        case .outcome(let outcome):
            expect(!hasControl(outcome.reply) && !hasControl(outcome.recipient), "texts are one line")
            expect(outcome.reply.utf8.count <= 3 * 998, "a reply is no longer than its limit")
            expect(outcome.nextQueueID?.utf8.count ?? 5 <= 32, "a queue id has its length")
            if let code = outcome.enhancedCode { expect(code.split(separator: ".").count == 3, "three numbers") }
        case .messageID(let id): expect(!hasControl(id), "an id is one line")
        case .client, .pickedUp, .queued, .expired, .notified, .filtered, .removed: break
        }
    }
    return 0
}
