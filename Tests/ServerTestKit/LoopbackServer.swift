import Foundation
import Glibc
import Synchronization

/// What a test's own server stands on: a port on 127.0.0.1, a thread for each connection, and an end of all of them.
///
/// From its first moment peers can connect; they are served from `start` on.
package final class LoopbackServer: Sendable {
    private struct State {
        var connections: Set<Int32> = []
        var isStarted = false
        var isStopped = false
    }

    package let port: UInt16
    private let listener: Int32
    private let state = Mutex(State())

    /// - Parameter wanted: 0 takes a free one.
    /// - Throws: `FixtureError` when the port cannot be had.
    package init(port wanted: UInt16 = 0) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = wanted.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && listen(descriptor, 64) == 0
                    && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard isBound else {
            let reason = String(cString: strerror(errno))
            close(descriptor)
            throw FixtureError(.unavailable, "no port for a test's server: \(reason)")
        }
        listener = descriptor
        port = UInt16(bigEndian: address.sin_port)
    }

    deinit { stop() }

    /// - Parameter serve: gets each connection on a thread of its own; the connection is closed when it returns. It must not
    ///   hold the server's owner.
    package func start(_ serve: @escaping @Sendable (Int32) -> Void) {
        let listener = listener
        let isStopped = state.withLock { state in
            state.isStarted = true
            return state.isStopped
        }
        if isStopped { return }
        Thread.detachNewThread { [weak self] in
            while true {
                let connection = Glibc.accept(listener, nil, nil)
                guard connection >= 0 else {
                    // Here and not by the owner: as soon as it is closed, its number is another server's.
                    close(listener)
                    return
                }
                guard let self, self.admit(connection) else {
                    close(connection)
                    continue
                }
                Thread.detachNewThread {
                    serve(connection)
                    self.state.withLock { _ = $0.connections.remove(connection) }
                    close(connection)
                }
            }
        }
    }

    private func admit(_ connection: Int32) -> Bool {
        state.withLock { state in
            guard !state.isStopped else { return false }
            state.connections.insert(connection)
            return true
        }
    }

    /// Ends the listener and all connections.
    package func stop() {
        state.withLock { state in
            state.connections.forEach { shutdown($0, Int32(SHUT_RDWR)) }
            if state.isStopped { return }
            state.isStopped = true
            // Its thread closes it when it notices.
            if state.isStarted { shutdown(listener, Int32(SHUT_RDWR)) } else { close(listener) }
        }
    }
}
