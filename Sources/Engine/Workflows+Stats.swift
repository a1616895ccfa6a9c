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
    }

    /// - Throws: `UseCaseError.notFound`, also for a workflow of another project.
    package func stats(of workflow: Identifier, project: Identifier) async throws -> Stats {
        try await context.store.read { reader in
            guard let record = try reader.loadCatalog().workflow(workflow), record.projectID == project else {
                throw UseCaseError(.notFound, "there is no workflow \(workflow)")
            }
            return Stats(
                workflow: record, executions: try reader.executionCounts(in: project)[workflow] ?? [:],
                refused: try reader.refusedEnrolments(of: workflow), steps: try reader.stepCounts(of: workflow))
        }
    }
}
