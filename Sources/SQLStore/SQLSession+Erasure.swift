import Engine
import WorkflowModel

// Erasing a contact. The contact is gone at once, with what can bring it back to life; what hangs on it is found by the
// index of its history and follows in bounded transactions, one contact after the other. An erasure is durable from its
// first transaction on and goes on after a restart.
//
// Deleted content is overwritten with zeroes: SQLite does that for rows all the time (`secure_delete = FAST`), and in
// these transactions for whole pages too. What remains for a while: the log (until it is written over), pages that were
// given up by earlier changes (until they are used again), backups.

extension SQLSession {
    func activeExecutions(ofContact contact: Identifier, in project: Identifier) throws -> [Identifier] {
        try rows(
            """
            SELECT e.id FROM workflows w CROSS JOIN executions e INDEXED BY executions_active
            ON e.workflow_id = w.id AND e.contact_id = ?2 AND e.status IN ('RUNNING', 'WAITING')
            WHERE w.project_id = ?1
            """, project, contact
        ) { $0[0] }
    }

    func erase(_ contact: Contact, in project: Identifier, replyKey: String, at time: Timestamp) throws {
        memory.contact = nil
        try overwritingWhatIsDeleted {
            try forgetMemberships(of: contact.id)
            try run("DELETE FROM contacts WHERE id = ?", contact.id)
            try run("DELETE FROM waits WHERE contact_id = ?", contact.id)
            try run("DELETE FROM reply_windows WHERE recipient = ?", replyKey)
            try eraseSuppressions(of: contact.email, in: project)
            try eraseReports(about: contact.email, in: project)
        }
        try run(
            "INSERT INTO erasures (contact_id, project_id, email, at, stage) VALUES (?, ?, ?, ?, 0)", contact.id,
            project, contact.email, time)
    }

    // MARK: What follows

    /// What is removed, one after the other. The raw values are stored.
    private enum ErasureStage: Int {
        case occurrences = 0
        case events = 1
        case executions = 2
        case mails = 3
        /// The rows of the index, and of what it has yet to take in.
        case index = 4
        case recipients = 5
    }

    private struct Erasure {
        var contact: Identifier
        var email: String
        var stage: ErasureStage
    }

    func continueErasure(_ sizes: HistorySizes) throws -> Bool {
        let next = try first("SELECT contact_id, email, stage FROM erasures ORDER BY contact_id LIMIT 1") {
            Erasure(contact: $0[0], email: $0[1], stage: ErasureStage(rawValue: $0[2]) ?? .occurrences)
        }
        guard let next else { return false }
        try overwritingWhatIsDeleted {
            let isLeft =
                switch next.stage {
                case .occurrences: try eraseOccurrences(of: next.contact, limit: sizes.erase)
                case .events: try eraseHistory(.event, of: next.contact, limit: sizes.erase)
                case .executions: try eraseHistory(.execution, of: next.contact, limit: sizes.erase)
                case .mails: try eraseHistory(.mail, of: next.contact, limit: sizes.erase)
                case .index: try eraseIndex(of: next.contact, limit: sizes.erase)
                case .recipients: try eraseRecipient(next, limit: 10 * sizes.erase)
                }
            if isLeft { return }
            if let stage = ErasureStage(rawValue: next.stage.rawValue + 1) {
                try run(
                    "UPDATE erasures SET stage = ?, cursor = NULL WHERE contact_id = ?", stage.rawValue, next.contact)
            } else {
                try run("DELETE FROM erasures WHERE contact_id = ?", next.contact)
            }
        }
        return true
    }

    private func moveErasure(of contact: Identifier, to cursor: some SQLValue) throws {
        try run("UPDATE erasures SET cursor = ? WHERE contact_id = ?", cursor, contact)
    }

    // Each returns whether something may be left.

    private func eraseOccurrences(of contact: Identifier, limit: Int) throws -> Bool {
        let bound: (String, Timestamp, Identifier)? = try first(
            """
            SELECT name, at, event_id FROM event_occurrences WHERE contact_id = ? ORDER BY name, at, event_id
            LIMIT 1 OFFSET ?
            """, contact, limit
        ) { ($0[0], $0[1], $0[2]) }
        if let bound {
            try run(
                "DELETE FROM event_occurrences WHERE contact_id = ? AND (name, at, event_id) <= (?, ?, ?)", contact,
                bound.0, bound.1, bound.2)
        } else {
            try run("DELETE FROM event_occurrences WHERE contact_id = ?", contact)
        }
        return bound != nil
    }

