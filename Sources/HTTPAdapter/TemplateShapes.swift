import Engine
import JSONValue
import WorkflowModel

// How templates look in the API.

extension Catalog.TemplateRecord {
    private var naming: JSONObject {
        [
            "id": .string("\(id)"), "slug": .string(slug), "name": .string(name), "description": JSON(description),
            "type": .string(current.kind.rawValue), "version": .int(Int64(current.number)),
            "projectId": .string("\(projectID)"), "createdAt": .string("\(createdAt)"),
            "updatedAt": .string("\(updatedAt)"),
        ]
    }

    /// Everything. `body` is what clients of Plunk read.
    var fields: JSONObject { naming.merging(current.content.fields) }

    /// Without the bodies.
    var listing: JSON {
        var fields = naming
        for (key, value) in current.content.headers { fields[key] = value }
        return .object(fields)
    }
}

extension TemplateContent {
    fileprivate var headers: JSONObject {
        [
            "subject": .string(subject), "from": JSON(from), "fromName": JSON(fromName), "replyTo": JSON(replyTo),
            "trackOpens": tracksOpens?.json ?? .null,
            "trackClicks": tracksClicks?.json ?? .null,
        ]
    }

    fileprivate var fields: JSONObject {
        var fields = headers
        fields["html"] = JSON(html)
        fields["body"] = JSON(html)
        fields["markdown"] = JSON(markdown)
        fields["text"] = JSON(text)
        return fields
    }
}

extension TemplateDetail {
    var json: JSON {
        var fields = template.fields
        fields["warnings"] = .array(warnings.map(\.json))
        return .object(fields)
    }
}

extension TemplateWarning {
    var json: JSON {
        [
            "part": .string(part), "line": place.map { .int(Int64($0.line)) } ?? .null,
            "column": place?.column.map { .int(Int64($0)) } ?? .null, "variable": .string(variable),
            "message": .string(message), "suggestion": JSON(suggestion),
        ]
    }
}

extension TemplateVersion {
    private func fields(in template: Catalog.TemplateRecord) -> JSONObject {
        [
            "id": .string("\(id)"), "templateId": .string("\(templateID)"), "version": .int(Int64(number)),
            "current": .bool(id == template.current.id), "type": .string(kind.rawValue),
            "subject": .string(content.subject), "createdAt": .string("\(createdAt)"),
        ]
    }

    func listing(in template: Catalog.TemplateRecord) -> JSON { .object(fields(in: template)) }

    func json(in template: Catalog.TemplateRecord) -> JSON {
        .object(fields(in: template).merging(content.fields))
    }
}

extension TemplateUsage {
    var json: JSON {
        [
            "steps": .array(
                steps.map { step in
                    [
                        "workflow": [
                            "id": .string("\(step.workflow.id)"), "slug": .string(step.workflow.slug),
                            "name": .string(step.workflow.name),
                        ],
                        "id": .string(step.key), "name": .string(step.name ?? step.key),
                    ]
                }),
            "templates": .array(
                templates.map {
                    ["id": .string("\($0.id)"), "slug": .string($0.slug), "name": .string($0.name)]
                }),
            "mails": .int(Int64(mails)), "mailsLookedAt": .int(Int64(Self.mailsLookedAt)),
        ]
    }
}

extension TemplatePreview {
    var json: JSON {
        [
            "subject": .string(subject), "html": JSON(html), "text": .string(text),
            "warnings": .array(warnings.map(\.json)),
        ]
    }
}

extension TestMail {
    var json: JSON {
        [
            "emailId": .string("\(id)"), "to": .string(recipient), "subject": .string(subject),
            "warnings": .array(warnings.map(\.json)),
        ]
    }
}
