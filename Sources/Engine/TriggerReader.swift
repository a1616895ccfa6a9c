import JSONValue
import WorkflowModel

/// Reads what starts a workflow from a client's `triggerType` and `triggerConfig`.
enum TriggerReader {
    /// - Parameters:
    ///   - type: nil keeps the known one.
    ///   - config: nil keeps the known one where the type stays.
    /// - Throws: `UseCaseError.invalid`.
    static func read(
        type: String?, config: JSON?, known: WorkflowRecord.Trigger, zones: any TimeZoneRules
    ) throws -> WorkflowRecord.Trigger {
        let type = type ?? known.type
        if type == known.type, config == nil { return known }
        let (trigger, problems) = WorkflowRecord.Trigger.read(type: type, config: config ?? .null, zones: zones)
        guard let trigger else { throw UseCaseError(.invalid, "the trigger is invalid", problems: problems) }
        guard case .event(let name) = trigger else { return trigger }
        return .event(try eventName(name, path: "triggerConfig.eventName"))
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
}

extension String {
    /// Without white space at both ends.
    package var strippedOfBlanks: String {
        guard let first = firstIndex(where: { !$0.isWhitespace }), let last = lastIndex(where: { !$0.isWhitespace })
        else { return "" }
        return String(self[first...last])
    }
}
