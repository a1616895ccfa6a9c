import WorkflowModel

/// One immutable version of a mail template.
package struct TemplateVersion: Hashable, Sendable {
    package var id: Identifier
    package var templateID: Identifier
    /// Counted from 1 within the template.
    package var number: Int
    package var kind: TemplateSummary.Kind
    package var content: TemplateContent
    package var createdAt: Timestamp

    package init(
        id: Identifier, templateID: Identifier, number: Int = 1, kind: TemplateSummary.Kind, content: TemplateContent,
        createdAt: Timestamp = Timestamp(seconds: 0)
    ) {
        self.id = id
        self.templateID = templateID
        self.number = number
        self.kind = kind
        self.content = content
        self.createdAt = createdAt
    }
}

/// What a mail is made from. Subject, bodies and addresses are Liquid.
package struct TemplateContent: Hashable, Sendable {
    /// Empty in a partial.
    package var subject: String
    package var html: String?
    /// Nil with HTML or Markdown present: derived from what those render to.
    package var text: String?
    /// CommonMark, from which the HTML is made; there is no `html` beside it.
    package var markdown: String?
    /// A header field's value, for example `Support <support@example.com>`; nil takes the configuration's.
    package var from: String?
    /// The display name of the sender, in place of the one in `from`.
    package var fromName: String?
    package var replyTo: String?
    /// What the open pixel records at most; nil: on, but off in automatic replies.
    package var tracksOpens: TrackingMode?
    /// What links that lead over an address of ours record at most; nil: on, but off in automatic replies.
    package var tracksClicks: TrackingMode?

    package init(
        subject: String, html: String?, text: String?, markdown: String? = nil, from: String? = nil,
        fromName: String? = nil, replyTo: String? = nil, tracksOpens: TrackingMode? = nil,
        tracksClicks: TrackingMode? = nil
    ) {
        self.subject = subject
        self.html = html
        self.text = text
        self.markdown = markdown
        self.from = from
        self.fromName = fromName
        self.replyTo = replyTo
        self.tracksOpens = tracksOpens
        self.tracksClicks = tracksClicks
    }
}

extension Catalog {
    /// A template as it is now: its names, and the version that new mail is made from.
    package struct TemplateRecord: Sendable {
        package var id: Identifier
        package var projectID: Identifier
        /// Unique within the project, partials included; never changes.
        package var slug: String
        package var name: String
        package var description: String?
        package var current: TemplateVersion
        package var createdAt: Timestamp
        package var updatedAt: Timestamp

        package init(
            id: Identifier, projectID: Identifier, slug: String, name: String? = nil, description: String? = nil,
            current: TemplateVersion, createdAt: Timestamp = Timestamp(seconds: 0),
            updatedAt: Timestamp = Timestamp(seconds: 0)
        ) {
            self.id = id
            self.projectID = projectID
            self.slug = slug
            self.name = name ?? slug
            self.description = description
            self.current = current
            self.createdAt = createdAt
            self.updatedAt = updatedAt
        }
    }

    /// - Throws: `UseCaseError`: `notFound`, also for a template of another project; `conflict` for one that cannot be read.
    func findTemplate(_ id: Identifier, in project: Identifier) throws -> TemplateRecord {
        if let record = templates.first(where: { $0.id == id && $0.projectID == project }) { return record }
        if let damage = damagedTemplates.first(where: { $0.id == id && $0.projectID == project }) {
            throw damage.refusal(of: "template")
        }
        throw UseCaseError(.notFound, "there is no template \(id)")
    }
}
