import JSONValue
import WorkflowModel

/// Broadcasts under a client's hands: written, sent, stopped and looked at. `BroadcastWriter` does what follows.
package struct Broadcasts: Sendable {
    package let context: EngineContext
    package let projectID: Identifier

    /// - Parameter projectID: nobody sees or changes broadcasts of other projects; they are `notFound`.
    package init(context: EngineContext, projectID: Identifier) {
        self.context = context
        self.projectID = projectID
    }

    /// What a client says of one; nil stays as it is, an inner nil takes it away.
    package struct Changes: Sendable {
        /// The words of one variant, with the template by id or slug.
        package struct Content: Sendable {
            package var template: String??
            package var templateVersion: Int??
            package var subject: String??
            package var body: String??
            package var from: String??
            package var replyTo: String??

            package init() {}
        }

        package var name: String?
        /// By id or slug; an inner nil is everybody.
        package var segment: String??
        package var content = Content()
        package var variants: [(name: String, content: Content)]??
        package var test: BroadcastDefinition.Test??
        package var window: SendWindow??
        package var data: JSONObject?

        package init() {}
    }

    // MARK: Looking

    package struct Page: Sendable {
        package var rows: [Broadcast]
        package var total: Int
    }

    /// Newest first.
    package func list(status: Broadcast.Status?, limit: Int, offset: Int) async throws -> Page {
        let (rows, total) = try await context.store.read {
            try $0.broadcasts(in: projectID, status: status, limit: limit, offset: offset)
        }
        return Page(rows: rows, total: total)
    }

    /// - Throws: `UseCaseError.notFound`.
    package func broadcast(_ id: Identifier) async throws -> Broadcast {
        try await context.store.read { try find(id, $0) }
    }

    private func find(_ id: Identifier, _ reader: some BroadcastReader) throws -> Broadcast {
        guard let broadcast = try reader.broadcast(id, in: projectID) else {
            throw UseCaseError(.notFound, "there is no broadcast \(id)")
        }
        return broadcast
    }

    package struct Stats: Sendable {
        package var broadcast: Broadcast
        /// In the order of the variants; one without variants.
        package var variants: [BroadcastCounts]

        package var total: BroadcastCounts { variants.reduce(BroadcastCounts(), +) }
    }

    /// - Throws: `UseCaseError.notFound`.
    package func stats(of id: Identifier) async throws -> Stats {
        try await context.store.read { reader in
            let broadcast = try find(id, reader)
            let counts = try reader.broadcastCounts(of: id)
            return Stats(
                broadcast: broadcast,
                variants: (0..<broadcast.definition.variantCount).map { counts[$0] ?? BroadcastCounts() })
        }
    }

    package struct Estimate: Sendable {
        package var audience: Audience
        /// About how many of them get a mail of the test.
        package var testGroup: Int
        /// Whether some contacts are still to be looked at for the segment.
        package var isComputing: Bool
    }

    /// Whom it would reach if it began now.
    /// - Throws: `UseCaseError`: `notFound`; `queryTooSlow`.
    package func estimate(_ id: Identifier) async throws -> Estimate {
        let now = context.clock.now()
        return try await context.read(isSearch: true) { reader in
            let broadcast = try find(id, reader)
            let audience = try reader.audience(ofSegment: broadcast.segmentID, in: projectID, at: now)
            let share = broadcast.definition.variants.isEmpty ? 0 : broadcast.definition.test?.share ?? 100
            return Estimate(
                audience: audience, testGroup: audience.sendable * share / 100,
                isComputing: try broadcast.segmentID.map { try reader.computingSegments().contains($0) } ?? false)
        }
    }

    // MARK: Writing

    /// Broadcasts of a project that are neither sent nor cancelled.
    package static let openLimit = 1000

    /// Makes a draft.
    /// - Throws: `UseCaseError`: `notFound` for segment or template; `invalid`; `conflict` for one draft too many.
    package func create(_ new: Changes) async throws -> Broadcast {
        try Self.checkSyntax(new)
        return try await context.transact { transaction in
            let open = try Broadcast.Status.allCases.filter { !$0.isFinal }.reduce(0) { count, status in
                try count + transaction.store.broadcasts(in: projectID, status: status, limit: 0, offset: 0).total
            }
            guard open < Self.openLimit else {
                throw UseCaseError(
                    .conflict,
                    "a project has at most \(Self.openLimit) broadcasts that are not sent: delete some drafts")
            }
            var broadcast = Broadcast(
                id: transaction.makeID(), projectID: projectID, name: new.name ?? "",
                definition: BroadcastDefinition(), createdAt: transaction.now)
            try apply(new, to: &broadcast, transaction)
            try transaction.store.save(broadcast)
            try transaction.audit(
                "broadcast.created", "\(broadcast.id)", in: projectID, details: ["name": .string(broadcast.name)])
            return broadcast
        }
    }

    /// Changes what is given.
    /// - Throws: `UseCaseError`: `notFound`; `invalid`; `conflict` for one that is no draft.
    package func change(_ id: Identifier, _ changes: Changes) async throws -> Broadcast {
        try Self.checkSyntax(changes)
        return try await context.transact { transaction in
            var broadcast = try find(id, transaction.store)
            try Self.require([.draft], of: broadcast, for: "only a draft is changed")
            let before = broadcast
            try apply(changes, to: &broadcast, transaction)
            guard broadcast != before else { return broadcast }
            broadcast.updatedAt = transaction.now
            try transaction.store.save(broadcast)
            try transaction.audit("broadcast.updated", "\(id)", in: projectID)
            return broadcast
        }
    }

    /// A draft that says the same to the same people.
    /// - Throws: `UseCaseError`: `notFound`, also for a segment or template that is gone since.
    package func duplicate(_ id: Identifier) async throws -> Broadcast {
        try await context.transact { transaction in
            let original = try find(id, transaction.store)
            let copy = Broadcast(
                id: transaction.makeID(), projectID: projectID,
                name: WorkflowRecord.copyName(of: original.name), segmentID: original.segmentID,
                definition: original.definition, createdAt: transaction.now)
            _ = try segment(of: copy, transaction)
            try BroadcastContents(transaction: transaction, projectID: projectID).check(copy.definition)
            try transaction.store.save(copy)
            try transaction.audit(
                "broadcast.created", "\(copy.id)", in: projectID,
                details: ["name": .string(copy.name), "copyOf": .string("\(id)")])
            return copy
        }
    }

    /// - Throws: `UseCaseError`: `notFound`; `conflict` for one that is no draft.
    package func delete(_ id: Identifier) async throws {
        try await context.transact { transaction in
            let broadcast = try find(id, transaction.store)
            try Self.require([.draft], of: broadcast, for: "only a draft is deleted")
            try transaction.store.delete(broadcast: id)
            try transaction.audit(
                "broadcast.deleted", "\(id)", in: projectID, details: ["name": .string(broadcast.name)])
        }
    }

    private static func checkSyntax(_ changes: Changes) throws {
        var contents = [(path: "", content: changes.content.flat)]
        if let variants = changes.variants ?? nil {
            contents += variants.enumerated().map { ("variants.\($0.offset).", $0.element.content.flat) }
        }
        try BroadcastContents.checkSyntax(contents)
    }

    private func apply(
        _ changes: Changes, to broadcast: inout Broadcast, _ transaction: EngineTransaction
    ) throws {
        if let name = changes.name { broadcast.name = name }
        if let reference = changes.segment {
            broadcast.segmentID = try reference.map { try findSegment($0, transaction.catalog).id }
        }
        var definition = broadcast.definition
        try changes.content.apply(to: &definition.content) { try findTemplate($0, "template", transaction.catalog) }
        if let variants = changes.variants {
            definition.variants = try (variants ?? []).enumerated().map { position, variant in
                var content = BroadcastDefinition.Content()
                try variant.content.apply(to: &content) {
                    try findTemplate($0, "variants.\(position).template", transaction.catalog)
                }
                return .init(name: variant.name, content: content)
            }
        }
        if let test = changes.test { definition.test = test }
        if let window = changes.window { definition.window = window }
        if let data = changes.data { definition.data = data }
        if definition.test != nil, definition.variants.isEmpty {
            throw BroadcastContents.invalid([
                .init(path: "test", message: "is between variants, and there are none")
            ])
        }
        broadcast.definition = definition
        try BroadcastContents(transaction: transaction, projectID: projectID).check(definition)
    }

    private func findSegment(_ reference: String, _ catalog: Catalog) throws -> SegmentRecord {
        if let segment = catalog.segment(reference, in: projectID) { return segment }
        throw UseCaseError(
            .notFound, "there is no segment \(reference)",
            problems: [.init(path: "segmentId", message: "there is no such segment")])
    }

    private func findTemplate(_ reference: String, _ path: String, _ catalog: Catalog) throws -> Identifier {
        if let template = catalog.template(reference, in: projectID) { return template.id }
        throw UseCaseError(
            .notFound, "there is no template \(reference)",
            problems: [.init(path: path, message: "there is no such template")])
    }

    private func segment(of broadcast: Broadcast, _ transaction: EngineTransaction) throws -> SegmentRecord? {
        try broadcast.segmentID.map { try findSegment("\($0)", transaction.catalog) }
    }

    static func require(_ statuses: [Broadcast.Status], of broadcast: Broadcast, for rule: String) throws {
        guard !statuses.contains(broadcast.status) else { return }
        throw UseCaseError(.conflict, "\(rule), and this broadcast is \(broadcast.status.rawValue)")
    }

    // MARK: Sending

    /// Has it begin at that time, which replaces an earlier one.
    /// - Throws: `UseCaseError`: `notFound`; `invalid` for a time that is past; `conflict` for one that has begun.
    package func schedule(_ id: Identifier, at time: Timestamp) async throws -> Broadcast {
        try await move(
            id, from: [.draft, .scheduled], rule: "what has begun has no time any more", "broadcast.scheduled",
            details: ["at": .string("\(time)")]
        ) { broadcast, transaction in
            guard time > transaction.now else {
                throw BroadcastContents.invalid([.init(path: "at", message: "must be a time to come")])
            }
            _ = try segment(of: broadcast, transaction)
            try BroadcastContents(transaction: transaction, projectID: projectID).check(broadcast.definition)
            broadcast.status = .scheduled
            broadcast.scheduledAt = time
        }
    }

    /// Makes a scheduled one a draft again.
    /// - Throws: `UseCaseError`: `notFound`; `conflict` for one that is not scheduled.
    package func unschedule(_ id: Identifier) async throws -> Broadcast {
        try await move(
            id, from: [.scheduled], rule: "only what is scheduled has a time to be taken away", "broadcast.unscheduled"
        ) { broadcast, _ in
            broadcast.status = .draft
            broadcast.scheduledAt = nil
        }
    }

    /// Begins now.
    /// - Throws: `UseCaseError`: `notFound`; `invalid` for what cannot be sent any more; `conflict` for one that has begun.
    package func send(_ id: Identifier) async throws -> Broadcast {
        try await move(id, from: [.draft, .scheduled], rule: "a broadcast begins once", "broadcast.started") {
            broadcast, transaction in
            _ = try segment(of: broadcast, transaction)
            try broadcast.begin(in: transaction)
        }
    }

    /// Nothing more of it is sent until `resume`; what is under way ends.
    /// - Throws: `UseCaseError`: `notFound`; `conflict` for one that is not under way.
    package func pause(_ id: Identifier) async throws -> Broadcast {
        try await move(
            id, from: [.sending], unless: .paused, rule: "only what is being sent can pause", "broadcast.paused"
        ) { broadcast, _ in broadcast.pause(reason: nil) }
    }

    /// - Throws: `UseCaseError`: `notFound`; `invalid` for what cannot be sent any more; `conflict` for one that is not paused.
    package func resume(_ id: Identifier) async throws -> Broadcast {
        try await move(
            id, from: [.paused], unless: .sending, rule: "only what is paused goes on", "broadcast.resumed"
        ) { broadcast, transaction in
            _ = try segment(of: broadcast, transaction)
            if broadcast.startedAt == nil { try broadcast.begin(in: transaction) }
            broadcast.status = .sending
            broadcast.reason = nil
            broadcast.isSweeping = true
        }
    }

    /// Ends it: what is not sent never will be.
    /// - Throws: `UseCaseError`: `notFound`; `conflict` for a draft and for one that is sent.
    package func cancel(_ id: Identifier) async throws -> Broadcast {
        try await move(
            id, from: [.scheduled, .sending, .paused], unless: .cancelled,
            rule: "only what is to be sent can be cancelled", "broadcast.cancelled"
        ) { broadcast, transaction in
            broadcast.status = .cancelled
            broadcast.reason = nil
            broadcast.completedAt = transaction.now
            broadcast.isSweeping = broadcast.startedAt != nil
            // What is on its way to a relay is looked at once more before the message itself.
            transaction.wakes.withdraws = true
        }
    }

    /// Says which variant everybody else gets, before the test has its own answer or instead of it.
    /// - Throws: `UseCaseError`: `notFound`; `invalid` for a variant that is not there; `conflict` when there is no test, or its
    ///   winner is known.
    package func choose(_ variant: String, for id: Identifier) async throws -> Broadcast {
        try await move(
            id, from: [.sending, .paused], rule: "a winner is chosen while the test goes on",
            "broadcast.winner_chosen", details: ["variant": .string(variant)]
        ) { broadcast, _ in
            guard broadcast.definition.test != nil, broadcast.winner == nil,
                broadcast.phase == .test || broadcast.phase == .deciding
            else {
                throw UseCaseError(.conflict, "there is no winner to be chosen")
            }
            let names = broadcast.definition.variants.map(\.name)
            guard let position = names.firstIndex(of: variant) else {
                throw BroadcastContents.invalid([
                    .init(path: "variant", message: "must be one of \(names.joined(separator: ", "))")
                ])
            }
            broadcast.win(position, .chosen)
        }
    }

    /// Changes the state of one, on record.
    ///
    /// - Parameters:
    ///   - statuses: those in which it may be; `conflict` says `rule` of any other.
    ///   - end: where it stays as it is, because it has come there already.
    ///   - action: as the audit log calls it.
    private func move(
        _ id: Identifier, from statuses: [Broadcast.Status], unless end: Broadcast.Status? = nil, rule: String,
        _ action: String, details: JSONObject = [:],
        _ change: @escaping @Sendable (inout Broadcast, EngineTransaction) throws -> Void
    ) async throws -> Broadcast {
        try await context.transact { transaction in
            var broadcast = try find(id, transaction.store)
            if broadcast.status == end { return broadcast }
            try Self.require(statuses, of: broadcast, for: rule)
            try change(&broadcast, transaction)
            broadcast.updatedAt = transaction.now
            try transaction.store.save(broadcast)
            transaction.wakes.broadcasts = true
            try transaction.audit(action, "\(id)", in: projectID, details: details)
            return broadcast
        }
    }
}

