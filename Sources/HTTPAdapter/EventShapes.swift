import Engine
import JSONValue
import WorkflowModel

// How events and the history of contacts look in the API.

extension Event {
    var fields: JSONObject {
        [
            "id": .string("\(id)"), "name": .string(name), "data": .object(data), "source": .string(source.rawValue),
            "createdAt": .string("\(createdAt)"),
        ]
    }
}

extension EventListing {
    var json: JSON {
        var fields = event.fields
        fields["contactId"] = contactID.map { .string("\($0)") } ?? .null
        fields["contact"] =
            contactID.flatMap { id in contactEmail.map { ["id": .string("\(id)"), "email": .string($0)] } } ?? .null
        return .object(fields)
    }
}

extension EventNameCount {
    var json: JSON { ["name": .string(name), "count": .int(Int64(count))] }
}

extension RecordedEvents.Usage {
    var json: JSON {
        func users(_ all: [(id: Identifier, name: String)]) -> JSON {
            .array(all.map { ["id": .string("\($0.id)"), "name": .string($0.name)] })
        }
        return [
            "usedInSegments": users(segments), "usedInWorkflows": users(workflows), "totalCount": .int(Int64(count)),
            "uniqueContacts": .int(Int64(contacts)), "canDelete": .bool(canDelete),
        ]
    }
}

extension HistoryKind {
    /// As the API calls it.
    var name: String {
        switch self {
        case .event: "event"
        case .execution: "execution"
        case .mail: "mail"
        }
    }
}

extension TimelineItem {
    func json(_ workflows: [Identifier: String]) -> JSON {
        var fields: JSONObject
        switch self {
        case .event(let event):
            fields = ["type": .string(HistoryKind.event.name), "at": .string("\(at)")]
            for (key, value) in event.fields where key != "createdAt" { fields[key] = value }
        case .execution(let execution):
            fields = [
                "type": .string(HistoryKind.execution.name), "at": .string("\(at)"),
                "id": .string("\(execution.id)"), "workflowId": .string("\(execution.workflowID)"),
                "workflowName": JSON(workflows[execution.workflowID]), "status": .string(execution.status.rawValue),
                "currentStepId": JSON(execution.currentStep), "exitReason": JSON(execution.exitReason),
                "completedAt": JSON(execution.completedAt),
            ]
        case .mail(let mail):
            fields = [
                "type": .string(HistoryKind.mail.name), "at": .string("\(at)"), "id": .string("\(mail.id)"),
                "executionId": mail.executionID.map { .string("\($0)") } ?? .null,
                "status": .string(mail.state), "kind": .string(mail.kind.rawValue),
                "to": .string(mail.recipient), "messageId": .string(mail.messageID),
                "completedAt": JSON(mail.completedAt), "opens": .int(Int64(mail.opens)),
                "openedAt": JSON(mail.openedAt), "lastReply": JSON(mail.lastReply),
                "delivery": mail.fate?.shape ?? .null,
            ]
        }
        return .object(fields)
    }
}
