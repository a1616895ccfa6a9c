import CLibcurl
import Engine
import Glibc

/// Makes webhook calls over libcurl, on a fixed number of threads.
package final class LibcurlWebhookTransport: WebhookTransport {
    private let configuration: WebhookTransportConfiguration
    private let queue = AttemptQueue()
    private let stopSignal = StopSignal()

    /// Starts the threads.
    ///
    /// Throws when the configuration cannot work, or the system gives no threads.
    package init(configuration: WebhookTransportConfiguration) throws(WebhookTransportError) {
        guard (1...64).contains(configuration.workers) else {
            throw WebhookTransportError("The number of webhook calls at the same time must be from 1 to 64.")
        }
        guard configuration.timeout > .zero, configuration.timeout <= .seconds(3600) else {
            throw WebhookTransportError("The time limit of a webhook must be more than zero and at most an hour.")
        }
        if let file = configuration.caFile, access(file, R_OK) != 0 {
            throw WebhookTransportError("The file with the authorities for webhooks cannot be read: \(file)")
        }
        guard Self.libraryStatus == CURLE_OK else {
            throw WebhookTransportError("libcurl could not be initialised.")
        }
        self.configuration = configuration
        do {
            for _ in 1...configuration.workers {
                try WebhookWorker(configuration: configuration, queue: queue, stopSignal: stopSignal)
                    .start()
            }
        } catch {
            queue.close {}
            throw error
        }
    }

    deinit { queue.close {} }

    package var concurrency: Int { configuration.workers }

    package func call(_ webhook: SignedWebhook) async -> WebhookOutcome {
        await withCheckedContinuation { continuation in
            queue.add(.init(webhook: webhook) { continuation.resume(returning: $0) })
        }
    }

    /// Takes nothing new, finishes what is under way and ends the threads.
    package func shutdown() async {
        await withCheckedContinuation { continuation in
            queue.close { continuation.resume() }
        }
    }

    package func stop() {
        stopSignal.set()
        queue.close {}
    }

    /// curl_global_init(3); libcurl counts its calls, one for each adapter of the process.
    private static let libraryStatus = curl_global_init(Int(CURL_GLOBAL_DEFAULT))
}
