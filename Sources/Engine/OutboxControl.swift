import JSONValue
import MailModel
import WorkflowModel

/// Stops outgoing mail and lets it go on, and shows how it stands.
package struct OutboxControl: Sendable {
    package let context: EngineContext

    package init(context: EngineContext) { self.context = context }

    package struct Status: Sendable {
        /// Those of the project and those of everybody.
        package var pauses: [OutboxPause]
        package var queues: [QueueStatus]
        /// The stop of all automatic replies; nil when they go.
        package var replyStop: ReplyStop?
        /// Empty where no daemon runs in this process.
        package var relays: [RelayHealth]
    }

    package struct QueueStatus: Sendable {
        package var queue: OutboxQueue
        /// Counted up to `countLimit`.
        package var pending: Int
        /// When the first is or was due.
        package var firstDueAt: Timestamp?
    }

    /// How far pending mails are counted.
    package static let countLimit = 100_000

    /// - Parameter project: nil for all of them.
    package func status(in project: Identifier?) async throws -> Status {
        let now = context.clock.now()
        let (pauses, queues, stop) = try await context.store.read { reader in
            let queues = try reader.outboxQueues().filter { project == nil || $0.project == project }.map { queue in
                QueueStatus(
                    queue: queue, pending: try reader.pendingCount(in: queue, limit: Self.countLimit),
                    firstDueAt: try reader.tickets(in: queue, after: nil, lane: nil, limit: 1).first?.dueAt)
            }
            return (try reader.outboxPauses(), queues, try reader.replyStop())
        }
        let ours = pauses.filter { project == nil || $0.projectID == nil || $0.projectID == project }
        return Status(
            pauses: ours, queues: queues, replyStop: stop.flatMap { $0.until > now ? $0 : nil },
            relays: context.relayReports.read())
    }

    /// Nothing of it is sent until `resume`; what is under way ends. A second pause replaces the note.
    /// - Parameter project: nil for everybody's mail.
    /// - Throws: `UseCaseError.invalid` for a name that is none.
    package func pause(_ object: OutboxPause.Object, in project: Identifier?, note: String? = nil) async throws {
        let object = try checked(object)
        try await context.transact { transaction in
            try transaction.store.save(
                OutboxPause(projectID: project, object: object, pausedAt: transaction.now, note: note))
            try transaction.audit(
                "outbox.paused", object.target, in: project, details: note.map { ["note": .string($0)] } ?? [:])
            transaction.wakes.pauses = true
        }
    }

    /// - Throws: `UseCaseError.notFound` when it is not paused.
    package func resume(_ object: OutboxPause.Object, in project: Identifier?) async throws {
        let object = try checked(object)
        try await context.transact { transaction in
            guard try transaction.store.deletePause(of: object, in: project) else {
                throw UseCaseError(
                    .notFound, "\(object.kind == .everything ? "this mail" : object.target) is not paused")
            }
            try transaction.audit("outbox.resumed", object.target, in: project)
            transaction.wakes.pauses = true
        }
    }

    /// Ends a stop of automatic replies before its time, and begins to count the hour anew. Those that waited when it began stay
    /// dropped.
    ///
    /// - Parameter project: whose key asks; nil for somebody on the machine. The stop is everybody's, so a key may end it only
    ///   where its project is the only one.
    /// - Throws: `UseCaseError.notFound` when they are not stopped, `forbidden` among several projects.
    package func resumeReplies(for project: Identifier?) async throws {
        try await context.transact { transaction in
            guard project == nil || transaction.catalog.projects.count == 1 else {
                throw UseCaseError(
                    .forbidden,
                    "automatic replies are stopped for all projects together: postrider outbox resume-replies ends it")
            }
            guard var stop = try transaction.store.replyStop(), stop.until > transaction.now else {
                throw UseCaseError(.notFound, "automatic replies are not stopped")
            }
            stop.until = transaction.now
            try transaction.store.save(stop)
            try transaction.store.forgetReplyCounts()
            try transaction.audit("outbox.resumed", "automatic replies", in: project)
        }
    }

    private func checked(_ object: OutboxPause.Object) throws -> OutboxPause.Object {
        switch object {
        case .everything: return object
        case .relay(let name):
            let known = context.configuration.relayNames
            guard known.contains(name) else {
                throw UseCaseError(
                    .invalid, "there is no relay \(name); known are \(known.joined(separator: ", "))",
                    problems: [.init(path: "relay", message: "must be one of \(known.joined(separator: ", "))")])
            }
            return object
        case .domain(let name):
            guard let domain = MailDomain.ascii(name), AddressText.accepted("a@\(domain)") != nil else {
                throw UseCaseError(
                    .invalid, "this is no domain", problems: [.init(path: "domain", message: "must be a domain name")])
            }
            return .domain(domain)
        }
    }
}
