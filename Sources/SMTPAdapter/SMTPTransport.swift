import CLibcurl
import Engine
import Logging
import MailModel

/// Delivers messages to one relay over SMTP with a fixed number of kept connections.
package final class SMTPTransport: MailTransport {
    private let configuration: SMTPConfiguration
    private let queue = DeliveryQueue()
    private let stopSignal = StopSignal()

    /// Starts the threads; connections are opened when the first messages come.
    ///
    /// Throws when the configuration cannot work, or the system gives no threads.
    package init(configuration: SMTPConfiguration, logger: Logger) throws(SMTPConfigurationError) {
        try configuration.validate()
        guard Self.libraryStatus == CURLE_OK else {
            throw SMTPConfigurationError(code: .systemFailure, description: "libcurl could not be initialised.")
        }
        self.configuration = configuration
        do {
            for _ in 1...configuration.workers {
                let worker = SMTPWorker(
                    configuration: configuration, queue: queue, stopSignal: stopSignal, logger: logger)
                try worker.start()
            }
        } catch {
            queue.close {}
            throw error
        }
    }

    deinit { queue.close {} }

    /// The number of connections.
    package var concurrency: Int { configuration.workers }

    /// One attempt to hand one message to the relay. A kept connection that the relay has closed meanwhile is
    /// replaced and is no failed attempt.
    ///
    /// When the task is cancelled, a delivery not begun ends as unreachable at once. One that has begun is not
    /// interrupted: its outcome is worth more than the time.
    package func deliver(_ mail: OutgoingMail) async -> DeliveryOutcome {
        if let objection = mail.objection { return .refused(reason: objection) }
        let number = queue.newNumber()
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                queue.add(.init(number: number, mail: mail) { continuation.resume(returning: $0) })
                // The handler may have run before there was anything to withdraw.
                if Task.isCancelled { queue.withdraw(number) }
            }
        } onCancel: {
            queue.withdraw(number)
        }
    }

    package func submit(_ mail: OutgoingMail, completion: @escaping @Sendable (DeliveryOutcome) -> Void) {
        if let objection = mail.objection { return completion(.refused(reason: objection)) }
        queue.add(.init(number: queue.newNumber(), mail: mail, completion: completion))
    }

    /// Takes nothing new, finishes what is under way, closes the connections and ends the threads.
    ///
    /// Deliveries not begun end as unreachable at once. What is under way may take as long as its time limits; `stop`
    /// cuts that short.
    package func shutdown() async {
        await withCheckedContinuation { continuation in
            queue.close { continuation.resume() }
        }
    }

    /// Ends what is under way, within about a second: unreachable when the message was not begun, unknown when it was.
    /// Nothing is sent afterwards; `shutdown` still has to be waited for.
    package func stop() {
        stopSignal.set()
        queue.close {}
    }

    /// curl_global_init(3), once in the process.
    static let libraryStatus = curl_global_init(Int(CURL_GLOBAL_DEFAULT))
}
