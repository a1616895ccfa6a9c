import JSONValue
import WorkflowModel

/// The events of a project as people and clients look at them.
package struct RecordedEvents: Sendable {
    package let context: EngineContext
    package let projectID: Identifier

    /// Events of all names that one page looks at.
    static let scan = 20_000
    /// Events that one transaction deletes: everybody else waits for it.
    private static let deletion = 400
    /// The most names that are told.
    package static let nameLimit = 1000

    package init(context: EngineContext, projectID: Identifier) {
        self.context = context
        self.projectID = projectID
    }

    // MARK: Recording

    /// Records an event of a contact that is named by its id, or by a mail to it.
    /// - Throws: `UseCaseError`: `reservedEvent`; `notFound` for a contact or mail of another project.
    package func track(
        _ name: String, contact contactID: Identifier?, mail mailID: Identifier?, data: JSONObject
    ) async throws -> EventListing {
        let project = projectID
        return try await context.transact { transaction in
            var data = data.unwrappingTransientValues()
            var id = contactID
            if let mailID {
                guard let entry = try transaction.store.entry(mailID), entry.projectID == project,
                    id == nil || id == entry.contactID
                else { throw UseCaseError(.notFound, "there is no mail \(mailID) to this contact") }
                id = entry.contactID
                if data["emailId"] == nil { data["emailId"] = .string("\(mailID)") }
            }
            let contact = try id.map { id in
                guard let contact = try transaction.store.contact(id, in: project) else {
                    throw UseCaseError(.notFound, "there is no contact \(id)")
                }
                return contact
            }
            let event = try EventRecorder(transaction: transaction, projectID: project).record(
                EventName.canonical(name), data: data, source: .api, generation: 0, contact: contact)
            return EventListing(event: event, contactID: contact?.id, contactEmail: contact?.email)
        }
    }

    // MARK: Looking

    /// The newest first. A page may have fewer than `limit` although more follow: it looks at so many events and no more.
    package func list(named name: String?, before row: Int64?, limit: Int) async throws -> EventPage {
        let project = projectID
        return try await context.store.read {
            try $0.events(
                in: project, named: name.map(EventName.canonical), before: row, limit: limit, scan: Self.scan)
        }
    }

    /// Counts of whole days (UTC, counted from 1970), the most frequent name first.
    package func stats(days: ClosedRange<Int64>) async throws -> [EventNameCount] {
        let project = projectID
        return try await context.store.read { try $0.eventCounts(in: project, days: days) }
    }

    package func names() async throws -> [EventNameCount] {
        let project = projectID
        return try await context.store.read { try $0.eventNames(in: project, limit: Self.nameLimit) }
    }

    /// Who uses a name, and how often it was recorded.
    package struct Usage: Sendable {
        package var workflows: [(id: Identifier, name: String)]
        package var segments: [(id: Identifier, name: String)]
        package var count: Int
        package var contacts: Int
        /// Nobody uses it, and it is not one of ours.
        package var canDelete: Bool
    }

    /// - Throws: `UseCaseError.notFound` for a name that nobody ever recorded or uses.
    package func usage(of name: String) async throws -> Usage {
        let name = EventName.canonical(name)
        let project = projectID
        return try await context.store.read { reader in
            let (workflows, segments) = Self.users(of: name, in: try reader.loadCatalog(), project: project)
            let usage = try reader.eventUsage(of: name, in: project)
            guard usage != nil || !workflows.isEmpty || !segments.isEmpty else { throw Self.unknown(name) }
            return Usage(
                workflows: workflows, segments: segments, count: usage?.count ?? 0, contacts: usage?.contacts ?? 0,
                canDelete: workflows.isEmpty && segments.isEmpty && !EventName.isReserved(name))
        }
    }

    private static func users(
        of name: String, in catalog: Catalog, project: Identifier
    ) -> (workflows: [(id: Identifier, name: String)], segments: [(id: Identifier, name: String)]) {
        let workflows = catalog.workflows.filter { $0.projectID == project && $0.uses(event: name) }
        let segments = (catalog.segments[project]?.segments ?? []).filter { segment in
            segment.entryEvent == name || segment.exitEvent == name
                || segment.filter?.lookedBackEvents.contains(name) == true
        }
        return (workflows.map { ($0.id, $0.name) }, segments.map { ($0.id, $0.name) })
    }

    private static func unknown(_ name: String) -> UseCaseError {
        UseCaseError(.notFound, "there is no event of that name")
    }

    // MARK: Deleting

    /// Deletes every event of a name that was recorded until now, some hundreds at a time. It ends where somebody begins
    /// to use the name.
    /// - Returns: how many.
    /// - Throws: `UseCaseError`: `eventInUse` for a name that is reserved or that somebody uses; `notFound`.
    package func delete(_ name: String) async throws -> Int {
        let name = EventName.canonical(name)
        let usage = try await usage(of: name)
        guard !EventName.isReserved(name) else {
            throw UseCaseError(.eventInUse, "events named \(name) are the system's own")
        }
        try Self.refuseUnlessUnused(name, usage.workflows + usage.segments)
        let project = projectID
        var deleted = 0
        var isNoted = false
        var place: Int64? = 0
        while let start = place {
            let (rows, last) = try await context.store.read {
                try $0.eventRows(named: name, in: project, after: start, scan: Self.scan)
            }
            for begin in stride(from: 0, to: rows.count, by: Self.deletion) {
                let part = Array(rows[begin..<min(begin + Self.deletion, rows.count)])
                let isFirst = !isNoted
                deleted += try await context.transact { transaction in
                    // Somebody may have begun to use it meanwhile.
                    let (workflows, segments) = Self.users(of: name, in: transaction.catalog, project: project)
                    try Self.refuseUnlessUnused(name, workflows + segments)
                    if isFirst { try Self.note(name, usage.count, project, in: transaction) }
                    return try transaction.store.deleteEvents(part, in: project)
                }
                isNoted = true
            }
            place = last
        }
        if !isNoted { try await context.transact { try Self.note(name, usage.count, project, in: $0) } }
        return deleted
    }

    private static func refuseUnlessUnused(_ name: String, _ users: [(id: Identifier, name: String)]) throws {
        guard !users.isEmpty else { return }
        let names = users.map(\.name).joined(separator: ", ")
        throw UseCaseError(.eventInUse, "\(name) is used by \(names)")
    }

    /// - Parameter count: how many there were when the deletion began.
    private static func note(
        _ name: String, _ count: Int, _ project: Identifier, in transaction: EngineTransaction
    ) throws {
        try transaction.audit("event.deleted", name, in: project, details: ["count": .int(Int64(count))])
    }
}

extension WorkflowRecord {
    /// Whether it begins with the event, waits for it, or asks when it last was.
    func uses(event name: String) -> Bool {
        if case .event(name) = trigger { return true }
        return lookedBackEvents.contains(name)
            || graph.steps.contains {
                if case .waitForEvent(let wait) = $0.config { wait.eventNames.contains(name) } else { false }
            }
    }
}
