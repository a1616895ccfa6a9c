import JSONValue
import Logging
import Synchronization
import WorkflowModel

/// Puts the mails of broadcasts into the outbox, a few at a time.
///
/// The audience is gone through in the order of the contacts' ids. Each batch and the place after it are one transaction, so
/// that a broadcast goes on after any end of the process where it was; and each contact has at most one mail of a broadcast
/// by a constraint of the database. Only some hundred mails wait in the outbox at a time: a broadcast to a million keeps
/// nobody else waiting, and stops at once when it shall.
package final class BroadcastWriter: Sendable {
    package let context: EngineContext
    private let state = Mutex(State())

    private struct State {
        var batch = BatchSize(first: BroadcastWriter.firstBatch, in: BroadcastWriter.batchRange)
        /// Broadcasts that met trouble, and until when they are left alone.
        var setAside: [Identifier: Timestamp] = [:]
        /// When more was last written than usual, by broadcast.
        var lastExtra: [Identifier: Timestamp] = [:]
    }

    /// How many mails of a broadcast may wait in the outbox.
    static let high = 2000
    /// How many there may be when those that are there cannot go now: they wait for a domain that is slow, a window or
    /// another attempt, and others need not wait for them.
    private static let usualCeiling = 20_000
    /// The same where each mail waits for the clock of its contact: those of one part of the world sleep while it is day in another,
    /// whose mails must not stand behind them.
    private static let ceilingOfZones = 200_000

    static func ceiling(of definition: BroadcastDefinition) -> Int {
        guard let window = definition.window, window.timezone == nil else { return usualCeiling }
        return ceilingOfZones
    }

    /// Fewer mails that could go at once are no work for the dispatch.
    private static let idle = 64
    /// Microseconds between two batches beyond the usual number: the dispatch has to have seen the one before.
    private static let extraPause: Int64 = 100_000
    /// Mails that leave the outbox before more are written.
    static let refill = 250
    /// Contacts in one transaction; they become more or fewer by how long a batch takes.
    private static let firstBatch = 100
    private static let batchRange = 10...1000
    /// How many contacts are looked at for a batch of mails, where most get none now.
    private static let lookFactor = 5
    /// Mails that follow a pause or a cancellation in one transaction.
    private static let sweepSize = 1000
    /// How often broadcasts that somebody has changed beside us are looked for, in seconds; and those under way.
    private static let longestSleep: Int64 = 5
    private static let look: Int64 = 1
    /// Seconds that a broadcast which met trouble is left alone.
    private static let rest: Int64 = 5

    package init(context: EngineContext) { self.context = context }

    /// Runs until cancelled. A failing database is tried again; nothing is lost.
    package func run() async {
        while !Task.isCancelled {
            var wakeAt = context.clock.now().adding(seconds: Self.look)
            do {
                while try await pass(), !Task.isCancelled { await Task.yield() }
                wakeAt = try await nextLook()
            } catch {
                context.logger.error("broadcasts wait for the database", metadata: ["error": "\(error)"])
            }
            await context.signals.broadcasts.wait(until: wakeAt, clock: context.clock)
        }
    }

    private func nextLook() async throws -> Timestamp {
        let now = context.clock.now()
        let active = try await context.store.read { try $0.activeBroadcasts() }
        let isWriting = active.contains { $0.isSweeping || $0.status == .sending && $0.phase?.writes == true }
        if isWriting { return now.adding(microseconds: Self.extraPause) }
        // Others wait for their time, or for the last of their mails.
        let isOpen = active.contains { $0.status == .sending }
        let first = active.lazy.filter { $0.status == .scheduled }.compactMap(\.scheduledAt).min() ?? .never
        return min(max(first, now), now.adding(seconds: isOpen ? Self.look : Self.longestSleep))
    }

    /// One step of every broadcast about which something is to be done. One that meets trouble rests, and the others go on.
    /// - Returns: whether anything was done.
    package func pass() async throws -> Bool {
        let now = context.clock.now()
        let active = try await context.store.read { try $0.activeBroadcasts() }
        forget(besides: Set(active.map(\.id)))
        var worked = false
        for broadcast in active where !rests(broadcast, now: now) && !Task.isCancelled {
            do {
                if try await step(of: broadcast, at: now) { worked = true }
            } catch let error as StoreError {
                context.logger.error(
                    "broadcast waits", metadata: ["broadcast": "\(broadcast.id)", "error": "\(error)"])
                state.withLock { $0.setAside[broadcast.id] = now.adding(seconds: Self.rest) }
            }
        }
        return worked
    }

    private func forget(besides active: Set<Identifier>) {
        state.withLock { state in
            state.setAside = state.setAside.filter { active.contains($0.key) }
            state.lastExtra = state.lastExtra.filter { active.contains($0.key) }
        }
    }

    private func rests(_ broadcast: Broadcast, now: Timestamp) -> Bool {
        state.withLock { state in state.setAside[broadcast.id].map { now < $0 } ?? false }
    }

    /// - Returns: whether anything was done.
    private func step(of broadcast: Broadcast, at now: Timestamp) async throws -> Bool {
        if broadcast.isSweeping { return try await context.transact { try Self.sweep(broadcast.id, in: $0) } }
        switch broadcast.status {
        case .scheduled:
            guard broadcast.scheduledAt.map({ $0 <= now }) ?? true else { return false }
            return try await context.transact { try Self.begin(broadcast.id, in: $0) }
        case .sending: return try await write(broadcast)
        case .draft, .paused, .cancelled, .sent: return false
        }
    }

    // MARK: Beginning

    private static func begin(_ id: Identifier, in transaction: EngineTransaction) throws -> Bool {
        guard var broadcast = try transaction.store.broadcast(id), broadcast.status == .scheduled,
            let time = broadcast.scheduledAt, time <= transaction.now
        else { return false }
        do {
            try broadcast.begin(in: transaction)
            try transaction.audit("broadcast.started", "\(id)", in: broadcast.projectID)
        } catch let error as UseCaseError {
            // Somebody has to look at it, and says when it goes on.
            let problems = error.problems.map { "\($0.path) \($0.message)" }
            broadcast.pause(reason: problems.isEmpty ? error.description : problems.joined(separator: "; "))
            transaction.context.logger.error(
                "broadcast cannot begin",
                metadata: ["broadcast": "\(id)", "reason": "\(broadcast.reason ?? "")"])
        }
        broadcast.updatedAt = transaction.now
        try transaction.store.save(broadcast)
        return true
    }

    // MARK: Mails that wait

    /// Has mails in the outbox follow what has become of their broadcast.
    private static func sweep(_ id: Identifier, in transaction: EngineTransaction) throws -> Bool {
        guard var broadcast = try transaction.store.broadcast(id), broadcast.isSweeping else { return false }
        let found: Int
        switch broadcast.status {
        case .paused: found = try transaction.store.holdMails(of: id, limit: sweepSize)
        case .cancelled:
            let dropped = try transaction.store.cancelMails(of: id, at: transaction.now, limit: sweepSize)
            for (variant, amount) in dropped {
                try transaction.store.count(.cancelled, of: id, variant: variant, by: amount)
            }
            found = dropped.values.reduce(0, +)
        case .sending:
            let due = try transaction.store.releaseMails(of: id, limit: sweepSize)
            if let first = due.min() { transaction.wakes.mail(broadcast.queue, dueAt: first) }
            found = due.count
        case .draft, .scheduled, .sent: found = 0
        }
        if found < sweepSize {
            broadcast.isSweeping = false
            try transaction.store.save(broadcast)
        }
        return true
    }

    // MARK: Writing

    /// - Returns: whether anything was done.
    private func write(_ seen: Broadcast) async throws -> Bool {
        var count = state.withLock { $0.batch.count }
        while true {
            let (limit, start) = (count, context.clock.now())
            let isExtra = mayExceed(seen, at: start)
            do {
                let step = try await context.transact {
                    try Self.write(seen.id, limit: limit, isExtra: isExtra, in: $0)
                }
                if case .wrote(let mails) = step {
                    adapt(to: mails, of: limit, from: start)
                    if isExtra { state.withLock { $0.lastExtra[seen.id] = context.clock.now() } }
                }
                return step != .waits
            } catch {
                guard error.isRowsFault else { throw error }
                guard count > 1 else {
                    return try await context.transact { try Self.passOver(seen.id, error, in: $0) }
                }
                count /= 2
            }
        }
    }

    /// Whether the dispatch has nothing of the queue that it could send, and has seen what was written last.
    private func mayExceed(_ broadcast: Broadcast, at now: Timestamp) -> Bool {
        guard let ready = context.readyMails.count(in: broadcast.queue), ready < Self.idle else { return false }
        return state.withLock { state in
            state.lastExtra[broadcast.id].map { $0.adding(microseconds: Self.extraPause) <= now } ?? true
        }
    }

    /// Makes the next batch as large as fits its time.
    private func adapt(to done: Int, of limit: Int, from start: Timestamp) {
        let taken = context.clock.now().microseconds - start.microseconds
        state.withLock { $0.batch.adapt(to: done, of: limit, taken: taken) }
    }

    private enum Step: Equatable {
        /// So many mails; the broadcast has come on.
        case wrote(Int)
        case movedOn
        case waits
    }

    private static func write(
        _ id: Identifier, limit: Int, isExtra: Bool, in transaction: EngineTransaction
    ) throws -> Step {
        let store = transaction.store
        guard var broadcast = try store.broadcast(id), broadcast.status == .sending, !broadcast.isSweeping else {
            return .waits
        }
        switch broadcast.phase {
        case .test, .rest: break
        case .deciding: return try decide(&broadcast, in: transaction)
        case .written, nil:
            guard try store.openMailCount(ofBroadcast: id) == 0 else { return .waits }
            broadcast.status = .sent
            broadcast.completedAt = transaction.now
            try save(broadcast, in: transaction)
            return .movedOn
        }
        if let segment = broadcast.segmentID {
            guard transaction.catalog.segment("\(segment)", in: broadcast.projectID) != nil else {
                broadcast.pause(reason: "its segment is gone or cannot be read")
                try save(broadcast, in: transaction)
                return .movedOn
            }
            // Who is in it is not known yet.
            guard try transaction.segmentJobs()[segment] == nil else { return .waits }
        }
        let open = try store.openMailCount(ofBroadcast: id)
        let room = open + refill <= high ? high - open : isExtra ? ceiling(of: broadcast.definition) - open : 0
        guard room > 0 else { return .waits }
        let batch: BroadcastBatch
        do { batch = try BroadcastBatch(broadcast, in: transaction) } catch  where error.isRowsFault {
            // No contact is to blame: nobody would get it.
            transaction.context.logger.error(
                "broadcast is paused", metadata: ["broadcast": "\(id)", "error": "\(error)"])
            broadcast.pause(reason: "its template cannot be read")
            try save(broadcast, in: transaction)
            return .movedOn
        }
        let written = try batch.write(
            // One by one where one of them is to blame for something.
            &broadcast, mails: min(limit, room), looks: limit == 1 ? 1 : min(limit, room) * lookFactor)
        try save(broadcast, in: transaction)
        return .wrote(written)
    }

    private static func save(_ broadcast: Broadcast, in transaction: EngineTransaction) throws {
        var broadcast = broadcast
        broadcast.updatedAt = transaction.now
        try transaction.store.save(broadcast)
    }

    /// - Returns: false when there is nobody to pass over.
    private static func passOver(
        _ id: Identifier, _ fault: any Error, in transaction: EngineTransaction
    ) throws -> Bool {
        guard var broadcast = try transaction.store.broadcast(id), broadcast.status == .sending,
            let contact = try broadcast.nextContacts(limit: 1, in: transaction).first
        else { return false }
        transaction.context.logger.error(
            "contact gets no mail of a broadcast",
            metadata: ["broadcast": "\(id)", "contact": "\(contact)", "error": "\(fault)"])
        broadcast.cursor = contact
        if let variant = broadcast.variant(for: contact) {
            try transaction.store.count(.recipients, of: id, variant: variant, by: 1)
            try transaction.store.count(.failed, of: id, variant: variant, by: 1)
        }
        try save(broadcast, in: transaction)
        return true
    }

    // MARK: Deciding

    private static func decide(_ broadcast: inout Broadcast, in transaction: EngineTransaction) throws -> Step {
        guard let test = broadcast.definition.test else {
            broadcast.goOn(with: .rest)
            try save(broadcast, in: transaction)
            return .movedOn
        }
        guard test.rule != .manual else { return .waits }
        guard let time = broadcast.decideAt else { return try beginToWait(&broadcast, test, in: transaction) }
        guard time <= transaction.now else { return .waits }
        let (winner, reason) = test.rule.winner(
            of: try transaction.store.broadcastCounts(of: broadcast.id), among: broadcast.definition.variantCount)
        broadcast.win(winner, reason)
        try save(broadcast, in: transaction)
        return .movedOn
    }

    /// Nobody can look at mail that has yet to leave: its window may open tomorrow, its pace be slow. A few that are put off again
    /// and again keep nobody waiting.
    private static func beginToWait(
        _ broadcast: inout Broadcast, _ test: BroadcastDefinition.Test, in transaction: EngineTransaction
    ) throws -> Step {
        let open = try transaction.store.openMailCount(ofBroadcast: broadcast.id)
        let sent = try transaction.store.broadcastCounts(of: broadcast.id).values.reduce(0) { $0 + $1[.sent] }
        guard open * fewest <= sent else { return .waits }
        broadcast.decideAt = transaction.now.adding(seconds: test.duration)
        try save(broadcast, in: transaction)
        return .movedOn
    }

    /// One of so many mails of a test may still be on its way when its time begins.
    private static let fewest = 20
}

