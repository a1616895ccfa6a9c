import Engine
import JSONValue
import WorkflowModel

/// A simulation for the eyes: one line for each thing that happens, with its time and the distance from the start.
package struct SimulationTimeline {
    private struct Entry {
        var at: Timestamp
        /// Of things at the same time: first events, then the steps that they brought about.
        var order: Int
        var lines: [String]
    }

    private let report: SimulationReport

    package init(_ report: SimulationReport) { self.report = report }

    package var text: String {
        let entries = (eventEntries + visitEntries).enumerated()
            .sorted { ($0.element.at, $0.element.order, $0.offset) < ($1.element.at, $1.element.order, $1.offset) }
        var lines: [String] = []
        for (_, entry) in entries {
            for (index, line) in entry.lines.enumerated() {
                lines.append(
                    ((index == 0 ? stamp(entry.at) : String(repeating: " ", count: 32)) + line).withoutTrailingBlanks)
            }
        }
        lines.append("")
        lines.append(ending)
        for warning in report.warnings { lines.append("note: \(warning)") }
        return lines.joined(separator: "\n")
    }

    /// `2026-03-01 08:00:00Z  +2d 3h     `.
    private func stamp(_ time: Timestamp) -> String {
        "\(Self.text(time))  \(Self.distance(from: report.startedAt, to: time))".padded(to: 32)
    }

    private static func text(_ time: Timestamp) -> String {
        let text = "\(time)"
        return "\(text.prefix(10)) \(text.dropFirst(11).prefix(8))Z"
    }

    static func distance(from start: Timestamp, to time: Timestamp) -> String {
        let delta = (time.microseconds - start.microseconds) / 1_000_000
        if delta == 0 { return "" }
        let seconds = abs(delta)
        let parts = [
            (seconds / 86_400, "d"), (seconds / 3600 % 24, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s"),
        ]
        // Two parts say enough.
        return (delta < 0 ? "-" : "+")
            + parts.filter { $0.0 > 0 }.prefix(2).map { "\($0.0)\($0.1)" }.joined(separator: " ")
    }

    private var eventEntries: [Entry] {
        report.events.map { event in
            let what: String
            let order: Int
            switch event.effect {
            case .past: (what, order) = ("has happened", 0)
            case .started: (what, order) = ("starts the run", 0)
            case .resumed(let step): (what, order) = ("ends the wait at \(step)", 1)
            case .ignored: (what, order) = ("moves nothing", 1)
            case .emitted: (what, order) = ("is brought about", 3)
            }
            return Entry(at: event.at, order: order, lines: ["* \(event.name) \(what)"])
        }
    }

    private var visitEntries: [Entry] {
        report.visits.map { visit in
            var lines = [
                "\(visit.execution.step)".padded(to: 22) + " " + "\(visit.execution.type.rawValue)".padded(to: 15)
                    + summary(visit)
            ]
            for mail in report.mails where mail.step == visit.execution.step {
                lines.append("    to \(mail.recipient): \(mail.error.map { "FAILS: \($0)" } ?? "“\(mail.subject)”")")
            }
            return Entry(at: visit.execution.startedAt, order: 2, lines: lines)
        }
    }

    private func summary(_ visit: SimulationReport.Visit) -> String {
        var words: [String] = []
        if visit.execution.type == .webhook {
            words += report.calls.filter { $0.request.step == visit.execution.step }.map(call)
        } else if let wait = visit.wait {
            words.append(self.wait(wait))
        }
        switch visit.execution.type {
        case .updateContact:
            for change in report.changes where change.step == visit.execution.step {
                words += change.changedData.map { "\($0) = \(JSONWriter.write($1))" }
                if change.before.isSubscribed != change.after.isSubscribed {
                    words.append(change.after.isSubscribed ? "subscribed" : "unsubscribed")
                }
            }
        case .exit: words.append(visit.execution.output["reason"]?.stringValue ?? "")
        case .sendEmail:
            if let skipped = visit.execution.output["skipped"]?.stringValue {
                let detail = visit.execution.output["reason"]?.stringValue.map { " (\($0))" } ?? ""
                words.append("no mail: \(skipped)\(detail)")
            }
        default: break
        }
        if let error = visit.execution.error { words.append("FAILS: \(error)") }
        if let branch = visit.branch { words.append("-> \(branch)") }
        return words.joined(separator: ", ")
    }

    private func call(_ call: SimulationReport.Call) -> String {
        let answers = call.attempts.map { $0.status.map { "\($0)" } ?? $0.error ?? "no answer" }
        return "\(call.request.method) \(call.request.url): \(answers.joined(separator: ", then "))"
    }

    private func wait(_ wait: SimulationReport.Wait) -> String {
        let until = wait.until.map { "until \(Self.text($0))" } ?? "for ever"
        let what = wait.events.isEmpty ? until : "for \(wait.events.joined(separator: " or ")), \(until)"
        switch wait.endedBy {
        case .event?: return "\(what); came \(wait.event ?? "")"
        case .timeout?: return "\(what); in vain"
        case .timer?, .webhook?: return what
        case nil: return "\(what); still waiting"
        }
    }

    private var ending: String {
        let distance = Self.distance(from: report.startedAt, to: report.endedAt)
        let reason = report.execution.exitReason.map { " (\($0))" } ?? ""
        let status = report.execution.status.rawValue
        switch report.end {
        case .final: return "\(status)\(reason) after \(distance.isEmpty ? "no time" : String(distance.dropFirst()))"
        case .horizon: return "\(status) at the horizon, \(Self.text(report.endedAt))"
        case .waiting: return "\(status) for ever, unless an event comes"
        }
    }
}

extension String {
    fileprivate var withoutTrailingBlanks: String {
        guard let last = lastIndex(where: { $0 != " " }) else { return "" }
        return String(self[...last])
    }

    fileprivate func padded(to width: Int) -> String {
        self + String(repeating: " ", count: max(0, width - count))
    }
}
