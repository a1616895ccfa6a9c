import JSONValue
import WorkflowModel

extension WorkflowDocument {
    /// A stored workflow with the templates that its mails are made from.
    package init(_ workflow: WorkflowRecord, catalog: Catalog) {
        slug = workflow.slug
        project = catalog.projects.first { $0.id == workflow.projectID }?.slug ?? Project.defaultSlug
        name = workflow.name
        description = workflow.description
        isEnabled = workflow.isEnabled
        allowsReentry = workflow.allowsReentry
        trigger = workflow.trigger
        timers = workflow.timers
        graph = workflow.graph
        definition = WorkflowDefinition.json(of: workflow.graph)
        var seen: Set<String> = []
        templates = workflow.graph.steps.compactMap { step in
            guard case .sendEmail(let send) = step.config,
                let record = catalog.template(send.template, in: workflow.projectID), seen.insert(record.slug).inserted
            else { return nil }
            return Template(slug: record.slug, kind: record.current.kind, content: record.current.content)
        }
    }

    /// The document as JSON, from which it is read again.
    package var json: JSON {
        var object: JSONObject = ["workflow": .string(slug), "name": .string(name)]
        object["description"] = description.map { .string($0) }
        object["project"] = .string(project)
        object["enabled"] = .bool(isEnabled)
        object["allowReentry"] = .bool(allowsReentry)
        object["trigger"] = trigger.json
        if !timers.json.isNull { object["timers"] = timers.json }
        object["steps"] = WorkflowDefinition.json(of: graph)["steps"]
        if !templates.isEmpty {
            object["templates"] = .object(JSONObject(templates.map { ($0.slug, JSON.object($0.json)) }))
        }
        return .object(object)
    }
}

extension WorkflowRecord.Trigger {
    /// As files have it.
    package var json: JSON {
        switch self {
        case .event(let name): ["event": .string(name)]
        case .manual: ["manual": true]
        case .schedule(let schedule): .object(schedule.json)
        }
    }
}

extension WorkflowDocument.Template {
    package var json: JSONObject {
        var object: JSONObject = ["type": .string(kind.rawValue), "subject": .string(content.subject)]
        object["from"] = content.from.map { .string($0) }
        object["replyTo"] = content.replyTo.map { .string($0) }
        object["trackOpens"] = content.tracksOpens.map { .bool($0) }
        object["text"] = content.text.map { .string($0) }
        object["html"] = content.html.map { .string($0) }
        return object
    }
}
