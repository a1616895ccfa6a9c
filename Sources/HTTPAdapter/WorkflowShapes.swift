import Engine
import JSONValue
import WorkflowModel

// How workflows and executions look in the API. Steps are named by their key, which is their id within the workflow.

extension WorkflowRecord {
    var fields: JSONObject {
        [
            "id": .string("\(id)"), "slug": .string(slug), "name": .string(name), "description": JSON(description),
            "enabled": .bool(isEnabled), "allowReentry": .bool(allowsReentry),
            "reentryKey": JSON(reentryKey?.path), "triggerType": .string(trigger.type),
            "triggerConfig": trigger.config, "timers": timers.json,
            "version": .int(Int64(versionNumber)),
            "projectId": .string("\(projectID)"), "createdAt": .string("\(createdAt)"),
            "updatedAt": .string("\(updatedAt)"),
        ]
    }
}

extension Workflows.Listing {
    var json: JSON {
        var fields = workflow.fields
        fields["_count"] = [
            "steps": .int(Int64(workflow.graph.steps.count)),
            "executions": .int(Int64(executionCounts.values.reduce(0, +))),
        ]
        return .object(fields)
    }
}

extension ExecutionListing {
    func fields(in workflow: WorkflowRecord) -> JSONObject {
        [
            "id": .string("\(id)"), "workflowId": .string("\(workflowID)"), "contactId": .string("\(contactID)"),
            "status": .string(status.rawValue), "currentStepId": JSON(currentStep), "exitReason": JSON(exitReason),
            "context": .object(context), "dueAt": JSON(dueAt), "startedAt": .string("\(startedAt)"),
            "completedAt": JSON(completedAt), "reentryValue": JSON(reentryValue),
            "contact": ["id": .string("\(contactID)"), "email": .string(contactEmail)],
            "currentStep": currentStep.map { workflow.graph.json(ofStep: $0, type: nil) } ?? .null,
        ]
    }
}

extension Workflows.ExecutionDetail {
    var json: JSON {
        var fields = execution.fields(in: workflow)
        fields["workflow"] = ["id": .string("\(workflow.id)"), "name": .string(workflow.name)]
        fields["stepExecutions"] = .array(
            steps.map { step in
                [
                    "id": .string("\(execution.id)/\(step.sequence)"), "sequence": .int(Int64(step.sequence)),
                    "stepId": .string(step.step), "status": .string(step.status.rawValue), "input": step.input,
                    "output": step.output, "error": JSON(step.error), "attempts": .int(Int64(step.attempts)),
                    "startedAt": .string("\(step.startedAt)"),
                    "completedAt": JSON(step.completedAt),
                    "step": workflow.graph.json(ofStep: step.step, type: step.type),
                ]
            })
        return .object(fields)
    }
}

extension WorkflowGraph {
    /// - Parameter type: as it was when the step was executed; nil takes the graph's. A step of an older version may no
    ///   longer be in the graph: it has its key as name then.
    fileprivate func json(ofStep key: String, type: StepType?) -> JSON {
        let step = step(key)
        return [
            "id": .string(key), "name": .string(step?.name ?? key),
            "type": JSON((type ?? step?.config.type)?.rawValue),
        ]
    }
}

extension JSON {
    init(_ text: String?) { self = text.map { .string($0) } ?? .null }
    init(_ time: Timestamp?) { self = time.map { .string("\($0)") } ?? .null }
}
