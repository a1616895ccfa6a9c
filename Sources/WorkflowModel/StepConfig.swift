import JSONValue

/// What a step does, with its validated options. The cases are the step types of the specification.
package enum StepConfig: Hashable, Sendable {
    case trigger
    case sendEmail(SendEmail)
    case delay(Delay)
    case waitForEvent(WaitForEvent)
    case condition(ConditionStep)
    case webhook(Webhook)
    case updateContact(UpdateContact)
    case exit(reason: String?)

    package struct SendEmail: Hashable, Sendable {
        /// The template's slug or id.
        package var template: String
        /// Addresses or templates that render to one; nil takes the template's sender, no Reply-To, the contact.
        package var from: String?
        package var replyTo: String?
        package var to: String?
        /// The mail leaves at the first moment inside; nil lets it leave at once.
        package var window: SendWindow?

        package init(
            template: String, from: String? = nil, replyTo: String? = nil, to: String? = nil, window: SendWindow? = nil
        ) {
            self.window = window
            self.template = template
            self.from = from
            self.replyTo = replyTo
            self.to = to
        }
    }

    package struct Delay: Hashable, Sendable {
        package enum Kind: Hashable, Sendable {
            /// A fixed time from the moment when the step begins.
            case duration(microseconds: Int64, amount: Double, unit: String)
            /// An RFC 3339 instant, or a template that renders to one.
            case until(String)
        }

        package var kind: Kind
        /// The end is moved to the first moment inside; nil leaves it where it falls.
        package var window: SendWindow?

        package init(_ kind: Kind, window: SendWindow? = nil) {
            self.kind = kind
            self.window = window
        }
    }

    package struct WaitForEvent: Hashable, Sendable {
        /// Canonical names; the first of them to arrive ends the wait.
        package var eventNames: [String]
        /// Seconds; nil waits for ever.
        package var timeout: Int64?
        /// What must hold with the event as `event.*`, for it to end the wait.
        package var filter: Filter?
        /// Whether an event that came since the execution started counts too.
        package var looksBack: Bool
        /// Whether only what becomes of this execution's own mail counts.
        package var isForOwnMail: Bool

        package init(
            eventNames: [String], timeout: Int64? = nil, filter: Filter? = nil, looksBack: Bool = false,
            isForOwnMail: Bool = false
        ) {
            self.eventNames = eventNames
            self.timeout = timeout
            self.filter = filter
            self.looksBack = looksBack
            self.isForOwnMail = isForOwnMail
        }
    }

    package struct Webhook: Hashable, Sendable {
        /// An http or https address, or a template that renders to one.
        package var url: String
        /// Upper case.
        package var method: String
        /// Their values are templates.
        package var headers: [WebhookRequest.Header]
        /// Strings in it, at any depth, are templates; nil sends contact, workflow, execution and event.
        package var body: JSON?

        package init(url: String, method: String = "POST", headers: [WebhookRequest.Header] = [], body: JSON? = nil) {
            self.url = url
            self.method = method
            self.headers = headers
            self.body = body
        }
    }

    package struct UpdateContact: Hashable, Sendable {
        /// Strings in it, at any depth, are templates. Null deletes a key.
        package var data: JSONObject
        /// True subscribes, false unsubscribes, nil leaves the flag alone.
        package var subscribes: Bool?

        package init(data: JSONObject, subscribes: Bool? = nil) {
            self.data = data
            self.subscribes = subscribes
        }
    }

    /// The name of the type in the specification.
    package var type: StepType {
        switch self {
        case .trigger: .trigger
        case .sendEmail: .sendEmail
        case .delay: .delay
        case .waitForEvent: .waitForEvent
        case .condition: .condition
        case .webhook: .webhook
        case .updateContact: .updateContact
        case .exit: .exit
        }
    }
}

package enum StepType: String, Hashable, Sendable, CaseIterable {
    case trigger = "TRIGGER"
    case sendEmail = "SEND_EMAIL"
    case delay = "DELAY"
    case waitForEvent = "WAIT_FOR_EVENT"
    case condition = "CONDITION"
    case webhook = "WEBHOOK"
    case updateContact = "UPDATE_CONTACT"
    case exit = "EXIT"
}

/// One thing wrong with a workflow, with the path of the offending value (`steps.reply.config.template`).
package struct WorkflowProblem: Error, Hashable, Sendable, CustomStringConvertible {
    package var path: String
    package var message: String
    /// Where in the value at `path`, when it is a text of many lines; counted from 1.
    package var place: Place?

    package struct Place: Hashable, Sendable {
        package var line: Int
        /// Nil where only the line is known.
        package var column: Int?

        package init(line: Int, column: Int?) {
            self.line = line
            self.column = column
        }
    }

    package init(path: String, message: String, place: Place? = nil) {
        self.path = path
        self.message = message
        self.place = place
    }

    package var description: String { "\(path): \(message)" }
}
