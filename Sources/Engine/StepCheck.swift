import JSONValue
import WorkflowModel

/// Whether steps can run in a project: their options are valid, the templates they name are there, and what is Liquid in
/// their options parses.
struct StepCheck {
    private let transaction: EngineTransaction
    private let projectID: Identifier

    init(_ transaction: EngineTransaction, _ projectID: Identifier) {
        self.transaction = transaction
        self.projectID = projectID
    }

    /// - Parameter path: where the options stand in the request.
    /// - Throws: `UseCaseError.invalid` with every problem.
    func config(_ type: StepType, _ options: JSONObject, path: String) throws -> StepConfig {
        let (config, unreadable) = StepConfigReader.read(
            type, options, path: path, zones: transaction.context.zones)
        let unusable = config.map { problems(of: $0, options, path: path) } ?? []
        guard let config, unusable.isEmpty else {
            throw UseCaseError(.invalid, "the step's options are invalid", problems: unreadable + unusable)
        }
        return config
    }

    /// - Throws: `UseCaseError.invalid` with every problem of every step.
    func refuseUnlessRunnable(_ graph: WorkflowGraph) throws {
        let problems = graph.steps.flatMap { self.problems(of: $0.config, $0.options, path: "steps.\($0.key).config") }
        guard problems.isEmpty else {
            throw UseCaseError(.invalid, "the workflow cannot run", problems: problems)
        }
    }

    private func problems(of config: StepConfig, _ options: JSONObject, path: String) -> [WorkflowProblem] {
        switch config {
        case .condition, .waitForEvent:
            return SegmentCheck(transaction.catalog, projectID).problems(of: config, path: path)
        case .trigger, .exit: return []
        case .sendEmail(let send):
            let isKnown = transaction.catalog.template(send.template, in: projectID) != nil
            let key = options["template"] == nil && options["templateId"] != nil ? "templateId" : "template"
            let missing = WorkflowProblem(
                path: "\(path).\(key)", message: "there is no template \(send.template) in this project")
            return (isKnown ? [] : [missing])
                + Self.syntaxProblems(.object(options), path: path, templates: transaction.context.templates)
        default:
            return Self.destinationProblems(config, path: path, transaction.context.configuration.webhookDestinations)
                + Self.syntaxProblems(.object(options), path: path, templates: transaction.context.templates)
        }
    }

    /// What no attempt could call. Of an address with templates in it nothing is known yet.
    static func destinationProblems(
        _ config: StepConfig, path: String, _ destinations: WebhookDestinations
    ) -> [WorkflowProblem] {
        guard case .webhook(let webhook) = config, !webhook.url.contains("{{"), !webhook.url.contains("{%"),
            let objection = destinations.objection(toText: webhook.url)
        else { return [] }
        return [.init(path: "\(path).url", message: objection)]
    }

    /// Every text in it that is Liquid and does not parse.
    static func syntaxProblems(_ value: JSON, path: String, templates: TemplateCache) -> [WorkflowProblem] {
        switch value {
        case .string(let source) where source.contains("{{") || source.contains("{%"):
            do {
                _ = try templates.line(source)
                return []
            } catch {
                return [.init(path: path, message: "\(error)")]
            }
        case .array(let values):
            return values.enumerated().flatMap { syntaxProblems($1, path: "\(path).\($0)", templates: templates) }
        case .object(let object):
            return object.flatMap { syntaxProblems($1, path: "\(path).\($0)", templates: templates) }
        default: return []
        }
    }
}
