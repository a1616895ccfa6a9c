import Foundation
import JSONValue
import ServerTestKit
import Testing

/// Requests with an idempotency key, and a daemon that is killed in the middle of them.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct IdempotencyStories {
    @Test func whatIsSentAgainAfterAKillIsThereOnce() async throws {
        let story = try await StorySite(relayPort: nil, workflows: [])
        var daemon = try await story.start()
        let total = 60
        var answers: [Int: String] = [:]
        for round in 0..<3 {
            // The killer comes with another request of each round, at whatever moment of it.
            let process = daemon.process
            var killer: Task<Void, any Error>?
            for number in 0..<total {
                if number == 7 + 20 * round { killer = Task { _ = try await process.kill() } }
                guard let answer = try? await Self.track(number, daemon) else { break }
                Self.expect(answer, number, &answers)
            }
            try await killer?.value
            daemon = try await story.start()
        }
        for number in 0..<total { Self.expect(try await Self.track(number, daemon), number, &answers) }
        #expect(answers.count == total)
        let page = try await daemon.api("/events?eventName=order.placed&limit=100")
        let orders = page["data"]?.arrayValue?.compactMap { $0["data"]?["number"]?.intValue } ?? []
        #expect(orders.sorted() == (0..<Int64(total)).map { $0 }, "each of them once")
        _ = try await daemon.process.terminate()
        try await story.stop()
    }

    /// The daemon is killed in the middle of a batch, at another moment each time; sent again, the batch is completed.
    @Test func aBatchThatAKillHasCutIsCompletedBySendingItAgain() async throws {
        let story = try await StorySite(relayPort: nil, workflows: [])
        var daemon = try await story.start()
        let size = 400
        for round in 0..<3 {
            let running = daemon
            let batch = Task { try? await Self.trackBatch(round, size, running) }
            // As soon as some of it is durable.
            for _ in 0..<200 {
                if try await Self.orders(running, round) > 0 { break }
            }
            _ = try await running.process.kill()
            let before = await batch.value
            daemon = try await story.start()
            let answer = try await Self.trackBatch(round, size, daemon)
            #expect(answer.status == 200, "\(answer.text)")
            let data = try JSONParser.parse(answer.text)["data"]
            #expect(data?["recorded"] == .int(Int64(size)) && data?["failed"] == 0)
            if let before, before.status == 200 { #expect(before.text == answer.text) }
            #expect(try await Self.trackBatch(round, size, daemon).text == answer.text)
            #expect(try await Self.orders(daemon, round) == size, "each of them once")
        }
        _ = try await daemon.process.terminate()
        try await story.stop()
    }

    private static func orders(_ daemon: RunningDaemon, _ round: Int) async throws -> Int {
        // 404 until the first is recorded.
        let stats = try? await daemon.api("/events/round-\(round)/usage")
        return Int(stats?["totalCount"]?.intValue ?? 0)
    }

    private static func trackBatch(_ round: Int, _ size: Int, _ daemon: RunningDaemon) async throws -> HTTPAnswer {
        let events = (0..<size).map { number -> JSON in
            [
                "event": .string("round-\(round)"), "email": .string("c\(number)@customer.example"),
                "data": ["number": .int(Int64(number))],
            ]
        }
        return try await daemon.http.post(
            "/v1/track/batch",
            fields: [
                ("Authorization", "Bearer \(daemon.key)"), ("Content-Type", "application/json"),
                ("Idempotency-Key", "batch-\(round)"),
            ], JSONWriter.bytes(["events": .array(events)]))
    }

    /// What was answered before is answered again; a request that took effect just before the end may have lost its answer
    /// alone, and tracking loses none.
    private static func expect(_ answer: HTTPAnswer, _ number: Int, _ answers: inout [Int: String]) {
        #expect(answer.status == 200, "\(number): \(answer.text)")
        if let before = answers[number] { #expect(answer.text == before, "\(number)") }
        answers[number] = answer.text
    }

    private static func track(_ number: Int, _ daemon: RunningDaemon) async throws -> HTTPAnswer {
        let body: JSON = [
            "event": "order.placed", "email": "ann@customer.example", "data": ["number": .int(Int64(number))],
        ]
        return try await daemon.http.post(
            "/v1/track",
            fields: [
                ("Authorization", "Bearer \(daemon.key)"), ("Content-Type", "application/json"),
                ("Idempotency-Key", "order-\(number)"),
            ], JSONWriter.bytes(body))
    }
}
