import Engine
import JSONValue
import Logging
import MailModel
import WorkflowModel

/// An engine over any store, with a virtual clock and repeatable ids.
package struct EngineFixture: Sendable {
    package let context: EngineContext
    package let clock: VirtualClock
    package let project: Project

    package init(
        store: any Store, clock: VirtualClock = VirtualClock(), fetchLog: (any FetchLog)? = nil,
        spool: any ContactSpool = MemorySpool(), rawMail: (any RawMailArchive)? = nil, seed: UInt64 = 1,
        identifiers: IdentifierSource? = nil,
        configure: (inout EngineConfiguration) -> Void = { _ in }
    ) async throws {
        var configuration = EngineConfiguration()
        configuration.defaultFrom = "Postrider <robot@example.com>"
        configure(&configuration)
        let identifiers = identifiers ?? .seeded(seed)
        let secret = try await EngineContext.prepare(
            store: store, clock: clock, cryptography: TestCryptography(), identifiers: identifiers)
        context = EngineContext(
            store: store, clock: clock, cryptography: TestCryptography(), identifiers: identifiers,
            configuration: configuration, secret: secret, fetchLog: fetchLog, spool: spool, rawMail: rawMail,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        context.trackingAddress.value = "http://127.0.0.1:8480"
        self.clock = clock
        let catalog = try await store.read { try $0.loadCatalog() }
        guard let project = catalog.project(slug: Project.defaultSlug) else {
            throw StoreError(.failed, "no default project")
        }
        self.project = project
    }

    @discardableResult
    package func apply(_ document: JSON) async throws -> Workflows.Applied {
        try await Workflows(context: context).apply(try WorkflowDocument(document))
    }

    @discardableResult
    package func track(
        _ event: String, _ email: String = "ann@example.org", data: JSONObject = [:], subscribed: Bool? = nil
    ) async throws -> Events.Tracked {
        try await Events(context: context).track(
            .init(projectID: project.id, event: event, email: email, subscribed: subscribed, data: data))
    }

    /// Executions of a workflow by its slug, oldest first.
    package func executions(_ slug: String = "flow") async throws -> [ExecutionListing] {
        let catalog = try await context.store.read { try $0.loadCatalog() }
        guard let workflow = catalog.workflows.first(where: { $0.slug == slug }) else { return [] }
        let page = try await Workflows(context: context).executions(
            of: workflow.id, project: project.id, status: nil, limit: 1000, offset: 0)
        return page.rows.reversed()
    }

    package func steps(of execution: ExecutionListing) async throws -> [StepExecution] {
        try await context.store.read { try $0.steps(of: execution.id) }
    }

    package func counter(_ name: String) async throws -> Int {
        try await context.store.read { try $0.counters()[name] ?? 0 }
    }

    package func contact(_ email: String = "ann@example.org") async throws -> Contact? {
        let project = project.id
        return try await context.store.write { try $0.contact(email: email, in: project) }
    }

    /// Fires every timer that is due.
    package func runTimers() async throws {
        while try await Advance(context: context).advanceBatch() > 0 {}
    }

    /// Works on contact jobs until all have ended.
    package func runJobs() async throws {
        let jobs = ContactJobs(context: context)
        repeat { while try await jobs.pass() {} } while try await findKeptEvents()
    }

    /// Finds what is newly kept and happened before.
    /// - Returns: whether there was anything.
    @discardableResult
    package func findKeptEvents() async throws -> Bool {
        var found = false
        while try await context.store.write({ try $0.continueKeeping(History.sizes) }) != .idle { found = true }
        return found
    }

    /// Claims and delivers everything that is due in the outbox.
    package func runDispatch(_ transport: any MailTransport) async throws {
        let dispatch = Dispatch(context: context, transport: transport)
        while true {
            let now = clock.now()
            let entries = try await context.store.write { try $0.claimEntries(dueAt: now, limit: 100) }
            if entries.isEmpty { return }
            for entry in entries { await dispatch.deliver(entry) }
        }
    }
}

extension EngineFixture {
    /// Claims and makes every webhook call that is due.
    package func runWebhooks(
        _ receiver: ScriptedReceiver, destinations: WebhookDestinations = WebhookDestinations()
    ) async throws {
        let dispatch = WebhookDispatch(
            context: context, transport: receiver, destinations: destinations, perReceiver: 100)
        while true {
            let now = clock.now()
            let calls = try await context.store.write {
                try $0.claimWebhookCalls(dueAt: now, limit: 100, perReceiver: 100, underWay: [:])
            }
            if calls.isEmpty { return }
            for call in calls { await dispatch.attempt(call) }
        }
    }

    /// Claims and makes every delivery to a subscription that is due. The catalog's rules hold: what is paused waits.
    package func runDeliveries(
        _ receiver: ScriptedReceiver, destinations: WebhookDestinations = WebhookDestinations(),
        perReceiver: Int = 4
    ) async throws {
        let dispatch = WebhookDispatch(
            context: context, transport: receiver, destinations: destinations, perReceiver: perReceiver)
        while try await dispatch.deliverBatch() > 0 {}
    }
}
