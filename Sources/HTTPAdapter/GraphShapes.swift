import Engine
import JSONValue
import WorkflowModel

// How steps and transitions look in the API.

extension WorkflowDetail {
    var json: JSON {
        var fields = workflow.fields
        fields["steps"] = .array(workflow.graph.steps.map { json(of: $0) })
        fields["transitions"] = .array(workflow.graph.transitions.map { $0.json(in: workflow.id) })
        fields["warnings"] = .array(
            warnings.map { ["field": .string($0.path), "message": .string($0.message)] })
        return .object(fields)
    }

    fileprivate func json(of step: Step) -> JSON {
        let graph = workflow.graph
        let template = templates[step.key]
        return [
            "id": .string(step.key), "workflowId": .string("\(workflow.id)"),
            "type": .string(step.config.type.rawValue), "name": .string(step.name ?? step.key),
            "position": step.position.map { ["x": Self.number($0.x), "y": Self.number($0.y)] } ?? ["x": 0, "y": 0],
            "config": .object(step.config == .trigger ? workflow.trigger.config.objectValue ?? [:] : step.options),
            "templateId": template.map { .string("\($0.id)") } ?? .null,
            "template": template.map { ["id": .string("\($0.id)"), "name": .string($0.slug)] } ?? .null,
            "outgoingTransitions": .array(graph.transitions(from: step.key).map { $0.json(in: workflow.id) }),
            "incomingTransitions": .array(
                graph.transitions.filter { $0.to == step.key }.map { $0.json(in: workflow.id) }),
        ]
    }

    private static func number(_ value: Double) -> JSON { Int64(exactly: value).map { .int($0) } ?? .double(value) }
}

extension StepDetail {
    var json: JSON { workflow.workflow.graph.step(key).map { workflow.json(of: $0) } ?? .null }
}

extension Transition {
    /// With `condition` beside `branch`, for clients that know it by that.
    func json(in workflow: Identifier) -> JSON {
        [
            "id": .string(id), "workflowId": .string("\(workflow)"), "fromStepId": .string(from),
            "toStepId": .string(to), "branch": JSON(branch),
            "condition": branch.map { ["branch": .string($0)] } ?? .null, "priority": .int(Int64(priority)),
        ]
    }
}

extension [WorkflowFields.Field] {
    var json: JSON {
        [
            "fields": .array(map { .string($0.name) }),
            "typedFields": .array(
                map {
                    [
                        "field": .string($0.name), "type": .string($0.type),
                        "category": .string($0.category.rawValue),
                    ]
                }),
            "count": .int(Int64(count)),
        ]
    }
}

extension Workflows.Stats.Schedule {
    var json: JSON { ["nextAt": JSON(nextAt), "ticks": .array(ticks.map(\.json))] }
}

extension ScheduleTick {
    fileprivate var json: JSON {
        [
            "at": .string("\(at)"), "status": .string(status.rawValue), "firedAt": .string("\(firedAt)"),
            "completedAt": JSON(completedAt), "enrolled": .int(Int64(enrolled)), "refused": .int(Int64(refused)),
            "failed": .int(Int64(failed)), "missed": .int(Int64(missed)),
        ]
    }
}

extension Workflows.Stats {
    /// Steps in the order of the graph, then those of earlier versions.
    var json: JSON {
        let known = workflow.graph.steps.map(\.key)
        let former = Set(steps.keys).subtracting(known).sorted()
        let statuses = Execution.Status.allCases.map { status in
            (status.rawValue, JSON.int(Int64(executions[status] ?? 0)))
        }
        return [
            "workflowId": .string("\(workflow.id)"), "version": .int(Int64(workflow.versionNumber)),
            "executions": .object(JSONObject(statuses)), "refused": .int(Int64(refused)),
            "schedule": schedule.map(\.json) ?? .null,
            "steps": .array((known + former).map(json(ofStep:))),
        ]
    }

    private func json(ofStep key: String) -> JSON {
        let step = workflow.graph.step(key)
        let counts = steps[key] ?? StepCounts()
        return [
            "id": .string(key), "name": .string(step?.name ?? key), "type": JSON(step?.config.type.rawValue),
            "entered": .int(Int64(counts.entered)), "waiting": .int(Int64(counts.waiting)),
            "done": .int(Int64(counts.done)), "failed": .int(Int64(counts.failed)),
            "cancelled": .int(Int64(counts.cancelled)),
        ]
    }
}
