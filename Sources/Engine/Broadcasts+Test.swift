import JSONValue
import WorkflowModel

extension Broadcasts {
    /// A mail for whoever writes the broadcast.
    package struct TestRequest: Sendable {
        package var recipient: String
        /// By name; nil is the first.
        package var variant: String?
        /// For whom it is written; nil makes somebody up.
        package var contactID: Identifier?

        package init(recipient: String, variant: String? = nil, contactID: Identifier? = nil) {
            self.recipient = recipient
            self.variant = variant
            self.contactID = contactID
        }
    }

    /// Puts a mail of the broadcast into the outbox, for its author to look at in a mail program. It is marked as a test, goes
    /// to anybody, and nothing comes of its fate: no event, no pixel, no count.
    /// - Throws: `UseCaseError`: `notFound` for broadcast or contact; `invalid` for a variant that is not there, and for what
    ///   cannot be rendered or composed.
    package func sendTest(of id: Identifier, _ request: TestRequest) async throws -> TestMail {
        let shown = try await context.transact { try testMail(of: id, request, $0) }
        let subject: String
        do {
            let builder = MailBuilder(context: context)
            subject = try await context.previewThreads.run {
                try builder.build(
                    shown.entry, version: shown.version, partials: shown.partials, now: shown.entry.createdAt
                ).subject
            }
        } catch {
            throw BroadcastContents.invalid([Templates.problem(error)])
        }
        try await context.transact { transaction in
            // Words of the broadcast's own may have been swept away since.
            let entry = try testMail(of: id, request, transaction, mail: shown.entry.id).entry
            try transaction.store.insert(entry)
            try transaction.store.noteTest(entry, showing: request.contactID)
            transaction.wakes.mail(entry)
            try transaction.audit(
                "broadcast.tested", "\(id)", in: projectID, details: ["emailId": .string("\(entry.id)")])
        }
        return TestMail(id: shown.entry.id, recipient: request.recipient, subject: subject, warnings: [])
    }

    private struct Shown: Sendable {
        var entry: OutboxEntry
        var version: TemplateVersion
        var partials: [String: TemplateVersion]
    }

    private func testMail(
        of id: Identifier, _ request: TestRequest, _ transaction: EngineTransaction, mail: Identifier? = nil
    ) throws -> Shown {
        guard let broadcast = try transaction.store.broadcast(id, in: projectID) else {
            throw UseCaseError(.notFound, "there is no broadcast \(id)")
        }
        let definition = broadcast.definition
        let names = definition.variants.map(\.name)
        guard let position = request.variant.map({ names.firstIndex(of: $0) }) ?? 0 else {
            throw BroadcastContents.invalid([
                .init(
                    path: "variant",
                    message: names.isEmpty
                        ? "is none of the broadcast, which has no variants"
                        : "must be one of \(names.joined(separator: ", "))")
            ])
        }
        let content = definition.contents[position]
        let contents = BroadcastContents(transaction: transaction, projectID: projectID)
        try contents.check(definition)
        let version = try contents.version(of: content)
        let templates = transaction.context.templates
        let find = { (name: String) in transaction.catalog.partial(name, in: projectID)?.current }
        let summary = templates.summary(of: version, findPartial: find)
        let mailID = mail ?? transaction.makeID()
        var mail = MailRequest(
            id: mailID, step: "", templateVersionID: version.id, partials: summary.partials, kind: .transactional,
            recipient: request.recipient, from: content.from, replyTo: content.replyTo,
            variables: broadcast.variables(
                for: try contact(request, transaction), variant: position, mail: mailID, paths: summary.variablePaths,
                at: transaction.now), isTest: true)
        mail.broadcast = MailRequest.Broadcast(
            id: id, variant: position, variantName: definition.variantName(at: position))
        // The mail is nobody's: it stands in no contact's history.
        let entry = OutboxEntry(
            id: mailID, projectID: projectID, contactID: mailID, executionID: nil, dueAt: transaction.now,
            createdAt: transaction.now, generation: 0, request: mail,
            messageID: MessageIDDomain(transaction).messageID(for: mail, project: projectID))
        return Shown(
            entry: entry, version: version,
            partials: templates.partials(of: try templates.compiled(version), find: find))
    }

    private func contact(_ request: TestRequest, _ transaction: EngineTransaction) throws -> Contact {
        guard let id = request.contactID else {
            return Contact(
                id: SimulatedIdentifiers.contact, email: AddressText.normal(request.recipient), isSubscribed: true,
                data: [:], createdAt: transaction.now, updatedAt: transaction.now)
        }
        guard let contact = try transaction.store.contact(id, in: projectID) else {
            throw UseCaseError(.notFound, "there is no contact \(id)")
        }
        return contact
    }
}

extension Broadcast {
    /// What a mail is rendered with: what the template mentions of the contact, of the broadcast's data, and of
    /// `broadcast.id`, `broadcast.name` and `broadcast.variant`.
    func variables(
        for contact: Contact, variant: Int, mail: Identifier, paths: [[String]], at now: Timestamp
    ) -> JSONObject {
        var values = definition.data
        if values["broadcast"] == nil {
            values["broadcast"] = [
                "id": .string("\(id)"), "name": .string(name),
                "variant": definition.variantName(at: variant).map { .string($0) } ?? .null,
            ]
        }
        let execution = Execution(id: mail, workflowID: mail, contactID: contact.id, context: values, startedAt: now)
        return Scope(contact: contact, execution: execution, workflowName: "").variables(at: paths)
    }
}
