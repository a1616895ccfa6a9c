import JSONValue
import WorkflowModel

// Executions under way go on by the current version of their workflow, from the step of the same key. What they have done
// stays done; what they wait for stays as it was registered. First all of them are looked at, and one that cannot go over
// keeps all where they are.

extension Executions {
    /// What moving executions has done, or would do.
    package struct Migration: Sendable, Hashable {
        /// An execution that cannot go over.
        package struct Obstacle: Sendable, Hashable {
            package var execution: Identifier
            package var step: String?
            /// A sentence without its subject.
            package var reason: String
        }

        package var isDryRun: Bool
        /// The number of the current version.
        package var version: Int
        /// Moved, or to be moved.
        package var moved = 0
        /// Those of the current version.
        package var current = 0
        /// Where the moved ones stand.
        package var steps: [String: Int] = [:]
        package var obstacleCount = 0
        /// The first of them.
        package var obstacles: [Obstacle] = []

        static let shownObstacles = 100

        fileprivate mutating func add(_ outcome: Outcome) {
            switch outcome {
            case .current: current += 1
            case .movable(let step):
                moved += 1
                steps[step, default: 0] += 1
            case .stuck(let obstacle):
                obstacleCount += 1
                if obstacles.count < Self.shownObstacles { obstacles.append(obstacle) }
            case .over: break
            }
        }
    }

    fileprivate enum Outcome: Sendable {
        case current
        case movable(step: String)
        case stuck(Migration.Obstacle)
        /// It has ended meanwhile.
        case over
    }

    /// Moves executions of earlier versions to the current one.
    ///
    /// - Parameter dryRun: only looks.
    /// - Returns: with `dryRun` every obstacle, too. Without it, executions that have come to one since they were looked
    ///   at stay on their version and are listed.
    /// - Throws: `UseCaseError`: `notFound`, `conflict` with the obstacles: nothing is moved then.
    package func migrate(_ workflow: Identifier, dryRun: Bool, project: Identifier) async throws -> Migration {
        let look = try await pass(workflow, project: project, moves: false)
        guard !dryRun else { return look }
        guard look.obstacleCount == 0 else {
            throw UseCaseError(
                .conflict,
                "\(look.obstacleCount) \(look.obstacleCount == 1 ? "execution" : "executions") cannot go on by version \(look.version): let them end or cancel them first",
                problems: look.obstacles.map {
                    .init(path: "executions.\($0.execution)", message: ($0.step.map { "\($0): " } ?? "") + $0.reason)
                })
        }
        let done = try await pass(workflow, project: project, moves: true)
        if done.moved > 0 {
            try await context.transact {
                try $0.audit(
                    "workflow.migrated", "\(workflow)", in: project,
                    details: ["version": .int(Int64(done.version)), "executions": .int(Int64(done.moved))])
            }
        }
        return done
    }

    /// - Parameter workflow: its slug.
    /// - Throws: like the other, and `UseCaseError.notFound` for the project.
    package func migrate(_ workflow: String, dryRun: Bool, project: String) async throws -> Migration {
        let catalog = try await context.store.read { try $0.loadCatalog() }
        guard let project = catalog.project(slug: project) else {
            throw UseCaseError(.notFound, "there is no project \(project)")
        }
        guard let record = catalog.workflows.first(where: { $0.projectID == project.id && $0.slug == workflow }) else {
            throw UseCaseError(.notFound, "there is no workflow \(workflow)")
        }
        return try await migrate(record.id, dryRun: dryRun, project: project.id)
    }

    /// Goes through all that are under way, a batch in a transaction.
    private func pass(_ workflow: Identifier, project: Identifier, moves: Bool) async throws -> Migration {
        var migration = Migration(isDryRun: !moves, version: 0)
        var last: ActiveExecution?
        repeat {
            let after = last
            let (version, batch, outcomes) = try await context.transact { transaction in
                let record = try transaction.catalog.find(workflow, in: project)
                let batch = try transaction.store.activeExecutions(of: workflow, after: after, limit: Self.batchSize)
                let outcomes = try batch.map { try Self.outcome(of: $0.id, record, moves: moves, in: transaction) }
                return (record.versionNumber, batch, outcomes)
            }
            migration.version = version
            for outcome in outcomes { migration.add(outcome) }
            last = batch.last
        } while last != nil
        return migration
    }

    private static func outcome(
        of id: Identifier, _ workflow: WorkflowRecord, moves: Bool, in transaction: EngineTransaction
    ) throws -> Outcome {
        let stored: StoredExecution
        do {
            guard let found = try transaction.store.execution(id), !found.execution.status.isFinal else { return .over }
            stored = found
        } catch let error as StoreError where error.code == .damaged {
            return .stuck(.init(execution: id, step: nil, reason: EventRecorder.damageReason))
        }
        guard stored.versionID != workflow.versionID else { return .current }
        guard let key = stored.execution.currentStep else {
            return .stuck(.init(execution: id, step: nil, reason: "stands on no step"))
        }
        if let reason = try obstacle(of: stored, at: key, workflow, in: transaction) {
            return .stuck(.init(execution: id, step: key, reason: reason))
        }
        if moves { try transaction.store.moveExecution(id, toVersion: workflow.versionID) }
        return .movable(step: key)
    }

    /// Why an execution cannot go on by the current version.
    private static func obstacle(
        of stored: StoredExecution, at key: String, _ workflow: WorkflowRecord, in transaction: EngineTransaction
    ) throws -> String? {
        guard let step = workflow.graph.step(key) else { return "stands on a step that is gone" }
        let done = try transaction.store.steps(of: stored.execution.id)
        if let type = done.last(where: { $0.step == key })?.type, type != step.config.type {
            return "stands on a step that was \(type.rawValue) and is \(step.config.type.rawValue)"
        }
        var ahead = workflow.graph.keys(reachableFrom: key)
        ahead.remove(key)
        let again = done.first {
            ($0.type == .sendEmail || $0.type == .webhook) && $0.status == .completed && ahead.contains($0.step)
        }
        return again.map { "could come to \($0.step) again, which it has done" }
    }
}
