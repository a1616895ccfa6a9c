import Glibc
import Logging

/// One connection of the MTA on the thread that serves it: reads, takes what is whole, and writes what there is to say before it waits
/// for more.
struct MilterConnection {
    let descriptor: Int32
    /// Over TCP the kernel puts off acknowledgements, for which Postfix waits with its next small write: 40 ms for each message.
    let isTCP: Bool
    let context: MilterContext

    /// Serves until one of the two hangs up.
    /// - Parameter input: empty; it may be used again.
    func serve(_ input: PacketBuffer) {
        setTimeouts()
        if isTCP { setOption(TCP_NODELAY) }
        let dialogue = MilterDialogue(context: context) { bytes in
            // A few bytes, and the MTA waits for them. Where it does not read, its own thread will see the end of it.
            if !send(bytes, Int32(MSG_DONTWAIT)) { shutdown(descriptor, Int32(SHUT_RDWR)) }
        }
        do {
            try converse(dialogue, input)
        } catch {
            context.meters.count { $0.faults += 1 }
            context.logger.warning("not the milter protocol", metadata: ["what": "\(error)", "code": "\(error.code)"])
        }
        // Nobody may write when the descriptor is another's.
        settle(dialogue)
    }

    private func converse(_ dialogue: MilterDialogue, _ input: PacketBuffer) throws(MilterFault) {
        var replies: [UInt8] = []
        while true {
            while let packet = try input.next() {
                settle(dialogue)
                let command = try MilterCommand(packet)
                // What is said before comes before the answer to the end, which another thread may give.
                if case .endOfMessage = command, !flush(&replies) { return }
                guard try dialogue.take(command, reply: { $0.append(to: &replies) }) else { return }
                if replies.count > Self.replyLimit, !flush(&replies) { return }
            }
            guard flush(&replies) else { return }
            dialogue.readAhead()
            if dialogue.awaited?.isOver == false { wait(for: dialogue) }
            guard input.fill(receive) > 0 else { return }
        }
    }

    /// Waits until the MTA goes on, which it does when it has its answer, or until the deadline of the commit.
    private func wait(for dialogue: MilterDialogue) {
        guard let awaited = dialogue.awaited else { return }
        let end = ContinuousClock.now + context.configuration.commitDeadline
        while !awaited.isOver {
            let left = end - ContinuousClock.now
            guard left > .zero else { return context.giveUp(awaited) }
            var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            // It may have hung up, or say more than it should: it is heard when the message has its answer.
            if poll(&entry, 1, Self.milliseconds(left)) > 0 {
                if !awaited.wait(max(.zero, end - ContinuousClock.now)) { context.giveUp(awaited) }
                return
            }
        }
    }

    /// Rounded up, so that nobody asks again and again in the last one.
    private static func milliseconds(_ time: Duration) -> Int32 {
        let (seconds, attoseconds) = time.components
        return Int32(clamping: seconds * 1000 + attoseconds / 1_000_000_000_000_000 + 1)
    }

    /// Makes sure that the last message was answered, by the fallback if need be.
    private func settle(_ dialogue: MilterDialogue) {
        guard let awaited = dialogue.awaited, !awaited.isOver else { return }
        if !awaited.wait(context.configuration.commitDeadline) { context.giveUp(awaited) }
    }

    /// Bytes that wait to be sent, at most: who says much at once, and does not listen, is not served further.
    private static let replyLimit = 16_384

    private func receive(_ room: UnsafeMutableRawBufferPointer) -> Int {
        while true {
            // The kernel forgets this with the next reply (tcp(7)): said again before each read.
            if isTCP { setOption(TCP_QUICKACK) }
            let count = recv(descriptor, room.baseAddress, room.count, 0)
            if count >= 0 || errno != EINTR { return count }
        }
    }

    /// - Returns: false when the MTA has hung up, or does not read.
    private func flush(_ replies: inout [UInt8]) -> Bool {
        guard !replies.isEmpty else { return true }
        defer { replies.removeAll(keepingCapacity: true) }
        return send(replies, 0)
    }

    /// - Parameter flags: of send(2).
    private func send(_ bytes: [UInt8], _ flags: Int32) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { all in
                let rest = UnsafeRawBufferPointer(rebasing: all[sent...])
                return Glibc.send(descriptor, rest.baseAddress, rest.count, flags | Int32(MSG_NOSIGNAL))
            }
            if count > 0 {
                sent += count
            } else if errno != EINTR {
                return false
            }
        }
        return true
    }

    /// A peer that stops within a packet, or does not read, is given up (socket(7)).
    private func setTimeouts() {
        var time = timeval(tv_sec: max(1, context.configuration.timeout), tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &time, socklen_t(MemoryLayout<timeval>.size))
        }
    }

    private func setOption(_ option: Int32) {
        var yes: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), option, &yes, socklen_t(MemoryLayout<Int32>.size))
    }
}
