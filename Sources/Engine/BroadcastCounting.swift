import WorkflowModel

extension EngineTransaction {
    /// Counts something that became of a mail, if the mail is one of a broadcast.
    func count(_ count: Broadcast.Count, for entry: OutboxEntry) throws {
        guard let broadcast = entry.request.broadcast, !entry.request.isTest else { return }
        try store.count(count, of: broadcast.id, variant: broadcast.variant, by: 1)
    }

    /// Counts the end of a mail, and tells whoever writes the next.
    func count(_ attempt: AttemptRecord, of entry: OutboxEntry) throws {
        guard entry.request.broadcast != nil, !entry.request.isTest else { return }
        switch attempt.status {
        case .pending, .claimed, .held: return
        case .delivered: try count(.sent, for: entry)
        case .bounced:
            try count(.rejected, for: entry)
            try count(.bounced, for: entry)
        case .expired, .failed: try count(.failed, for: entry)
        case .suppressed: try count(.skipped, for: entry)
        case .cancelled: try count(.cancelled, for: entry)
        }
        wakes.broadcastMails += 1
    }

    /// Somebody ended the subscription by a link or a field of the mail; each mail counts once.
    func countUnsubscription(by entry: OutboxEntry) throws {
        guard let broadcast = entry.request.broadcast,
            try store.noteUnsubscription(by: entry.contactID, in: broadcast.id)
        else { return }
        try count(.unsubscribed, for: entry)
    }
}
