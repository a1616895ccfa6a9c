import WorkflowModel

/// A webhook call under way in a simulation: every attempt is answered as the request says, and what an answer means is
/// decided as it is in production.
struct SimulatedCall {
    private var call: WebhookCall
    private let answers: [SimulationRequest.Answer]
    /// When the present attempt ends.
    private(set) var answeredAt: Timestamp
    /// Its place in the report.
    let index: Int
    private(set) var lastAttempt: SimulationReport.Attempt

    init(
        _ request: WebhookRequest, project: Identifier, answers: [SimulationRequest.Answer], index: Int,
        at time: Timestamp
    ) {
        call = WebhookCall(
            request: request, projectID: project, executionID: SimulatedIdentifiers.execution, dueAt: time,
            createdAt: time)
        self.answers = answers.isEmpty ? [.init(status: 200)] : answers
        self.index = index
        lastAttempt = .init(at: time)
        answeredAt = time
        answeredAt = time.adding(microseconds: present.microseconds)
    }

    private var present: SimulationRequest.Answer { answers[min(call.attempts, answers.count - 1)] }

    /// Ends the present attempt.
    mutating func answer() -> WebhookRetries.Decision {
        let answer = present
        lastAttempt = .init(at: answeredAt, status: answer.status, error: answer.error)
        let body = Array(answer.body.utf8)
        let outcome: WebhookOutcome =
            if let status = answer.status {
                .answered(
                    WebhookResponse(
                        status: status, headers: answer.headers, body: Array(body.prefix(WebhookResponse.bodyLimit)),
                        isBodyTruncated: body.count > WebhookResponse.bodyLimit))
            } else {
                .failed(reason: answer.error ?? "no answer", isTemporary: true)
            }
        let decision = WebhookRetries.decide(outcome, call: call, now: answeredAt)
        call.attempts += 1
        if case .retry(let due, _) = decision { answeredAt = due.adding(microseconds: present.microseconds) }
        return decision
    }
}
