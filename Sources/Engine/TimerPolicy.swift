import JSONValue
import WorkflowModel

/// What happens to a workflow's timers when many come due at once or long after their time.
package struct TimerPolicy: Hashable, Sendable {
    package enum Late: String, Hashable, Sendable, CaseIterable {
        /// Runs on as if nothing had been.
        case run
        /// Ends as EXITED with the reason `late`.
        case end
    }

    /// Timers a minute; nil lets everything go that is due.
    package var ratePerMinute: Int?
    /// Seconds after which a timer counts as late; nil: never.
    package var lateAfter: Int64?
    package var late: Late

    package init(ratePerMinute: Int? = nil, lateAfter: Int64? = nil, late: Late = .run) {
        self.ratePerMinute = ratePerMinute
        self.lateAfter = lateAfter
        self.late = late
    }

    package static let highestRate = 60_000

    /// Microseconds between two timers.
    var interval: Int64? { ratePerMinute.map { 60_000_000 / Int64($0) } }

    func isLate(_ due: Timestamp, now: Timestamp) -> Bool {
        lateAfter.map { due.adding(seconds: $0) < now } ?? false
    }

    /// A slot that was taken is good for a minute, the unit of the rate; one that a standstill has swallowed is not.
    static func isGood(slot: Timestamp, now: Timestamp) -> Bool { now <= slot.adding(seconds: 60) }

    // MARK: JSON

    /// As documents and requests write it: `{rate, lateAfter, late}`, null for no policy.
    package static func read(
        _ json: JSON, path: String
    ) -> (policy: TimerPolicy?, problems: [WorkflowProblem]) {
        if json.isNull { return (TimerPolicy(), []) }
        guard let object = json.objectValue else {
            return (nil, [.init(path: path, message: "must be a mapping of rate, lateAfter and late")])
        }
        var policy = TimerPolicy()
        var problems: [WorkflowProblem] = []
        for (key, value) in object {
            func report(_ message: String) { problems.append(.init(path: "\(path).\(key)", message: message)) }
            switch key {
            case _ where value.isNull: break
            case "rate":
                let rate = value.intValue ?? 0
                if rate < 1 || rate > highestRate { report("must be whole timers a minute, from 1 to \(highestRate)") }
                policy.ratePerMinute = Int(clamping: rate)
            case "lateAfter":
                let seconds = value.intValue ?? -1
                if seconds < 1 || seconds > StepConfigReader.longestPause {
                    report("must be whole seconds, from 1 to \(StepConfigReader.longestPause) (365 days)")
                }
                policy.lateAfter = seconds
            case "late":
                guard let late = value.stringValue.flatMap(Late.init) else {
                    report("must be run or end")
                    break
                }
                policy.late = late
            default: report("is not known here; known are late, lateAfter, rate")
            }
        }
        if policy.late == .end, policy.lateAfter == nil, problems.isEmpty {
            problems.append(.init(path: "\(path).lateAfter", message: "is required with late: end"))
        }
        return (problems.isEmpty ? policy : nil, problems)
    }

    /// Null for the policy that says nothing.
    package var json: JSON {
        guard self != TimerPolicy() else { return .null }
        var object = JSONObject()
        object["rate"] = ratePerMinute.map { .int(Int64($0)) }
        object["lateAfter"] = lateAfter.map { .int($0) }
        if late != .run { object["late"] = .string(late.rawValue) }
        return .object(object)
    }
}
