import Synchronization
import WorkflowModel

/// Bounds how many pixel fetches are recorded: per mail and per network, in each minute. What goes beyond is answered
/// and forgotten, so that a flood of fetches never becomes a flood of transactions.
final class FetchRate: Sendable {
    private static let perMail = 20
    private static let perNetwork = 600
    /// Keys of one minute; beyond it only known ones are counted on, which bounds memory.
    private static let keyLimit = 50_000

    private struct State {
        var minute: Int64 = 0
        var mails: [Identifier: Int] = [:]
        var networks: [String: Int] = [:]
    }

    private let state = Mutex(State())

    /// Whether this fetch is still within both limits; counts it when it is. Mail that tells nothing of its readers is one
    /// mail for all of them, and is bounded by their networks alone.
    func allows(_ fetch: NotedFetch, from network: String) -> Bool {
        let mail: Identifier? = if case .mail(let entry) = fetch.subject { entry } else { nil }
        return state.withLock { state in
            let minute = fetch.at.microseconds / 60_000_000
            if minute != state.minute { state = State(minute: minute) }
            guard mail.map({ state.mails[$0, default: 0] < Self.perMail }) ?? true,
                state.networks[network, default: 0] < Self.perNetwork,
                mail.map({ state.mails[$0] != nil || state.mails.count < Self.keyLimit }) ?? true,
                state.networks[network] != nil || state.networks.count < Self.keyLimit
            else { return false }
            if let mail { state.mails[mail, default: 0] += 1 }
            // An unknown network is no network: clients that ask for privacy do not share one limit.
            if !network.isEmpty { state.networks[network, default: 0] += 1 }
            return true
        }
    }
}
