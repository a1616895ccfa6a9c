import Logging
import MailModel
import WorkflowModel

/// Keeps received mail as it came, where a route or the configuration asks for it. Where none does, nothing is done at all.
struct RawMailKeeper: Sendable {
    private let context: EngineContext
    private let archive: (any RawMailArchive)?
    private let policy: RawMailPolicy

    init(_ context: EngineContext) {
        self.context = context
        archive = context.rawMail
        policy = context.configuration.rawMail
    }

    /// What becomes of the raw bytes of one message.
    struct Plan: Sendable {
        var keep: RawMailPolicy.Keep
        /// Under which the message can be found; nil when it is kept only if something goes wrong.
        var id: Identifier?
    }

    /// The most that one of the routes asks for.
    func plan(for routes: [InboundRoutes.Route], now: Timestamp) -> Plan {
        guard archive != nil else { return Plan(keep: .never) }
        let wishes = Set(routes.map { $0.rawMail ?? policy.keep })
        if wishes.contains(.always) { return Plan(keep: .always, id: context.identifiers.make(at: now)) }
        return Plan(keep: wishes.contains(.failures) ? .failures : .never)
    }

    /// Before the message is recorded: its event names it.
    /// - Returns: the plan, without an id when the message could not be kept.
    func begin(_ plan: Plan, _ message: ReceivedMessage, now: Timestamp) -> Plan {
        guard let id = plan.id, !keep(RawMail(id: id, reason: .always, receivedAt: now, message: message)) else {
            return plan
        }
        return Plan(keep: .always)
    }

    /// It was recorded before: a copy of it was kept then.
    func forget(_ plan: Plan) {
        if let id = plan.id { archive?.remove(id) }
    }

    /// The message could not be recorded.
    func fail(_ plan: Plan, _ message: ReceivedMessage, error: any Error) {
        guard plan.keep != .never, plan.id == nil else { return }
        let now = context.clock.now()
        let mail = RawMail(
            id: context.identifiers.make(at: now), reason: .failure, error: "\(error)", receivedAt: now,
            message: message)
        _ = keep(mail)
    }

    private func keep(_ mail: RawMail) -> Bool {
        do {
            return try archive?.keep(mail) ?? false
        } catch {
            context.logger.error(
                "mail not kept", metadata: ["queueId": "\(mail.message.queueID)", "error": "\(error)"])
            return false
        }
    }
}
