import JSONValue
import WorkflowModel

/// What a simulation is to assume: whose run it is, what happens meanwhile, and what the outside world answers.
///
/// As JSON, the body of `POST /workflows/:id/simulate`:
///
///     contact   {id} or {email}, with subscribed and data to assume something else than what is stored
///     context   the initial context
///     trigger   {data}: the data of the starting event
///     events    [{event, at, data}], at most 1000; those before the start have already happened
///     webhooks  {step: answer} or {step: [answer, …]}, one for each attempt, the last for all that follow; an answer is
///               {status, headers, body, after} or {error, after}; a step without one is answered 200
///     startAt   RFC 3339; default now
///     horizon   where the simulation stops; default +400d
///
/// A time is RFC 3339 or counts from the start: `+2d`, `+1d12h`, `-3h`.
package struct SimulationRequest: Sendable {
    package struct Contact: Sendable {
        package var id: Identifier?
        package var email: String?
        /// Nil takes what is stored; a contact that is not stored is subscribed.
        package var isSubscribed: Bool?
        /// In place of what is stored; nil takes that.
        package var data: JSONObject?

        package init(id: Identifier? = nil, email: String? = nil, isSubscribed: Bool? = nil, data: JSONObject? = nil) {
            self.id = id
            self.email = email
            self.isSubscribed = isSubscribed
            self.data = data
        }
    }

    package struct Occurrence: Sendable {
        package var name: String
        package var at: Moment
        package var data: JSONObject

        package init(name: String, at: Moment, data: JSONObject = [:]) {
            self.name = EventName.canonical(name)
            self.at = at
            self.data = data
        }
    }

    /// What one attempt of a WEBHOOK step is answered.
    package struct Answer: Sendable {
        /// Nil when no answer came: see `error`.
        package var status: Int?
        /// Names in lower case.
        package var headers: [String: String] = [:]
        package var body = ""
        /// Why no answer came, which is a reason to try again.
        package var error: String?
        /// How long the attempt takes.
        package var microseconds: Int64 = 0

        package init(status: Int?, body: String = "", error: String? = nil) {
            self.status = status
            self.body = body
            self.error = error
        }
    }

    package var contact: Contact
    package var context: JSONObject
    package var triggerData: JSONObject
    package var events: [Occurrence]
    /// By step; one for each attempt, the last for all that follow.
    package var answers: [String: [Answer]]
    /// Nil takes the clock's now.
    package var startAt: Timestamp?
    package var horizon: Moment

    package static let eventLimit = 1000
    package static let defaultHorizon = Moment.offset(microseconds: 400 * 86_400_000_000)
    /// The farthest horizon, in days.
    package static let longestHorizon: Int64 = 3660

    package init(
        contact: Contact, context: JSONObject = [:], triggerData: JSONObject = [:], events: [Occurrence] = [],
        answers: [String: [Answer]] = [:], startAt: Timestamp? = nil, horizon: Moment = Self.defaultHorizon
    ) {
        self.contact = contact
        self.context = context
        self.triggerData = triggerData
        self.events = events
        self.answers = answers
        self.startAt = startAt
        self.horizon = horizon
    }
}

/// A time, or a distance from the start of a simulation.
package enum Moment: Hashable, Sendable {
    case at(Timestamp)
    case offset(microseconds: Int64)

    /// From RFC 3339, or a sign and amounts with s, m, h, d or w (`+2d`, `+1d12h`); nil for any other text.
    package init?(_ text: String) {
        if let time = Timestamp(rfc3339: text) {
            self = .at(time)
            return
        }
        guard let sign = text.utf8.first, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-"), text.utf8.count > 2,
            text.utf8.count <= 40
        else { return nil }
        var total: Int64 = 0
        var amount: Int64?
        for byte in text.utf8.dropFirst() {
            if byte &- UInt8(ascii: "0") < 10 {
                let next = (amount ?? 0).multipliedReportingOverflow(by: 10)
                guard !next.overflow, next.partialValue <= 1_000_000_000 else { return nil }
                amount = next.partialValue + Int64(byte &- UInt8(ascii: "0"))
                continue
            }
            guard let count = amount, let unit = Self.seconds(byte) else { return nil }
            let (part, overflow) = count.multipliedReportingOverflow(by: unit * 1_000_000)
            let (sum, tooMuch) = total.addingReportingOverflow(part)
            guard !overflow, !tooMuch else { return nil }
            total = sum
            amount = nil
        }
        guard amount == nil else { return nil }
        self = .offset(microseconds: sign == UInt8(ascii: "-") ? -total : total)
    }

    private static func seconds(_ unit: UInt8) -> Int64? {
        switch unit {
        case UInt8(ascii: "s"): 1
        case UInt8(ascii: "m"): 60
        case UInt8(ascii: "h"): 3600
        case UInt8(ascii: "d"): 86_400
        case UInt8(ascii: "w"): 604_800
        default: nil
        }
    }

    package func time(from start: Timestamp) -> Timestamp {
        switch self {
        case .at(let time): time
        case .offset(let microseconds): start.adding(microseconds: microseconds)
        }
    }
}
