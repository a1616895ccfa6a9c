import CLibcurl
import Glibc
import Logging
import MailModel

/// A plain thread with one connection, which sends what the queue gives it, one message after the other.
///
/// Threads and not libcurl's multi interface, because that stands still for all its transfers while it waits for the
/// reply to a final dot. Not tasks either, because the wait may take minutes and would hold a thread of the
/// cooperative pool.
final class SMTPWorker: Sendable {
    private let configuration: SMTPConfiguration
    private let queue: DeliveryQueue
    private let stopSignal: StopSignal
    private let logger: Logger

    init(configuration: SMTPConfiguration, queue: DeliveryQueue, stopSignal: StopSignal, logger: Logger) {
        self.configuration = configuration
        self.queue = queue
        self.stopSignal = stopSignal
        self.logger = logger
    }

    /// Starts the thread; it keeps the worker until the queue is closed.
    func start() throws(SMTPConfigurationError) {
        queue.threadStarted()
        // +1 here, -1 at the start of the thread, or below when there is none.
        let context = Unmanaged.passRetained(self)
        var thread = pthread_t()
        let failure = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                Unmanaged<SMTPWorker>.fromOpaque(context).takeRetainedValue().run()
                return nil
            }, context.toOpaque())
        guard failure == 0 else {
            context.release()
            queue.threadEnded()
            throw SMTPConfigurationError(
                code: .systemFailure,
                description: "A thread for SMTP could not be started: \(String(cString: strerror(failure)))")
        }
        pthread_detach(thread)
    }

    private func run() {
        blockSignals()
        var connection: SMTPConnection?
        while true {
            // Without a connection there is nothing to close, hence no reason to wake up.
            switch queue.next(within: connection == nil ? nil : configuration.idleTimeout) {
            case .delivery(let delivery):
                if connection == nil { connection = makeConnection() }
                delivery.completion(
                    connection?.deliver(delivery.mail) ?? .unreachable(reason: "libcurl could not be set up."))
            case .idle: connection = nil
            case .closed:
                connection = nil
                queue.threadEnded()
                return
            }
        }
    }

    private func makeConnection() -> SMTPConnection? {
        SMTPConnection(configuration: configuration, stopSignal: stopSignal, logger: logger)
    }

    /// UNIX signals are for the main thread; and OpenSSL writes to a closed connection with write(2), whose SIGPIPE
    /// would end the process, since libcurl with CURLOPT_NOSIGNAL leaves that signal alone.
    private func blockSignals() {
        var all = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_BLOCK, &all, nil)
    }
}
