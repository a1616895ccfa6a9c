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
        var ahead: DeliveryQueue.Delivery?
        var isHeardAhead = true
        while true {
            if let delivery = ahead.take() {
                if stopSignal.isSet {
                    connection = nil
                    delivery.completion(DeliveryQueue.notBegun)
                    continue
                }
                delivery.completion(
                    deliver(delivery.mail, over: &connection, ahead: &ahead, isHeardAhead: &isHeardAhead))
                continue
            }
            // Without a connection there is nothing to close, hence no reason to wake up.
            switch queue.next(within: connection == nil ? nil : configuration.idleTimeout) {
            case .delivery(let delivery):
                delivery.completion(
                    deliver(delivery.mail, over: &connection, ahead: &ahead, isHeardAhead: &isHeardAhead))
            case .idle: connection = nil
            case .closed:
                connection = nil
                queue.threadEnded()
                return
            }
        }
    }

    /// One attempt, with a second try on a new connection when the relay had closed the kept one. Blocks.
    /// - Parameters:
    ///   - ahead: the delivery that was begun together with it, and has to be the next.
    ///   - isHeardAhead: whether the relay has heard what was said ahead, as far as is known.
    private func deliver(
        _ mail: OutgoingMail, over connection: inout SMTPConnection?, ahead: inout DeliveryQueue.Delivery?,
        isHeardAhead: inout Bool
    ) -> DeliveryOutcome {
        for isLast in [false, true] {
            guard let result = attempt(mail, over: &connection, ahead: &ahead, isHeardAhead: &isHeardAhead) else {
                break
            }
            if isLast || !result.isStaleConnection { return result.outcome(relay: configuration.relayName) }
            logger.debug("smtp: idle connection was closed by the relay")
        }
        return .unreachable(reason: "libcurl could not be set up.")
    }

    /// - Returns: nil when libcurl cannot be set up.
    private func attempt(
        _ mail: OutgoingMail, over kept: inout SMTPConnection?, ahead: inout DeliveryQueue.Delivery?,
        isHeardAhead: inout Bool
    ) -> TransferResult? {
        // In no mail's way: what is kept is kept again below.
        let connection: SMTPConnection
        if let kept, kept.carries(mail) || !kept.isOld {
            connection = kept
            connection.exchange = connection.exchange.next
        } else {
            guard let made = SMTPConnection(configuration: configuration, stopSignal: stopSignal) else { return nil }
            if let failure = made.open() { return failure }
            connection = made
        }
        let wasSaidAhead = connection.isEnvelopeSaid
        let result = connection.send(mail) {
            ahead = isHeardAhead ? queue.nextAhead() : nil
            return ahead?.mail
        }
        if wasSaidAhead, result.code == CURLE_OPERATION_TIMEDOUT, result.exchange.replyCount == 0, isHeardAhead {
            isHeardAhead = false
            logger.warning("smtp: the relay offers PIPELINING and does not hear what goes along with a message")
        }
        kept = (result.isAcceptance || result.isUnsupported) && !connection.hasMoreThanAsked ? connection : nil
        return result
    }

    /// UNIX signals are for the main thread; and OpenSSL writes to a closed connection with write(2), whose SIGPIPE
    /// would end the process, since libcurl with CURLOPT_NOSIGNAL leaves that signal alone.
    private func blockSignals() {
        var all = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_BLOCK, &all, nil)
    }
}
