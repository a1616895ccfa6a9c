import Engine
import JSONValue
import WorkflowModel

// How lists of contacts and jobs look in the API.

extension Contacts.Page {
    var json: JSON {
        [
            "data": .array(contacts.map(\.json)), "cursor": JSON(next?.text), "hasMore": .bool(next != nil),
            "total": .int(Int64(total)),
        ]
    }
}

extension Contacts.Lookup {
    var json: JSON { ["found": .array(found.map(\.json)), "missing": .array(missing.map { .string($0) })] }
}

extension ContactJob {
    var fields: JSONObject {
        let counts: JSON = [
            "read": .int(Int64(counts.read)), "created": .int(Int64(counts.created)),
            "updated": .int(Int64(counts.updated)), "unchanged": .int(Int64(counts.unchanged)),
            "deleted": .int(Int64(counts.deleted)), "failed": .int(Int64(counts.failed)),
        ]
        return [
            "id": .string("\(id)"), "kind": .string(kind.rawValue), "status": .string(status.rawValue),
            "progress": .double((progress * 10_000).rounded() / 10_000), "counts": counts, "reason": JSON(reason),
            "createdAt": .string("\(createdAt)"), "updatedAt": .string("\(updatedAt)"),
            "completedAt": JSON(completedAt),
        ]
    }
}

extension Contacts.JobDetail {
    var json: JSON {
        var fields = job.fields
        if job.kind == .import, let plan = try? ImportPlan(json: job.plan) {
            fields["ignoredColumns"] = .array(plan.ignored.map { .string($0) })
        }
        fields["errors"] = .array(
            errors.map {
                [
                    "row": .int(Int64($0.row)), "column": JSON($0.column), "rule": .string($0.rule.rawValue),
                    "message": .string($0.message),
                ]
            })
        return .object(fields)
    }
}
