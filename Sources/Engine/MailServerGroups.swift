import MailModel
import Synchronization
import WorkflowModel

/// Names of mail servers: one, or with `*.` in front all that end so.
struct MailServerPattern: Hashable, Sendable {
    private let name: String
    private let isSuffix: Bool

    init(_ text: String) {
        isSuffix = text.hasPrefix("*.")
        name = (isSuffix ? String(text.dropFirst(1)) : text).lowercased()
    }

    /// - Parameter server: in lower case.
    func matches(_ server: String) -> Bool { isSuffix ? server.hasSuffix(name) : server == name }
}

/// Finds out who takes the mail of the domains that mail goes to, beside their mail and never before it: a domain nobody has
/// asked about yet goes at its own pace, and so does one about which the DNS says nothing.
final class MailServerGroups: Sendable {
    /// What is known of a domain, and until when.
    private struct Known {
        var until: Timestamp
        var isAsking: Bool
    }

    /// Domains that are remembered; of more nobody asks, and they go at their own pace.
    private static let limit = 100_000
    /// Questions at the same time.
    private static let questions = 8
    /// Seconds between two questions, whatever the record says.
    private static let shortest: Int64 = 300
    private static let longest: Int64 = 86_400
    /// Seconds after which a domain of which nothing was heard is asked for again.
    private static let afterFailure: Int64 = 600

    private struct State {
        var known: [Int64: Known] = [:]
        var asking = 0
        /// Domains whose turn to be asked about comes.
        var waiting: [(lane: Int64, domain: String)] = []
    }

    private let names: any NameService
    private let clock: any WallClock
    private let tell: @Sendable (_ servers: [String], _ lane: Int64) -> Void
    private let state = Mutex(State())

    /// - Parameter tell: hears of a domain whose servers are known; none, when it has none.
    init(
        names: any NameService, clock: any WallClock,
        tell: @escaping @Sendable (_ servers: [String], _ lane: Int64) -> Void
    ) {
        self.names = names
        self.clock = clock
        self.tell = tell
    }

    /// Mail goes to that address. Returns at once.
    func note(_ recipient: String, lane: Int64) {
        let now = clock.now()
        var forgotten: [Int64] = []
        let isDue = state.withLock { state in
            if let known = state.known[lane] {
                guard !known.isAsking, known.until <= now else { return false }
            } else if state.known.count >= Self.limit {
                // What has had its time makes room.
                forgotten = state.known.filter { !$0.value.isAsking && $0.value.until <= now }.map(\.key)
                for lane in forgotten { state.known[lane] = nil }
                guard state.known.count < Self.limit else { return false }
            }
            state.known[lane] = Known(until: now, isAsking: true)
            return true
        }
        for lane in forgotten { tell([], lane) }
        guard isDue, let at = recipient.lastIndex(of: "@"),
            let domain = MailDomain.ascii(String(recipient[recipient.index(after: at)...]))
        else { return }
        let starts = state.withLock { state in
            guard state.asking < Self.questions else {
                state.waiting.append((lane, domain))
                return false
            }
            state.asking += 1
            return true
        }
        if starts { Task { await ask(domain, lane) } }
    }

    /// One question after the other, until nobody waits.
    private func ask(_ domain: String, _ lane: Int64) async {
        var next: (lane: Int64, domain: String)? = (lane, domain)
        while let (lane, domain) = next {
            let answer = await names.ask(domain, .exchanger)
            take(answer, domain: domain, lane: lane)
            next = state.withLock { state in
                guard let last = state.waiting.popLast() else {
                    state.asking -= 1
                    return nil
                }
                return last
            }
        }
    }

    private func take(_ answer: NameAnswer, domain: String, lane: Int64) {
        let now = clock.now()
        let servers: [String]?
        let lifetime: Int64
        switch answer.outcome {
        case .found:
            servers = answer.exchangers.map(\.host).filter { !$0.isEmpty }
            lifetime = min(max(answer.lifetime, Self.shortest), Self.longest)
        // Its own address takes its mail, where it has one.
        case .noRecord:
            servers = [domain]
            lifetime = Self.afterFailure
        case .noName:
            servers = []
            lifetime = Self.afterFailure
        // What was known before stays; who was never known goes at his own pace.
        case .failed:
            servers = nil
            lifetime = Self.afterFailure
        }
        state.withLock { state in
            state.known[lane] = Known(until: now.adding(seconds: lifetime), isAsking: false)
        }
        if let servers { tell(servers, lane) }
    }
}
