import Synchronization

/// Counts the webhook calls that may still begin, in all and to each receiver.
package final class WebhookPlaces: Sendable {
    private let all: DeliveryPlaces
    private let perReceiver: Int
    private let receivers = Mutex<[String: Int]>([:])

    init(_ count: Int, perReceiver: Int) {
        all = DeliveryPlaces(count)
        self.perReceiver = perReceiver
    }

    var free: Int { all.free }

    /// Whether somebody waits for the end of all calls.
    var isClosing: Bool { all.isClosing }

    /// Calls under way by receiver.
    var underWay: [String: Int] { receivers.withLock { $0 } }

    /// Receivers without a free place.
    var busy: Set<String> { receivers.withLock { Set($0.filter { $0.value >= perReceiver }.keys) } }

    func take(_ receiver: String) {
        receivers.withLock { $0[receiver, default: 0] += 1 }
        all.take()
    }

    /// - Returns: true when there was no free place before, so that somebody may wait for one.
    func giveBack(_ receiver: String) -> Bool {
        let wasBusy = receivers.withLock { receivers in
            let count = receivers[receiver, default: 0]
            receivers[receiver] = count > 1 ? count - 1 : nil
            return count >= perReceiver
        }
        return all.giveBack() || wasBusy
    }

    /// Returns when every place is free, at the latest after `limit`.
    func waitUntilAllFree(atMost limit: Duration) async { await all.waitUntilAllFree(atMost: limit) }
}
