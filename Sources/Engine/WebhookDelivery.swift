import JSONValue
import WorkflowModel

/// One event on its way to one subscription. What is sent is made from the event's row with every attempt.
package struct WebhookDelivery: Hashable, Sendable {
    /// The raw values are what the database and the API show.
    package enum Status: String, Hashable, Sendable, CaseIterable {
        /// Due at `dueAt`, first attempt or not.
        case pending
        /// An attempt is under way.
        case claimed
        case delivered
        /// Given up.
        case failed
    }

    /// The `webhook-id` that the receiver sees, the same with every attempt.
    package var id: Identifier
    package var subscriptionID: Identifier
    package var eventID: Identifier
    package var status: Status
    package var dueAt: Timestamp
    /// Attempts so far, those included whose end nobody knows.
    package var attempts: Int
    /// The status of the last answer.
    package var answer: Int?
    /// What was wrong with the last attempt.
    package var reason: String?
    package var createdAt: Timestamp
    package var endedAt: Timestamp?
    /// When the row may go; nil while it has not ended.
    package var keptUntil: Timestamp?

    package init(
        id: Identifier, subscriptionID: Identifier, eventID: Identifier, status: Status = .pending, dueAt: Timestamp,
        attempts: Int = 0, answer: Int? = nil, reason: String? = nil, createdAt: Timestamp, endedAt: Timestamp? = nil,
        keptUntil: Timestamp? = nil
    ) {
        self.id = id
        self.subscriptionID = subscriptionID
        self.eventID = eventID
        self.status = status
        self.dueAt = dueAt
        self.attempts = attempts
        self.answer = answer
        self.reason = reason
        self.createdAt = createdAt
        self.endedAt = endedAt
        self.keptUntil = keptUntil
    }

    /// Seconds that rows stay after their end.
    static let keepsDelivered: Int64 = 7 * 86_400
    static let keepsFailed: Int64 = 30 * 86_400
}

/// A delivery as lists show it.
package struct WebhookDeliveryListing: Hashable, Sendable {
    package var delivery: WebhookDelivery
    /// The event's name; nil when the event is no longer there.
    package var event: String?

    package init(delivery: WebhookDelivery, event: String?) {
        self.delivery = delivery
        self.event = event
    }
}

/// The event of a delivery and whom it concerns.
package struct WebhookContent: Hashable, Sendable {
    package var event: Event
    package var contact: (id: Identifier, email: String)?

    package init(event: Event, contact: (id: Identifier, email: String)?) {
        self.event = event
        self.contact = contact
    }

    package static func == (left: WebhookContent, right: WebhookContent) -> Bool {
        left.event == right.event && left.contact?.id == right.contact?.id
            && left.contact?.email == right.contact?.email
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(event) }

    /// As receivers get it: the event's data with the contact beside them.
    var json: JSON {
        var data = event.data
        if let contact { data["contact"] = ["id": .string("\(contact.id)"), "email": .string(contact.email)] }
        return [
            "id": .string("\(event.id)"), "type": .string(event.name), "timestamp": .string("\(event.createdAt)"),
            "data": .object(data),
        ]
    }
}

/// What is pending for one subscription.
package struct WebhookQueue: Hashable, Sendable {
    package var subscriptionID: Identifier
    /// When the first is due.
    package var dueAt: Timestamp
    /// Attempts under way.
    package var claimed: Int
    /// Since when there have been nothing but failures.
    package var failingSince: Timestamp?

    package init(subscriptionID: Identifier, dueAt: Timestamp, claimed: Int, failingSince: Timestamp?) {
        self.subscriptionID = subscriptionID
        self.dueAt = dueAt
        self.claimed = claimed
        self.failingSince = failingSince
    }
}

/// A stored event without its data.
package struct EventReference: Hashable, Sendable {
    package var id: Identifier
    package var projectID: Identifier
    package var name: String
    package var createdAt: Timestamp

    package init(id: Identifier, projectID: Identifier, name: String, createdAt: Timestamp) {
        self.id = id
        self.projectID = projectID
        self.name = name
        self.createdAt = createdAt
    }
}
