import Liquid
import MailModel
import WorkflowModel

/// Whether mail can be made from a template: the one check for every way in which a template is saved.
struct TemplateCheck {
    private let find: (String) -> CompiledTemplate?

    /// - Parameter find: the partial of that name; nil when there is none.
    init(_ find: @escaping (String) -> CompiledTemplate?) { self.find = find }

    /// With the partials of a project, of which some are about to change.
    init(
        _ catalog: Catalog, project: Identifier, templates: TemplateCache, changed: [String: CompiledTemplate?] = [:]
    ) {
        self.init { name in
            if let compiled = changed[name] { return compiled }
            return catalog.partial(name, in: project).flatMap { try? templates.compiled($0.current) }
        }
    }

    /// Everything that is wrong, each with the name of the member it is about.
    func problems(of content: TemplateContent, kind: TemplateSummary.Kind, slug: String) -> [WorkflowProblem] {
        var problems = Self.shape(content, kind) + Self.addresses(content) + CompiledTemplate.problems(in: content)
        if problems.isEmpty, let compiled = try? CompiledTemplate(content) {
            var check = PartialCheck(find)
            problems = check.problems(of: compiled, named: kind == .partial ? slug : nil)
        }
        return problems
    }

    private static func shape(_ content: TemplateContent, _ kind: TemplateSummary.Kind) -> [WorkflowProblem] {
        var problems: [WorkflowProblem] = []
        if kind == .partial {
            if !content.subject.isEmpty { problems.append(.init(path: "subject", message: "a partial has none")) }
        } else if content.subject.allSatisfy(\.isWhitespace) {
            problems.append(.init(path: "subject", message: "is required"))
        }
        if content.subject.count > NewTemplate.subjectLimit {
            problems.append(
                .init(path: "subject", message: "must not be longer than \(NewTemplate.subjectLimit) characters"))
        }
        if content.html != nil, content.markdown != nil {
            problems.append(.init(path: "markdown", message: "cannot stand beside html, which is made of it"))
        }
        if content.html == nil, content.text == nil, content.markdown == nil {
            problems.append(.init(path: "html", message: "html, markdown or text is required"))
        }
        return problems
    }

    private static func addresses(_ content: TemplateContent) -> [WorkflowProblem] {
        content.addresses.compactMap { name, value in
            // What is computed shows itself with the mail.
            guard name != "fromName", !value.contains("{{"), !value.contains("{%"),
                MailBuilder.mailbox(value)?.address.smtpForm == nil
            else { return nil }
            return .init(path: name, message: "must be a mail address, with a name or without")
        }
    }

    // MARK: What depends on a partial

    /// Templates and partials of the project that name the partial, itself aside, and those that name these; by slug.
    static func dependents(
        on name: String, in catalog: Catalog, project: Identifier, templates: TemplateCache
    ) -> [Catalog.TemplateRecord] {
        let records = catalog.templates.filter { $0.projectID == project }.sorted { $0.slug < $1.slug }
        let named = records.map { record in
            Set((try? templates.compiled(record.current).parts.flatMap(\.partialNames)) ?? [])
        }
        var affected: Set<String> = [name]
        var found: Set<Int> = []
        var grew = true
        while grew {
            grew = false
            for (position, record) in records.enumerated()
            where !found.contains(position) && !named[position].isDisjoint(with: affected) {
                found.insert(position)
                if record.current.kind == .partial { affected.insert(record.slug) }
                grew = true
            }
        }
        return found.sorted().map { records[$0] }.filter { $0.current.kind != .partial || $0.slug != name }
    }

    /// - Throws: `UseCaseError.conflict` naming the templates that could not be rendered any more.
    static func refuseToBreak(
        _ dependents: [Catalog.TemplateRecord], check: TemplateCheck, templates: TemplateCache
    ) throws {
        let problems = dependents.compactMap { record -> WorkflowProblem? in
            guard let compiled = try? templates.compiled(record.current) else { return nil }
            var partials = PartialCheck(check.find)
            let found = partials.problems(of: compiled, named: record.current.kind == .partial ? record.slug : nil)
            return found.first.map { .init(path: "templates.\(record.slug).\($0.path)", message: $0.message) }
        }
        guard !problems.isEmpty else { return }
        throw UseCaseError(
            .conflict, "templates that include this partial could not be rendered any more", problems: problems)
    }
}
