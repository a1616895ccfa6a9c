import WorkflowModel

/// The secrets that webhooks are signed with, one for each project.
package struct WebhookSecrets: Sendable {
    package let context: EngineContext
    /// How long a replaced secret still signs, in seconds.
    package static let overlap: Int64 = 86_400

    package init(context: EngineContext) { self.context = context }

    /// The project's secret; made when it is first asked for.
    /// - Throws: `UseCaseError.notFound` for an unknown project.
    package func show(project slug: String) async throws -> WebhookSecret {
        let candidate = context.cryptography.randomBytes(32)
        return try await context.transact { transaction in
            try Self.current(of: try transaction.project(slug).id, orMake: candidate, in: transaction.store)
        }
    }

    /// A new secret; the one before signs beside it for a day.
    /// - Throws: `UseCaseError.notFound` for an unknown project.
    package func rotate(project slug: String) async throws -> WebhookSecret {
        let candidate = context.cryptography.randomBytes(32)
        return try await context.transact { transaction in
            let project = try transaction.project(slug).id
            let before = try transaction.store.webhookSecret(of: project)
            let secret = WebhookSecret(
                bytes: candidate, previous: before?.bytes,
                previousEnds: before.map { _ in transaction.now.adding(seconds: Self.overlap) })
            try transaction.store.save(secret, of: project)
            try transaction.audit("webhook_secret.rotated", slug, in: project)
            return secret
        }
    }

    /// For the first attempt of a project.
    func make(for project: Identifier) async throws -> WebhookSecret {
        let candidate = context.cryptography.randomBytes(32)
        return try await context.store.write { try Self.current(of: project, orMake: candidate, in: $0) }
    }

    private static func current(
        of project: Identifier, orMake candidate: [UInt8], in store: any StoreTransaction
    ) throws -> WebhookSecret {
        if let secret = try store.webhookSecret(of: project) { return secret }
        let secret = WebhookSecret(bytes: candidate)
        try store.save(secret, of: project)
        return secret
    }
}
