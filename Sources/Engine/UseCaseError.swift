import WorkflowModel

/// Why a request cannot be done: a closed code, and a sentence for the one who asked.
package struct UseCaseError: Error, CustomStringConvertible {
    package enum Code: String, Sendable {
        case notFound = "not_found"
        case invalid = "validation_error"
        case reservedEvent = "reserved_event"
        case workflowLocked = "WORKFLOW_LOCKED"
        case triggerLocked = "TRIGGER_LOCKED"
        case workflowDisabled = "WORKFLOW_DISABLED"
        /// The contact has been here, and the workflow lets nobody in twice.
        case reentryForbidden = "REENTRY_FORBIDDEN"
        /// The contact has an execution under way here.
        case executionActive = "EXECUTION_ACTIVE"
        /// The execution has ended, and nothing changes it any more.
        case executionFinal = "EXECUTION_FINAL"
        /// Only a failed execution can be retried.
        case executionNotFailed = "EXECUTION_NOT_FAILED"
        case conflict = "conflict"
        /// The key has ended.
        case unauthorized
        /// The key may not do this.
        case forbidden
        /// Too often.
        case rateLimited = "rate_limit_exceeded"
        /// The idempotency key belongs to another request.
        case idempotencyKeyReused = "idempotency_key_reused"
        /// The event is the system's own, or somebody uses it.
        case eventInUse = "EVENT_IN_USE"
        /// The steps and transitions would break a rule of graphs.
        case invalidGraph = "invalid_graph"
        /// Going through contacts took longer than a request may.
        case queryTooSlow = "query_too_slow"
    }

    package var code: Code
    package var description: String
    /// One entry for each offending value.
    package var problems: [WorkflowProblem]

    package init(_ code: Code, _ description: String, problems: [WorkflowProblem] = []) {
        self.code = code
        self.description = description
        self.problems = problems
    }
}
