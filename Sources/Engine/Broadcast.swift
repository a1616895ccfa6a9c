import JSONValue
import WorkflowModel

/// One mail to many: to the members of a segment, or to everybody who has subscribed.
package struct Broadcast: Hashable, Sendable {
    /// The raw values are what the database and the API show.
    package enum Status: String, Hashable, Sendable, CaseIterable {
        /// Being written; nothing happens by itself.
        case draft
        /// Begins at its time.
        case scheduled
        /// Under way, until nothing of it waits in the outbox any more.
        case sending
        /// Stands still until somebody lets it go on.
        case paused
        /// Ended before its end, for good.
        case cancelled
        /// All of it has left, or was given up.
        case sent

        package var isFinal: Bool { self == .cancelled || self == .sent }
    }

    /// How far a broadcast under way has come. The raw values are stored and shown.
    package enum Phase: String, Hashable, Sendable, CaseIterable {
        /// Mails for the test group are being written.
        case test
        /// All mails of the test are written; the winner is still open.
        case deciding
        /// Mails for everybody (else) are being written.
        case rest
        /// All mails are written.
        case written

        /// Whether there are mails to be written.
        var writes: Bool { self == .test || self == .rest }
    }

    /// Why an audience gets what it gets after a test. The raw values are stored and shown.
    package enum WinnerReason: String, Hashable, Sendable, CaseIterable {
        case opens, clicks
        /// Two or more were equally good: the first of them.
        case tie
        /// Nobody has opened or clicked anything: the first.
        case noData = "no_data"
        /// Somebody chose it.
        case chosen
    }

    /// What is counted. The raw values are stored.
    package enum Count: String, Hashable, Sendable, CaseIterable {
        /// Contacts that were reached: mails and those left out.
        case recipients
        /// Left out, when their turn came or later: not subscribed, suppressed, erased.
        case skipped
        /// The relay took the mail.
        case sent
        /// Given up: refused by the relay, expired, impossible to build.
        case rejected, failed
        /// Dropped, because the broadcast was cancelled.
        case cancelled
        /// The next server took the mail.
        case delivered
        /// By the relay or by whoever came after it.
        case bounced
        case complained
        /// Mails that a person has opened, or followed a link of.
        case opened, clicked
        /// Mails by whose links somebody ended the subscription.
        case unsubscribed
    }

    /// The version that mails are made of, with its partials: set when the broadcast begins, and the same to its end.
    package struct Pinned: Hashable, Sendable {
        package var version: Identifier
        /// Versions by name.
        package var partials: [String: Identifier]

        package init(version: Identifier, partials: [String: Identifier] = [:]) {
            self.version = version
            self.partials = partials
        }
    }

    package var id: Identifier
    package var projectID: Identifier
    package var name: String
    package var status = Status.draft
    /// Nil: everybody who has subscribed.
    package var segmentID: Identifier?
    package var definition: BroadcastDefinition
    package var scheduledAt: Timestamp?
    /// One for each variant; empty before it has begun.
    package var pinned: [Pinned] = []
    package var phase: Phase?
    /// The last contact whose turn has come, in this phase.
    package var cursor: Identifier?
    /// The last contact that it concerns: those made later are not.
    package var last: Identifier?
    /// When the test is over.
    package var decideAt: Timestamp?
    /// Position of the variant that everybody else gets.
    package var winner: Int?
    package var winnerReason: WinnerReason?
    /// Why it was paused by itself.
    package var reason: String?
    /// Whether mails in the outbox have yet to follow a pause, its end or a cancellation.
    package var isSweeping = false
    package var createdAt: Timestamp
    package var updatedAt: Timestamp
    package var startedAt: Timestamp?
    package var completedAt: Timestamp?

    package init(
        id: Identifier, projectID: Identifier, name: String, segmentID: Identifier? = nil,
        definition: BroadcastDefinition, createdAt: Timestamp
    ) {
        self.id = id
        self.projectID = projectID
        self.name = name
        self.segmentID = segmentID
        self.definition = definition
        self.createdAt = createdAt
        updatedAt = createdAt
    }

    /// Whether something is to be done about it, now or at its time.
    package var isActive: Bool { status == .scheduled || status == .sending || isSweeping }

    /// The queue that its mails are in.
    var queue: OutboxQueue { OutboxQueue(project: projectID, isBulk: true) }

    /// The last word on a mail that waited when its broadcast was cancelled.
    package static let cancellation = "its broadcast was cancelled"
}

// MARK: Who gets what

extension Broadcast {
    /// Which part of the audience a contact is in. The same contact is in the same part of one broadcast for good, and not in
    /// the same part of every broadcast.
    func group(of contact: Identifier) -> Group {
        let draw = Draw(contact, id)
        guard let test = definition.test else { return .test(draw.position(of: definition.variantCount)) }
        guard draw.isWithin(percent: test.share) else { return .rest }
        return .test(draw.position(of: definition.variantCount))
    }

    enum Group: Hashable, Sendable {
        /// Gets the variant at that position.
        case test(Int)
        /// Gets the winner.
        case rest
    }

    /// Two numbers that follow from a contact and a broadcast, as evenly spread as if they were drawn.
    private struct Draw {
        private let first: UInt64
        private let second: UInt64

        init(_ contact: Identifier, _ broadcast: Identifier) {
            var state = contact.high
            for word in [contact.low, broadcast.high, broadcast.low] { state = Self.mixed(state) ^ word }
            first = Self.mixed(state)
            second = Self.mixed(first)
        }

        /// Every bit of the word bears on every bit of the result (the finalizer of SplitMix64: Steele, Lea and Flood 2014).
        private static func mixed(_ word: UInt64) -> UInt64 {
            var mixed = word &+ 0x9E37_79B9_7F4A_7C15
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        }

        func isWithin(percent: Int) -> Bool { first % 100 < UInt64(percent) }

        func position(of count: Int) -> Int { Int(second % UInt64(max(1, count))) }
    }
}

/// The counts of one variant, or of all.
package struct BroadcastCounts: Hashable, Sendable {
    private var counts: [Broadcast.Count: Int] = [:]
    /// In the outbox: not sent yet, and not given up.
    package var queued = 0

    package init(_ counts: [Broadcast.Count: Int] = [:], queued: Int = 0) {
        self.counts = counts
        self.queued = queued
    }

    package subscript(count: Broadcast.Count) -> Int {
        get { counts[count] ?? 0 }
        set { counts[count] = newValue }
    }

    package static func + (left: BroadcastCounts, right: BroadcastCounts) -> BroadcastCounts {
        BroadcastCounts(left.counts.merging(right.counts, uniquingKeysWith: +), queued: left.queued + right.queued)
    }
}