extension BroadcastDefinition.Test.Rule {
    /// The variant of which the largest part of what was sent has been opened, or clicked. Only people count. Of several that
    /// are equally good, and of those that nobody looked at, it is the first.
    func winner(of counts: [Int: BroadcastCounts], among variants: Int) -> (position: Int, Broadcast.WinnerReason) {
        let results = (0..<variants).map { position in
            let counts = counts[position] ?? BroadcastCounts()
            return (hits: min(counts[self == .clicks ? .clicked : .opened], counts[.sent]), sent: counts[.sent])
        }
        guard results.contains(where: { $0.hits > 0 }) else { return (0, .noData) }
        // Fractions are compared by products: no rounding makes a winner.
        func isLess(_ left: Int, _ right: Int) -> Bool {
            results[left].hits * max(1, results[right].sent) < results[right].hits * max(1, results[left].sent)
        }
        let best = results.indices.reduce(0) { isLess($0, $1) ? $1 : $0 }
        let isTie = results.indices.contains { $0 != best && !isLess($0, best) }
        return (best, isTie ? .tie : self == .clicks ? .clicks : .opens)
    }
}

extension Broadcast {
    /// Nil for whoever is of the other part of the audience.
    fileprivate func variant(for contact: Identifier) -> Int? {
        switch (group(of: contact), phase) {
        // Without a test everybody is in it, and there is one phase.
        case (.test(let variant), .test): variant
        case (.test(let variant), _) where definition.test == nil: variant
        case (.rest, .rest): winner ?? 0
        default: nil
        }
    }

