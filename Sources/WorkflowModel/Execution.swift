import JSONValue

/// One run of one version of a workflow for one contact: everything the machine has to know and may change.
package struct Execution: Hashable, Sendable {
    /// The raw values are what the database and the API show.
    package enum Status: String, Hashable, Sendable, CaseIterable {
        case running = "RUNNING"
        case waiting = "WAITING"
        case completed = "COMPLETED"
        case exited = "EXITED"
        case failed = "FAILED"
        case cancelled = "CANCELLED"

        /// A final state never changes again.
        package var isFinal: Bool { self != .running && self != .waiting }
    }

    /// What an execution is held up by: WAITING for a timer or an event, RUNNING while a webhook is under way.
    package enum Wait: Hashable, Sendable {
        /// The end of a DELAY.
        case timer(due: Timestamp)
        /// The first of several events; `due` is the timeout, nil for ever.
        case event(names: [String], due: Timestamp?)
        /// The end of a webhook call.
        case webhook(call: Identifier)

        package var due: Timestamp? {
            switch self {
            case .timer(let due): due
            case .event(_, let due): due
            case .webhook: nil
            }
        }
    }

    package var id: Identifier
    package var workflowID: Identifier
    package var contactID: Identifier
    package var status: Status
    /// The step it stands on, or failed at; nil in every other final state.
    package var currentStep: String?
    package var wait: Wait?
    /// Initial context of a manual start, and the data of every event that resumed a wait.
    package var context: JSONObject
    /// The event that started it; nil for a manual start.
    package var trigger: Event?
    /// The event that last resumed it; nil before the first.
    package var resumedBy: Event?
    /// Outputs of finished steps by step key.
    package var outputs: JSONObject
    package var exitReason: String?
    /// Step executions so far; the next one gets this number.
    package var stepCount: Int
    package var startedAt: Timestamp
    package var completedAt: Timestamp?

    package init(
        id: Identifier, workflowID: Identifier, contactID: Identifier, status: Status = .running,
        currentStep: String? = nil, wait: Wait? = nil, context: JSONObject = [:], trigger: Event? = nil,
        resumedBy: Event? = nil, outputs: JSONObject = [:], exitReason: String? = nil, stepCount: Int = 0,
        startedAt: Timestamp, completedAt: Timestamp? = nil
    ) {
        self.id = id
        self.workflowID = workflowID
        self.contactID = contactID
        self.status = status
        self.currentStep = currentStep
        self.wait = wait
        self.context = context
        self.trigger = trigger
        self.resumedBy = resumedBy
        self.outputs = outputs
        self.exitReason = exitReason
        self.stepCount = stepCount
        self.startedAt = startedAt
        self.completedAt = completedAt
    }

    /// Events that this execution brings about are one generation further from the outside world than what moves it.
    package var generation: Int { ((resumedBy ?? trigger)?.generation ?? 0) + 1 }
}

/// One step as it was executed, written when it ends and, for a pausing step, also when it begins.
package struct StepExecution: Hashable, Sendable {
    package enum Status: String, Hashable, Sendable {
        /// A webhook call is under way.
        case running = "RUNNING"
        case waiting = "WAITING"
        case completed = "COMPLETED"
        case failed = "FAILED"
        case cancelled = "CANCELLED"

        package var isFinal: Bool { self != .running && self != .waiting }
    }

    /// Counts from 0 within the execution; a retried step gets a new number.
    package var sequence: Int
    package var step: String
    package var type: StepType
    package var status: Status
    /// What the step was given where that is not its options as they stand: a rendered request, a rendered update.
    package var input: JSON
    package var output: JSON
    package var error: String?
    /// Tries so far; more than one where a webhook was called again.
    package var attempts: Int
    package var startedAt: Timestamp
    package var completedAt: Timestamp?

    package init(
        sequence: Int, step: String, type: StepType, status: Status, input: JSON = .null, output: JSON = .null,
        error: String? = nil, attempts: Int = 1, startedAt: Timestamp, completedAt: Timestamp? = nil
    ) {
        self.sequence = sequence
        self.step = step
        self.type = type
        self.status = status
        self.input = input
        self.output = output
        self.error = error
        self.attempts = attempts
        self.startedAt = startedAt
        self.completedAt = completedAt
    }
}
