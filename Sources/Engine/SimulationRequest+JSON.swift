import JSONValue
import WorkflowModel

extension SimulationRequest {
    /// Reads a request, and names everything that is wrong with it at once.
    /// - Throws: `UseCaseError.invalid`.
    package init(json: JSON) throws {
        var reader = Reader()
        let request = reader.read(json)
        guard reader.problems.isEmpty, let request else {
            throw UseCaseError(.invalid, "the simulation cannot be done as asked", problems: reader.problems)
        }
        self = request
    }

    private struct Reader {
        var problems: [WorkflowProblem] = []

        mutating func report(_ path: String, _ message: String) {
            problems.append(WorkflowProblem(path: path, message: message))
        }

        mutating func allow(_ keys: Set<String>, in object: JSONObject, path: String = "") {
            for key in object.keys where !keys.contains(key) {
                report(
                    path.isEmpty ? key : "\(path).\(key)",
                    "is not known here; known are \(keys.sorted().joined(separator: ", "))")
            }
        }

        mutating func object(_ value: JSON?, _ path: String) -> JSONObject {
            guard let value, !value.isNull else { return [:] }
            if let object = value.objectValue { return object }
            report(path, "must be a mapping")
            return [:]
        }

        mutating func read(_ json: JSON) -> SimulationRequest? {
            guard let root = json.objectValue else {
                report("body", "must be a mapping")
                return nil
            }
            allow(["contact", "context", "trigger", "events", "webhooks", "startAt", "horizon"], in: root)
            let contact = contact(root["contact"])
            let trigger = object(root["trigger"], "trigger")
            allow(["data"], in: trigger, path: "trigger")
            var request = SimulationRequest(
                contact: contact, context: object(root["context"], "context"),
                triggerData: object(trigger["data"], "trigger.data"), events: events(root["events"]),
                answers: answers(root["webhooks"]))
            if let value = root["startAt"], !value.isNull {
                request.startAt = value.stringValue.flatMap(Timestamp.init(rfc3339:))
                if request.startAt == nil { report("startAt", "must be a time: RFC 3339") }
            }
            if let horizon = moment(root["horizon"], "horizon") { request.horizon = horizon }
            return request
        }

        private mutating func contact(_ value: JSON?) -> SimulationRequest.Contact {
            let object = object(value, "contact")
            allow(["id", "email", "subscribed", "data"], in: object, path: "contact")
            var contact = SimulationRequest.Contact()
            if let value = object["id"] {
                contact.id = value.stringValue.flatMap { Identifier($0) }
                if contact.id == nil { report("contact.id", "must be a contact's id") }
            }
            if let value = object["email"] {
                contact.email = value.stringValue.map(AddressText.normal)
                if contact.email?.contains("@") != true { report("contact.email", "must be a mail address") }
            }
            if object["id"] == nil, object["email"] == nil {
                report("contact", "is required: {id} or {email}, for example {email: ann@example.org}")
            }
            if let value = object["subscribed"] {
                contact.isSubscribed = value.boolValue
                if value.boolValue == nil { report("contact.subscribed", "must be true or false") }
            }
            if let value = object["data"] { contact.data = self.object(value, "contact.data") }
            return contact
        }

        private mutating func events(_ value: JSON?) -> [Occurrence] {
            guard let value, !value.isNull else { return [] }
            guard let list = value.arrayValue, list.count <= SimulationRequest.eventLimit else {
                report("events", "must be a list of at most \(SimulationRequest.eventLimit) events")
                return []
            }
            return list.enumerated().compactMap { position, value in
                let path = "events.\(position)"
                guard let object = value.objectValue else {
                    report(path, "must be a mapping of event, at and data")
                    return nil
                }
                allow(["event", "at", "data"], in: object, path: path)
                let name = object["event"]?.stringValue ?? ""
                if name.isEmpty || name.utf8.count > EventName.lengthLimit {
                    report("\(path).event", "names the event; it is required")
                }
                if object["at"] == nil { report("\(path).at", "says when it happens; it is required") }
                guard let at = moment(object["at"], "\(path).at") else { return nil }
                return Occurrence(name: name, at: at, data: self.object(object["data"], "\(path).data"))
            }
        }

        private mutating func moment(_ value: JSON?, _ path: String) -> Moment? {
            guard let value, !value.isNull else { return nil }
            if let moment = value.stringValue.flatMap(Moment.init) { return moment }
            report(path, "must be a time (RFC 3339) or a distance from the start, for example +2d or +1d12h")
            return nil
        }

        private mutating func answers(_ value: JSON?) -> [String: [Answer]] {
            var answers: [String: [Answer]] = [:]
            for (step, value) in object(value, "webhooks") {
                let path = "webhooks.\(step)"
                guard let list = value.arrayValue else {
                    answers[step] = [answer(value, path)]
                    continue
                }
                if list.isEmpty || list.count > 20 { report(path, "must be an answer, or a list of 1 to 20 answers") }
                answers[step] = list.prefix(20).enumerated().map { answer($1, "\(path).\($0)") }
            }
            return answers
        }

        private mutating func answer(_ value: JSON, _ path: String) -> Answer {
            let object = object(value, path)
            allow(["status", "headers", "body", "error", "after"], in: object, path: path)
            var answer = Answer(status: nil)
            if let error = object["error"] {
                answer.error = error.stringValue
                if error.stringValue == nil { report("\(path).error", "must be a text") }
                if object["status"] != nil { report("\(path).error", "stands alone: give status or error") }
            } else {
                let status = object["status"] ?? 200
                answer.status = status.intValue.flatMap { (100...599).contains($0) ? Int($0) : nil }
                if answer.status == nil { report("\(path).status", "must be an HTTP status, 100 to 599") }
            }
            for (name, value) in self.object(object["headers"], "\(path).headers") {
                answer.headers[name.lowercased()] = value.stringValue
                if value.stringValue == nil { report("\(path).headers.\(name)", "must be a text") }
            }
            if let body = object["body"] {
                // A client may write the JSON that the endpoint would send.
                answer.body = body.stringValue ?? JSONWriter.write(body)
            }
            if let after = object["after"] {
                if case .offset(let microseconds)? = moment(after, "\(path).after"), microseconds >= 0 {
                    answer.microseconds = microseconds
                } else {
                    report("\(path).after", "must be a distance, for example +5s")
                }
            }
            return answer
        }
    }
}
