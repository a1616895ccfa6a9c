import Engine
import JSONValue
import WorkflowModel

// How workflows and executions look in the API. Steps are named by their key, which is their id within the workflow.

extension Workflows.Listing {
    var json: JSON {
        [
            "id": .string("\(workflow.id)"), "slug": .string(workflow.slug), "name": .string(workflow.name),
            "enabled": .bool(workflow.isEnabled), "allowReentry": .bool(workflow.allowsReentry),
            "triggerType": .string(workflow.trigger.type), "triggerConfig": workflow.trigger.config,
            "version": .int(Int64(workflow.versionNumber)), "projectId": .string("\(workflow.projectID)"),
            "createdAt": .string("\(workflow.createdAt)"), "updatedAt": .string("\(workflow.updatedAt)"),
            "_count": [
                "steps": .int(Int64(workflow.graph.steps.count)),
                "executions": .int(Int64(executionCounts.values.reduce(0, +))),
            ],
        ]
    }
}

extension ExecutionListing {
    func fields(in workflow: WorkflowRecord) -> JSONObject {
        [
            "id": .string("\(id)"), "workflowId": .string("\(workflowID)"), "contactId": .string("\(contactID)"),
            "status": .string(status.rawValue), "currentStepId": JSON(currentStep), "exitReason": JSON(exitReason),
            "context": .object(context), "dueAt": JSON(dueAt), "startedAt": .string("\(startedAt)"),
            "completedAt": JSON(completedAt),
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
                    "stepId": .string(step.step), "status": .string(step.status.rawValue), "output": step.output,
                    "error": JSON(step.error), "startedAt": .string("\(step.startedAt)"),
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
    fileprivate init(_ text: String?) { self = text.map { .string($0) } ?? .null }
    fileprivate init(_ time: Timestamp?) { self = time.map { .string("\($0)") } ?? .null }
}
