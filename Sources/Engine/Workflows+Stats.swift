import WorkflowModel

extension Workflows {
    /// What goes on in a workflow, counted with every change and not by looking at its executions.
    package struct Stats: Sendable {
        package var workflow: WorkflowRecord
        package var executions: [Execution.Status: Int]
        /// Enrolments that re-entry refused.
        package var refused: Int
        /// By step key, in all versions together; a step nobody has come to is not in it.
        package var steps: [String: StepCounts]
        /// Nil for a workflow that does not start by the clock.
        package var schedule: Schedule?

        /// When a workflow starts by the clock, and what became of its last ticks.
        package struct Schedule: Sendable {
            /// Nil while it is switched off, before the scheduler has looked at it, and for a zone that is not known any more.
            package var nextAt: Timestamp?
            /// The newest first.
            package var ticks: [ScheduleTick]
            /// Ticks that are shown.
            package static let shownTicks = 20
        }
    }

    private static func schedule(of record: WorkflowRecord, in reader: any StoreReader) throws -> Stats.Schedule? {
        guard case .schedule = record.trigger else { return nil }
        let entry = try reader.schedule(of: record.id)
        return Stats.Schedule(
            nextAt: entry.flatMap { $0.isPlanned ? $0.dueAt : nil },
            ticks: try reader.ticks(of: record.id, limit: Stats.Schedule.shownTicks))
    }

    /// - Throws: `UseCaseError.notFound`, also for a workflow of another project.
    package func stats(of workflow: Identifier, project: Identifier) async throws -> Stats {
        try await context.store.read { reader in
            let record = try reader.loadCatalog().find(workflow, in: project)
            return Stats(
                workflow: record, executions: try reader.executionCounts(in: project)[workflow] ?? [:],
                refused: try reader.refusedEnrolments(of: workflow), steps: try reader.stepCounts(of: workflow),
                schedule: try Self.schedule(of: record, in: reader))
        }
    }
}
