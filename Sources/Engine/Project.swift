import WorkflowModel

/// A tenant: everything belongs to exactly one.
package struct Project: Hashable, Sendable {
    package var id: Identifier
    /// Unique; what configuration and commands call it.
    package var slug: String
    package var name: String
    /// The IANA name of the zone whose clock counts where nothing else says one.
    package var timezone: String

    package init(id: Identifier, slug: String, name: String, timezone: String = "UTC") {
        self.id = id
        self.slug = slug
        self.name = name
        self.timezone = timezone
    }

    /// The project that is made at the first start.
    package static let defaultSlug = "default"
}

/// What an API key allows.
package struct APIKey: Hashable, Sendable {
    package enum Kind: String, Sendable {
        /// `pk_…`: may only track events.
        case `public` = "pk"
        /// `sk_…`: may do everything.
        case secret = "sk"
    }

    package var id: Identifier
    package var projectID: Identifier
    package var kind: Kind

    package init(id: Identifier, projectID: Identifier, kind: Kind) {
        self.id = id
        self.projectID = projectID
        self.kind = kind
    }
}
