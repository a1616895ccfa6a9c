import JSONValue

/// What each type of step does.
extension ExecutionRun {
    enum Result {
        /// `input` is null where the step's options say it all.
        case done(output: JSON, input: JSON = .null, branch: String?)
        case paused(Execution.Wait, output: JSON, input: JSON = .null)
        case exited(reason: String)
        case failed(reason: String)
    }

    mutating func perform(_ step: Step) -> Result {
        switch step.config {
        case .trigger: .done(output: triggerOutput, branch: nil)
        case .condition(let condition): perform(condition)
        case .delay(let delay): perform(delay)
        case .waitForEvent(let wait): perform(wait)
        case .webhook(let webhook): perform(webhook, step: step)
        case .updateContact(let update): perform(update)
        case .sendEmail(let send): perform(send, step: step)
        case .exit(let reason): .exited(reason: reason ?? "exit_step")
        }
    }

    private var triggerOutput: JSON {
        [
            "triggered": true, "eventName": .string(execution.trigger?.name ?? "manual"),
            "timestamp": .string("\(now)"),
        ]
    }

    // MARK: CONDITION

    private func perform(_ condition: ConditionStep) -> Result {
        switch condition {
        case .single(let condition):
            let actual = value(of: condition)
            let branch = condition.isSatisfied(in: filterScope) ? "yes" : "no"
            return .done(
                output: [
                    "field": .string(condition.field), "operator": .string(condition.operator.rawValue),
                    "expectedValue": condition.value, "actualValue": Self.abridged(actual ?? .null),
                    "result": .bool(branch == "yes"), "branch": .string(branch),
                ], branch: branch)
        case .filter(let filter):
            let branch = filter.isSatisfied(in: filterScope) ? "yes" : "no"
            return .done(output: ["result": .bool(branch == "yes"), "branch": .string(branch)], branch: branch)
        case .multi(let field, let branches, let otherwise):
            let match = branches.first { $0.condition.isSatisfied(in: filterScope) }
            let branch = match?.id ?? otherwise ?? ConditionStep.defaultBranch
            return .done(
                output: [
                    "field": .string(field), "mode": "multi",
                    "matchedBranch": .string(match?.name ?? ConditionStep.defaultBranch),
                    "actualValue": Self.abridged(branches.first.flatMap { value(of: $0.condition) } ?? .null),
                    "branch": .string(branch),
                ], branch: branch)
        }
    }

    /// What a condition looks at, where that is a value.
    private func value(of condition: Condition) -> JSON? {
        if case .value(let path) = condition.subject { filterScope.value(at: path) } else { nil }
    }

    /// Step outputs are kept for every execution; a mail's whole body does not belong there.
    private static func abridged(_ value: JSON) -> JSON {
        switch value {
        case .string(let text) where text.utf8.count > 256: .string(String(text.prefix(256)) + "…")
        case .array, .object: .string("(\(value.arrayValue == nil ? "object" : "list"))")
        default: value
        }
    }

    // MARK: DELAY

    private func perform(_ delay: StepConfig.Delay) -> Result {
        switch delay.kind {
        case .duration(let microseconds, let amount, let unit):
            let due = moved(now.adding(microseconds: microseconds), into: delay.window)
            return .paused(
                .timer(due: due),
                output: ["delayAmount": .double(amount), "delayUnit": .string(unit), "resumeAt": .string("\(due)")])
        case .until(let source):
            do {
                let text = try environment.render(source, scope: scope).trimmingBlanks()
                guard let due = Timestamp(rfc3339: text) else {
                    return .failed(reason: "until is no RFC 3339 time: \(text.prefix(64))")
                }
                guard due <= now.adding(seconds: StepConfigReader.longestPause) else {
                    return .failed(reason: "until is more than 365 days away: \(due)")
                }
                let end = moved(due, into: delay.window)
                return .paused(.timer(due: end), output: ["resumeAt": .string("\(end)")])
            } catch {
                return .failed(reason: "until cannot be rendered: \(error)")
            }
        }
    }

    /// The first moment inside the window from then on, which is not before now.
    private func moved(_ due: Timestamp, into window: SendWindow?) -> Timestamp {
        guard let window else { return due }
        let rules = environment.zones
        let zone = window.zone(
            contact: scope.contact.data["timezone"]?.stringValue, project: environment.projectZone, rules: rules)
        return window.earliest(notBefore: max(due, now), zone: zone, rules: rules)
    }

    // MARK: WAIT_FOR_EVENT

    /// Whether an event of a name that the present wait asks for may end it.
    func fits(_ event: Event) -> Bool {
        guard event.id != execution.trigger?.id else { return false }
        guard let key = execution.currentStep, case .waitForEvent(let wait)? = machine.graph.step(key)?.config else {
            return true
        }
        return passes(event, wait)
    }

    /// A filter sees the event as `event.*`, and everything else as it is before the event.
    private func passes(_ event: Event, _ wait: StepConfig.WaitForEvent) -> Bool {
        if wait.isForOwnMail, event.data["executionId"]?.stringValue != "\(execution.id)" { return false }
        guard let filter = wait.filter else { return true }
        var scope = filterScope
        scope.scope.execution.resumedBy = event
        return filter.isSatisfied(in: scope)
    }

    private mutating func perform(_ wait: StepConfig.WaitForEvent) -> Result {
        if wait.looksBack, let event = missedEvent(wait) { return .done(output: take(event), branch: "event") }
        let due = wait.timeout.map { now.adding(seconds: $0) }
        var output: JSONObject = [
            "eventName": .string(wait.eventNames.joined(separator: ",")),
            "timeoutAt": due.map { .string("\($0)") } ?? .null,
        ]
        if !wait.looksBack, let missed = missedEvent(wait) {
            output[ExecutionMachine.missedKey] = ExecutionMachine.note(of: missed)
        }
        return .paused(.event(names: wait.eventNames, due: due), output: .object(output))
    }