    /// Contacts whose turn is next, in the order of their ids.
    func nextContacts(limit: Int, in transaction: EngineTransaction) throws -> [Identifier] {
        guard let last else { return [] }
        guard let segmentID else {
            return try transaction.store.contacts(of: projectID, after: cursor, through: last, limit: limit)
        }
        return try transaction.store.members(of: segmentID, after: cursor, through: last, limit: limit)
    }
}

/// Some mails of a broadcast under way, inside one transaction.
private struct BroadcastBatch {
    private let transaction: EngineTransaction
    /// By variant.
    private let summaries: [TemplateSummary]
    private let contents: [BroadcastDefinition.Content]
    private let projectZone: String

    /// - Throws: `StoreError.damaged` when a version is gone.
    init(_ broadcast: Broadcast, in transaction: EngineTransaction) throws {
        self.transaction = transaction
        contents = broadcast.definition.contents
        projectZone = transaction.catalog.timezone(of: broadcast.projectID)
        var versions: [Identifier: TemplateVersion] = [:]
        func version(_ id: Identifier) throws -> TemplateVersion {
            if let known = versions[id] { return known }
            guard let version = try transaction.store.templateVersion(id) else {
                throw StoreError(.failed, "a template version of the broadcast \(broadcast.id) is gone")
            }
            versions[id] = version
            return version
        }
        summaries = try broadcast.pinned.map { pinned in
            let partials = try pinned.partials.mapValues(version)
            return transaction.context.templates.summary(of: try version(pinned.version)) { partials[$0] }
        }
        guard summaries.count == contents.count else {
            throw StoreError(.failed, "the broadcast \(broadcast.id) has another number of versions than of variants")
        }
    }

