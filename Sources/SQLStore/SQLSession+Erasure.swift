import Engine
import WorkflowModel

// Erasing a contact. The contact is gone at once, with what can bring it back to life; what hangs on it is found by the
// index of its history and follows in bounded transactions. Contacts with little go many at a time, one with much goes in
// parts, and every project has its turn. An erasure is durable from its first transaction on and goes on after a restart.
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
        try overwriteWhatIsDeleted()
        try forgetMemberships(of: contact.id)
        try run("DELETE FROM contacts WHERE id = ?", contact.id)
        try run("DELETE FROM waits WHERE contact_id = ?", contact.id)
        try run("DELETE FROM reply_windows WHERE recipient = ?", replyKey)
        try eraseSuppressions(of: contact.email, in: project)
        try eraseReports(about: contact.email, in: project)
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
        /// The entries of the index, and of what it has yet to take in.
        case index = 4
        case recipients = 5
    }

    private struct Erasure {
        var contact: Identifier
        var email: String
        var stage: ErasureStage
        var hasCursor: Bool
    }

    func continueErasure(_ sizes: HistorySizes) throws -> Bool {
        let projects = try projectsWithErasures()
        guard !projects.isEmpty else { return false }
        let deadline = ContinuousClock.now + sizes.eraseTime
        try overwriteWhatIsDeleted()
        var worked = false
        var whole = try WholeErasures(self)
        for project in projects {
            var left = max(1, sizes.erase / projects.count)
            for erasure in try erasures(of: project, limit: max(1, sizes.contacts / projects.count)) {
                if worked, left <= 0 || ContinuousClock.now >= deadline { break }
                worked = true
                if erasure.stage == .occurrences, !erasure.hasCursor { try eraseElsewhere(erasure, in: project) }
                if let rows = try whole.add(erasure, limit: left) {
                    left -= rows
                } else {
                    try erasePart(of: erasure, limit: left)
                    left = 0
                }
            }
        }
        try whole.finish()
        if worked { return true }
        return try eraseRecipients(limit: 10 * sizes.erase, contacts: 20 * sizes.contacts)
    }

    /// Found by a seek for each.
    private func projectsWithErasures() throws -> [Identifier] {
        var projects: [Identifier] = []
        while let next = try first(
            "SELECT project_id FROM erasures WHERE project_id > ? ORDER BY project_id LIMIT 1",
            projects.last?.bytes ?? [], decode: { row -> Identifier in row[0] })
        {
            projects.append(next)
        }
        return projects
    }

    /// Those that have yet to come to the recipients; who was begun with waits for who has little.
    private func erasures(of project: Identifier, limit: Int) throws -> [Erasure] {
        try rows(
            """
            SELECT contact_id, email, stage, cursor IS NOT NULL FROM erasures
            WHERE project_id = ? AND stage < 5 ORDER BY stage, contact_id LIMIT ?
            """, project, limit
        ) {
            Erasure(
                contact: $0[0], email: $0[1], stage: ErasureStage(rawValue: $0[2]) ?? .occurrences, hasCursor: $0[3])
        }
    }

    // MARK: In parts

    private func erasePart(of erasure: Erasure, limit: Int) throws {
        let contact = erasure.contact
        let isLeft =
            switch erasure.stage {
            case .occurrences: try eraseOccurrences(of: contact, limit: limit)
            case .events: try eraseHistory(.event, of: contact, limit: limit)
            case .executions: try eraseHistory(.execution, of: contact, limit: limit)
            case .mails: try eraseHistory(.mail, of: contact, limit: limit)
            case .index: try eraseIndex(of: contact, limit: limit)
            case .recipients: false
            }
        if isLeft { return }
        let next = ErasureStage(rawValue: erasure.stage.rawValue + 1) ?? .recipients
        try run("UPDATE erasures SET stage = ?, cursor = NULL WHERE contact_id = ?", next.rawValue, contact)
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
        try eraseBroadcastMail(ref, of: contact)
        try run("DELETE FROM outbox WHERE id = ?", ref)
        if let attachments = parts.attachments { try deleteAttachmentsUnlessNeeded(attachments) }
        try deleteUnnamedVersionUnlessNeeded(parts.version)
        try run("DELETE FROM pixel_hits WHERE entry_id = ?", ref)
        try run("DELETE FROM click_hits WHERE entry_id = ?", ref)
        try eraseReturns(ofMail: ref)
    }

    // MARK: Where no history leads

    private func eraseElsewhere(_ erasure: Erasure, in project: Identifier) throws {
        try forgetBlockUnlessNeeded(of: erasure.contact, in: project)
        try eraseTestMails(about: erasure, in: project)
        try run("UPDATE inbound_gaps SET sender = NULL WHERE lower(sender) = ? AND sender IS NOT NULL", erasure.email)
    }

    /// Test mails belong to no contact, and so no history leads to them.
    func noteTest(_ mail: OutboxEntry, showing contact: Identifier?) throws {
        let recipient = Self.testSubject(AddressText.normal(mail.request.recipient), in: mail.projectID)
        for subject in [recipient, contact?.bytes].compactMap(\.self) {
            try run("INSERT INTO test_mails (about, entry_id) VALUES (?, ?)", subject, mail.id)
        }
    }

    private func eraseTestMails(about erasure: Erasure, in project: Identifier) throws {
        for subject in [erasure.contact.bytes, Self.testSubject(erasure.email, in: project)] {
            let mails: [Identifier] = try rows("SELECT entry_id FROM test_mails WHERE about = ?", subject) { $0[0] }
            guard !mails.isEmpty else { continue }
            for mail in mails { try eraseMail(.id(mail), of: mail) }
            try run("DELETE FROM test_mails WHERE about = ?", subject)
        }
    }

    private static func testSubject(_ address: String, in project: Identifier) -> [UInt8] {
        project.bytes + Array(address.utf8)
    }

    private func eraseIndex(of contact: Identifier, limit: Int) throws -> Bool {
        for number in try historyRuns().map(\.run) {
            if try removeEntries(in: number, of: contact, limit: limit) >= limit { return true }
        }
        try eraseFromJournal([contact])
        return false
    }

    private func eraseFromJournal(_ contacts: Set<Identifier>) throws {
        let journal = try rows("SELECT sequence, entries FROM contact_journal") {
            row -> (sequence: Int64, entries: [HistoryEntry]) in (row[0], HistoryJournal.entries(row[1]))
        }
        for (sequence, entries) in journal where entries.contains(where: { contacts.contains($0.contact) }) {
            var rest = HistoryJournal()
            for entry in entries where !contacts.contains(entry.contact) {
                if case .id(let id) = entry.ref { rest.add(entry.kind, id, contact: entry.contact) }
            }
            try run("UPDATE contact_journal SET entries = ? WHERE sequence = ?", rest.bytes, sequence)
        }
    }

    // MARK: As wholes

    /// Contacts with little, erased together: what is new to the index is read once for all of them, and their events go in
    /// one go.
    private struct WholeErasures {
        private let session: SQLSession
        /// Nil where what the journal does not have is too much to be read.
        private let recent: [Identifier: [HistoryEntry]]?
        private let runs: [Int64]
        private var contacts: Set<Identifier> = []
        private var events: [Int64] = []

        init(_ session: SQLSession) throws {
            self.session = session
            recent = try session.recentEntries(limit: 8 * History.sizes.run)
            runs = try session.historyRuns().map(\.run)
        }

        /// - Returns: how many rows it was, at least one; nil when there are more than `limit`.
        mutating func add(_ erasure: Erasure, limit: Int) throws -> Int? {
            guard let recent, erasure.stage == .occurrences, !erasure.hasCursor else { return nil }
            let contact = erasure.contact
            var entries = Set(recent[contact] ?? [])
            var known: [Int64] = []
            for number in runs where entries.count <= limit {
                let found = try session.entries(in: number, of: contact, limit: limit + 1)
                if !found.isEmpty { known.append(number) }
                entries.formUnion(found)
            }
            guard entries.count <= limit else { return nil }
            for entry in entries {
                switch entry.kind {
                case .event: try addEvent(entry.ref, of: contact)
                case .execution: try session.eraseExecution(entry.ref, of: contact)
                case .mail: try session.eraseMail(entry.ref, of: contact)
                }
            }
            try session.run("DELETE FROM event_occurrences WHERE contact_id = ?", contact)
            for number in known { _ = try session.removeEntries(in: number, of: contact, limit: limit + 1) }
            try session.run(
                "UPDATE erasures SET stage = ?, cursor = NULL WHERE contact_id = ?", ErasureStage.recipients.rawValue,
                contact)
            contacts.insert(contact)
            return entries.count + 1
        }

        private mutating func addEvent(_ ref: HistoryRef, of contact: Identifier) throws {
            // The place may have been taken by another event since.
            let row: Int64? = try session.first(
                "SELECT rowid FROM events WHERE rowid = ? AND contact_id = ?", ref, contact
            ) { $0[0] }
            if let row { events.append(row) }
        }

        func finish() throws {
            if !events.isEmpty { _ = try session.deleteEvents(events, isErasure: true) { _ in true } }
            if !contacts.isEmpty { try session.eraseFromJournal(contacts) }
        }
    }

    /// What no run has yet, by contact; nil when that is more than `limit` events, or has not even begun to be indexed.
    private func recentEntries(limit: Int) throws -> [Identifier: [HistoryEntry]]? {
        guard try backlog(.execution) == nil, try backlog(.mail) == nil else { return nil }
        let indexed = try indexedEvents()
        guard try newestEventRow() - indexed <= limit else { return nil }
        var entries = try rows("SELECT rowid, contact_id FROM events WHERE rowid > ?", indexed) {
            row -> HistoryEntry? in
            let contact: Identifier? = row[1]
            return contact.map { HistoryEntry(contact: $0, kind: .event, ref: .row(row[0])) }
        }.compactMap(\.self)
        entries += try rows("SELECT entries FROM contact_journal") { HistoryJournal.entries($0[0]) }.flatMap(\.self)
        return Dictionary(grouping: entries, by: \.contact)
    }

    // MARK: Recipients

    /// Mail to an address of ours that is the contact's too: what says that it came stays, the address goes. All contacts
    /// that have come so far are looked for at once, so that the receptions are gone through once for many.
    /// - Returns: whether there was anything to do.
    private func eraseRecipients(limit: Int, contacts: Int) throws -> Bool {
        let known = try first(
            "SELECT cursor FROM erasures WHERE stage = 5 AND cursor IS NOT NULL ORDER BY cursor DESC LIMIT 1"
        ) { row -> [UInt8] in row[0] }
        let cursor = known ?? []
        if known == nil {
            try run(
                """
                UPDATE erasures SET cursor = x'' WHERE contact_id IN (
                    SELECT contact_id FROM erasures WHERE stage = 5 AND cursor IS NULL LIMIT ?)
                """, contacts)
            guard changeCount > 0 else { return false }
        }
        let last: [UInt8]? = try first(
            "SELECT key FROM receptions WHERE key > ? ORDER BY key LIMIT 1 OFFSET ?", cursor, limit
        ) { $0[0] }
        try run(
            """
            UPDATE receptions SET recipient = '' WHERE key > ?1 AND key <= ?2
                AND recipient COLLATE NOCASE IN (SELECT email FROM erasures WHERE stage = 5 AND cursor = ?1)
            """, cursor, last ?? [UInt8](repeating: 255, count: 64))
        if let last {
            try run("UPDATE erasures SET cursor = ? WHERE stage = 5 AND cursor = ?", last, cursor)
        } else {
            try run(
                """
                DELETE FROM inbound_outcomes
                WHERE sender COLLATE NOCASE IN (SELECT email FROM erasures WHERE stage = 5 AND cursor = ?)
                """, cursor)
            try run("DELETE FROM erasures WHERE stage = 5 AND cursor = ?", cursor)
        }
        return true
    }

    // MARK: Addresses that were erased

    func suppress(_ hash: [UInt8], reason: SuppressionReason, in project: Identifier, at time: Timestamp) throws {
        memory.withoutSuppressedAddresses.remove(project)
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
        memory.withoutSuppressedAddresses.remove(project)
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

    func pruneKeptSuppressions(before time: Timestamp, limit: Int) throws -> Int {
        try run(
            """
            DELETE FROM suppressed_addresses WHERE (project_id, hash, reason) IN (
                SELECT project_id, hash, reason FROM suppressed_addresses
                WHERE expires_at IS NOT NULL AND expires_at <= ? ORDER BY expires_at LIMIT ?)
            """, time, limit)
        return changeCount
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
        if memory.withoutSuppressedAddresses.contains(project) { return false }
        let isAny =
            try first("SELECT 1 FROM suppressed_addresses WHERE project_id = ? LIMIT 1", project) { _ in true } ?? false
        if !isAny { memory.withoutSuppressedAddresses.insert(project) }
        return isAny
    }
}
