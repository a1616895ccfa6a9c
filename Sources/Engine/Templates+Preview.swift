import JSONValue
import Liquid
import MailFormat
import WorkflowModel

// Looking at a template before anybody gets it. Everything is rendered outside of transactions.

extension Templates {
    /// What a mail of a stored template would say.
    /// - Throws: `UseCaseError`: `notFound` for template, version or contact; `invalid` when it cannot be rendered.
    package func preview(_ id: Identifier, _ request: PreviewRequest) async throws -> TemplatePreview {
        let shown = try await look(at: request) { try version(of: id, request, $0, $1) }
        return try await preview(shown)
    }

    /// What a mail of a template that is not saved would say.
    /// - Throws: `UseCaseError`: `notFound` for the contact; `invalid` when it could not be saved or cannot be rendered.
    package func preview(
        _ content: TemplateContent, kind: TemplateSummary.Kind, _ request: PreviewRequest
    ) async throws -> TemplatePreview {
        try refuseSyntaxErrors(content)
        let shown = try await look(at: request) { catalog, _ in
            let check = TemplateCheck(catalog, project: projectID, templates: context.templates)
            let problems = check.problems(of: content, kind: kind, slug: "")
            guard problems.isEmpty else { throw Self.invalid(problems) }
            let nowhere = SimulatedIdentifiers.workflow
            return TemplateVersion(id: nowhere, templateID: nowhere, kind: kind, content: content)
        }
        return try await preview(shown)
    }

    /// Puts a mail of a template into the outbox, for its author to look at in a mail program. It is marked as a test, goes
    /// to anybody, and nothing comes of its fate: no event, no pixel.
    /// - Throws: `UseCaseError`: `notFound`; `invalid` when it cannot be rendered or composed.
    package func sendTest(_ id: Identifier, to recipient: String, _ request: PreviewRequest) async throws -> TestMail {
        let shown = try await look(at: request) { try version(of: id, request, $0, $1) }
        guard shown.version.kind != .partial else {
            throw Self.invalid([.init(path: "type", message: "no mail is made from a partial alone")])
        }
        let entry = try await testEntry(shown, recipient: recipient)
        let subject: String
        do {
            let builder = MailBuilder(context: context)
            subject = try await context.previewThreads.run {
                try builder.build(
                    entry, version: shown.version, partials: shown.partials, now: entry.createdAt
                ).subject
            }
        } catch {
            throw Self.invalid([Self.problem(error)])
        }
        try await context.transact { transaction in
            try transaction.store.insert(entry)
            try transaction.store.noteTest(entry, showing: shown.request.contactID)
            transaction.wakes.mail(entry)
            try transaction.audit(
                "template.tested", "\(id)", in: projectID, details: ["emailId": .string("\(entry.id)")])
        }
        return TestMail(
            id: entry.id, recipient: recipient, subject: subject,
            warnings: try await warnings(about: shown.version.content, isPartial: false))
    }

    func warnings(about content: TemplateContent, isPartial: Bool) async throws -> [TemplateWarning] {
        guard let compiled = try? CompiledTemplate(content) else { return [] }
        guard compiled.parts.contains(where: { !$0.variables.isEmpty }) else { return [] }
        let fields = try await WorkflowFields(context: context).read(project: projectID, eventName: nil)
        return VariableCheck(fields).warnings(about: compiled, isPartial: isPartial)
    }

    // MARK: What is shown

    private struct Shown: Sendable {
        var version: TemplateVersion
        var partials: [String: TemplateVersion]
        var summary: TemplateSummary
        var contact: Contact
        var request: PreviewRequest
    }

    private func version(
        of id: Identifier, _ request: PreviewRequest, _ catalog: Catalog, _ reader: any StoreReader
    ) throws -> TemplateVersion {
        let record = try catalog.findTemplate(id, in: projectID)
        guard let number = request.version else { return record.current }
        guard let version = try reader.templateVersion(number, of: id) else { throw Self.noVersion(number) }
        return version
    }

