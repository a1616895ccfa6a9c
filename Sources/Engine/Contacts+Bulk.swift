import JSONValue
import WorkflowModel

/// One change to many contacts.
package enum ContactAction: Hashable, Sendable {
    case subscribe, unsubscribe, delete
    /// Merges data.
    case update(JSONObject)

    package var kind: ContactJob.Kind {
        switch self {
        case .subscribe: .subscribe
        case .unsubscribe: .unsubscribe
        case .delete: .delete
        case .update: .update
        }
    }

    package enum Outcome: String, Hashable, Sendable, CaseIterable {
        case updated, unchanged, deleted
        /// There is no such contact.
        case notFound
        /// Its data would be too much; it is as it was.
        case tooLarge
    }

    /// - Returns: `updated`, `unchanged` or `deleted`.
    /// - Throws: `UseCaseError.invalid` when its data would be too much, before anything is written.
    func apply(to contact: Contact, _ recorder: EventRecorder) throws -> Outcome {
        var changed = contact
        switch self {
        case .delete:
            try recorder.erase(contact)
            return .deleted
        case .subscribe: changed.isSubscribed = true
        case .unsubscribe: changed.isSubscribed = false
        case .update(let data): changed.merge(data)
        }
        try recorder.change(from: contact, to: changed)
        return changed == contact ? .unchanged : .updated
    }
}

extension Contacts {
    /// Ids in one request.
    package static let bulkLimit = 1000

    /// Changes contacts by their ids, all in one transaction.
    /// - Returns: what became of each, in the order of the ids.
    package func change(_ ids: [Identifier], _ action: ContactAction) async throws -> [ContactAction.Outcome] {
        let projectID = projectID
        return try await context.transact { transaction in
            let recorder = EventRecorder(transaction: transaction, projectID: projectID)
            var outcomes: [ContactAction.Outcome] = []
            for id in ids {
                transaction.beginCause()
                guard let contact = try transaction.store.contact(id, in: projectID) else {
                    outcomes.append(.notFound)
                    continue
                }
                do { outcomes.append(try action.apply(to: contact, recorder)) } catch let error as UseCaseError
                    where error.code == .invalid
                {
                    outcomes.append(.tooLarge)
                }
            }
            let done = outcomes.filter { $0 == .updated || $0 == .deleted }.count
            try transaction.audit(
                "contacts.changed", action.kind.rawValue, in: projectID,
                details: ["ids": .int(Int64(ids.count)), "changed": .int(Int64(done))])
            return outcomes
        }
    }

    /// Begins a job that changes all contacts that a query means now.
    /// - Throws: `UseCaseError.invalid` for a filter that names a segment which is not there.
    package func begin(_ action: ContactAction, on query: ContactQuery) async throws -> ContactJob {
        try await prepare(query, path: "query.filter")
        let projectID = projectID
        let now = context.clock.now()
        let total = try await context.store.read {
            try $0.contactCount(matching: ContactQuery(), in: projectID, at: now)
        }
        return try await context.transact { transaction in
            var plan = query.json
            if case .update(let data) = action { plan["data"] = .object(data) }
            var job = ContactJob(
                id: transaction.makeID(), projectID: projectID, kind: action.kind, plan: plan, total: total,
                createdAt: transaction.now)
            job.last = try transaction.store.lastContact(of: projectID)
            return try Self.begin(job, in: transaction)
        }
    }

    static func begin(_ job: ContactJob, in transaction: EngineTransaction) throws -> ContactJob {
        try transaction.store.pruneContactJobs(in: job.projectID, keeping: keptJobs)
        try transaction.store.insert(job)
        try transaction.audit(
            "contactJob.started", "\(job.id)", in: job.projectID, details: ["kind": .string(job.kind.rawValue)])
        transaction.wakes.jobs = true
        return try transaction.store.contactJob(job.id) ?? job
    }

    /// Ended jobs that a project keeps, with their reports.
    static let keptJobs = 100

    // MARK: Jobs

    private static let unknownJob = UseCaseError(.notFound, "there is no such job")

    package struct JobDetail: Sendable {
        package var job: ContactJob
        /// The first of its report.
        package var errors: [ContactJob.RowError]
    }

    /// Errors that are shown with a job; all are in its report.
    package static let shownErrors = 20

    /// - Throws: `UseCaseError.notFound`.
    package func job(_ id: Identifier) async throws -> JobDetail {
        let projectID = projectID
        return try await context.store.read { reader in
            guard let job = try reader.contactJob(id, in: projectID) else { throw Self.unknownJob }
            return JobDetail(
                job: job, errors: try reader.errors(ofContactJob: job.number, after: 0, limit: Self.shownErrors))
        }
    }

    /// The newest first.
    package func jobs(limit: Int) async throws -> [ContactJob] {
        let projectID = projectID
        return try await context.store.read { try $0.contactJobs(in: projectID, limit: limit) }
    }

    /// Stops a job where it is; what it has done stays.
    /// - Throws: `UseCaseError`: `notFound`, `conflict` when it has ended.
    package func cancelJob(_ id: Identifier) async throws -> ContactJob {
        let projectID = projectID
        let job = try await context.transact { transaction in
            guard var job = try transaction.store.contactJob(id), job.projectID == projectID else {
                throw Self.unknownJob
            }
            guard job.status == .running else {
                throw UseCaseError(.conflict, "the job has ended already (\(job.status.rawValue))")
            }
            job.end(.cancelled, at: transaction.now)
            try transaction.store.update(job)
            try transaction.audit("contactJob.cancelled", "\(id)", in: projectID)
            return job
        }
        if job.kind == .import { context.spool?.remove(id) }
        return job
    }

    /// The whole report of a job as CSV, in pieces.
    /// - Throws: `UseCaseError.notFound` before the first piece.
    package func report(of id: Identifier, to sink: ([UInt8]) async throws -> Void) async throws {
        let number = try await job(id).job.number
        var writer = CSVWriter()
        writer.append(["row", "column", "rule", "message"])
        var row = 0
        while true {
            let after = row
            let errors = try await context.store.read {
                try $0.errors(ofContactJob: number, after: after, limit: 1000)
            }
            for error in errors {
                writer.append([
                    "\(error.row)", FormulaGuard.guarded(error.column ?? ""), error.rule.rawValue, error.message,
                ])
            }
            try await sink(writer.take())
            guard errors.count == 1000, let last = errors.last else { return }
            row = last.row
        }
    }
}
