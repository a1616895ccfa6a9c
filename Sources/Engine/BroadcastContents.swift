import Liquid
import MailModel
import WorkflowModel

/// The words of broadcasts, looked at inside one transaction.
struct BroadcastContents {
    let transaction: EngineTransaction
    let projectID: Identifier

    /// - Throws: `UseCaseError`: `notFound` for a template or version that is not there; `invalid` with every other problem.
    func check(_ definition: BroadcastDefinition) throws {
        var problems: [WorkflowProblem] = []
        for (position, content) in definition.contents.enumerated() {
            let prefix = definition.variants.isEmpty ? "" : "variants.\(position)."
            problems += try self.problems(of: content).map { problem in
                var problem = problem
                problem.path = prefix + problem.path
                return problem
            }
        }
        guard problems.isEmpty else { throw Self.invalid(problems) }
    }

    /// The versions that mails are made of from now on, one for each variant.
    /// - Throws: as `check`.
    func pin(_ broadcast: Broadcast) throws -> [Broadcast.Pinned] {
        try check(broadcast.definition)
        return try broadcast.definition.contents.map { content in
            let version = try version(of: content)
            try transaction.store.pin(version: version.id, for: broadcast.id)
            let summary = transaction.context.templates.summary(of: version) {
                transaction.catalog.partial($0, in: projectID)?.current
            }
            return Broadcast.Pinned(version: version.id, partials: summary.partials)
        }
    }

    /// The version that says this; made where a request brings words of its own.
    /// - Throws: `UseCaseError`.
    func version(of content: BroadcastDefinition.Content) throws -> TemplateVersion {
        let template = try template(of: content)
        if let template, content.subject == nil, content.body == nil { return template }
        return try unnamed(content, template).version(in: transaction)
    }

    private func unnamed(
        _ content: BroadcastDefinition.Content, _ template: TemplateVersion?
    ) -> UnnamedContent {
        UnnamedContent(
            template, subject: content.subject, body: content.body, otherwise: .marketing, in: projectID)
    }

    private func template(of content: BroadcastDefinition.Content) throws -> TemplateVersion? {
        guard let id = content.template else { return nil }
        let record = try transaction.catalog.findTemplate(id, in: projectID)
        guard let number = content.templateVersion else { return record.current }
        guard let version = try transaction.store.templateVersion(number, of: id) else {
            throw Templates.noVersion(number)
        }
        return version
    }

    private func problems(of content: BroadcastDefinition.Content) throws -> [WorkflowProblem] {
        var problems: [WorkflowProblem] = []
        func report(_ path: String, _ message: String) { problems.append(.init(path: path, message: message)) }
        let template = try template(of: content)
        if template?.kind == .partial { report("template", "is a partial, and no mail is made from one alone") }
        if content.template == nil, content.templateVersion != nil {
            report("templateVersion", "is for a template, and there is none")
        }
        if template == nil {
            for (path, text) in [("subject", content.subject), ("body", content.body)] where text == nil {
                report(path, "is missing; without a template subject and body are needed")
            }
        }
        for (path, text) in [("from", content.from), ("replyTo", content.replyTo)] {
            guard let text, MailBuilder.mailbox(text)?.address.smtpForm == nil else { continue }
            report(path, "must be a mail address, with a name or without")
        }
        if content.from == nil, template?.content.from == nil, transaction.context.configuration.defaultFrom == nil {
            report("from", "is missing, and neither template nor configuration has one")
        }
        guard problems.isEmpty, content.subject != nil || content.body != nil else { return problems }
        return unnamed(content, template).problems(in: transaction)
    }

    /// What can be seen without the database. Outside of transactions: everybody else waits for them.
    static func checkSyntax(_ contents: [(path: String, content: BroadcastDefinition.Content)]) throws {
        var problems: [WorkflowProblem] = []
        for (path, content) in contents {
            for (name, text) in [("subject", content.subject), ("body", content.body)] {
                guard let text else { continue }
                do throws(TemplateSyntaxError) {
                    _ = try Template(parsing: text, name: name)
                } catch {
                    problems.append(
                        .init(
                            path: path + name, message: "\(error)",
                            place: .init(line: error.line, column: error.column)))
                }
            }
        }
        guard problems.isEmpty else { throw invalid(problems) }
    }

    static func invalid(_ problems: [WorkflowProblem]) -> UseCaseError {
        UseCaseError(.invalid, "the broadcast is invalid", problems: problems)
    }
}
