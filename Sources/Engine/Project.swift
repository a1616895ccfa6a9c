import WorkflowModel

/// A tenant: everything belongs to exactly one.
package struct Project: Hashable, Sendable {
    package var id: Identifier
    /// Unique; what configuration and commands call it.
    package var slug: String
    package var name: String
    /// The IANA name of the zone whose clock counts where nothing else says one.
    package var timezone: String
    package var tracking: ProjectTracking

    package init(
        id: Identifier, slug: String, name: String, timezone: String = "UTC",
        tracking: ProjectTracking = ProjectTracking()
    ) {
        self.id = id
        self.slug = slug
        self.name = name
        self.timezone = timezone
        self.tracking = tracking
    }

    /// The project that is made at the first start.
    package static let defaultSlug = "default"
}

/// What an API key allows.
package struct APIKey: Hashable, Sendable {
    package enum Kind: String, Sendable, CaseIterable {
        /// `pk_…`: may only track events.
        case `public` = "pk"
        /// `sk_…`: may do what its scopes say.
        case secret = "sk"
    }

    /// Stays when the key gets a new text.
    package var id: Identifier
    package var projectID: Identifier
    package var kind: Kind
    /// For people; empty when nobody gave one.
    package var name: String
    /// Nil: everything.
    package var scopes: KeyScopes?
    /// From then on its text is worth nothing; nil while nobody has set an end.
    package var expiresAt: Timestamp?

    package init(
        id: Identifier, projectID: Identifier, kind: Kind, name: String = "", scopes: KeyScopes? = nil,
        expiresAt: Timestamp? = nil
    ) {
        self.id = id
        self.projectID = projectID
        self.kind = kind
        self.name = name
        self.scopes = scopes
        self.expiresAt = expiresAt
    }

    package func allows(_ scope: KeyScope) -> Bool {
        guard kind == .secret else { return scope == KeyScope(.track, .write) }
        return scopes?.granted.contains(scope) ?? true
    }

    package func isValid(at time: Timestamp) -> Bool { expiresAt.map { time < $0 } ?? true }
}

/// A key as people see it: everything but its text, which nobody has.
package struct KeyRecord: Hashable, Sendable {
    package var key: APIKey
    package var createdAt: Timestamp
    /// At most a minute old; nil before the first use.
    package var lastUsedAt: Timestamp?

    package init(key: APIKey, createdAt: Timestamp, lastUsedAt: Timestamp?) {
        self.key = key
        self.createdAt = createdAt
        self.lastUsedAt = lastUsedAt
    }
}
