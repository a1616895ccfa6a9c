import Glibc
import Logging
import Synchronization

/// One listening socket and the threads that serve what comes over it: each takes a connection and stays with it to its end, so
/// that nothing is handed over from one to another. Postfix has one connection for each of its smtpd(8) and cleanup(8) processes.
///
/// A thread that has taken the last place of those who wait makes another one; one that comes back to enough of them ends.
final class MilterListener: Sendable {
    private struct State {
        var threads = 0
        /// Those that wait for a connection.
        var idle = 0
        var connections: Set<Int32> = []
        var isStopped = false
    }

    /// Connections at once; further ones wait in the listen queue.
    private static let connectionLimit = 4096
    /// Threads that are kept for connections to come.
    private static let spareThreads = 4
    /// Milliseconds without taking connections, where there is no descriptor or no memory for one.
    private static let pause: Int32 = 100
    /// How often a thread is asked for, with such a pause in between.
    private static let threadAttempts = 10

    private let descriptor: Int32
    private let isTCP: Bool
    private let context: MilterContext
    private let whenBroken: @Sendable (MilterError) -> Void
    private let state = Mutex(State())

    /// - Parameters:
    ///   - descriptor: a socket that listens. It is closed with the last that knows this.
    ///   - whenBroken: is told when no connection can be taken any more, though nobody asked for the end.
    init(
        descriptor: Int32, isTCP: Bool, context: MilterContext, whenBroken: @escaping @Sendable (MilterError) -> Void
    ) {
        self.descriptor = descriptor
        self.isTCP = isTCP
        self.context = context
        self.whenBroken = whenBroken
    }

    /// Every thread holds this: it goes after the last of them.
    deinit { close(descriptor) }

    /// Connections that are open now.
    var connectionCount: Int { state.withLock { $0.connections.count } }

    /// Threads, those that wait among them.
    var threadCount: Int { state.withLock(\.threads) }

    /// Begins to serve.
    func start() throws(MilterError) {
        state.withLock { $0.threads += 1 }
        try startThread()
    }

    /// Takes no further connection, and reads no further command from those that are open: an answer under way is still given.
    func stop() {
        state.withLock { state in
            state.isStopped = true
            // Wakes those who wait for a connection (measured for both kinds of sockets).
            shutdown(descriptor, Int32(SHUT_RDWR))
            // A connection is closed only after it was taken out of these: no number can be another's by now.
            for connection in state.connections { shutdown(connection, Int32(SHUT_RD)) }
        }
    }

    /// Ends the connections that are left: those of peers that go on talking, or do not read.
    func cut() {
        state.withLock { state in
            for connection in state.connections { shutdown(connection, Int32(SHUT_RDWR)) }
        }
    }

    // MARK: Threads

    /// The thread has been counted.
    private func startThread() throws(MilterError) {
        do {
            try MilterThread.start { [self] in run() }
        } catch {
            state.withLock { $0.threads -= 1 }
            throw error
        }
    }

    /// Makes a thread for the next connections; it has been counted. Where the system has none now, this connection waits a moment with
    /// all others: nobody would take them before it ends.
    private func insistOnThread() {
        for attempt in 1...Self.threadAttempts {
            do {
                return try startThread()
            } catch {
                context.logger.error("\(error.description)", metadata: ["attempt": "\(attempt)"])
            }
            poll(nil, 0, Self.pause)
            let isNeeded = state.withLock { state in
                guard !state.isStopped, state.idle == 0, attempt < Self.threadAttempts else { return false }
                state.threads += 1
                return true
            }
            guard isNeeded else { return }
        }
    }

    private func run() {
        let input = PacketBuffer()
        while let connection = take() {
            MilterConnection(descriptor: connection, isTCP: isTCP, context: context).serve(input)
            input.clear()
            // The set first: see `stop`.
            state.withLock { _ = $0.connections.remove(connection) }
            close(connection)
        }
    }

    /// The next connection; nil when this thread is to end, and no longer counted.
    private func take() -> Int32? {
        let isNeeded = state.withLock { state in
            guard !state.isStopped, state.idle < Self.spareThreads else {
                state.threads -= 1
                return false
            }
            state.idle += 1
            return true
        }
        guard isNeeded else { return nil }
        let connection = accept()
        enum Next { case serve, serveAndStart, end }
        let next = state.withLock { state -> Next in
            state.idle -= 1
            guard let connection, !state.isStopped else {
                state.threads -= 1
                return .end
            }
            state.connections.insert(connection)
            guard state.idle == 0, state.threads < Self.connectionLimit else { return .serve }
            state.threads += 1
            return .serveAndStart
        }
        switch next {
        case .serve: break
        case .serveAndStart: insistOnThread()
        case .end:
            if let connection { close(connection) }
            return nil
        }
        return connection
    }

    /// A connection; nil when there will be none any more.
    private func accept() -> Int32? {
        while true {
            let connection = Descriptor.accept(from: descriptor)
            if connection >= 0 { return connection }
            switch errno {
            // The client's end, and errors that accept(2) passes on from the network.
            case EINTR, ECONNABORTED, EPERM, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, EOPNOTSUPP,
                ENETUNREACH:
                continue
            case EMFILE, ENFILE, ENOBUFS, ENOMEM:
                // The system looks for a descriptor before it looks at the socket.
                if state.withLock({ $0.isStopped }) { return nil }
                context.meters.count { $0.refusedConnections += 1 }
                // The connection stays in the queue: asking again at once would spin.
                poll(nil, 0, Self.pause)
            case let number:
                if !state.withLock({ $0.isStopped }) {
                    whenBroken(
                        MilterError(
                            .listenerFailed,
                            "The milter's socket takes no connection any more: accept(2), "
                                + "\(String(cString: strerror(number))). The process must be restarted."))
                }
                return nil
            }
        }
    }
}
