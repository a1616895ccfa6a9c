import Dispatch
import MailModel
import Synchronization

/// The verdict on one message, from the end of the message until it is there or too late.
///
/// The answer is given by the thread that has it: waking the connection's own first would make the MTA wait for a change of
/// threads, which is a tenth of what a durable mail costs (measured with one session). That thread waits for what the MTA says
/// next meanwhile.
final class AwaitedVerdict: Sendable {
    /// Nil when it was given: what the message kept goes with it.
    private let answer: Mutex<(@Sendable (Verdict) -> Void)?>
    private let settling = DispatchSemaphore(value: 0)

    /// Of the message, for the log.
    let queueID: String

    /// - Parameter answer: tells the MTA; called once, by whoever comes first. While it runs the connection stays open.
    init(queueID: String, answer: @escaping @Sendable (Verdict) -> Void) {
        self.queueID = queueID
        self.answer = Mutex(answer)
    }

    /// Gives the answer. False when one was given before.
    /// - Parameter note: what is to be known when the MTA has its answer.
    func settle(_ verdict: Verdict, note: () -> Void = {}) -> Bool {
        let isFirst = answer.withLock { answer in
            guard let first = answer else { return false }
            answer = nil
            note()
            first(verdict)
            return true
        }
        if isFirst { settling.signal() }
        return isFirst
    }

    /// Blocks until the answer was given; false when it was not within the time. For the connection's thread alone, once.
    func wait(_ time: Duration) -> Bool {
        let (seconds, attoseconds) = time.components
        let nanoseconds = Int(max(0, seconds)) * 1_000_000_000 + Int(max(0, attoseconds) / 1_000_000_000)
        return settling.wait(timeout: .now() + .nanoseconds(nanoseconds)) == .success
    }

    /// Whether the answer was given.
    var isOver: Bool { answer.withLock { $0 == nil } }
}
