import Engine
import Hummingbird
import JSONValue
import WorkflowModel

extension APIResponder {
    /// Bytes of a request to send mail: its files are in it, a third larger by their encoding.
    static let sendLimit = 15 * 1024 * 1024

    /// Puts mails into the outbox. The answer comes after the commit.
    func send(_ exchange: inout Exchange) async throws -> Response {
        let key = try authorize(exchange)
        let body = try await exchange.readJSON(upTo: bodyLimit(at: .send), within: configuration.bodyTimeout)
        let fields = try SendFields(body, dataLimit: context.configuration.eventDataLimit)
        context.willAnswer { (sent: DirectMail.Sent) in sent.json }
        let sent = try await DirectMail(context: context).send(fields.request(project: key.projectID))
        return Self.response(json: sent.json)
    }

    /// What has become of one mail.
    func mail(_ exchange: Exchange) async throws -> Response {
        let key = try authorize(exchange)
        let id = try identifier(exchange, at: 0, of: "mail")
        return Self.response(json: try await DirectMail(context: context).status(of: id, project: key.projectID).json)
    }

    /// Whether an address can get mail.
    func verify(_ exchange: inout Exchange) async throws -> Response {
        _ = try authorize(exchange)
        var body = try BodyReader(try await json(&exchange), keys: ["email"])
        let email = body.value("email")?.stringValue
        if email == nil { body.report("email", body.has("email") ? "must be a text" : "is missing") }
        try body.finish()
        let check = await AddressCheck(context: context).run(email ?? "")
        return Self.response(json: ["success": true, "data": check.json])
    }
}

extension DirectMail.Sent {
    /// As clients read it.
    var json: JSON {
        let mails = mails.map { mail -> JSON in
            [
                "contact": ["id": .string("\(mail.contactID)"), "email": .string(mail.email)],
                "email": .string("\(mail.id)"),
            ]
        }
        return ["success": true, "data": ["emails": .array(mails), "timestamp": .string("\(at)")]]
    }
}

extension MailStatus {
    /// As clients read it.
    var json: JSON {
        func time(_ time: Timestamp?) -> JSON { time.map { .string("\($0)") } ?? .null }
        let isSent = entry.status == .delivered
        func returned(_ kind: MailReturn.Kind) -> MailReturn? { returns.first { $0.kind == kind } }
        let hasFailed = [.bounced, .expired, .failed, .suppressed, .cancelled].contains(entry.status)
        return [
            "success": true,
            "data": [
                "id": .string("\(entry.id)"),
                "contact": [
                    "id": .string("\(entry.contactID)"), "email": contactEmail.map { .string($0) } ?? .null,
                ],
                "to": .string(entry.request.recipient), "status": .string(state),
                "sourceType": .string(entry.sourceType), "type": .string(entry.request.kind.rawValue),
                "messageId": .string(entry.messageID),
                "executionId": entry.executionID.map { .string("\($0)") } ?? .null,
                "attempts": .int(Int64(entry.attempts)), "isPossibleDuplicate": .bool(entry.isPossibleDuplicate),
                "createdAt": time(entry.createdAt),
                "sentAt": time(isSent ? completedAt : nil), "failedAt": time(hasFailed ? completedAt : nil),
                "openedAt": time(openedAt), "opens": .int(Int64(opens)),
                "bouncedAt": time(returned(.bounced)?.at ?? (entry.status == .bounced ? completedAt : nil)),
                "complainedAt": time(returned(.complained)?.at), "repliedAt": time(returned(.replied)?.at),
                "bounce": returned(.bounced).map { .object($0.details) } ?? .null,
                "complaint": returned(.complained).map { .object($0.details) } ?? .null,
                "reply": lastReply.map { .string($0) } ?? .null, "delivery": fate?.shape ?? .null,
            ],
        ]
    }
}

extension MailFate {
    /// As clients read it.
    var shape: JSON {
        func text(_ text: String?) -> JSON { text.map { .string($0) } ?? .null }
        return [
            "status": .string(status.rawValue), "at": .string("\(at)"), "queueId": .string(queueID),
            "relay": text(relay), "enhancedCode": text(enhancedCode), "reply": text(reply),
        ]
    }
}