    /// The oldest event that came before the wait began, and that ended no other wait of this execution.
    private func missedEvent(_ wait: StepConfig.WaitForEvent) -> Event? {
        let used = Set(execution.outputs.values.compactMap { $0["eventId"]?.stringValue })
        func isMissed(_ event: Event) -> Bool {
            event.id != execution.trigger?.id && !used.contains("\(event.id)") && passes(event, wait)
        }
        return wait.looksBack
            ? environment.firstEvent(named: wait.eventNames, since: execution, where: isMissed)
            : environment.keptEvent(named: wait.eventNames, since: execution, where: isMissed)
    }

    // MARK: WEBHOOK

    private mutating func perform(_ webhook: StepConfig.Webhook, step: Step) -> Result {
        do {
            let request = try WebhookPlan(webhook, step: step.key, scope: scope, environment: environment).request()
            effects.append(.callWebhook(request))
            return .paused(
                .webhook(call: request.id),
                output: ["url": .string(request.url), "method": .string(request.method)], input: request.json)
        } catch {
            return .failed(reason: "the webhook cannot be called: \(error)")
        }
    }

    /// What later steps see of a call: the request's part was stored when it began.
    func output(of answer: WebhookAnswer, before: JSON) -> JSON {
        var object = before.objectValue ?? [:]
        object["attempts"] = .int(Int64(answer.attempts))
        switch answer {
        case .succeeded(_, let status, let headers, let body, let isTruncated, _):
            object["statusCode"] = .int(Int64(status))
            object["success"] = true
            object["headers"] = .object(
                JSONObject(headers.sorted { $0.key < $1.key }.map { ($0.key, JSON.string($0.value)) }))
            let parsed = isTruncated ? nil : try? JSONParser.parse(body)
            object["response"] = parsed ?? .string(body)
            if isTruncated { object["truncated"] = true }
        case .failed(_, _, let status, _):
            object["statusCode"] = status.map { .int(Int64($0)) } ?? .null
            object["success"] = false
        }
        return .object(object)
    }

    // MARK: UPDATE_CONTACT

    private mutating func perform(_ update: StepConfig.UpdateContact) -> Result {
        do {
            guard case .object(let data) = try environment.render(.object(update.data), scope: scope) else {
                return .failed(reason: "no data")
            }
            var changed = contact
            changed.merge(data)
            if let subscribes = update.subscribes { changed.isSubscribed = subscribes }
            guard JSONWriter.bytes(.object(changed.data)).count <= Contact.dataLimit else {
                return .failed(reason: "the contact's data would be larger than \(Contact.dataLimit / 1024) KiB")
            }
            let flipped = changed.isSubscribed != contact.isSubscribed
            if changed != contact {
                changed.updatedAt = now
                contact = changed
                effects.append(.updateContact(changed, subscriptionChanged: flipped))
            }
            var input: JSONObject = ["data": .object(data)]
            input["subscriptionAction"] = update.subscribes.map { .string($0 ? "subscribe" : "unsubscribe") }
            return .done(
                output: ["updated": true, "updates": .object(data), "subscribed": .bool(contact.isSubscribed)],
                input: data == update.data ? .null : .object(input), branch: nil)
        } catch {
            return .failed(reason: "a value cannot be rendered: \(error)")
        }
    }

    // MARK: SEND_EMAIL

    private mutating func perform(_ send: StepConfig.SendEmail, step: Step) -> Result {
        let replies = effects.compactMap { effect in
            if case .countReply(let reply) = effect { reply } else { nil }
        }
        let plan = MailPlan(send, step: step.key, scope: scope, environment: environment, earlierReplies: replies)
        switch plan.decide() {
        case .send(let request, let reply):
            effects.append(.sendMail(request))
            if let reply { effects.append(.countReply(reply)) }
            var output: JSONObject = [
                "emailId": .string("\(request.id)"), "recipientEmail": .string(request.recipient),
                "automaticReply": .bool(request.answers != nil),
            ]
            if request.window != nil {
                output["leavesAt"] = .string("\(request.earliest(notBefore: now, rules: environment.zones))")
            }
            return .done(output: .object(output), branch: nil)
        case .skip(let reason, let detail):
            if reason == MailPlan.refusedReply { effects.append(.refuseReply(reason: detail ?? reason)) }
            return .done(
                output: ["skipped": .string(reason), "reason": detail.map { .string($0) } ?? .null], branch: nil)
        case .fail(let reason):
            return .failed(reason: reason)
        }
    }
}

extension WebhookRequest {
    /// The request as a step's input shows it.
    fileprivate var json: JSON {
        [
            "callId": .string("\(id)"), "url": .string(url), "method": .string(method),
            "headers": .object(JSONObject(headers.map { ($0.name, JSON.string($0.value)) })),
            "body": body.map { (try? JSONParser.parse($0)) ?? .string($0) } ?? .null,
        ]
    }
}

extension String {
    fileprivate func trimmingBlanks() -> String {
        let trimmed = drop { $0 == " " || $0 == "\n" || $0 == "\r" || $0 == "\t" }
        guard let last = trimmed.lastIndex(where: { $0 != " " && $0 != "\n" && $0 != "\r" && $0 != "\t" }) else {
            return ""
        }
        return String(trimmed[...last])
    }
}
