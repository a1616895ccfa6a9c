import WorkflowModel

/// A named group of contacts of one project.
package struct SegmentRecord: Hashable, Sendable {
    /// The raw values are what the database and the API show.
    package enum Kind: String, Hashable, Sendable, CaseIterable {
        /// Whoever satisfies its filter.
        case dynamic = "DYNAMIC"
        /// Whom somebody has put in.
        case `static` = "STATIC"
    }

    package var id: Identifier
    package var projectID: Identifier
    /// Unique within the project; names its events. Stays when the name changes.
    package var slug: String
    package var name: String
    package var description: String?
    package var kind: Kind
    /// Nil in a STATIC segment.
    package var filter: Filter?
    package var createdAt: Timestamp
    package var updatedAt: Timestamp

    package init(
        id: Identifier, projectID: Identifier, slug: String, name: String, description: String? = nil, kind: Kind,
        filter: Filter?, createdAt: Timestamp, updatedAt: Timestamp
    ) {
        self.id = id
        self.projectID = projectID
        self.slug = slug
        self.name = name
        self.description = description
        self.kind = kind
        self.filter = filter
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }

    /// Happens to a contact that comes in.
    package var entryEvent: String { "segment.\(slug).entry" }
    /// Happens to a contact that goes.
    package var exitEvent: String { "segment.\(slug).exit" }

    package static let nameLimit = 100
    package static let descriptionLimit = 500

    /// Whether it can be a slug: a key that looks like no id.
    package static func isSlug(_ text: String) -> Bool { Step.isKey(text) && Identifier(text) == nil }
}

/// One segment whose members are being computed anew, and how far that has come.
package struct SegmentJob: Hashable, Sendable {
    package var segmentID: Identifier
    /// The contact last looked at; nil before the first.
    package var cursor: Identifier?
    /// The last contact to look at; nil when there is none. Whoever comes later is looked at when they come.
    package var lastContact: Identifier?
    /// Whether entries and exits are events. Otherwise nobody hears of them.
    package var announces: Bool

    package init(segmentID: Identifier, cursor: Identifier? = nil, lastContact: Identifier?, announces: Bool) {
        self.segmentID = segmentID
        self.cursor = cursor
        self.lastContact = lastContact
        self.announces = announces
    }

    /// Whether the contact's turn is still to come.
    func isToCome(_ contact: Identifier) -> Bool {
        guard let lastContact, contact <= lastContact else { return false }
        return cursor.map { contact > $0 } ?? true
    }
}

/// When time alone may change whether a contact is in a segment.
package struct SegmentTimer: Hashable, Sendable {
    package var segmentID: Identifier
    package var contactID: Identifier
    package var dueAt: Timestamp

    package init(segmentID: Identifier, contactID: Identifier, dueAt: Timestamp) {
        self.segmentID = segmentID
        self.contactID = contactID
        self.dueAt = dueAt
    }
}

/// A contact in a segment.
package struct SegmentMember: Hashable, Sendable {
    package var contact: Contact
    package var enteredAt: Timestamp

    package init(contact: Contact, enteredAt: Timestamp) {
        self.contact = contact
        self.enteredAt = enteredAt
    }
}

/// A part of a segment's contacts, compared with who is in it.
package struct SegmentDeviations: Sendable {
    /// Who should be in it and is not (true), or is and should not (false), in ascending order of ids.
    package var changes: [(contact: Identifier, belongs: Bool)]
    /// The last contact that was looked at; nil when there was none.
    package var cursor: Identifier?

    package init(changes: [(contact: Identifier, belongs: Bool)], cursor: Identifier?) {
        self.changes = changes
        self.cursor = cursor
    }
}
