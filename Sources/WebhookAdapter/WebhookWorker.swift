import CLibcurl
import Engine
import Glibc

/// A plain thread that makes the attempts the queue gives it, one after the other. Not a task, because an attempt may
/// take its whole time limit and would hold a thread of the cooperative pool.
final class WebhookWorker: Sendable {
    private let configuration: WebhookTransportConfiguration
    private let queue: AttemptQueue
    private let stopSignal: StopSignal

    init(configuration: WebhookTransportConfiguration, queue: AttemptQueue, stopSignal: StopSignal) {
        self.configuration = configuration
        self.queue = queue
        self.stopSignal = stopSignal
    }

    /// Starts the thread; it keeps the worker until the queue is closed.
    func start() throws(WebhookTransportError) {
        queue.threadStarted()
        // +1 here, -1 at the start of the thread, or below when there is none.
        let context = Unmanaged.passRetained(self)
        var thread = pthread_t()
        let failure = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                Unmanaged<WebhookWorker>.fromOpaque(context).takeRetainedValue().run()
                return nil
            }, context.toOpaque())
        guard failure == 0 else {
            context.release()
            queue.threadEnded()
            throw WebhookTransportError(
                "A thread for webhooks could not be started: \(String(cString: strerror(failure)))")
        }
        pthread_detach(thread)
    }

    private func run() {
        blockSignals()
        var exchange: WebhookExchange?
        while let attempt = queue.next() {
            exchange = exchange ?? WebhookExchange(configuration: configuration, stopSignal: stopSignal)
            attempt.completion(
                exchange?.perform(attempt.webhook)
                    ?? .failed(reason: "libcurl could not be set up", isTemporary: true))
        }
        exchange = nil
        queue.threadEnded()
    }

    /// UNIX signals are for the main thread; and OpenSSL writes to a closed connection with write(2), whose SIGPIPE
    /// would end the process, since libcurl with CURLOPT_NOSIGNAL leaves that signal alone.
    private func blockSignals() {
        var all = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_BLOCK, &all, nil)
    }
}
