import Engine
import HTTPTypes
import Hummingbird
import WorkflowModel

/// How often one key may do what costs most. Nothing is counted unless it is switched on.
package struct RequestRates: Sendable, Hashable {
    /// What is counted together.
    enum Class: String, Hashable, Sendable, CaseIterable {
        case track, send, contacts
    }

    package var isEnabled: Bool
    package var track: Rate
    package var send: Rate
    /// Changes of contacts, by whatever route.
    package var contacts: Rate

    package init(
        isEnabled: Bool = false, track: Rate = Rate(perSecond: 100, burst: 200),
        send: Rate = Rate(perSecond: 20, burst: 50), contacts: Rate = Rate(perSecond: 50, burst: 100)
    ) {
        self.isEnabled = isEnabled
        self.track = track
        self.send = send
        self.contacts = contacts
    }

    func rate(of kind: Class) -> Rate {
        switch kind {
        case .track: track
        case .send: send
        case .contacts: contacts
        }
    }
}

extension Endpoint {
    /// Nil for what is not counted.
    func rateClass(for method: HTTPRequest.Method) -> RequestRates.Class? {
        guard let scope = scope(for: method), scope.access == .write else { return nil }
        switch self {
        case .eventTrack: return .track
        case .templateTest, .broadcastTest: return .send
        case .segmentMembers: return .contacts
        // They send nothing, and holding mail back must not wait for its turn.
        case .outboxPause, .outboxResume: return nil
        default: break
        }
        switch scope.subject {
        case .track: return .track
        case .send: return .send
        case .contacts: return .contacts
        default: return nil
        }
    }
}

/// The bucket of one key and one class.
struct RequestBucket: Hashable, Sendable {
    var key: Identifier
    var kind: RequestRates.Class
}

typealias RequestStanding = TokenBuckets<RequestBucket>.Standing

extension APIResponder {
    /// Counts a request of a key.
    /// - Returns: how the key stands; nil for what is not counted.
    func count(_ key: APIKey, at endpoint: Endpoint, _ method: HTTPRequest.Method) -> RequestStanding? {
        guard configuration.rates.isEnabled, let kind = endpoint.rateClass(for: method) else { return nil }
        return shared.rates.take(
            RequestBucket(key: key.id, kind: kind), configuration.rates.rate(of: kind), at: context.clock.now())
    }

    /// Counts what a request turned out to hold besides the one thing it was counted for, as far as the bucket goes:
    /// the next request waits for it.
    func countMore(
        _ number: Int, _ key: APIKey, at endpoint: Endpoint, _ method: HTTPRequest.Method
    ) -> RequestStanding? {
        guard configuration.rates.isEnabled, let kind = endpoint.rateClass(for: method) else { return nil }
        return shared.rates.take(
            upTo: number, RequestBucket(key: key.id, kind: kind), configuration.rates.rate(of: kind),
            at: context.clock.now())
    }

    /// - Throws: `APIError` 429 when there was no token.
    func refuseIfTooOften(_ standing: RequestStanding?) throws {
        guard let seconds = standing?.retryAfter else { return }
        throw APIError(
            .rateLimitExceeded, "too many requests with this key; try again in \(seconds) seconds",
            headers: [.retryAfter: "\(seconds)"])
    }

    static func add(_ standing: RequestStanding?, to response: inout Response) {
        guard let standing else { return }
        response.headers[.rateLimit] = "\(standing.limit)"
        response.headers[.rateLimitRemaining] = "\(standing.remaining)"
        response.headers[.rateLimitReset] = "\(standing.reset)"
    }
}
