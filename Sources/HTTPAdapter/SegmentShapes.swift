import Engine
import JSONValue
import WorkflowModel

// How segments look in the API.

extension Segments.Detail {
    var json: JSON {
        let filter = segment.filter?.json ?? .null
        return [
            "id": .string("\(segment.id)"), "projectId": .string("\(segment.projectID)"),
            "slug": .string(segment.slug), "name": .string(segment.name), "description": JSON(segment.description),
            "type": .string(segment.kind.rawValue), "filter": filter, "condition": filter, "trackMembership": true,
            "memberCount": .int(Int64(memberCount)), "status": .string(isComputing ? "computing" : "ready"),
            "createdAt": .string("\(segment.createdAt)"), "updatedAt": .string("\(segment.updatedAt)"),
        ]
    }
}

extension SegmentMember {
    var json: JSON {
        var fields = contact.json.objectValue ?? [:]
        fields["enteredAt"] = .string("\(enteredAt)")
        return .object(fields)
    }
}

extension Segments.Admitted {
    var json: JSON {
        [
            "added": .int(Int64(added)), "created": .int(Int64(created)), "unchanged": .int(Int64(unchanged)),
            "missing": .array(missing.map { .string($0) }),
        ]
    }
}

extension Segments.Removed {
    var json: JSON {
        [
            "removed": .int(Int64(removed)), "unchanged": .int(Int64(unchanged)),
            "missing": .array(missing.map { .string($0) }),
        ]
    }
}
