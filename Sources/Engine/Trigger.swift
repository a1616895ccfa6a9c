import JSONValue
import WorkflowModel

extension WorkflowRecord {
    /// What starts a workflow. Whatever it is, executions may also be started by hand.
    package enum Trigger: Hashable, Sendable {
        /// The event of that canonical name.
        case event(String)
        case manual
        case schedule(ScheduleTrigger)

        /// The specification's name of the type.
        package var type: String {
            switch self {
            case .event: "EVENT"
            case .manual: "MANUAL"
            case .schedule: "SCHEDULE"
            }
        }

        /// The options as the API shows them: `{eventName}`, null, or the schedule's.
        package var config: JSON {
            switch self {
            case .event(let name): ["eventName": .string(name)]
            case .manual: .null
            case .schedule(let schedule): .object(schedule.json)
            }
        }

        /// Reads the API's `triggerType` and `triggerConfig`.
        /// - Returns: the trigger, or nil with at least one problem.
        package static func read(
            type: String, config: JSON, path: String = "triggerConfig", zones: any TimeZoneRules = SystemZones()
        ) -> (trigger: Trigger?, problems: [WorkflowProblem]) {
            guard let object = config.isNull ? [:] : config.objectValue else {
                return (nil, [.init(path: path, message: "must be a mapping")])
            }
            switch type {
            case "EVENT": return event(object, path: path)
            case "MANUAL":
                let problems = object.keys.map {
                    WorkflowProblem(path: "\(path).\($0)", message: "is not known here: MANUAL has no options")
                }
                return (problems.isEmpty ? .manual : nil, problems)
            case "SCHEDULE":
                let (schedule, problems) = ScheduleTrigger.read(object, path: path, zones: zones)
                return (schedule.map { .schedule($0) }, problems)
            default:
                return (nil, [.init(path: "triggerType", message: "must be EVENT, MANUAL or SCHEDULE")])
            }
        }

        private static func event(
            _ object: JSONObject, path: String
        ) -> (trigger: Trigger?, problems: [WorkflowProblem]) {
            var problems = object.keys.filter { $0 != "eventName" }.map {
                WorkflowProblem(path: "\(path).\($0)", message: "is not known here; known is eventName")
            }
            let name = object["eventName"]?.stringValue?.trimmed ?? ""
            if name.isEmpty || name.utf8.count > EventName.lengthLimit {
                problems.append(
                    .init(
                        path: "\(path).eventName",
                        message: "names the event that starts the workflow, in at most \(EventName.lengthLimit) bytes"))
            }
            return (problems.isEmpty ? .event(EventName.canonical(name)) : nil, problems)
        }

        /// Whether the first execution froze it: the event stays, other triggers may change while nothing is under way.
        package func isFrozen(against new: Trigger) -> Bool {
            if case .event = self { self != new } else { false }
        }
    }
}

extension String {
    /// Without the spaces, tabs and line ends around it.
    fileprivate var trimmed: String {
        func isSpace(_ character: Character) -> Bool { character.isWhitespace }
        guard let start = firstIndex(where: { !isSpace($0) }), let end = lastIndex(where: { !isSpace($0) }) else {
            return ""
        }
        return String(self[start...end])
    }
}
