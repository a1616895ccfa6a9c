import MailModel
import Synchronization

/// How much may be under way at once.
package struct InFlightLimits: Hashable, Sendable {
    /// Bytes of all bodies.
    package var bytes: Int
    /// Wanted messages.
    package var messages: Int
    /// The same for one client address.
    package var clientBytes: Int
    /// The same for one client address.
    package var clientMessages: Int

    package init(
        bytes: Int = 512 << 20, messages: Int = 1000, clientBytes: Int = 256 << 20, clientMessages: Int = 50
    ) {
        self.bytes = bytes
        self.messages = messages
        self.clientBytes = clientBytes
        self.clientMessages = clientMessages
    }
}

/// What all sessions together hold of messages that are not at their end yet.
final class InFlight: Sendable {
    private struct Load {
        var bytes = 0
        var messages = 0
    }

    private struct State {
        var all = Load()
        var clients: [String: Load] = [:]
    }

    private let limits: InFlightLimits
    private let state = Mutex(State())

    init(limits: InFlightLimits) { self.limits = limits }

    /// Bytes held now.
    var bytes: Int { state.withLock { $0.all.bytes } }

    /// The client's part of one message. Gives back what it holds when it goes. `@unchecked`: it grows on the connection's thread, and
    /// is handed on when it grows no more.
    final class Share: @unchecked Sendable {
        private let owner: InFlight
        private let client: String?
        private var bytes = 0

        /// Nil when there is no room for another message.
        init?(of owner: InFlight, client address: String) {
            // Everything on this machine is one client.
            let client = ClientNetwork(address: address) == .loopback ? nil : address
            let limits = owner.limits
            let isTaken = owner.state.withLock { state in
                guard state.all.messages < limits.messages else { return false }
                if let client {
                    guard state.clients[client]?.messages ?? 0 < limits.clientMessages else { return false }
                    state.clients[client, default: Load()].messages += 1
                }
                state.all.messages += 1
                return true
            }
            guard isTaken else { return nil }
            self.owner = owner
            self.client = client
        }

        /// Takes room for so many bytes more.
        func grow(by count: Int) -> Bool {
            let limits = owner.limits
            let isTaken = owner.state.withLock { state in
                guard state.all.bytes + count <= limits.bytes else { return false }
                if let client {
                    guard (state.clients[client]?.bytes ?? 0) + count <= limits.clientBytes else { return false }
                    state.clients[client, default: Load()].bytes += count
                }
                state.all.bytes += count
                return true
            }
            if isTaken { bytes += count }
            return isTaken
        }

        deinit {
            let (client, bytes) = (client, bytes)
            owner.state.withLock { state in
                state.all.bytes -= bytes
                state.all.messages -= 1
                guard let client, var load = state.clients[client] else { return }
                load.bytes -= bytes
                load.messages -= 1
                state.clients[client] = load.messages > 0 ? load : nil
            }
        }
    }
}