    private func look(
        at request: PreviewRequest,
        _ version: @escaping @Sendable (Catalog, any StoreReader) throws -> TemplateVersion
    ) async throws -> Shown {
        let now = context.clock.now()
        return try await context.store.read { reader in
            let catalog = try reader.loadCatalog()
            let version = try version(catalog, reader)
            let find = { (name: String) in catalog.partial(name, in: projectID)?.current }
            // One that is not saved must not be remembered by an id that the next one has too.
            let cache = version.id == SimulatedIdentifiers.workflow ? TemplateCache() : context.templates
            let partials = cache.partials(of: try cache.compiled(version), find: find)
            return Shown(
                version: version, partials: partials, summary: cache.summary(of: version, findPartial: find),
                contact: try contact(request, reader, now), request: request)
        }
    }

    private func contact(_ request: PreviewRequest, _ reader: any StoreReader, _ now: Timestamp) throws -> Contact {
        var contact = Contact(
            id: SimulatedIdentifiers.contact,
            email: request.email.map(AddressText.normal) ?? PreviewRequest.sampleEmail,
            isSubscribed: true, data: [:], createdAt: now, updatedAt: now)
        if let id = request.contactID {
            guard let stored = try reader.contact(id, in: projectID) else {
                throw UseCaseError(.notFound, "there is no contact \(id)")
            }
            contact = stored
        } else if let email = request.email.map(AddressText.normal),
            let stored = try reader.contact(email: email, in: projectID)
        {
            contact = stored
        }
        contact.data.merge(request.data)
        return contact
    }

    /// As an execution would see it that an event has just started.
    private func variables(_ shown: Shown, now: Timestamp) -> JSONObject {
        let event = Event(
            id: SimulatedIdentifiers.execution, name: "preview", data: shown.request.event, source: .api, createdAt: now
        )
        let execution = Execution(
            id: SimulatedIdentifiers.execution, workflowID: SimulatedIdentifiers.workflow, contactID: shown.contact.id,
            context: shown.request.context, trigger: event, startedAt: now)
        return Scope(contact: shown.contact, execution: execution, workflowName: "Preview")
            .variables(at: shown.summary.variablePaths)
    }

    private func preview(_ shown: Shown) async throws -> TemplatePreview {
        let now = context.clock.now()
        let parts: RenderedParts
        do {
            parts = try await context.previewThreads.run {
                try RenderedParts(
                    try CompiledTemplate(shown.version.content),
                    partials: try context.templates.partialSet(shown.partials), variables: variables(shown, now: now),
                    now: now)
            }
        } catch {
            throw Self.invalid([Self.problem(error)])
        }
        return TemplatePreview(
            subject: parts.subject, html: parts.html, text: parts.text ?? PlainText.from(html: parts.html ?? ""),
            warnings: try await warnings(
                about: shown.version.content, isPartial: shown.version.kind == .partial))
    }

    private func testEntry(_ shown: Shown, recipient: String) async throws -> OutboxEntry {
        let now = context.clock.now()
        let catalog = try await context.store.read { try $0.loadCatalog() }
        let id = context.identifiers.make(at: now)
        let request = MailRequest(
            id: id, step: "", templateVersionID: shown.version.id, partials: shown.partials.mapValues(\.id),
            kind: .transactional, recipient: recipient, variables: variables(shown, now: now), isTest: true)
        // The mail is nobody's: it stands in no contact's history.
        return OutboxEntry(
            id: id, projectID: projectID, contactID: id, executionID: nil, dueAt: now, createdAt: now, generation: 0,
            request: request,
            messageID: MessageIDDomain(configuration: context.configuration, catalog: catalog)
                .messageID(for: request, project: projectID))
    }

    static func problem(_ error: any Error) -> WorkflowProblem {
        switch error {
        case let error as RenderingError:
            // Rendered Markdown has other lines than what its author wrote.
            let place = error.template == "markdown" ? nil : WorkflowProblem.Place(line: error.line, column: nil)
            return .init(path: error.template, message: "cannot be rendered: \(error)", place: place)
        case let error as TemplateSyntaxError:
            return .init(
                path: error.template, message: "\(error)", place: .init(line: error.line, column: error.column))
        default: return .init(path: "template", message: "\(error)")
        }
    }
}
