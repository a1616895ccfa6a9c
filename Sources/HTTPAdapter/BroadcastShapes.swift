import Engine
import JSONValue
import WorkflowModel

// How broadcasts look in the API.

extension Broadcast {
    var json: JSON {
        func time(_ time: Timestamp?) -> JSON { time.map { .string("\($0)") } ?? .null }
        var object: JSONObject = [
            "id": .string("\(id)"), "projectId": .string("\(projectID)"), "name": .string(name),
            "status": .string(status.rawValue), "type": .string(TemplateSummary.Kind.marketing.rawValue),
            "segmentId": JSON(segmentID.map { "\($0)" }),
        ]
        object.merge(definition.content.shape)
        object["variants"] = .array(
            definition.variants.map { variant in
                var object: JSONObject = ["name": .string(variant.name)]
                object.merge(variant.content.shape)
                return .object(object)
            })
        object["test"] =
            definition.test.map { test in
                [
                    "share": .int(Int64(test.share)), "winner": .string(test.rule.rawValue),
                    "duration": test.rule == .manual ? .null : .int(test.duration),
                ]
            } ?? .null
        object["window"] = definition.window.map(\.json) ?? .null
        object["data"] = .object(definition.data)
        object["phase"] = status.isFinal || status == .draft ? .null : JSON(phase?.rawValue)
        object["winner"] = JSON(definition.variantName(at: winner))
        object["winnerReason"] = JSON(winnerReason?.rawValue)
        object["reason"] = JSON(reason)
        object["scheduledAt"] = time(scheduledAt)
        object["decideAt"] = time(decideAt)
        object["startedAt"] = time(startedAt)
        object["completedAt"] = time(completedAt)
        object["createdAt"] = time(createdAt)
        object["updatedAt"] = time(updatedAt)
        return .object(object)
    }
}

extension BroadcastDefinition.Content {
    fileprivate var shape: JSONObject {
        [
            "template": JSON(template.map { "\($0)" }),
            "templateVersion": templateVersion.map { .int(Int64($0)) } ?? .null, "subject": JSON(subject),
            "body": JSON(body), "from": JSON(from), "replyTo": JSON(replyTo),
        ]
    }
}

extension BroadcastCounts {
    var json: JSONObject {
        func count(_ count: Broadcast.Count) -> JSON { .int(Int64(self[count])) }
        return [
            "recipients": count(.recipients), "queued": .int(Int64(queued)), "sent": count(.sent),
            "delivered": count(.delivered), "opened": count(.opened), "clicked": count(.clicked),
            "bounced": count(.bounced), "complained": count(.complained), "unsubscribed": count(.unsubscribed),
            "failed": .int(Int64(self[.failed] + self[.rejected])), "skipped": count(.skipped),
            "cancelled": count(.cancelled),
        ]
    }
}

extension Broadcasts.Stats {
    var json: JSON {
        var object = total.json
        object["broadcastId"] = .string("\(broadcast.id)")
        object["status"] = .string(broadcast.status.rawValue)
        object["variants"] = .array(
            broadcast.definition.variants.enumerated().map { position, variant in
                var object = variants[position].json
                object["name"] = .string(variant.name)
                object["isWinner"] = .bool(broadcast.winner == position)
                return .object(object)
            })
        return .object(object)
    }
}

extension Broadcasts.Estimate {
    var json: JSON {
        [
            "members": .int(Int64(audience.members)), "subscribed": .int(Int64(audience.subscribed)),
            "sendable": .int(Int64(audience.sendable)), "testGroup": .int(Int64(testGroup)),
            "isComputing": .bool(isComputing),
        ]
    }
}