    private func eraseHistory(_ kind: HistoryKind, of contact: Identifier, limit: Int) throws -> Bool {
        let cursor: HistoryRef? =
            try first("SELECT cursor FROM erasures WHERE contact_id = ? AND cursor IS NOT NULL", contact) { $0[0] }
        let refs = try historyRefs(of: contact, kind: kind, before: cursor ?? .last(kind), limit: limit)
        switch kind {
        case .event: try eraseEvents(refs, of: contact)
        case .execution: for ref in refs { try eraseExecution(ref, of: contact) }
        case .mail: for ref in refs { try eraseMail(ref, of: contact) }
        }
        guard refs.count == limit, let last = refs.last else { return false }
        try moveErasure(of: contact, to: last)
        return true
    }

    private func eraseEvents(_ refs: [HistoryRef], of contact: Identifier) throws {
        let numbers = try refs.compactMap { ref -> Int64? in
            // The place may have been taken by another event since.
            try first("SELECT rowid FROM events WHERE rowid = ? AND contact_id = ?", ref, contact) { $0[0] }
        }
        _ = try deleteEvents(numbers, isErasure: true) { _ in true }
    }

    private func eraseExecution(_ ref: HistoryRef, of contact: Identifier) throws {
        let found: (Identifier, Identifier, String)? = try first(
            "SELECT id, workflow_id, status FROM executions WHERE id = ? AND contact_id = ?", ref, contact
        ) { ($0[0], $0[1], $0[2]) }
        guard let (id, workflow, status) = found else { return }
        memory.execution = nil
        for (step, status) in try rows(
            "SELECT step, status FROM step_executions WHERE execution_id = ?", id,
            decode: { row -> (String, String) in (row[0], row[1]) })
        {
            tally.add(-1, workflow: workflow, step: step, status: status)
        }
        tally.add(-1, workflow: workflow, status: status)
        try run("DELETE FROM step_executions WHERE execution_id = ?", id)
        try deleteWebhookCalls(of: id)
        try run("DELETE FROM executions WHERE id = ?", id)
        try run("DELETE FROM answered_executions WHERE execution_id = ?", id)
    }

    private func eraseMail(_ ref: HistoryRef, of contact: Identifier) throws {
        let parts: (version: Identifier, attachments: Identifier?)? = try first(
            "SELECT template_version_id, attachment_set FROM outbox WHERE id = ? AND contact_id = ?", ref, contact
        ) { ($0[0], $0[1]) }
        guard let parts else { return }
        try run("DELETE FROM outbox WHERE id = ?", ref)
        if let attachments = parts.attachments { try deleteAttachmentsUnlessNeeded(attachments) }
        try deleteUnnamedVersionUnlessNeeded(parts.version)
        try run("DELETE FROM pixel_hits WHERE entry_id = ?", ref)
        try run("DELETE FROM click_hits WHERE entry_id = ?", ref)
        try eraseReturns(ofMail: ref)
    }

    private func eraseIndex(of contact: Identifier, limit: Int) throws -> Bool {
        for number in try historyRuns().map(\.run) {
            let bound: (Int, HistoryRef)? = try first(
                """
                SELECT kind, ref FROM contact_history WHERE run = ? AND contact_id = ? ORDER BY kind, ref
                LIMIT 1 OFFSET ?
                """, number, contact, limit
            ) { ($0[0], $0[1]) }
            if let bound {
                try run(
                    "DELETE FROM contact_history WHERE run = ? AND contact_id = ? AND (kind, ref) <= (?, ?)", number,
                    contact, bound.0, bound.1)
                return true
            }
            try run("DELETE FROM contact_history WHERE run = ? AND contact_id = ?", number, contact)
        }
        let journal = try rows("SELECT sequence, entries FROM contact_journal") {
            row -> (sequence: Int64, entries: [HistoryEntry]) in (row[0], HistoryJournal.entries(row[1]))
        }
        for (sequence, entries) in journal where entries.contains(where: { $0.contact == contact }) {
            var rest = HistoryJournal()
            for entry in entries where entry.contact != contact {
                if case .id(let id) = entry.ref { rest.add(entry.kind, id, contact: entry.contact) }
            }
            try run("UPDATE contact_journal SET entries = ? WHERE sequence = ?", rest.bytes, sequence)
        }
        return false
    }

