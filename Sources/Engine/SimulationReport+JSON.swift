import JSONValue
import WorkflowModel

extension SimulationReport {
    /// The answer of `POST /workflows/:id/simulate` and of `postrider workflow simulate --json`. Names and order stay; members
    /// may be added.
    package var json: JSON {
        [
            "workflow": [
                "slug": .string(workflow.slug), "name": .string(workflow.name),
                "version": workflow.versionNumber > 0 ? .int(Int64(workflow.versionNumber)) : .null,
            ],
            "status": .string(execution.status.rawValue), "exitReason": JSON(optional: execution.exitReason),
            "end": .string(end.rawValue), "currentStepId": JSON(optional: execution.currentStep),
            "startedAt": .string("\(startedAt)"), "endedAt": .string("\(endedAt)"),
            "contact": [
                "email": .string(contact.email), "subscribed": .bool(contact.isSubscribed),
                "data": .object(contact.data),
            ],
            "context": .object(execution.context), "path": .array(visits.map { $0.json(in: workflow.graph) }),
            "mails": .array(mails.map(\.json)), "webhooks": .array(calls.map(\.json)),
            "contactChanges": .array(changes.map(\.json)),
            "events": .array(events.map(\.json)), "warnings": .array(warnings.map { .string($0) }),
        ]
    }
}

extension SimulationReport.Visit {
    /// A step that was given nothing but its options has those as input.
    fileprivate func json(in graph: WorkflowGraph) -> JSON {
        let input =
            execution.input.isNull ? .object(graph.step(execution.step)?.config.json ?? [:]) : execution.input
        return [
            "sequence": .int(Int64(execution.sequence)), "stepId": .string(execution.step),
            "name": .string(name ?? execution.step), "type": .string(execution.type.rawValue),
            "status": .string(execution.status.rawValue), "startedAt": .string("\(execution.startedAt)"),
            "completedAt": JSON(optional: execution.completedAt), "branch": JSON(optional: branch),
            "attempts": .int(Int64(execution.attempts)), "wait": wait?.json ?? .null, "input": input,
            "output": execution.output, "error": JSON(optional: execution.error),
        ]
    }
}

extension SimulationReport.Wait {
    fileprivate var json: JSON {
        [
            "events": .array(events.map { .string($0) }), "until": JSON(optional: until),
            "endedBy": JSON(optional: endedBy?.rawValue), "event": JSON(optional: event),
        ]
    }
}

extension SimulationReport.Mail {
    fileprivate var json: JSON {
        [
            "id": .string("\(id)"), "at": .string("\(at)"), "stepId": .string(step), "template": .string(template),
            "recipient": .string(recipient), "from": .string(from), "to": .string(to),
            "replyTo": JSON(optional: replyTo), "subject": .string(subject), "text": JSON(optional: text),
            "html": JSON(optional: html), "automaticReply": .bool(isAutomaticReply), "abridged": .bool(isAbridged),
            "error": JSON(optional: error),
        ]
    }
}

extension SimulationReport.Call {
    fileprivate var json: JSON {
        [
            "id": .string("\(request.id)"), "at": .string("\(at)"), "stepId": .string(request.step),
            "method": .string(request.method), "url": .string(request.url),
            "headers": .object(JSONObject(request.headers.map { ($0.name, JSON.string($0.value)) })),
            "body": JSON(optional: request.body),
            "attempts": .array(
                attempts.map {
                    [
                        "at": .string("\($0.at)"), "status": $0.status.map { .int(Int64($0)) } ?? .null,
                        "error": JSON(optional: $0.error),
                    ]
                }),
        ]
    }
}

extension SimulationReport.Change {
    /// The members of the data that are not as they were: what they are now, null for those that are gone.
    package var changedData: JSONObject {
        var changed: JSONObject = [:]
        for (key, value) in after.data where before.data[key] != value { changed[key] = value }
        for key in before.data.keys where after.data[key] == nil { changed[key] = .null }
        return changed
    }

    fileprivate var json: JSON {
        [
            "at": .string("\(at)"), "stepId": JSON(optional: step), "data": .object(changedData),
            "subscribed": before.isSubscribed == after.isSubscribed ? .null : .bool(after.isSubscribed),
        ]
    }
}

extension SimulationReport.EventNote {
    fileprivate var json: JSON {
        [
            "at": .string("\(at)"), "event": .string(name), "data": .object(data), "effect": .string(effect.name),
            "stepId": JSON(optional: effect.step),
        ]
    }
}

extension SimulationReport.EventEffect {
    package var name: String {
        switch self {
        case .past: "past"
        case .started: "started"
        case .resumed: "resumed"
        case .ignored: "ignored"
        case .emitted: "emitted"
        }
    }

    /// The step whose wait it ended.
    package var step: String? { if case .resumed(let step) = self { step } else { nil } }
}

extension JSON {
    fileprivate init(optional text: String?) { self = text.map { .string($0) } ?? .null }
    fileprivate init(optional time: Timestamp?) { self = time.map { .string("\($0)") } ?? .null }
}
