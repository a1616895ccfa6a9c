import EngineTestKit
import MailModel
import Testing
import WorkflowModel

@testable import Engine

/// When a mail is tried again, and when no more.
@Suite struct RetryScheduleTests {
    private static let start = Timestamp(seconds: 1_767_600_000)
    private static let later = DeliveryOutcome.deferred(
        reply: Reply(code: 451, enhancedCode: "4.3.0", text: "later"))

    private func schedule(
        first: Int64 = 60, longest: Int64 = 3600, lifetime: Int64 = 5 * 86_400
    ) -> RetrySchedule {
        var configuration = EngineConfiguration()
        (configuration.firstRetry, configuration.longestRetry) = (first, longest)
        configuration.maximalLifetime = lifetime
        return RetrySchedule(configuration)
    }

    private func entry(_ low: UInt64 = 0, attempts: Int = 0, firstAttempt: Timestamp? = nil) -> OutboxEntry {
        let id = Identifier(high: 1, low: low)
        var entry = OutboxEntry(
            id: id, projectID: id, contactID: id, executionID: nil, dueAt: Self.start, createdAt: Self.start,
            generation: 0,
            request: MailRequest(
                id: id, step: "mail", templateVersionID: id, kind: .transactional, recipient: "ann@example.org"),
            messageID: "\(id)@example.com")
        entry.attempts = attempts
        entry.firstAttemptAt = firstAttempt
        return entry
    }

    /// Seconds until the next attempt.
    private func pause(_ schedule: RetrySchedule, _ entry: OutboxEntry) throws -> Double {
        let due = try #require(schedule.decide(Self.later, entry: entry, now: Self.start).dueAt)
        return Double(due.microseconds - Self.start.microseconds) / 1e6
    }

    @Test func pausesDoubleUpToTheLongest() throws {
        let pauses = try (0..<9).map { try pause(schedule(), entry(attempts: $0)) }
        #expect(pauses == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600])
        // Whatever has gone wrong with the count, it ends and does not overflow.
        #expect(try pause(schedule(), entry(attempts: 1_000_000)) == 3600)
    }

    @Test func mailsThatFailedTogetherComeBackApart() throws {
        let pauses = try (0..<256).map { try pause(schedule(), entry($0, attempts: 3)) }
        #expect(pauses.allSatisfy { $0 >= 480 && $0 <= 600 }, "a quarter more at most")
        #expect(Set(pauses).count == 256)
        #expect(try pause(schedule(), entry(77, attempts: 3)) == pauses[77], "the same mail has the same pause")
    }

    @Test func aMailThatWouldBeDueAfterItsLifetimeIsGivenUp() {
        let schedule = schedule(first: 600, lifetime: 3600)
        func status(_ age: Int64, _ outcome: DeliveryOutcome = Self.later) -> OutboxEntry.Status {
            schedule.decide(
                outcome, entry: entry(attempts: 1, firstAttempt: Self.start), now: Self.start.adding(seconds: age)
            ).status
        }
        #expect(status(2400) == .pending)
        #expect(status(2401) == .expired)
        // It counts from its first attempt, and for every reason to try again.
        for outcome in [Self.later, .unreachable(reason: "down"), .unknown(reason: "lost")] {
            #expect(status(3000, outcome) == .expired, "\(outcome)")
        }
        let never = schedule.decide(Self.later, entry: entry(), now: Self.start.adding(seconds: 86_400 * 30))
        #expect(never.status == .pending, "time in the outbox before it does not count")
    }

    @Test func everyOutcomeHasItsEnd() {
        let reply = Reply(code: 550, enhancedCode: "5.1.1", text: "no")
        let cases: [(DeliveryOutcome, OutboxEntry.Status, Bool)] = [
            (.delivered(reply: Reply(code: 250, enhancedCode: nil, text: "ok"), queueID: "Q"), .delivered, false),
            (.rejected(reply: reply), .bounced, false), (.refused(reason: "no address"), .failed, false),
            (Self.later, .pending, false), (.unreachable(reason: "down"), .pending, false),
            (.unknown(reason: "lost"), .pending, true),
        ]
        for (outcome, status, isUncertain) in cases {
            let record = schedule().decide(outcome, entry: entry(), now: Self.start)
            #expect(record.status == status && record.isUncertain == isUncertain, "\(outcome)")
            #expect((record.dueAt != nil) == (status == .pending))
        }
    }
}