    /// Mail to an address of ours that is the contact's too: what says that it came stays, the address goes.
    private func eraseRecipient(_ erasure: Erasure, limit: Int) throws -> Bool {
        let cursor: [UInt8] =
            try first(
                "SELECT cursor FROM erasures WHERE contact_id = ? AND cursor IS NOT NULL", erasure.contact
            ) { $0[0] } ?? []
        let last: [UInt8]? = try first(
            "SELECT key FROM receptions WHERE key > ? ORDER BY key LIMIT 1 OFFSET ?", cursor, limit
        ) { $0[0] }
        try run(
            "UPDATE receptions SET recipient = '' WHERE key > ? AND key <= ? AND recipient = ? COLLATE NOCASE",
            cursor, last ?? [UInt8](repeating: 255, count: 64), erasure.email)
        guard let last else {
            try run("DELETE FROM inbound_outcomes WHERE sender = ? COLLATE NOCASE", erasure.email)
            return false
        }
        try moveErasure(of: erasure.contact, to: last)
        return true
    }

    // MARK: Addresses that were erased

    func suppress(_ hash: [UInt8], reason: SuppressionReason, in project: Identifier, at time: Timestamp) throws {
        try run(
            """
            INSERT INTO suppressed_addresses (project_id, hash, reason, at) VALUES (?, ?, ?, ?)
            ON CONFLICT (project_id, hash, reason) DO UPDATE SET at = excluded.at
            """, project, hash, reason.rawValue, time)
    }

    func isSuppressed(_ hash: [UInt8], in project: Identifier) throws -> Bool {
        try first(
            "SELECT 1 FROM suppressed_addresses WHERE project_id = ? AND hash = ? AND reason = 'erased'", project, hash
        ) { _ in true } ?? false
    }

    /// What is there for good is not shortened.
    func keepSuppressions(of address: String, as hash: [UInt8], in project: Identifier, at time: Timestamp) throws {
        try run(
            """
            INSERT INTO suppressed_addresses (project_id, hash, reason, at, expires_at)
            SELECT project_id, ?3, reason, created_at, expires_at FROM suppressions
            WHERE project_id = ?1 AND address = ?2 AND (expires_at IS NULL OR expires_at > ?4)
            ON CONFLICT (project_id, hash, reason) DO UPDATE SET at = excluded.at,
                expires_at = CASE WHEN expires_at IS NULL OR excluded.expires_at IS NULL THEN NULL
                    ELSE max(expires_at, excluded.expires_at) END
            """, project, address, hash, time)
    }

    func keptSuppressions(of address: String, hash: [UInt8], in project: Identifier) throws -> [Suppression] {
        try rows(
            """
            SELECT reason, at, expires_at FROM suppressed_addresses
            WHERE project_id = ? AND hash = ? AND reason <> 'erased'
            """, project, hash
        ) {
            Suppression(
                projectID: project, address: address, reason: try $0.decoded(0, as: Suppression.Reason.self),
                createdAt: $0[1], expiresAt: $0[2])
        }
    }

    func deleteKeptSuppressions(
        of hash: [UInt8], reason: Suppression.Reason?, in project: Identifier
    ) throws -> Int {
        try run(
            """
            DELETE FROM suppressed_addresses
            WHERE project_id = ?1 AND hash = ?2 AND reason <> 'erased' AND (?3 IS NULL OR reason = ?3)
            """, project, hash, reason?.rawValue)
        return changeCount
    }

    func hasSuppressedAddresses(in project: Identifier) throws -> Bool {
        try first("SELECT 1 FROM suppressed_addresses WHERE project_id = ? LIMIT 1", project) { _ in true } ?? false
    }
}
