import Engine
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore

/// The HTTP server as a service: `run` binds, serves until graceful shutdown is asked for, lets the requests under way
/// finish, and returns. An address that cannot be had makes `run` throw.
///
/// What protects it from slow and greedy clients: header sections are limited to `headerLimit`, bodies to the configured
/// limit and time, idle connections are closed, and connections are counted. Should descriptors run out all the same,
/// SwiftNIO stops accepting for a second at a time, and nothing ends (measured).
package struct HTTPServer: ApplicationProtocol {
    /// Bytes of one header field, and of all together; a longer one ends the connection with a bare 400.
    static let headerLimit = 32 * 1024
    static let headerCountLimit = 100

    private let context: EngineContext
    let settings: HTTPConfiguration
    private let shared = SharedByRequests()
    private let onBound: @Sendable (_ host: String, _ port: Int) -> Void

    /// What the framework itself logs: its notes on every start and connection are left out.
    package let logger: Logger

    /// - Parameter onBound: called once, before the first request is answered, with the address and port really taken.
    package init(
        context: EngineContext, configuration: HTTPConfiguration,
        onBound: @escaping @Sendable (_ host: String, _ port: Int) -> Void = { _, _ in }
    ) {
        self.context = context
        settings = configuration
        self.onBound = onBound
        var logger = context.logger
        logger.logLevel = max(logger.logLevel, .notice)
        self.logger = logger
    }

    /// What answers requests.
    package var responder: APIResponder { APIResponder(context: context, configuration: settings, shared: shared) }

    /// HTTP/1.1 with its limits.
    package var server: HTTPServerBuilder {
        .http1(
            configuration: .init(
                idleTimeout: .seconds(settings.idleTimeout),
                httpDecoderConfiguration: .init(
                    maxHeaderFieldSize: Self.headerLimit, maxHeaderListSize: Self.headerLimit,
                    maxHeaderFieldCount: Self.headerCountLimit)))
    }

    /// Where to listen.
    package var configuration: ApplicationConfiguration {
        ApplicationConfiguration(
            address: .hostname(settings.address, port: settings.port),
            availableConnectionsDelegate: .maximum(settings.connectionLimit, logger: logger))
    }

    /// Called by the framework when the socket is bound.
    package func onServerRunning(_ channel: any Channel) async {
        let address = channel.localAddress
        onBound(address?.ipAddress ?? settings.address, address?.port ?? settings.port)
    }
}
