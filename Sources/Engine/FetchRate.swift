import Synchronization
import WorkflowModel

/// Bounds how many fetches of pixels and links are recorded: per mail and per network, in each minute. What goes beyond is
/// answered and forgotten, so that a flood of fetches never becomes a flood of transactions.
///
/// Counted by hash, in tables of a fixed size: however many mails are opened in a minute, none is forgotten for want of room,
/// and the chance that two share a count and reach the limit together is negligible for those that are looked at like mail.
final class FetchRate: Sendable {
    private static let perMail: UInt8 = 20
    private static let perNetwork: UInt16 = 600
    /// Powers of two: a megabyte for mails, half a megabyte for networks.
    private static let mailSlots = 1 << 20
    private static let networkSlots = 1 << 18

    private struct State {
        var minute: Int64 = .min
        var mails: [UInt8] = []
        var networks: [UInt16] = []

        mutating func begin(_ minute: Int64) {
            self.minute = minute
            mails = Array(repeating: 0, count: FetchRate.mailSlots)
            networks = Array(repeating: 0, count: FetchRate.networkSlots)
        }
    }

    private let state = Mutex(State())

    /// Whether this fetch is still within both limits; counts it when it is. Mail that tells nothing of its readers is one
    /// mail for all of them, and is bounded by their networks alone.
    /// - Parameter network: where it comes from, which need not be recorded.
    func allows(_ fetch: NotedFetch, from network: String) -> Bool {
        // Their seeds differ from process to process: nobody can choose what shares a count.
        let mail: Int? =
            if case .mail(let entry) = fetch.subject { entry.hashValue & (Self.mailSlots - 1) } else { nil }
        let place = network.isEmpty ? nil : network.hashValue & (Self.networkSlots - 1)
        return state.withLock { state in
            let minute = fetch.at.microseconds / 60_000_000
            if minute != state.minute { state.begin(minute) }
            if let mail, state.mails[mail] >= Self.perMail { return false }
            if let place, state.networks[place] >= Self.perNetwork { return false }
            if let mail { state.mails[mail] += 1 }
            // An unknown network is no network: clients that ask for privacy do not share one limit.
            if let place { state.networks[place] += 1 }
            return true
        }
    }
}
