import Dispatch
import Engine
import Glibc
import MailModel
import Synchronization

/// Reads a message while the MTA is on its way to the end of it: after what was probably the last chunk of its body, the
/// answer to that chunk and the command that follows cross the socket, and one processor has nothing to do. A message
/// read in vain costs that idle processor's time and nothing else.
///
/// Only for a message that is alone: with others under way no processor is idle.
final class ReadAhead: Sendable {
    /// The largest chunk that Postfix sends, in bytes (milter8.c): only the last one is smaller.
    static let fullChunk = 65_535

    /// One message being read.
    final class Job: Sendable {
        private enum State {
            case waiting
            case reading
            case done(MessageRecording)
            /// Somebody was faster.
            case dropped
        }

        private let message: ReceivedMessage
        private let state = Mutex(State.waiting)
        private let isDone = DispatchSemaphore(value: 0)

        init(_ message: ReceivedMessage) { self.message = message }

        fileprivate func run(_ intake: any MessageIntake) {
            let isWanted = state.withLock { state in
                guard case .waiting = state else { return false }
                state = .reading
                return true
            }
            guard isWanted else { return }
            let recording = intake.read(message, others: 0)
            state.withLock { $0 = .done(recording) }
            isDone.signal()
        }

        /// What was read, waited for when it is under way; nil when the reading has not begun, and never will. To be called
        /// once.
        func take() -> MessageRecording? {
            let isUnderWay = state.withLock { state in
                if case .waiting = state {
                    state = .dropped
                    return false
                }
                return true
            }
            guard isUnderWay else { return nil }
            isDone.wait()
            return state.withLock { state in
                guard case .done(let recording) = state else { return nil }
                state = .dropped
                return recording
            }
        }
    }

    private let intake: any MessageIntake
    private let next = Mutex<Job?>(nil)
    private let arrival = DispatchSemaphore(value: 0)
    private let isStarted = Mutex(false)

    init(intake: any MessageIntake) { self.intake = intake }

    /// Begins to read; nil when there is no thread for it. A job that waited before is forgotten: whoever takes it reads the
    /// message himself.
    func begin(_ message: ReceivedMessage) -> Job? {
        guard isStarted.withLock({ $0 }) else { return nil }
        let job = Job(message)
        next.withLock { $0 = job }
        arrival.signal()
        return job
    }

    /// Makes the thread, which lives as long as the process, as everything does that callbacks see.
    func start() throws(MilterError) {
        guard !isStarted.withLock({ $0 }) else { return }
        _ = try MilterThread(name: "milter reader") { [self] in
            while true {
                arrival.wait()
                let job = next.withLock { job in
                    defer { job = nil }
                    return job
                }
                job?.run(intake)
            }
        }
        isStarted.withLock { $0 = true }
    }
}
