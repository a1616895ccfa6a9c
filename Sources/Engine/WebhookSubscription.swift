import WorkflowModel

/// Somebody's endpoint that wants to hear of events.
package struct WebhookSubscription: Hashable, Sendable {
    /// Why we have stopped calling.
    package struct Pause: Hashable, Sendable {
        package var at: Timestamp
        package var reason: String
        /// The last of the events since then that a resumption has caught up with.
        package var caughtUp: Identifier?

        package init(at: Timestamp, reason: String, caughtUp: Identifier? = nil) {
            self.at = at
            self.reason = reason
            self.caughtUp = caughtUp
        }
    }

    package var id: Identifier
    package var projectID: Identifier
    package var url: String
    package var description: String?
    package var events: [EventPattern]
    /// The owner's switch.
    package var isEnabled: Bool
    /// Ours.
    package var pause: Pause?
    package var createdAt: Timestamp
    package var updatedAt: Timestamp

    package init(
        id: Identifier, projectID: Identifier, url: String, description: String? = nil, events: [EventPattern],
        isEnabled: Bool = true, pause: Pause? = nil, createdAt: Timestamp, updatedAt: Timestamp
    ) {
        self.id = id
        self.projectID = projectID
        self.url = url
        self.description = description
        self.events = events
        self.isEnabled = isEnabled
        self.pause = pause
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }

    /// Whether events are kept for it and calls made.
    package var isListening: Bool { isEnabled && pause == nil }

    /// Host and port that attempts are counted by; empty when the address cannot be read, which fails with the attempt.
    package var receiver: String { (try? WebhookURL(url))?.authority ?? "" }

    func wants(_ name: String) -> Bool { events.contains { $0.matches(name) } }
}

/// The subscriptions that listen, found by the name of an event.
struct SubscriptionIndex: Sendable {
    private struct Listeners: Sendable {
        var names: [String: [WebhookSubscription]] = [:]
        /// Those with a pattern that is no name.
        var others: [WebhookSubscription] = []
    }

    private var projects: [Identifier: Listeners] = [:]

    init(_ subscriptions: [WebhookSubscription]) {
        for subscription in subscriptions where subscription.isListening {
            var listeners = projects[subscription.projectID] ?? Listeners()
            let names = Set(subscription.events.compactMap { if case .name(let name) = $0 { name } else { nil } })
            if subscription.events.allSatisfy({ if case .name = $0 { true } else { false } }) {
                for name in names { listeners.names[name, default: []].append(subscription) }
            } else {
                listeners.others.append(subscription)
            }
            projects[subscription.projectID] = listeners
        }
    }

    /// Each once, however many of its patterns match.
    func subscriptions(to name: String, in project: Identifier) -> [WebhookSubscription] {
        guard let listeners = projects[project] else { return [] }
        let exact = (listeners.names[name] ?? []).filter { $0.wants(name) }
        return exact + listeners.others.filter { $0.wants(name) }
    }
}
