import Engine
import Glibc
import Logging
import ServiceLifecycle
import Synchronization

// What the process must do for this service: ignore SIGPIPE, and raise RLIMIT_NOFILE (one descriptor for each SMTP session).
//
// Shutdown, when asked for: close the gate (new messages get the fallback) -> wait until no message is open, at most
// `drainDeadline` -> listen no more, read no more -> wait for ends of messages that still wait for their commit. Cancellation
// does not wait for open messages.

/// The milter as a service: listens from `open`, serves from `run`. It speaks the milter protocol itself (libmilter/mfdef.h has its
/// numbers): every connection has a thread, from a small store of them, which stays with it.
///
/// libmilter would give every ready connection to a thread and take it back, ask each socket before each read, and start more than one
/// thread for each mail: with 20 sessions that costs Postfix a sixth of the mails a second, whatever the filter does (measured against a
/// filter that does nothing). It also leaves sessions waiting while one of its threads blocks, cannot be drained, and runs
/// once in a process.
package final class MilterServer: Service {
    private struct State {
        var listeners: [MilterListener] = []
        var tcp: MilterListener?
        var tcpPort: Int?
        var isOpen = false
        var isServing = false
    }

    private let context: MilterContext
    private let socket: MilterSocket
    private let state = Mutex(State())
    /// What ends the service unasked.
    private let failures: AsyncStream<MilterError>
    private let failed: AsyncStream<MilterError>.Continuation

    /// - Parameter intake: gets every message somebody wants, on the thread of its connection.
    package init(configuration: MilterConfiguration, intake: any MessageIntake, logger: Logger) {
        context = MilterContext(configuration: configuration, intake: intake, logger: logger)
        socket = MilterSocket(configuration: configuration)
        (failures, failed) = AsyncStream.makeStream()
    }

    /// What is going on; safe to read from anywhere at any time.
    package var gauges: MilterGauges {
        var gauges = context.meters.gauges
        gauges.bytesInFlight = context.inFlight.bytes
        gauges.tcpConnections = state.withLock(\.tcp)?.connectionCount ?? 0
        return gauges
    }

    /// Of each socket; none after the end.
    var listeners: [MilterListener] { state.withLock(\.listeners) }

    /// The port of the TCP entrance, once open; nil when there is none.
    package var tcpPort: Int? { state.withLock(\.tcpPort) }

    /// Whether messages are being served: true from the start of `run` until its listeners have stopped.
    package var isServing: Bool { state.withLock(\.isServing) }

    /// Makes both sockets, so that the MTA may connect; it is served when `run` runs. To be called before privileges
    /// are dropped, when the directory needs them. `run` calls it when nobody has.
    /// - Throws: one sentence that names the path or address, and the mend.
    package func open() throws(MilterError) {
        guard !state.withLock(\.isOpen) else { return }
        var listeners = [makeListener(try socket.open(), isTCP: false)]
        var port: Int?
        if let endpoint = context.configuration.tcp {
            do throws(MilterError) {
                let made = try MilterPort(endpoint: endpoint, backlog: context.configuration.backlog).open()
                listeners.append(makeListener(made.descriptor, isTCP: true))
                port = made.port
            } catch {
                listeners = []
                socket.remove()
                throw error
            }
        }
        state.withLock { state in
            state.listeners = listeners
            state.tcp = port == nil ? nil : listeners.last
            state.tcpPort = port
            state.isOpen = true
        }
    }

    private func makeListener(_ descriptor: Int32, isTCP: Bool) -> MilterListener {
        let failed = failed
        return MilterListener(descriptor: descriptor, isTCP: isTCP, context: context) { failed.yield($0) }
    }

    /// Serves until a graceful shutdown or cancellation.
    /// - Throws: `MilterError`, when the sockets cannot be made, or when one of them cannot be listened on any more: then the process
    ///   should end, and be started again.
    package func run() async throws {
        try open()
        do {
            for listener in state.withLock(\.listeners) { try listener.start() }
        } catch {
            await Task { await finish() }.value
            throw error
        }
        state.withLock { $0.isServing = true }
        context.logger.info("milter is listening", metadata: ["socket": "\(context.configuration.unixSocketPath)"])
        let failure = await failureOrStop()
        // A task of its own: a cancelled one could not wait.
        await Task { await finish() }.value
        if let failure { throw failure }
        context.logger.info("milter has stopped")
    }

    /// Returns at the end of the drain, at once when the task is cancelled, or with what went wrong.
    private func failureOrStop() async -> MilterError? {
        await withTaskGroup(of: MilterError?.self) { group in
            group.addTask { [failures] in
                for await failure in failures { return failure }
                return nil
            }
            group.addTask {
                if (try? await gracefulShutdown()) != nil { await self.drain() }
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
    }

    // MARK: Stop

    private func drain() async {
        context.meters.closeGate()
        await wait(atMost: min(context.configuration.drainDeadline, .seconds(20))) {
            context.meters.gauges.messagesInFlight == 0
        }
        let left = context.meters.gauges.messagesInFlight
        if left > 0 {
            context.logger.warning("messages were open at the end of the drain", metadata: ["count": "\(left)"])
        }
    }

    /// Lets those that wait for a commit answer; whoever is not done then is left alone.
    private func finish() async {
        context.meters.closeGate()
        let listeners = state.withLock { state in
            state.isServing = false
            return state.listeners
        }
        listeners.forEach { $0.stop() }
        socket.remove()
        await wait(atMost: context.configuration.commitDeadline + .seconds(1)) {
            listeners.allSatisfy { $0.threadCount == 0 }
        }
        let left = listeners.reduce(0) { $0 + $1.threadCount }
        if left > 0 {
            context.logger.warning("connections were cut at the end of the milter", metadata: ["count": "\(left)"])
            listeners.forEach { $0.cut() }
        }
        // What waits in a listen queue hears of the end when its socket is closed, with the last that knows it.
        state.withLock { ($0.listeners, $0.tcp) = ([], nil) }
    }

    /// Asking every few milliseconds keeps the threads free of continuations.
    private func wait(atMost limit: Duration, until isReached: () -> Bool) async {
        let deadline = ContinuousClock.now + limit
        while !isReached(), ContinuousClock.now < deadline {
            guard (try? await Task.sleep(for: .milliseconds(10))) != nil else { return }
        }
    }
}
