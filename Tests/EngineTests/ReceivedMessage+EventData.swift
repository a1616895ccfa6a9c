import JSONValue
import MailFormat
import MailModel
import WorkflowModel

@testable import Engine

extension ReceivedMessage {
    /// What the event says of the message, when it came to a route of `in@example.org` and nobody scanned it.
    func eventData() -> JSONObject {
        let now = Timestamp(microseconds: 1_700_000_000_000_000)
        let mail = IncomingMail(
            self, verdicts: ScanVerdicts(), limits: ReadingLimits(), textLimit: 16_384, dataLimit: 65_536,
            receivedAt: now, now: now)
        let route = InboundRoutes.Route(
            match: .recipient("in@example.org"), project: "default", disposition: .continue)
        return mail.eventData(for: Arrival(recipient: "in@example.org", route: route, key: []), refusal: nil)
    }
}