extension Broadcasts.Changes.Content {
    /// What it says, without what it takes away.
    fileprivate var flat: BroadcastDefinition.Content {
        BroadcastDefinition.Content(subject: subject ?? nil, body: body ?? nil)
    }

    fileprivate func apply(
        to content: inout BroadcastDefinition.Content, findTemplate: (String) throws -> Identifier
    ) throws {
        if let reference = template {
            content.template = try reference.map(findTemplate)
            content.templateVersion = nil
        }
        if let templateVersion { content.templateVersion = templateVersion }
        if let subject { content.subject = subject }
        if let body { content.body = body }
        if let from { content.from = from }
        if let replyTo { content.replyTo = replyTo }
    }
}

// MARK: Changes of state

extension Broadcast {
    /// From now on it is being sent, to whoever is there now.
    /// - Throws: `UseCaseError` for what cannot be sent any more.
    mutating func begin(in transaction: EngineTransaction) throws {
        pinned = try BroadcastContents(transaction: transaction, projectID: projectID).pin(self)
        status = .sending
        phase = definition.test == nil ? .rest : .test
        last = try transaction.store.lastContact(of: projectID)
        startedAt = transaction.now
    }

    mutating func pause(reason: String?) {
        status = .paused
        self.reason = reason
        isSweeping = startedAt != nil
    }

    /// Everybody else gets that variant.
    mutating func win(_ position: Int, _ reason: WinnerReason) {
        winner = position
        winnerReason = reason
        if phase == .deciding { goOn(with: .rest) }
    }

    /// Goes through the audience once more.
    mutating func goOn(with phase: Phase) {
        self.phase = phase
        cursor = nil
        decideAt = nil
    }
}