    /// Goes through the next contacts until so many mails are written, or so many contacts were looked at.
    /// - Returns: how many were written.
    func write(_ broadcast: inout Broadcast, mails: Int, looks: Int) throws -> Int {
        let contacts = try broadcast.nextContacts(limit: looks, in: transaction)
        var written = 0
        var first: Timestamp?
        for id in contacts {
            broadcast.cursor = id
            guard let variant = broadcast.variant(for: id) else { continue }
            if let due = try write(to: id, variant: variant, of: broadcast) {
                first = min(first ?? due, due)
                written += 1
                if written == mails { break }
            }
        }
        if let first { transaction.wakes.mail(broadcast.queue, dueAt: first) }
        if written < mails, contacts.count < looks { finish(&broadcast) }
        return written
    }

    /// All have had their turn.
    private func finish(_ broadcast: inout Broadcast) {
        guard broadcast.phase == .test, broadcast.definition.test != nil else {
            broadcast.phase = .written
            return
        }
        guard broadcast.winner == nil else { return broadcast.goOn(with: .rest) }
        broadcast.phase = .deciding
    }

    // MARK: One mail

    /// - Returns: when the mail is due; nil when there is none.
    private func write(to id: Identifier, variant: Int, of broadcast: Broadcast) throws -> Timestamp? {
        let store = transaction.store
        // Nobody who is not there is left out.
        guard let contact = try store.contact(id, in: broadcast.projectID) else { return nil }
        guard contact.isSubscribed else {
            // Who has not subscribed is in a segment perhaps, but never among all who have.
            if broadcast.segmentID != nil { try leaveOut(variant, of: broadcast) }
            return nil
        }
        let suppression = try store.standingSuppression(
            of: contact.email, in: broadcast.projectID, for: .marketing, at: transaction.now, transaction.context)
        guard suppression == nil else {
            try leaveOut(variant, of: broadcast)
            return nil
        }
        let mailID = transaction.makeID()
        guard try store.note(recipient: id, of: broadcast.id, variant: variant, mail: mailID) else { return nil }
        let request = request(mailID, to: contact, variant: variant, of: broadcast)
        let entry = OutboxEntry(
            id: mailID, projectID: broadcast.projectID, contactID: id, executionID: nil,
            dueAt: request.earliest(notBefore: transaction.now, rules: transaction.context.zones),
            createdAt: transaction.now, generation: 0, request: request,
            messageID: MessageIDDomain(transaction).messageID(for: request, project: broadcast.projectID))
        try store.insert(entry)
        try store.count(.recipients, of: broadcast.id, variant: variant, by: 1)
        return entry.dueAt
    }

    private func leaveOut(_ variant: Int, of broadcast: Broadcast) throws {
        try transaction.store.count(.recipients, of: broadcast.id, variant: variant, by: 1)
        try transaction.store.count(.skipped, of: broadcast.id, variant: variant, by: 1)
    }

    private func request(
        _ id: Identifier, to contact: Contact, variant: Int, of broadcast: Broadcast
    ) -> MailRequest {
        let (summary, content) = (summaries[variant], contents[variant])
        // Whatever the template is otherwise for: mail to many needs a subscription and says how to end it.
        var request = MailRequest(
            id: id, step: "", templateVersionID: summary.versionID, partials: summary.partials, kind: .marketing,
            recipient: contact.email, from: content.from, replyTo: content.replyTo,
            variables: broadcast.variables(
                for: contact, variant: variant, mail: id, paths: summary.variablePaths, at: transaction.now))
        request.broadcast = MailRequest.Broadcast(
            id: broadcast.id, variant: variant, variantName: broadcast.definition.variantName(at: variant))
        request.window = broadcast.definition.window.map { window in
            var window = window
            window.timezone = window.zone(
                contact: contact.data["timezone"]?.stringValue, project: projectZone,
                rules: transaction.context.zones)
            return window
        }
        return request
    }
}
