import ServerTestKit
import Testing

struct EventuallyTests {
    @Test func aConditionThatNeverHoldsTimesOutWithItsWords() async throws {
        let error = await #expect(throws: FixtureError.self) {
            try await eventually("pigs fly", deadline: .milliseconds(30)) { false }
        }
        #expect(error?.code == .timedOut)
        #expect(error?.explanation.contains("pigs fly") == true)
    }

    @Test func thePortsOfOneProcessDiffer() throws {
        let ports = try (0..<50).map { _ in try freePort() }
        #expect(Set(ports).count == 50)
    }
}
