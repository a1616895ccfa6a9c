import JSONValue
import Liquid
import WorkflowModel

// What the use cases of templates are given and give back.

/// A template to be made.
package struct NewTemplate: Sendable {
    package var name: String
    package var description: String?
    /// Nil makes one of the name.
    package var slug: String?
    package var kind: TemplateSummary.Kind
    package var content: TemplateContent

    package init(
        name: String, description: String? = nil, slug: String? = nil, kind: TemplateSummary.Kind = .marketing,
        content: TemplateContent
    ) {
        self.name = name
        self.description = description
        self.slug = slug
        self.kind = kind
        self.content = content
    }

    /// Characters.
    package static let nameLimit = 100
    package static let descriptionLimit = 500
    /// What fits into a header field before it must be folded (RFC 5322 section 2.1.1).
    package static let subjectLimit = 998
    package static let addressLimit = 500
    /// Bytes of each part.
    package static let sourceLimit = Template.sourceByteLimit
}

/// What is to change about a template; nil stays, an inner nil takes away.
package struct TemplateChanges: Sendable {
    package var name: String?
    package var description: String??
    package var kind: TemplateSummary.Kind?
    package var subject: String?
    package var html: String??
    package var text: String??
    package var markdown: String??
    package var from: String??
    package var fromName: String??
    package var replyTo: String??
    package var tracksOpens: TrackingMode??
    package var tracksClicks: TrackingMode??

    package init() {}

    /// All that is given, on its own.
    package var content: TemplateContent { applied(to: TemplateContent(subject: "", html: nil, text: nil)) }

    /// HTML and Markdown replace each other: one that is given takes away the other, unless both are.
    func applied(to content: TemplateContent) -> TemplateContent {
        var content = content
        if let subject { content.subject = subject }
        if let html {
            content.html = html
            if html != nil, markdown == nil { content.markdown = nil }
        }
        if let markdown {
            content.markdown = markdown
            if markdown != nil, html == nil { content.html = nil }
        }
        if let text { content.text = text }
        if let from { content.from = from }
        if let fromName { content.fromName = fromName }
        if let replyTo { content.replyTo = replyTo }
        if let tracksOpens { content.tracksOpens = tracksOpens }
        if let tracksClicks { content.tracksClicks = tracksClicks }
        return content
    }
}

/// A template with what its author should know.
package struct TemplateDetail: Sendable {
    package var template: Catalog.TemplateRecord
    package var warnings: [TemplateWarning]
}

/// Who uses a template.
package struct TemplateUsage: Sendable {
    package struct Step: Sendable, Hashable {
        package var workflow: WorkflowRecord.Naming
        package var key: String
        package var name: String?
    }

    /// SEND_EMAIL steps of the current versions of workflows.
    package var steps: [Step]
    /// Templates and partials that include a partial, also by way of others.
    package var templates: [Catalog.TemplateRecord]
    /// Mails among the installation's newest `mailsLookedAt`.
    package var mails: Int
    package static let mailsLookedAt = 10_000
}

extension WorkflowRecord {
    /// How a workflow is referred to.
    package struct Naming: Sendable, Hashable {
        package var id: Identifier
        package var slug: String
        package var name: String
    }
}

/// For whom and with what a template is shown.
package struct PreviewRequest: Sendable {
    /// A stored contact, or nil for one made up of `email` and `data`.
    package var contactID: Identifier?
    package var email: String?
    /// Laid over the contact's own data.
    package var data: JSONObject
    /// The data of the event that starts the execution.
    package var event: JSONObject
    package var context: JSONObject
    /// Nil shows the current version.
    package var version: Int?

    package init(
        contactID: Identifier? = nil, email: String? = nil, data: JSONObject = [:], event: JSONObject = [:],
        context: JSONObject = [:], version: Int? = nil
    ) {
        self.contactID = contactID
        self.email = email
        self.data = data
        self.event = event
        self.context = context
        self.version = version
    }

    package static let sampleEmail = "recipient@example.com"
}

/// A template as its mail would say it.
package struct TemplatePreview: Sendable {
    package var subject: String
    package var html: String?
    /// Derived from the HTML when the template has none.
    package var text: String
    package var warnings: [TemplateWarning]
}

/// A mail that went into the outbox for a look at a template.
package struct TestMail: Sendable {
    package var id: Identifier
    package var recipient: String
    package var subject: String
    package var warnings: [TemplateWarning]
}
