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
        reentryKey = workflow.reentryKey
        trigger = workflow.trigger
        timers = workflow.timers
        graph = workflow.graph
        definition = WorkflowDefinition.json(of: workflow.graph)
        var seen: Set<String> = []
        let records = workflow.graph.steps.compactMap { step -> Catalog.TemplateRecord? in
            guard case .sendEmail(let send) = step.config,
                let record = catalog.template(send.template, in: workflow.projectID), seen.insert(record.slug).inserted
            else { return nil }
            return record
        }
        // A template comes with its partials.
        let cache = TemplateCache()
        var partials: [String: TemplateVersion] = [:]
        for record in records {
            guard let compiled = try? cache.compiled(record.current) else { continue }
            let named = cache.partials(of: compiled) { catalog.partial($0, in: workflow.projectID)?.current }
            partials.merge(named) { first, _ in first }
        }
        templates =
            records.map { Template(slug: $0.slug, kind: $0.current.kind, content: $0.current.content) }
            + partials.sorted { $0.key < $1.key }
            .map { Template(slug: $0.key, kind: .partial, content: $0.value.content) }
    }

    /// The document as JSON, from which it is read again.
    package var json: JSON {
        var object: JSONObject = ["workflow": .string(slug), "name": .string(name)]
        object["description"] = description.map { .string($0) }
        object["project"] = .string(project)
        object["enabled"] = .bool(isEnabled)
        object["allowReentry"] = .bool(allowsReentry)
        object["reentryKey"] = reentryKey.map { .string($0.path) }
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
        var object: JSONObject = ["type": .string(kind.rawValue)]
        if kind != .partial { object["subject"] = .string(content.subject) }
        object["from"] = content.from.map { .string($0) }
        object["fromName"] = content.fromName.map { .string($0) }
        object["replyTo"] = content.replyTo.map { .string($0) }
        object["trackOpens"] = content.tracksOpens?.json
        object["trackClicks"] = content.tracksClicks?.json
        object["text"] = content.text.map { .string($0) }
        object["markdown"] = content.markdown.map { .string($0) }
        object["html"] = content.html.map { .string($0) }
        return object
    }
}
