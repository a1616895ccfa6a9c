import Engine
import JSONValue
import WorkflowModel

extension SQLSession {
    // MARK: Timeline

    func timeline(
        of contact: Identifier, in project: Identifier, kinds: Set<HistoryKind>, before position: TimelinePosition,
        limit: Int
    ) throws -> TimelinePage {
        var position = position
        var streams = HistoryKind.allCases.filter(kinds.contains).map {
            TimelineStream(kind: $0, before: position[$0] ?? .last($0))
        }
        var items: [TimelineItem] = []
        while items.count < limit {
            for number in streams.indices { try fill(&streams[number], contact, project, limit: limit) }
            // Each kind is in its own order; among them, the latest goes first.
            let next = streams.indices.filter { streams[$0].head != nil }
                .max { (streams[$0].headTime, $1) < (streams[$1].headTime, $0) }
            guard let next, let (ref, item) = streams[next].take() else { break }
            position[streams[next].kind] = ref
            items.append(item)
        }
        for number in streams.indices { try fill(&streams[number], contact, project, limit: 1) }
        return TimelinePage(items: items, next: streams.contains { $0.head != nil } ? position : nil)
    }

    /// Makes sure that the stream has a head, if there is any more of it.
    private func fill(
        _ stream: inout TimelineStream, _ contact: Identifier, _ project: Identifier, limit: Int
    ) throws {
        while stream.head == nil, !stream.isExhausted {
            let refs = try historyRefs(of: contact, kind: stream.kind, before: stream.before, limit: limit + 1)
            stream.isExhausted = refs.count <= limit
            if let last = refs.last { stream.before = last }
            stream.set(
                try refs.compactMap { ref in try item(stream.kind, ref, contact, project).map { (ref, $0) } })
        }
    }

    /// Nil when it is gone, or is not the contact's.
    private func item(
        _ kind: HistoryKind, _ ref: HistoryRef, _ contact: Identifier, _ project: Identifier
    ) throws -> TimelineItem? {
        switch kind {
        case .event:
            try first(
                """
                SELECT id, name, data, source, generation, created_at FROM events
                WHERE rowid = ? AND contact_id = ? AND project_id = ?
                """, ref, contact, project
            ) { .event(try Self.event($0)) }
        case .execution:
            try first(
                """
                SELECT id, workflow_id, status, current_step, exit_reason, started_at, completed_at FROM executions
                WHERE id = ? AND contact_id = ? AND project_id = ?
                """, ref, contact, project
            ) { row in
                .execution(
                    .init(
                        id: row[0], workflowID: row[1], status: try row.decoded(2, as: Execution.Status.self),
                        currentStep: row[3], exitReason: row[4], startedAt: row[5], completedAt: row[6]))
            }
        case .mail:
            try first(
                """
                SELECT id, execution_id, status, request, message_id, created_at, completed_at, opens, opened_at,
                    last_reply, fate
                FROM outbox WHERE id = ? AND contact_id = ? AND project_id = ?
                """, ref, contact, project
            ) { row in
                let request = try row.object(3)
                let returns = try self.returns(of: row[0]).map(\.kind)
                return .mail(
                    .init(
                        id: row[0], executionID: row[1], status: try row.decoded(2, as: OutboxEntry.Status.self),
                        kind: request["kind"]?.stringValue.flatMap(TemplateSummary.Kind.init) ?? .marketing,
                        recipient: request["to"]?.stringValue ?? "", messageID: row[4], createdAt: row[5],
                        completedAt: row[6], opens: row[7], openedAt: row[8], lastReply: row[9], returns: returns,
                        fate: Self.fate(row, 10)))
            }
        }
    }

    /// From the columns id, name, data, source, generation, created_at.
    static func event(_ row: SQLRow) throws -> Event {
        let name: String = row[1]
        let source = try row.decoded(3, as: Event.Source.self)
        return Event(
            id: row[0], name: name, data: StoredEventData.whole(try row.object(2), of: name, from: source),
            source: source, generation: row[4], createdAt: row[5])
    }

    // MARK: Events of a project

    func events(
        in project: Identifier, named name: String?, before row: Int64?, limit: Int, scan: Int
    ) throws -> EventPage {
        let start = try row ?? newestEventRow() + 1
        let floor = start - Int64(scan)
        let found = try rows(
            """
            SELECT e.id, e.name, e.data, e.source, e.generation, e.created_at, e.contact_id, c.email, e.rowid
            FROM events e LEFT JOIN contacts c ON c.id = e.contact_id
            WHERE e.rowid < ?1 AND e.rowid >= ?2 AND e.project_id = ?3 AND (?4 IS NULL OR e.name = ?4)
                -- An event of somebody who is gone is still to be removed.
                AND (e.contact_id IS NULL OR c.id IS NOT NULL)
            ORDER BY e.rowid DESC LIMIT ?5
            """, start, floor, project, name, limit
        ) { row -> (listing: EventListing, row: Int64) in
            (EventListing(event: try Self.event(row), contactID: row[6], contactEmail: row[7]), row[8])
        }
        let last = found.count == limit ? found.last?.row : floor
        let oldest: Int64? = try first("SELECT min(rowid) FROM events") { $0[0] } ?? nil
        let next = last.flatMap { last in oldest.map { $0 < last } ?? false ? last : nil }
        return EventPage(events: found.map(\.listing), next: next)
    }
}

/// What of one kind is still to be shown, in its own order.
private struct TimelineStream {
    let kind: HistoryKind
    /// Where the next look-up begins.
    var before: HistoryRef
    var isExhausted = false
    /// The next one last.
    private var buffer: [(ref: HistoryRef, item: TimelineItem)] = []

    init(kind: HistoryKind, before: HistoryRef) {
        self.kind = kind
        self.before = before
    }

    var head: TimelineItem? { buffer.last?.item }
    var headTime: Timestamp { head?.at ?? Timestamp(microseconds: .min) }

    mutating func set(_ items: [(HistoryRef, TimelineItem)]) { buffer = items.reversed() }

    mutating func take() -> (HistoryRef, TimelineItem)? { buffer.popLast() }
}

extension TimelinePosition {
    fileprivate subscript(kind: HistoryKind) -> HistoryRef? {
        get {
            switch kind {
            case .event: event.map(HistoryRef.row)
            case .execution: execution.map(HistoryRef.id)
            case .mail: mail.map(HistoryRef.id)
            }
        }
        set {
            switch (kind, newValue) {
            case (.event, .row(let row)?): event = row
            case (.execution, .id(let id)?): execution = id
            case (.mail, .id(let id)?): mail = id
            default: break
            }
        }
    }
}
