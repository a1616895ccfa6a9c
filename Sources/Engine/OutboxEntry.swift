import JSONValue
import WorkflowModel

/// One mail on its way out: written in the transaction that decided to send it, delivered later.
package struct OutboxEntry: Hashable, Sendable {
    /// The raw values are what the database and the API show.
    package enum Status: String, Hashable, Sendable, CaseIterable {
        /// Due at `dueAt`, first attempt or not.
        case pending
        /// A worker has it.
        case claimed
        case delivered
        /// Refused for good by the relay.
        case bounced
        /// Temporary failures for longer than the configured lifetime.
        case expired
        /// Cannot be built or sent as it is.
        case failed
        /// Not sent, because its contact has unsubscribed or its execution was cancelled meanwhile.
        case suppressed
        /// Waits, because its broadcast is paused.
        case held
        /// Not sent, because its broadcast was cancelled.
        case cancelled
    }

    package var id: Identifier
    package var projectID: Identifier
    package var contactID: Identifier
    package var executionID: Identifier?
    package var status: Status
    package var dueAt: Timestamp
    package var createdAt: Timestamp
    /// Attempts so far.
    package var attempts: Int
    /// When the first attempt was made; nil before.
    package var firstAttemptAt: Timestamp?
    /// Attempts whose end nobody knows: the relay may have taken the mail. Of a delivered mail, those that may have made a copy
    /// beside the one that was taken.
    package var uncertainAttempts: Int
    /// Generation of the events that this mail brings about.
    package var generation: Int
    package var request: MailRequest
    /// `id@domain` without angle brackets, made once and the same on every attempt.
    package var messageID: String

    package init(
        id: Identifier, projectID: Identifier, contactID: Identifier, executionID: Identifier?,
        status: Status = .pending, dueAt: Timestamp, createdAt: Timestamp, attempts: Int = 0,
        uncertainAttempts: Int = 0, generation: Int, request: MailRequest, messageID: String
    ) {
        self.id = id
        self.projectID = projectID
        self.contactID = contactID
        self.executionID = executionID
        self.status = status
        self.dueAt = dueAt
        self.createdAt = createdAt
        self.attempts = attempts
        self.uncertainAttempts = uncertainAttempts
        self.generation = generation
        self.request = request
        self.messageID = messageID
    }
}

extension OutboxEntry {
    /// What caused it, as clients know it.
    package var sourceType: String {
        if request.broadcast != nil { return "CAMPAIGN" }
        return executionID == nil ? "TRANSACTIONAL" : "WORKFLOW"
    }

    /// Its recipient may have got it more than once, always with the same Message-ID: an attempt ended in the dark, and was
    /// followed by another.
    package var isPossibleDuplicate: Bool { uncertainAttempts > (status == .delivered ? 0 : 1) }

    /// What every event of the mail says of it.
    var eventData: JSONObject {
        var data: JSONObject = [
            "emailId": .string("\(id)"), "messageId": .string(messageID), "to": .string(request.recipient),
            "sourceType": .string(sourceType),
        ]
        if let executionID {
            data["executionId"] = .string("\(executionID)")
            data["stepId"] = .string(request.step)
        }
        if let broadcast = request.broadcast {
            data["broadcastId"] = .string("\(broadcast.id)")
            data["variant"] = broadcast.variantName.map { .string($0) }
        }
        return data
    }

    /// Mail to many, which lets mail that somebody waits for go first.
    package var isBulk: Bool { request.kind != .transactional && request.answers == nil }

    package var queue: OutboxQueue { OutboxQueue(project: projectID, isBulk: isBulk) }
    package var lane: Int64 { MailLane.of(request.recipient) }
}

/// What became of an attempt, as it is stored.
package struct AttemptRecord: Hashable, Sendable {
    package var status: OutboxEntry.Status
    /// When to try again; nil when there is no further attempt.
    package var dueAt: Timestamp?
    package var at: Timestamp
    /// What the relay said, or why there was no answer.
    package var reply: String
    /// The relay's queue id, when it took the mail.
    package var relayQueueID: String?
    package var isUncertain: Bool
    /// Attempts that had ended in the dark, and of which it is known now that they made no second copy.
    package var resolvedAttempts = 0
    /// Whether the relay was asked at all.
    package var isAttempt = true
    /// The relay it was handed to, by name.
    package var relay: String?

    /// Of a mail that is not sent after all; no relay was asked.
    init(withdrawnFor reason: String, at time: Timestamp) {
        self.init(
            status: reason == Broadcast.cancellation ? .cancelled : .suppressed, at: time, reply: reason)
        isAttempt = false
    }

    package init(
        status: OutboxEntry.Status, dueAt: Timestamp? = nil, at: Timestamp, reply: String, relayQueueID: String? = nil,
        isUncertain: Bool = false
    ) {
        self.status = status
        self.dueAt = dueAt
        self.at = at
        self.reply = reply
        self.relayQueueID = relayQueueID
        self.isUncertain = isUncertain
    }
}
