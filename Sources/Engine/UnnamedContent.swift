import JSONValue
import WorkflowModel

/// Content that a request brings with it. It becomes a version without a template; the same content is one version, however
/// often it is sent.
struct UnnamedContent {
    let content: TemplateContent
    let kind: TemplateSummary.Kind
    let projectID: Identifier

    /// A template with other words.
    /// - Parameters:
    ///   - opens: what is recorded of readers at most, beside what the template allows.
    ///   - clicks: the same.
    init(
        _ template: TemplateVersion?, subject: String?, body: String?, otherwise kind: TemplateSummary.Kind,
        in project: Identifier, opens: TrackingMode? = nil, clicks: TrackingMode? = nil
    ) {
        var content = template?.content ?? TemplateContent(subject: "", html: nil, text: nil)
        content.tracksOpens = TrackingMode.least(content.tracksOpens, opens)
        content.tracksClicks = TrackingMode.least(content.tracksClicks, clicks)
        if let subject { content.subject = subject }
        if let body {
            content.html = body
            content.text = nil
            content.markdown = nil
        }
        self.content = content
        self.kind = template?.kind ?? kind
        projectID = project
    }

    /// - Throws: `UseCaseError.invalid` for what a template could not be saved with.
    func version(in transaction: EngineTransaction) throws -> TemplateVersion {
        let hash = transaction.context.cryptography.digest(bytes)
        let known = try transaction.store.unnamedVersion(hash: hash, in: projectID)
        let id = known ?? transaction.makeID()
        let version = TemplateVersion(id: id, templateID: id, kind: kind, content: content)
        if known == nil {
            let problems = problems(in: transaction)
            guard problems.isEmpty else { throw UseCaseError(.invalid, "the mail has errors", problems: problems) }
            try transaction.store.insertUnnamed(version, hash: hash, in: projectID, at: transaction.now)
        }
        return version
    }

    /// What a template could not be saved with cannot be sent either.
    func problems(in transaction: EngineTransaction) -> [WorkflowProblem] {
        let check = TemplateCheck(
            transaction.catalog, project: projectID, templates: transaction.context.templates)
        return check.problems(of: content, kind: kind, slug: "").map { problem in
            var problem = problem
            // The client knows the HTML by another name, also where a sentence begins with it.
            guard problem.path == "html" || problem.path.hasPrefix("html.") else { return problem }
            problem.path = "body" + problem.path.dropFirst(4)
            if problem.message.hasPrefix("html:") { problem.message = "body" + problem.message.dropFirst(4) }
            return problem
        }
    }

    /// Equal for equal contents, and for no others.
    private var bytes: [UInt8] {
        func text(_ value: String?) -> JSON { value.map { .string($0) } ?? .null }
        return JSONWriter.bytes([
            .string(kind.rawValue), .string(content.subject), text(content.html), text(content.text),
            text(content.markdown), text(content.from), text(content.fromName), text(content.replyTo),
            content.tracksOpens?.json ?? .null, content.tracksClicks?.json ?? .null,
        ])
    }
}
