import JSONValue
import WorkflowModel

// What an editor is given and gives back.

/// A workflow to be made: an event starts it, and it has a TRIGGER and nothing else.
package struct NewWorkflow: Sendable {
    package var name: String
    package var eventName: String
    package var description: String?
    package var isEnabled: Bool
    package var allowsReentry: Bool
    package var reentryKey: ReentryKey?

    package init(
        name: String, eventName: String, description: String? = nil, isEnabled: Bool = false,
        allowsReentry: Bool = false, reentryKey: ReentryKey? = nil
    ) {
        self.name = name
        self.eventName = eventName
        self.description = description
        self.isEnabled = isEnabled
        self.allowsReentry = allowsReentry
        self.reentryKey = reentryKey
    }
}

/// What is to change about a workflow; nil stays.
package struct WorkflowChanges: Sendable {
    package var name: String?
    /// An inner nil takes the description away.
    package var description: String??
    package var isEnabled: Bool?
    package var allowsReentry: Bool?
    /// An inner nil takes the key away.
    package var reentryKey: ReentryKey??
    /// The specification's name of a type; the present one when only the configuration is given.
    package var triggerType: String?
    package var triggerConfig: JSON?
    package var timers: TimerPolicy?

    package init(
        name: String? = nil, description: String?? = nil, isEnabled: Bool? = nil, allowsReentry: Bool? = nil,
        reentryKey: ReentryKey?? = nil, triggerType: String? = nil, triggerConfig: JSON? = nil,
        timers: TimerPolicy? = nil
    ) {
        self.name = name
        self.description = description
        self.isEnabled = isEnabled
        self.allowsReentry = allowsReentry
        self.reentryKey = reentryKey
        self.triggerType = triggerType
        self.triggerConfig = triggerConfig
        self.timers = timers
    }
}

/// A step to be added.
package struct NewStep: Sendable {
    /// Nil makes one of the name.
    package var key: String?
    package var type: StepType
    package var name: String
    package var options: JSONObject
    /// The template of a SEND_EMAIL where its options do not name it.
    package var template: String?
    package var position: Step.Position?
    /// Lead the youngest loose end to it.
    package var connects: Bool

    package init(
        key: String? = nil, type: StepType, name: String, options: JSONObject = [:], template: String? = nil,
        position: Step.Position? = nil, connects: Bool = true
    ) {
        self.key = key
        self.type = type
        self.name = name
        self.options = options
        self.template = template
        self.position = position
        self.connects = connects
    }
}

/// What is to change about a step; nil stays.
package struct StepChanges: Sendable {
    package var name: String?
    package var position: Step.Position?
    /// All options; of a SEND_EMAIL the template stays when they name none.
    package var options: JSONObject?
    package var template: String?

    package init(
        name: String? = nil, position: Step.Position? = nil, options: JSONObject? = nil, template: String? = nil
    ) {
        self.name = name
        self.position = position
        self.options = options
        self.template = template
    }
}

/// A workflow with what its steps refer to.
package struct WorkflowDetail: Sendable {
    package var workflow: WorkflowRecord
    /// The templates of its SEND_EMAIL steps, by step key.
    package var templates: [String: Catalog.TemplateRecord]
    /// What does no harm and is hardly meant.
    package var warnings: [WorkflowProblem]

    init(_ workflow: WorkflowRecord, catalog: Catalog, configuration: EngineConfiguration) {
        self.workflow = workflow
        var templates: [String: Catalog.TemplateRecord] = [:]
        for step in workflow.graph.steps {
            guard case .sendEmail(let send) = step.config else { continue }
            templates[step.key] = catalog.template(send.template, in: workflow.projectID)
        }
        self.templates = templates
        let readers = ReaderWarnings(
            configuration, project: catalog.project(workflow.projectID),
            templates: templates.values.map(\.current.content))
        warnings = workflow.graph.warnings + readers.problems(of: workflow.graph, trigger: workflow.trigger)
    }
}

/// One step of a workflow.
package struct StepDetail: Sendable {
    package var workflow: WorkflowDetail
    package var key: String
}

extension WorkflowRecord {
    /// Characters of a workflow's or step's name.
    package static let nameLimit = 100
    package static let descriptionLimit = 500

    /// The name of a copy; a long name gives way.
    static func copyName(of name: String) -> String {
        let suffix = " (Copy)"
        return name.prefix(nameLimit - suffix.count) + suffix
    }
}
