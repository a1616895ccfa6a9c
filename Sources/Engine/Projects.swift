import JSONValue
import WorkflowModel

/// Projects as administrators handle them.
package struct Projects: Sendable {
    package let context: EngineContext

    package init(context: EngineContext) { self.context = context }

    /// - Throws: `UseCaseError`: `conflict` for a name that is taken, `invalid` for one that cannot be used and for an
    ///   unknown time zone.
    @discardableResult
    package func create(_ slug: String, name: String? = nil, timezone: String = "UTC") async throws -> Project {
        guard Step.isKey(slug), slug.utf8.count <= Self.slugLimit else {
            throw UseCaseError(
                .invalid,
                "\(slug) cannot name a project: take at most \(Self.slugLimit) lower-case letters, digits, - and _")
        }
        let name = try Self.checked(name ?? slug)
        try check(timezone: timezone)
        return try await context.transact { transaction in
            guard transaction.catalog.project(slug: slug) == nil else {
                throw UseCaseError(.conflict, "there is a project \(slug) already")
            }
            let project = Project(id: transaction.makeID(), slug: slug, name: name, timezone: timezone)
            try transaction.store.insert(project, at: transaction.now)
            try transaction.audit(
                "project.created", slug, in: project.id,
                details: ["name": .string(name), "timezone": .string(timezone)])
            return project
        }
    }

    /// In the order they were made.
    package func list() async throws -> [Project] { try await context.store.read { try $0.loadCatalog().projects } }

    /// Gives a project another name for people; its slug stays.
    /// - Throws: `UseCaseError`: `notFound`, `invalid`.
    package func rename(_ slug: String, to name: String) async throws {
        let name = try Self.checked(name)
        try await context.transact { transaction in
            var project = try transaction.project(slug)
            let before = project.name
            project.name = name
            try transaction.store.update(project)
            try transaction.audit(
                "project.renamed", slug, in: project.id, details: ["from": .string(before), "to": .string(name)])
        }
    }

    /// Sets the zone whose clock counts where nothing else says one. Schedules that go by it are planned anew from now on;
    /// what they have fired stays, and so do the times that executions already wait for.
    /// - Returns: how many schedules were planned anew.
    /// - Throws: `UseCaseError`: `notFound`, `invalid` for an unknown zone.
    package func setTimezone(_ slug: String, to timezone: String) async throws -> Int {
        try check(timezone: timezone)
        return try await context.transact { transaction in
            var project = try transaction.project(slug)
            guard project.timezone != timezone else { return 0 }
            let before = project.timezone
            project.timezone = timezone
            try transaction.store.update(project)
            let affected = transaction.catalog.workflows.filter { workflow in
                guard workflow.projectID == project.id, workflow.isEnabled,
                    case .schedule(let schedule) = workflow.trigger
                else { return false }
                return schedule.timezone == nil
            }
            for workflow in affected { try transaction.store.renewSchedule(of: workflow.id, at: transaction.now) }
            try transaction.audit(
                "project.timezone_changed", slug, in: project.id,
                details: ["from": .string(before), "to": .string(timezone), "schedules": .int(Int64(affected.count))])
            return affected.count
        }
    }

    /// Sets what is recorded of the project's readers, within what the installation allows. Mail that is under way keeps what it
    /// carries; what is recorded of those who look at it follows at once.
    /// - Parameters:
    ///   - opens: nil leaves it, an inner nil asks the installation alone.
    ///   - clicks: the same.
    /// - Throws: `UseCaseError.notFound`.
    package func setTracking(
        _ slug: String, opens: TrackingMode??, clicks: TrackingMode??
    ) async throws -> ProjectTracking {
        try await context.transact { transaction in
            var project = try transaction.project(slug)
            let before = project.tracking
            if let opens { project.tracking.opens = opens }
            if let clicks { project.tracking.clicks = clicks }
            guard project.tracking != before else { return before }
            try transaction.store.update(project)
            func words(_ tracking: ProjectTracking) -> JSON {
                [
                    "opens": .string(tracking.opens?.rawValue ?? "default"),
                    "clicks": .string(tracking.clicks?.rawValue ?? "default"),
                ]
            }
            try transaction.audit(
                "project.tracking_changed", slug, in: project.id,
                details: ["from": words(before), "to": words(project.tracking)])
            return project.tracking
        }
    }

    private static let slugLimit = 64
    private static let nameLimit = 100

    private static func checked(_ name: String) throws -> String {
        let isPlain = name.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
        guard !name.allSatisfy(\.isWhitespace), name.count <= nameLimit, isPlain else {
            throw UseCaseError(
                .invalid, "the name of a project has 1 to \(nameLimit) characters, and no control characters")
        }
        return name
    }

    private func check(timezone: String) throws {
        guard context.zones.isKnown(timezone) else {
            throw UseCaseError(
                .invalid, "there is no time zone \(timezone): take an IANA name, for example Europe/Berlin")
        }
    }
}
