import JSONValue
import WorkflowModel

/// Reads what starts a workflow from a client's `triggerType` and `triggerConfig`.
enum TriggerReader {
    /// - Parameters:
    ///   - type: nil keeps the known one.
    ///   - config: nil keeps the known one where the type stays.
    /// - Throws: `UseCaseError.invalid`.
    static func read(type: String?, config: JSON?, known: WorkflowRecord.Trigger) throws -> WorkflowRecord.Trigger {
        let type = type ?? known.type
        if type == known.type, config == nil { return known }
        switch type {
        case "EVENT": return .event(try event(config, known: known))
        case "MANUAL":
            guard config?.isNull ?? true || config == [:] else {
                throw invalid("triggerConfig", "must be left out: a MANUAL trigger has none")
            }
            return .manual
        default: throw invalid("triggerType", "must be EVENT or MANUAL")
        }
    }

    private static func event(_ config: JSON?, known: WorkflowRecord.Trigger) throws -> String {
        guard let config, !config.isNull else {
            throw invalid("triggerConfig.eventName", "names the event that starts the workflow; it is required")
        }
        guard let object = config.objectValue else { throw invalid("triggerConfig", "must be an object") }
        if let key = object.keys.first(where: { $0 != "eventName" }) {
            throw invalid("triggerConfig.\(key)", "is not known here; an EVENT trigger has eventName")
        }
        guard let name = object["eventName"]?.stringValue else {
            throw invalid("triggerConfig.eventName", "names the event that starts the workflow; it is required")
        }
        return try eventName(name, path: "triggerConfig.eventName")
    }

    /// The canonical name, without blanks around it.
    static func eventName(_ text: String, path: String) throws -> String {
        let name = text.strippedOfBlanks
        guard !name.isEmpty else {
            throw invalid(path, "names the event that starts the workflow; it must not be blank")
        }
        guard name.utf8.count <= EventName.lengthLimit else {
            throw invalid(path, "must not be longer than \(EventName.lengthLimit) bytes")
        }
        guard !name.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else {
            throw invalid(path, "must not have control characters")
        }
        return EventName.canonical(name)
    }

    private static func invalid(_ path: String, _ message: String) -> UseCaseError {
        UseCaseError(.invalid, "the trigger is invalid", problems: [.init(path: path, message: message)])
    }
}

extension WorkflowRecord.Trigger {
    /// Nil for triggers that are no event.
    var eventName: String? { if case .event(let name) = self { name } else { nil } }

    /// As clients write and read it; nil for a trigger that has nothing to configure.
    package var config: JSONObject? {
        switch self {
        case .event(let name): ["eventName": .string(name)]
        case .manual: nil
        }
    }
}

extension String {
    /// Without white space at both ends.
    package var strippedOfBlanks: String {
        guard let first = firstIndex(where: { !$0.isWhitespace }), let last = lastIndex(where: { !$0.isWhitespace })
        else { return "" }
        return String(self[first...last])
    }
}
