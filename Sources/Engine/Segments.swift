import JSONValue
import WorkflowModel

/// Segments under a client's hands: made, changed, looked into and taken away.
package struct Segments: Sendable {
    package let context: EngineContext
    package let projectID: Identifier

    /// Addresses of one request about members.
    package static let emailLimit = 500
    /// Contacts that a preview shows.
    package static let previewLimit = 100
    /// Segments of a project: every change of a contact goes through their filters.
    package static let countLimit = 1000
    /// Blocks of some 64 contacts counted in one transaction.
    private static let refreshLimit = 250

    /// - Parameter projectID: nobody sees or changes segments of other projects; they are `notFound`.
    package init(context: EngineContext, projectID: Identifier) {
        self.context = context
        self.projectID = projectID
    }

    /// A segment with what is known about its members.
    package struct Detail: Sendable {
        package var segment: SegmentRecord
        package var memberCount: Int
        /// Whether some contacts are still to be looked at.
        package var isComputing: Bool
    }

    // MARK: Looking

    package struct Page: Sendable {
        package var rows: [Detail]
        package var total: Int
    }

    /// Newest first.
    /// - Parameter search: part of the name, slug or description, whatever the case; empty takes all.
    package func list(search: String, limit: Int, offset: Int) async throws -> Page {
        try await context.store.read { reader in
            let part = search.lowercased()
            let all = (try reader.loadCatalog().segments[projectID]?.segments ?? []).filter { segment in
                part.isEmpty || segment.name.lowercased().contains(part) || segment.slug.contains(part)
                    || segment.description?.lowercased().contains(part) == true
            }
            let newest = all.sorted { ($1.createdAt, $1.id) < ($0.createdAt, $0.id) }
            return Page(
                rows: try newest.dropFirst(offset).prefix(limit).map { try Self.detail($0, reader) }, total: all.count)
        }
    }

    /// - Parameter reference: its id or slug.
    /// - Throws: `UseCaseError.notFound`.
    package func segment(_ reference: String) async throws -> Detail {
        try await context.store.read { reader in
            try Self.detail(try find(reference, in: try reader.loadCatalog()), reader)
        }
    }

    private static func detail(_ segment: SegmentRecord, _ reader: any StoreReader) throws -> Detail {
        Detail(
            segment: segment, memberCount: try reader.memberCount(of: segment.id),
            isComputing: try reader.computingSegments().contains(segment.id))
    }

    private func find(_ reference: String, in catalog: Catalog) throws -> SegmentRecord {
        if let segment = catalog.segment(reference, in: projectID) { return segment }
        let damage = catalog.damagedSegments.first {
            $0.projectID == projectID && ($0.slug == reference || "\($0.id)" == reference)
        }
        if let damage { throw damage.refusal(of: "segment") }
        throw UseCaseError(.notFound, "there is no segment \(reference)")
    }

    package struct MemberPage: Sendable {
        package var rows: [SegmentMember]
        package var total: Int
    }

    /// In the order in which the contacts were made.
    package func members(of reference: String, limit: Int, offset: Int) async throws -> MemberPage {
        try await context.store.read { reader in
            let segment = try find(reference, in: try reader.loadCatalog())
            return MemberPage(
                rows: try reader.members(of: segment.id, limit: limit, offset: offset),
                total: try reader.memberCount(of: segment.id))
        }
    }

    package struct Preview: Sendable {
        package var count: Int
        package var contacts: [Contact]
    }

    /// Who would be in a segment with that filter now, the first of them and how many. Nothing is stored.
    /// - Throws: `UseCaseError`: `invalid` when it asks for a segment that is not there; `queryTooSlow`.
    package func preview(_ filter: Filter, path: String, limit: Int) async throws -> Preview {
        let now = context.clock.now()
        return try await context.read(isSearch: true) { reader in
            try SegmentCheck(try reader.loadCatalog(), projectID).refuseUnlessKnown(filter, path: path)
            return Preview(
                count: try reader.contactCount(matching: filter, in: projectID, at: now),
                contacts: try reader.contacts(matching: filter, in: projectID, after: nil, limit: limit, at: now))
        }
    }

    // MARK: Making and changing

    /// A segment to be made.
    package struct New: Sendable {
        package var name: String
        /// Nil makes one of the name.
        package var slug: String?
        package var description: String?
        package var kind: SegmentRecord.Kind
        /// Of a DYNAMIC segment.
        package var filter: Filter?
        /// Where the filter stood in the request, for problems.
        package var filterPath: String

        package init(
            name: String, slug: String? = nil, description: String? = nil, kind: SegmentRecord.Kind, filter: Filter?,
            filterPath: String = "filter"
        ) {
            self.name = name
            self.slug = slug
            self.description = description
            self.kind = kind
            self.filter = filter
            self.filterPath = filterPath
        }
    }

    /// Makes a segment and begins to compute its members.
    /// - Parameter announces: whether those who are in it from the beginning have an entry event each.
    /// - Throws: `UseCaseError`: `invalid`; `conflict` for a slug that is taken, or one segment too many.
    package func create(_ new: New, announces: Bool = false) async throws -> Detail {
        try await context.transact { transaction in
            let catalog = transaction.catalog
            let damaged = catalog.damagedSegments.count { $0.projectID == projectID }
            guard (catalog.segments[projectID]?.segments.count ?? 0) + damaged < Self.countLimit else {
                throw UseCaseError(
                    .conflict, "a project has at most \(Self.countLimit) segments: delete one that is not needed")
            }
            let segment = SegmentRecord(
                id: transaction.makeID(), projectID: projectID,
                slug: try new.slug.map { try free($0, nil, catalog) } ?? freeSlug(for: new.name, catalog),
                name: new.name, description: new.description, kind: new.kind,
                filter: new.kind == .dynamic ? new.filter : nil, createdAt: transaction.now,
                updatedAt: transaction.now)
            guard new.kind == .static || new.filter != nil else {
                throw UseCaseError(
                    .invalid, "a DYNAMIC segment needs a filter",
                    problems: [.init(path: new.filterPath, message: "says who is in a DYNAMIC segment; it is missing")])
            }
            try check(segment, path: new.filterPath, catalog)
            try transaction.store.save(segment)
            if segment.kind == .dynamic { try compute(segment, announces: announces, transaction) }
            try transaction.audit(
                "segment.created", "\(segment.id)", in: projectID,
                details: ["slug": .string(segment.slug), "type": .string(segment.kind.rawValue)])
            return Detail(segment: segment, memberCount: 0, isComputing: segment.kind == .dynamic)
        }
    }

    /// What is to change about a segment; nil stays.
    package struct Changes: Sendable {
        package var name: String?
        package var slug: String?
        /// An inner nil takes the description away.
        package var description: String??
        package var filter: Filter?
        package var filterPath: String

        package init(
            name: String? = nil, slug: String? = nil, description: String?? = nil, filter: Filter? = nil,
            filterPath: String = "filter"
        ) {
            self.name = name
            self.slug = slug
            self.description = description
            self.filter = filter
            self.filterPath = filterPath
        }
    }

    /// Changes what is given. Another filter begins a computation of the members.
    /// - Parameter announces: whether those who come and go by it have an event each.
    /// - Throws: `UseCaseError`: `notFound`; `invalid`; `conflict` for a slug that is taken, or another slug while something
    ///   names the present one.
    package func change(_ reference: String, _ changes: Changes, announces: Bool = false) async throws -> Detail {
        let id = try await context.transact { transaction in
            let before = try find(reference, in: transaction.catalog)
            var after = before
            if let name = changes.name { after.name = name }
            if let description = changes.description { after.description = description }
            if let slug = changes.slug, slug != before.slug {
                after.slug = try free(slug, before, transaction.catalog)
                let users = SegmentUses(of: before, in: transaction.catalog).bySlug
                try Self.refuse(users, "its slug stays while it is named by it")
            }
            if let filter = changes.filter {
                guard before.kind == .dynamic else {
                    throw UseCaseError(
                        .invalid, "a STATIC segment has no filter",
                        problems: [.init(path: changes.filterPath, message: "is for DYNAMIC segments only")])
                }
                after.filter = filter
                try check(after, path: changes.filterPath, transaction.catalog)
            }
            guard after != before else { return before.id }
            after.updatedAt = transaction.now
            try transaction.store.save(after)
            if after.filter != before.filter { try compute(after, announces: announces, transaction) }
            try transaction.audit(
                "segment.updated", "\(before.id)", in: projectID,
                details: ["slug": .string(after.slug), "filterChanged": .bool(after.filter != before.filter)])
            return before.id
        }
        return try await segment("\(id)")
    }

    /// Takes a segment away. Nobody leaves it: there are no exit events.
    /// - Throws: `UseCaseError`: `notFound`; `conflict` while something asks for it, naming that.
    package func delete(_ reference: String) async throws {
        try await context.transact { transaction in
            let catalog = transaction.catalog
            let damage = catalog.damagedSegments.first {
                $0.projectID == projectID && ($0.slug == reference || "\($0.id)" == reference)
            }
            if let damage {
                try transaction.store.delete(segment: damage.id, at: transaction.now)
            } else {
                let segment = try find(reference, in: catalog)
                let broadcasts = try transaction.store.openBroadcasts(in: projectID)
                    .filter { $0.segmentID == segment.id }.map { "the broadcast \($0.name)" }
                try Self.refuse(
                    SegmentUses(of: segment, in: catalog).all + broadcasts, "it cannot be deleted while it is used")
                try transaction.store.delete(segment: segment.id, at: transaction.now)
            }
            transaction.wakes.segments = true
            try transaction.audit("segment.deleted", reference, in: projectID)
        }
    }

    private static func refuse(_ users: [String], _ rule: String) throws {
        guard !users.isEmpty else { return }
        let shown = users.prefix(5).joined(separator: ", ") + (users.count > 5 ? " and \(users.count - 5) more" : "")
        throw UseCaseError(.conflict, "\(rule): by \(shown)")
    }

    private func check(_ segment: SegmentRecord, path: String, _ catalog: Catalog) throws {
        guard let filter = segment.filter else { return }
        // It may name itself, which is a circle, and said so.
        try SegmentCheck(catalog, projectID, beside: segment).refuseUnlessKnown(filter, path: path)
        if let circle = (catalog.segments[projectID] ?? SegmentIndex()).circle(through: segment) {
            throw UseCaseError(
                .invalid, "the segment would ask for itself",
                problems: [.init(path: path, message: "goes in a circle: \(circle.joined(separator: " -> "))")])
        }
    }

    private func free(_ slug: String, _ own: SegmentRecord?, _ catalog: Catalog) throws -> String {
        guard SegmentRecord.isSlug(slug) else {
            throw UseCaseError(
                .invalid, "the slug is invalid",
                problems: [
                    .init(path: "slug", message: "must be lower-case letters, digits, - and _, at most 64, and no id")
                ])
        }
        guard !isTaken(slug, catalog) else {
            throw UseCaseError(
                .conflict, "there is a segment \(slug) already",
                problems: [.init(path: "slug", message: "is that of another segment")])
        }
        return slug
    }

    private func freeSlug(for name: String, _ catalog: Catalog) -> String {
        let slug = KeyMaker.key(for: name, or: "segment") { isTaken($0, catalog) }
        guard !SegmentRecord.isSlug(slug) else { return slug }
        return KeyMaker.key(for: "segment-\(name)", or: "segment") { isTaken($0, catalog) }
    }

    private func isTaken(_ slug: String, _ catalog: Catalog) -> Bool {
        catalog.segment(slug, in: projectID) != nil
            || catalog.damagedSegments.contains { $0.projectID == projectID && $0.slug == slug }
    }

    // MARK: Computing

    private func compute(_ segment: SegmentRecord, announces: Bool, _ transaction: EngineTransaction) throws {
        try transaction.store.startComputing(segment, announces: announces)
        transaction.wakes.segments = true
    }

    /// Computes the members anew, from the first contact on.
    /// - Throws: `UseCaseError`: `notFound`; `invalid` for a STATIC segment.
    package func compute(_ reference: String, announces: Bool = false) async throws -> Detail {
        let id = try await context.transact { transaction in
            let segment = try find(reference, in: transaction.catalog)
            guard segment.kind == .dynamic else {
                throw UseCaseError(
                    .invalid, "\(segment.slug) is STATIC: only members of a DYNAMIC segment are computed")
            }
            try compute(segment, announces: announces, transaction)
            try transaction.audit("segment.computed", "\(segment.id)", in: projectID)
            return segment.id
        }
        return try await segment("\(id)")
    }

    /// Counts the members anew, in transactions of some milliseconds.
    package func refresh(_ reference: String) async throws -> Detail {
        var cursor: Identifier?
        repeat {
            let start = cursor
            cursor = try await context.transact { transaction in
                let segment = try find(reference, in: transaction.catalog)
                return try transaction.store.recountMembers(of: segment.id, after: start, limit: Self.refreshLimit)
            }
        } while cursor != nil
        let id = try await context.transact { transaction in
            let segment = try find(reference, in: transaction.catalog)
            _ = try transaction.store.recount(segment: segment.id)
            return segment.id
        }
        return try await segment("\(id)")
    }

    // MARK: Members

    /// Addresses for a STATIC segment.
    package struct Admission: Sendable {
        /// Not more than `emailLimit`.
        package var emails: [String]
        /// Whether an address that nobody has becomes a contact.
        package var createsMissing: Bool
        /// Whether such a contact is subscribed.
        package var subscribed: Bool

        package init(emails: [String], createsMissing: Bool = false, subscribed: Bool = false) {
            self.emails = emails
            self.createsMissing = createsMissing
            self.subscribed = subscribed
        }
    }

    package struct Admitted: Sendable, Hashable {
        package var added = 0
        package var created = 0
        /// Those that were in it before.
        package var unchanged = 0
        /// Addresses that no contact has.
        package var missing: [String] = []

        package init(added: Int = 0, created: Int = 0, unchanged: Int = 0, missing: [String] = []) {
            self.added = added
            self.created = created
            self.unchanged = unchanged
            self.missing = missing
        }
    }

    /// Puts contacts into a STATIC segment. Each who comes has an entry event.
    /// - Throws: `UseCaseError`: `notFound`; `invalid` for a DYNAMIC segment.
    package func add(_ admission: Admission, to reference: String, announces: Bool = true) async throws -> Admitted {
        try await context.transact { transaction in
            let segment = try membersOfStatic(reference, transaction)
            let keeper = SegmentKeeper(transaction: transaction, projectID: projectID)
            let recorder = EventRecorder(transaction: transaction, projectID: projectID)
            var result = Admitted()
            for email in Self.unique(admission.emails) {
                transaction.beginCause()
                var contact = try transaction.store.contact(email: email, in: projectID)
                if contact == nil, admission.createsMissing {
                    contact = try recorder.upsert(
                        email: email, subscribed: nil, subscribedWhenNew: admission.subscribed, data: [:])
                    result.created += 1
                }
                guard let contact else {
                    result.missing.append(email)
                    continue
                }
                let isNew = try keeper.set(
                    contact.id, in: segment, belongs: true, cause: .init(announces: announces))
                if isNew { result.added += 1 } else { result.unchanged += 1 }
                try SegmentKeeper.announce(in: transaction)
            }
            try transaction.audit(
                "segment.members_added", "\(segment.id)", in: projectID,
                details: ["added": .int(Int64(result.added)), "created": .int(Int64(result.created))])
            return result
        }
    }

    package struct Removed: Sendable, Hashable {
        package var removed = 0
        /// Contacts that were not in it.
        package var unchanged = 0
        package var missing: [String] = []

        package init(removed: Int = 0, unchanged: Int = 0, missing: [String] = []) {
            self.removed = removed
            self.unchanged = unchanged
            self.missing = missing
        }
    }

    /// Takes contacts out of a STATIC segment. Each who goes has an exit event.
    /// - Throws: `UseCaseError`: `notFound`; `invalid` for a DYNAMIC segment.
    package func remove(_ emails: [String], from reference: String, announces: Bool = true) async throws -> Removed {
        try await context.transact { transaction in
            let segment = try membersOfStatic(reference, transaction)
            let keeper = SegmentKeeper(transaction: transaction, projectID: projectID)
            var result = Removed()
            for email in Self.unique(emails) {
                transaction.beginCause()
                guard let contact = try transaction.store.contact(email: email, in: projectID) else {
                    result.missing.append(email)
                    continue
                }
                let wasIn = try keeper.set(contact.id, in: segment, belongs: false, cause: .init(announces: announces))
                if wasIn { result.removed += 1 } else { result.unchanged += 1 }
                try SegmentKeeper.announce(in: transaction)
            }
            try transaction.audit(
                "segment.members_removed", "\(segment.id)", in: projectID,
                details: ["removed": .int(Int64(result.removed))])
            return result
        }
    }

    private func membersOfStatic(_ reference: String, _ transaction: EngineTransaction) throws -> SegmentRecord {
        let segment = try find(reference, in: transaction.catalog)
        guard segment.kind == .static else {
            throw UseCaseError(
                .invalid, "\(segment.slug) is DYNAMIC: its filter says who is in it, and nobody is put in by hand")
        }
        return segment
    }

    private static func unique(_ emails: [String]) -> [String] {
        var seen: Set<String> = []
        return emails.map(AddressText.normal).filter { seen.insert($0).inserted }
    }
}
