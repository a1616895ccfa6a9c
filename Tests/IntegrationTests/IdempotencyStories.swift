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
