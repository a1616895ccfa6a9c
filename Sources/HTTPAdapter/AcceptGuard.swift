import Logging
import NIOCore
import Synchronization

/// Keeps the listening socket in service when a single connection cannot be accepted.
///
/// SwiftNIO leaves the socket open after such errors (no descriptors left, connection gone before it was accepted), but
/// the framework ends its accept loop, and with it the service, at the first error it sees. So it sees none of these; an
/// error that does close the socket reaches it as the end of the connections.
final class AcceptGuard: ChannelInboundHandler, Sendable {
    typealias InboundIn = any Channel

    private let logger: Logger
    private let lastWarning = Mutex<NIODeadline?>(nil)

    init(logger: Logger) { self.logger = logger }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let now = NIODeadline.now()
        let isDue = lastWarning.withLock { last in
            if let last, now - last < .seconds(10) { return false }
            last = now
            return true
        }
        // A full descriptor table fails again at once; one line in ten seconds tells as much as a thousand.
        if isDue { logger.warning("connection not accepted", metadata: ["error": "\(error)"]) }
    }
}
