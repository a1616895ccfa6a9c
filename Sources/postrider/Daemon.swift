import Engine
import HTTPAdapter
import Logging
import MilterAdapter
import SMTPAdapter
import SQLStore
import ServiceLifecycle
import Settings
import Synchronization
import WebhookAdapter

/// The daemon as one group of services. They stop in the reverse of this order: first no mail is taken in any more, then
/// what is under way goes out, then the HTTP side goes, at last the database is closed.
final class Daemon: Sendable {
    private let configuration: Configuration
    private let logger: Logger
    private let state = Mutex(State())

    private struct State {
        var group: ServiceGroup?
        var isStopping = false
    }

    init(configuration: Configuration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
    }

    /// Asks for an orderly stop. One that comes while the daemon starts lets the database be brought up to date first.
    /// - Returns: false when that was asked before.
    func stop() -> Bool {
        let (group, isFirst) = state.withLock { state in
            defer { state.isStopping = true }
            return (state.group, !state.isStopping)
        }
        if let group { Task { await group.triggerGracefulShutdown() } }
        // A stop must not depend on a service manager that hears nothing, nor must the next signal.
        if isFirst { ServiceManager.notify("STOPPING=1", within: 5) }
        return isFirst
    }

    /// Runs until stopped.
    func run() async throws {
        let assembly = Assembly(configuration: configuration, logger: logger)
        let (store, context) = try await assembly.makeEngine(exclusively: true)
        // A new version may have taken long for the database. Whoever has stopped it meanwhile wants nothing begun.
        if state.withLock({ $0.isStopping }) {
            try? store.close()
            return logger.notice("stopped")
        }
        let intake = try await assembly.makeIntake(context)
        let relays = try assembly.makeRelays()
        let dispatch = Dispatch(context: context, relays: relays.map(\.relay))
        try await dispatch.recover()
        let webhooks = try LibcurlWebhookTransport(configuration: assembly.webhooks)
        let webhookDispatch = WebhookDispatch(
            context: context, transport: webhooks, destinations: assembly.webhookDestinations,
            perReceiver: configuration.webhooks.perReceiver)
        try await webhookDispatch.recover()
        Opens(context: context).recover()
        let scanners = assembly.scanners
        let scans = Scans(context: context, intake: intake, scanners: scanners, width: configuration.verdicts.scans)
        let milter = MilterServer(
            configuration: assembly.milter(routes: intake.routes), intake: intake, logger: logger)
        context.gauges.register("milter") { milter.gauges.numbers }
        if let rawMail = context.rawMail { context.gauges.register("rawMail") { rawMail.numbers } }
        let log = assembly.mailLog.map { source in
            DeliveryLog(context: context, source: source) { intake.records(recipient: $0) }
        }
        let ready = Readiness(logger: logger)
        let http = makeHTTP(context, pages: try assembly.makePages(), ready: ready)
        try milter.open()
        let group = ServiceGroup(
            configuration: .init(
                services: [
                    .init(service: HTTPService(server: http)),
                    .init(service: LoopService { await Advance(context: context).run() }),
                    .init(service: LoopService { await webhookDispatch.run() }),
                    .init(service: LoopService { await Scheduler(context: context).run() }),
                    .init(service: LoopService { await Segmenter(context: context).run() }),
                    .init(service: LoopService { await History(context: context).run() }),
                    .init(service: LoopService { await ContactJobs(context: context).run() }),
                    .init(service: LoopService { await BroadcastWriter(context: context).run() }),
                    // Without scanners too: mail may wait from before they were taken out of the configuration.
                    .init(service: LoopService { await scans.run() }),
                    .init(service: LoopService { await Housekeeping(context: context).run() }),
                    .init(
                        service: LoopService {
                            await ready.waitForHTTP()
                            await dispatch.run()
                        }),
                    .init(service: milter),
                    // A service that ends stops all others.
                ] + (log.map { log in [.init(service: LoopService { await log.run() })] } ?? []),
                logger: Logger(label: "services") { _ in SwiftLogNoOpLogHandler() }))
        let mustStop = state.withLock { state in
            state.group = group
            return state.isStopping
        }
        if mustStop { await group.triggerGracefulShutdown() }
        defer { _ = try? store.close() }
        try await group.run()
        for relay in relays { await relay.transport.shutdown() }
        await webhooks.shutdown()
        logger.notice("stopped")
    }

    private func makeHTTP(_ context: EngineContext, pages: PublicPages, ready: Readiness) -> HTTPServer {
        let http = configuration.http
        let configuration = self.configuration
        let logger = self.logger
        return HTTPServer(
            context: context,
            configuration: HTTPConfiguration(
                address: http.address, port: http.port, bodyLimit: http.bodyLimit,
                importLimit: http.importLimit,
                trackingEnabled: configuration.tracking.opens, trustedProxy: http.trustsForwardedFor,
                rates: Assembly(configuration: configuration, logger: logger).rates, pages: pages)
        ) { _, port in
            context.trackingAddress.value = http.baseURL(port: port)
            logger.notice("http is listening", metadata: ["address": "\(http.address)", "port": "\(port)"])
            ready.httpIsBound()
        }
    }
}

/// The HTTP server, with its errors in words that name the configuration.
private struct HTTPService: Service {
    let server: HTTPServer

    func run() async throws {
        let service: any Service = server
        do { try await service.run() } catch { throw server.explained(error) }
    }
}

/// A loop that ends by cancellation, as a service: a graceful stop cancels it, and it returns when its work is done.
private struct LoopService: Service {
    let body: @Sendable () async -> Void

    func run() async throws {
        await cancelWhenGracefulShutdown { await body() }
    }
}

/// Knows when the daemon can be used, and tells the service manager (sd_notify(3)).
private final class Readiness: Sendable {
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation
    private let logger: Logger

    init(logger: Logger) {
        self.logger = logger
        (stream, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// The milter's socket is open before the HTTP server starts, so this is the last step.
    func httpIsBound() {
        ProgramPages.letGo()
        ServiceManager.notify("READY=1")
        logger.notice("ready")
        continuation.finish()
    }

    /// Mail with a pixel can be built only when the pixel's address is known.
    func waitForHTTP() async {
        for await _ in stream {}
    }
}
