import Engine
import FuzzKit
import Logging
import MailModel

@testable import MilterAdapter

/// What comes over one connection of the MTA, in pieces: packets, commands, a session, replies. Whatever comes, what is said is whole
/// packets, a verdict is given for each message, and nothing is kept in the end.
@_cdecl("LLVMFuzzerTestOneInput")
package func fuzzConversation(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    var limits = MilterConfiguration(unixSocketPath: "unused")
    limits.bodyLimit = 400
    limits.headerCountLimit = 4
    limits.recipientLimit = 3
    limits.allowsQuarantine = true
    let context = MilterContext(
        configuration: limits, intake: DecidedIntake(), logger: Logger(label: "fuzz") { _ in SwiftLogNoOpLogHandler() })
    let piece = Int(input.byte() ?? 0) + 1
    converse(context, input.bytes(), piece)
    let gauges = context.meters.gauges
    expect(gauges.openSessions == 0 && gauges.messagesInFlight == 0 && gauges.messagesWaiting == 0, "nothing is left")
    expect(context.inFlight.bytes == 0, "no room is held")
    return 0
}

private func converse(_ context: MilterContext, _ bytes: [UInt8], _ piece: Int) {
    let buffer = PacketBuffer()
    let dialogue = MilterDialogue(context: context) { check($0) }
    var rest = bytes[...]
    while true {
        do throws(MilterFault) {
            while let packet = try buffer.next() {
                expect(dialogue.awaited?.isOver != false, "the message before was answered")
                var replies: [UInt8] = []
                let goesOn = try dialogue.take(try MilterCommand(packet)) { $0.append(to: &replies) }
                check(replies)
                guard goesOn else { return }
            }
        } catch { return }
        dialogue.readAhead()
        let count = buffer.fill { room in
            let next = rest.prefix(min(piece, room.count))
            room.copyBytes(from: next)
            return next.count
        }
        guard count > 0 else { return }
        rest = rest.dropFirst(count)
    }
}

/// Whole packets of the letters that are replies.
private func check(_ bytes: [UInt8]) {
    var rest = bytes[...]
    while !rest.isEmpty {
        expect(rest.count > 4, "a length and a letter")
        let length = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
        let packet = rest.dropFirst(4).prefix(length)
        expect(length > 0 && packet.count == length, "a whole packet")
        expect("casdyqO".utf8.contains(packet.first ?? 0), "a reply")
        rest = rest.dropFirst(4 + length)
    }
}

/// Decides at once, by the first letter of the first recipient.
private struct DecidedIntake: MessageIntake {
    func wants(recipient: String) -> Bool { !recipient.hasPrefix("n") }

    func read(_ message: ReceivedMessage, others: Int) -> MessageRecording {
        expect(others >= 0, "nobody is fewer than none")
        let verdict: Verdict =
            switch message.recipients.first?.utf8.first {
            case UInt8(ascii: "d"): .discard
            case UInt8(ascii: "q"): .quarantine(reason: message.helo)
            case UInt8(ascii: "r"): .reject(Reply(code: 550, text: message.reversePath))
            case UInt8(ascii: "t"): .tempfail(Reply(code: 450, text: message.clientName))
            default: .continue
            }
        return { $0(verdict) }
    }

    func read(_ submission: OwnSubmission, others: Int) -> MessageRecording { { $0(.discard) } }
}
