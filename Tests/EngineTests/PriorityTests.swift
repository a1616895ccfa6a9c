import EngineTestKit
import JSONValue
import MailModel
import Synchronization
import Testing
import WorkflowModel

@testable import Engine

/// A relay that takes so long for each mail on the virtual clock, and notes when it got which.
private final class SlowRelay: MailTransport {
    static let pause: Int64 = 40_000

    private let clock: VirtualClock
    private let log = Mutex<[(recipient: String, at: Timestamp)]>([])
    let concurrency = 4

    init(_ clock: VirtualClock) { self.clock = clock }

    var handedOver: [(recipient: String, at: Timestamp)] { log.withLock { $0 } }
    var count: Int { log.withLock { $0.count } }

    func deliver(_ mail: OutgoingMail) async -> DeliveryOutcome {
        let now = clock.now()
        log.withLock { $0.append((mail.recipient, now)) }
        try? await clock.sleep(until: now.adding(microseconds: Self.pause))
        return ScriptedTransport.accepted
    }

    func stop() {}
}

/// Mail that somebody waits for, beside a campaign of twenty thousand.
@Suite(.timeLimit(.minutes(5))) struct PriorityTests {
    private static let campaign = 20_000
    private static let replies = 100

    @Test func repliesUnderAFullQueueLeaveWithinTwoSecondsAndTheCampaignMoves() async throws {
        let (engine, database) = try await makeEngine()
        try await engine.apply(
            document(
                event: "asked", reentry: true,
                steps: ["answer": ["type": "SEND_EMAIL", "config": ["template": "hello"]]],
                templates: [
                    "hello": ["type": "TRANSACTIONAL", "subject": "Re: {{ event.n }}", "text": "Hi"],
                    "news": ["type": "MARKETING", "subject": "News", "text": "News"],
                ]))
        try await fill(engine)
        let relay = SlowRelay(engine.clock)
        let loop = Task { await Dispatch(context: engine.context, transport: relay).run() }
        var decided: [String: Timestamp] = [:]
        var round = 0
        // Four mails go in each round; a reply is decided in every second.
        while round < 2 * Self.replies + 50 {
            round += 1
            while relay.count < 4 * round { await Task.yield() }
            if round % 2 == 0, decided.count < Self.replies {
                let address = "r\(decided.count)@example.org"
                decided[address] = engine.clock.now()
                try await engine.track("asked", address)
            }
            engine.clock.advance(microseconds: SlowRelay.pause)
        }
        loop.cancel()
        let clock = engine.clock
        let rest = Task {
            while !Task.isCancelled {
                clock.advance(seconds: 1)
                await Task.yield()
            }
        }
        await loop.value
        rest.cancel()
        let times = relay.handedOver.reduce(into: [:]) { $0[$1.recipient] = $1.at }
        let waits = decided.compactMap { address, since in
            times[address].map { Double($0.microseconds - since.microseconds) / 1e6 }
        }.sorted()
        #expect(waits.count == Self.replies)
        let slow = try #require(waits.dropLast(Self.replies / 100).last)
        #expect(slow < 2, "99 in 100 within \(slow) s")
        let bulk = relay.handedOver.filter { $0.recipient.hasPrefix("bulk") }.count
        #expect(bulk >= relay.count / 4)
        withExtendedLifetime(database) {}
    }

    /// The campaign is older than all that comes.
    private func fill(_ engine: EngineFixture) async throws {
        let project = engine.project
        let catalog = try await engine.context.store.read { try $0.loadCatalog() }
        let news = try #require(catalog.template("news", in: project.id)).current.id
        let due = engine.clock.now().adding(seconds: -3600)
        let contact = try await engine.track("known", "bulk@example.org").contactID
        for start in stride(from: 0, to: Self.campaign, by: 1000) {
            try await engine.context.transact { transaction in
                for number in start..<start + 1000 {
                    let id = transaction.makeID()
                    try transaction.store.insert(
                        OutboxEntry(
                            id: id, projectID: project.id, contactID: contact, executionID: nil, dueAt: due,
                            createdAt: due, generation: 1,
                            request: MailRequest(
                                id: id, step: "news", templateVersionID: news, kind: .marketing,
                                recipient: "bulk\(number)@example.org", from: "news@example.com", replyTo: nil,
                                variables: [:], answers: nil),
                            messageID: "\(id)@example.com"))
                }
            }
        }
    }
}
