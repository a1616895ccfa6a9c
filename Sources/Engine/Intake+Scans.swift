import JSONValue
import Logging
import MailModel
import WorkflowModel

/// Mail whose verdicts are not all there when it is accepted.
extension Intake {
    /// Keeps the message for the scanners. It is durable, and known as received, before the MTA hears of it.
    func recording(
        ofPending message: ReceivedMessage, _ arrivals: [Arrival], verdict: Verdict, deadline: Duration, others: Int
    ) -> MessageRecording {
        { completion in
            context.submit(others: others) { transaction in
                let deadline = transaction.now.adding(seconds: deadline.components.seconds)
                var pending = PendingMail(
                    id: transaction.makeID(), receivedAt: transaction.now, deadline: deadline, message: message,
                    arrivals: [])
                for arrival in arrivals {
                    let project = try project(of: arrival.route, in: transaction)
                    let reception = Reception(
                        key: arrival.key, projectID: project.id, eventID: pending.id, recipient: arrival.recipient,
                        queueID: message.queueID, receivedAt: transaction.now)
                    guard try transaction.store.insert(reception) else {
                        try transaction.store.count("receptions_repeated", by: 1)
                        continue
                    }
                    pending.arrivals.append(
                        .init(recipient: arrival.recipient, project: arrival.route.project, key: arrival.key))
                }
                guard !pending.arrivals.isEmpty else { return false }
                try transaction.store.insert(pending)
                transaction.wakes.scans = true
                return true
            } completion: { result in
                switch result {
                case .success(let isNew):
                    if !isNew { meters.count(.repeated) }
                    completion(verdict)
                    count(verdict)
                    let metadata: Logger.Metadata = ["queueId": "\(message.queueID)"]
                    context.logger.info(
                        isNew ? "mail waits for its verdicts" : "mail received again", metadata: metadata)
                case .failure(let error):
                    completion(notRecorded(message, error))
                }
            }
        }
    }

    /// Records the events of a message whose verdicts are there.
    /// - Parameter verdicts: of the sources that were asked.
    /// - Returns: false when somebody else has done so.
    func complete(_ pending: PendingMail, asked: ScanVerdicts) async throws -> Bool {
        let message = pending.message
        var verdicts = configuration.sources.verdicts(of: message)
        verdicts.merge(asked)
        let arrivals = pending.arrivals.map(arrival)
        let prepared = prepare(
            message, arrivals, verdicts, key: identity(of: message), receivedAt: pending.receivedAt,
            pending: pending.id)
        let outcomes = try await withCheckedThrowingContinuation { continuation in
            submit(prepared) { continuation.resume(with: $0) }
        }
        guard !outcomes.isEmpty else { return false }
        meters.count(.scanned)
        log(outcomes, prepared.facts)
        return true
    }

    /// The route as it is now; where it is gone, the event is recorded as any other.
    private func arrival(_ stored: PendingMail.Arrival) -> Arrival {
        let found = configuration.routes.found(for: stored.recipient).first { $0.route.project == stored.project }
        let plain = InboundRoutes.Route(
            match: .recipient(stored.recipient), project: stored.project, disposition: .continue)
        return Arrival(
            recipient: stored.recipient, route: found?.route ?? plain, mailboxHash: found?.mailboxHash,
            key: stored.key)
    }
}
