import CLibmilter
import Engine
import Glibc
import Logging
import ServiceLifecycle
import Synchronization

// What the process must do for this service:
//
// - Signals. libmilter takes SIGHUP, SIGTERM and SIGINT in a thread of its own and treats each as "stop". Handlers set
//   with sigaction(2), with the three signals unblocked on the main thread, keep them away from it (measured); signals
//   that are blocked everywhere do not. SIGHUP must have a handler or be ignored. SIGPIPE must be ignored.
// - Descriptors. One per SMTP session, three with the TCP entrance. At the limit libmilter's listener spins in silence:
//   raise RLIMIT_NOFILE, watch `openSessions`.
// - One run per process. libmilter never clears its stop flag, and destroys locks that its workers may still hold, so
//   nothing the callbacks see is ever freed; after `run` returns the process should end.
//
// Shutdown, when asked for: close the gate (new messages get the fallback) -> wait until no message is open, at most
// `drainDeadline` -> smfi_stop -> wait for smfi_main -> wait for ends of messages that still wait for their commit ->
// close the TCP entrance. Cancellation leaves the first two steps out.

/// The milter as a service: listens from `open`, serves from `run`.
package final class MilterServer: Service {
    /// Set by the first server of the process that opens.
    private static let isOpened = Mutex(false)

    private let context: MilterContext
    private let socket: MilterSocket
    private let entrance = Mutex<TCPEntrance?>(nil)
    private let isOpen = Mutex(false)
    private let isStopAsked = Mutex(false)
    private let isMainRunning = Mutex(false)

    /// - Parameter intake: gets every message somebody wants, on a thread of libmilter.
    package init(configuration: MilterConfiguration, intake: any MessageIntake, logger: Logger) {
        context = MilterContext(configuration: configuration, intake: intake, logger: logger)
        socket = MilterSocket(configuration: configuration)
    }

    /// What is going on; safe to read from anywhere at any time.
    package var gauges: MilterGauges {
        var gauges = context.meters.gauges
        gauges.bytesInFlight = context.inFlight.bytes
        gauges.tcpConnections = entrance.withLock { $0?.connectionCount ?? 0 }
        return gauges
    }

    /// The port of the TCP entrance, once open; nil when there is none.
    package var tcpPort: Int? { entrance.withLock { $0?.port } }

    /// Whether messages are being served: true from the start of `run` until libmilter has stopped.
    package var isServing: Bool { isMainRunning.withLock { $0 } }

    /// Makes both sockets, so that the MTA may connect; it is served when `run` runs. To be called before privileges
    /// are dropped, when the directory needs them, and before other threads make files (the umask is changed for a
    /// moment). `run` calls it when nobody has.
    /// - Throws: one sentence that names the path or address, and the mend.
    package func open() throws(MilterError) {
        guard !isOpen.withLock({ $0 }) else { return }
        try socket.check()
        try Self.claimLibrary()
        MilterContext.current.withLock { $0 = context }
        try register()
        try socket.open()
        if let endpoint = context.configuration.tcp {
            let made = try TCPEntrance(
                endpoint: endpoint, unixSocketPath: context.configuration.unixSocketPath,
                backlog: context.configuration.backlog)
            entrance.withLock { $0 = made }
        }
        isOpen.withLock { $0 = true }
    }

    /// Serves until a graceful shutdown or cancellation.
    /// - Throws: `MilterError`, when the sockets cannot be made, or when libmilter stopped though nobody had asked it
    ///   to: then the process must end, the library cannot start again.
    package func run() async throws {
        try open()
        try entrance.withLock { $0 }?.start()
        try context.readAhead.start()
        // libmilter starts and ends a thread for every few mails, and each would allocate from an arena that no cache
        // holds: with 20 sessions that cost 7 % of the mails a second on two processors.
        mallopt(M_ARENA_MAX, 2)
        MilterThread.limitStacks()
        let main = try MilterThread(name: "smfi_main") { smfi_main() }
        isMainRunning.withLock { $0 = true }
        context.logger.info("milter is listening", metadata: ["socket": "\(context.configuration.unixSocketPath)"])
        let wasAsked = await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                // Looked at before the other child is cancelled, which then asks for a stop that is no longer needed.
                let result = await main.result()
                self.isMainRunning.withLock { $0 = false }
                return result == MI_SUCCESS && self.isStopAsked.withLock { $0 }
            }
            group.addTask {
                await self.stopWhenAsked()
                return true
            }
            var wasAsked = true
            for await answer in group {
                wasAsked = wasAsked && answer
                if !answer { group.cancelAll() }
            }
            return wasAsked
        }
        // A task of its own: a cancelled one could not wait.
        await Task { await finish() }.value
        guard wasAsked else {
            throw MilterError(
                .stoppedUnasked,
                "libmilter stopped on its own; a signal that reached its thread or a dead listener does that. The "
                    + "process must be restarted.")
        }
        context.logger.info("milter has stopped")
    }

    // MARK: Start

    private static func claimLibrary() throws(MilterError) {
        let isFirst = isOpened.withLock { isOpened in
            defer { isOpened = true }
            return !isOpened
        }
        guard isFirst else {
            throw MilterError(.alreadyRun, "libmilter can run once per process. Restart the process.")
        }
    }

    /// The strings given to C here live as long as the process.
    private func register() throws(MilterError) {
        let configuration = context.configuration
        openlog(strdup(configuration.syslogTag), LOG_PID, LOG_MAIL)
        let description = MilterCallbacks.description(
            name: strdup("postrider"), allowsQuarantine: configuration.allowsQuarantine)
        let isAccepted =
            smfi_setconn(strdup("unix:" + configuration.unixSocketPath)) == MI_SUCCESS
            && smfi_register(description) == MI_SUCCESS
            && smfi_settimeout(Int32(clamping: configuration.timeout)) == MI_SUCCESS
            && smfi_setbacklog(Int32(clamping: max(1, configuration.backlog))) == MI_SUCCESS
        guard isAccepted else {
            throw MilterError(
                .libraryRefused,
                "libmilter refused its set-up; its reason is in syslog under \(configuration.syslogTag).")
        }
    }

    // MARK: Stop

    /// Returns after a stop was asked of libmilter: at the end of the drain, or at once when the task is cancelled.
    private func stopWhenAsked() async {
        if (try? await gracefulShutdown()) != nil { await drain() }
        isStopAsked.withLock { $0 = true }
        await stopLibrary()
    }

    /// smfi_stop waits for a lock that the listener holds while it polls, five seconds at a time: so it gets a thread
    /// of its own, and connections wake the listener until it is gone.
    private func stopLibrary() async {
        guard let stopping = try? MilterThread(name: "smfi_stop", body: { smfi_stop() }) else {
            // No thread left in the process: better late than never.
            _ = smfi_stop()
            return
        }
        await Task {
            while isServing, socket.isAnswered() { try? await Task.sleep(for: .milliseconds(10)) }
        }.value
        _ = await stopping.result()
    }

    private func drain() async {
        context.meters.closeGate()
        await wait(atMost: min(context.configuration.drainDeadline, .seconds(20))) { $0.messagesInFlight == 0 }
        let left = context.meters.gauges.messagesInFlight
        if left > 0 {
            context.logger.warning("messages were open at the end of the drain", metadata: ["count": "\(left)"])
        }
    }

    /// smfi_main is back, but its workers go on: lets those that wait for a commit answer, then cuts the TCP entrance.
    private func finish() async {
        context.meters.closeGate()
        await wait(atMost: context.configuration.commitDeadline + .seconds(1)) { $0.messagesWaiting == 0 }
        // Between the end of a callback and the reply on the wire there is nothing to wait for but time.
        try? await Task.sleep(for: .milliseconds(100))
        if let entrance = entrance.withLock({ $0 }) { await entrance.stop() }
        socket.remove()
    }

    /// Asking every few milliseconds keeps the callbacks, which run on foreign threads, free of continuations.
    private func wait(atMost limit: Duration, until isReached: (MilterGauges) -> Bool) async {
        let deadline = ContinuousClock.now + limit
        while !isReached(context.meters.gauges), ContinuousClock.now < deadline {
            guard (try? await Task.sleep(for: .milliseconds(10))) != nil else { return }
        }
    }
}
