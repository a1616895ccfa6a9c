import EngineTestKit
import Testing
import WorkflowModel

@testable import Engine

@Suite struct FetchRateTests {
    private let now = Timestamp(microseconds: 1_800_000_000_000_000)

    private func fetch(_ entry: Identifier, at time: Timestamp) -> NotedFetch {
        NotedFetch(.mail(entry), at: time, userAgent: "", network: "", machineReason: nil)
    }

    @Test func mailIsLookedAtTwentyTimesAMinute() {
        let rate = FetchRate()
        let entry = IdentifierSource().make(at: now)
        let allowed = (0..<30).count { _ in rate.allows(fetch(entry, at: now), from: "") }
        #expect(allowed == 20)
        #expect(rate.allows(fetch(entry, at: now.adding(seconds: 60)), from: ""))
    }

    @Test func networkLooksAtSixHundredMailsAMinute() {
        let rate = FetchRate()
        let identifiers = IdentifierSource()
        let allowed = (0..<1000).count { _ in
            rate.allows(fetch(identifiers.make(at: now), at: now), from: "192.0.2.0/24")
        }
        #expect(allowed == 600)
        #expect(rate.allows(fetch(identifiers.make(at: now), at: now), from: "198.51.100.0/24"))
        #expect(rate.allows(fetch(identifiers.make(at: now), at: now), from: ""))
    }

    /// A big campaign is opened by many in its first minute.
    @Test func noneOfManyMailsIsForgotten() {
        let rate = FetchRate()
        let identifiers = IdentifierSource()
        let allowed = (0..<400_000).count { _ in rate.allows(fetch(identifiers.make(at: now), at: now), from: "") }
        #expect(allowed == 400_000)
    }
}
