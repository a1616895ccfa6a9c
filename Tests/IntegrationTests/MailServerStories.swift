import Foundation
import JSONValue
import ServerTestKit
import Testing

/// Domains whose mail one provider takes share its pace: found out from a real name server by the running daemon.
@Suite(.serialized, .timeLimit(.minutes(3)))
struct MailServerStories {
    /// Two domains with one provider, and one with another.
    private static let zone = [
        "one.example. IN MX 10 mx1.provider.example.", "one.example. IN MX 20 spare.elsewhere.example.",
        "two.example. IN MX 10 mx2.provider.example.", "three.example. IN MX 10 mx.elsewhere.example.",
    ]

    private static func settings(_ resolver: String, _ pace: String) -> String {
        """
        dns:
          server: \(resolver)
        pacing:
          - mail_servers: ["*.provider.example"]
            \(pace)

        """
    }

    private static func addresses(_ count: Int, _ domains: String...) -> [String] {
        domains.flatMap { domain in (0..<count).map { "c\($0)@\(domain).example" } }
    }

    /// One mail to each of the three domains, which the daemon knows nothing of, and then waits until it knows.
    private static func introduce(_ daemon: RunningDaemon) async throws {
        for name in ["one", "two", "three"] { try await write(to: "first@\(name).example", daemon) }
        try await eventually("two domains share a pace") {
            try await daemon.gauge("outboxQueues", "domainsByServer") == 2
        }
        try await daemon.waitUntilSettled()
    }

    private static func write(to address: String, _ daemon: RunningDaemon) async throws {
        #expect(try await daemon.track("signup", address) == 200)
    }

    @Test func aGroupsLimitHoldsOverItsDomainsTogetherAndForNobodyElse() async throws {
        let directory = try ServerDirectory.temporary()
        let resolver = try await PrivateResolver.start(in: directory, records: Self.zone)
        let sink = try await SMTPSink.start(in: directory)
        let site = try await BareSite(
            relayPort: sink.port, workflows: [DeliveryLogStories.welcome],
            settings: Self.settings(resolver.address, "rate: 1/h"), in: directory)
        let daemon = try await site.start()
        // Whom nobody knows yet goes at once.
        try await Self.introduce(daemon)
        #expect(try await sink.waitForMessages(3).count == 3)

        for address in Self.addresses(3, "one", "two", "three") { try await Self.write(to: address, daemon) }
        func expectOneOfTheGroup(others: Int) async throws {
            // One mail of the group's six, and all of the others.
            let messages = try await sink.waitForMessages(3 + 1 + others)
            let domains = messages.flatMap(\.recipients).map { $0.split(separator: "@")[1] }
            #expect(domains.count { $0 == "one.example" || $0 == "two.example" } == 3, "\(domains)")
            #expect(domains.count == 3 + 1 + others, "\(domains)")
            #expect(try await daemon.gauge("outbox", "pending") == 5)
        }
        try await eventually("five wait for the next hour") {
            let outbox = try await daemon.health()["outbox"]
            return outbox?["pending"]?.intValue == 5 && outbox?["claimed"]?.intValue == 0
        }
        try await expectOneOfTheGroup(others: 3)
        #expect(try await daemon.gauge("outboxQueues", "restingLanes") == 2)
        let status = try await site.run("outbox", "status")
        #expect(status.hasPrefix("pending\tdefault\tdirect\t5\t"), "\(status)")

        // Without its name server, what is known stays known and who is new goes at once.
        try await resolver.stop()
        for address in Self.addresses(2, "four", "five") { try await Self.write(to: address, daemon) }
        try await Self.write(to: "last@three.example", daemon)
        _ = try await sink.waitForMessages(3 + 1 + 8)
        try await expectOneOfTheGroup(others: 8)
        #expect(try await daemon.gauge("outboxQueues", "domainsByServer") == 2)
        try await daemon.process.terminate()
        try await sink.stop()
        try await directory.remove()
    }

    @Test func aDomainWaitsForAnothersMailToEndWhereTheirProviderTakesOneAtATime() async throws {
        let directory = try ServerDirectory.temporary()
        let resolver = try await PrivateResolver.start(in: directory, records: Self.zone)
        let relay = try StoryRelay()
        let site = try await BareSite(
            relayPort: relay.port, workflows: [DeliveryLogStories.welcome],
            settings: Self.settings(resolver.address, "connections: 1"), in: directory)
        let daemon = try await site.start()
        try await Self.introduce(daemon)
        relay.hold(at: .content)
        try await Self.write(to: "ann@one.example", daemon)
        try await relay.waitUntilHeld()
        try await Self.write(to: "ben@two.example", daemon)
        try await Self.write(to: "cid@three.example", daemon)
        try await relay.waitForMessages(to: "cid@three.example")
        // The mail between them has not been tried.
        #expect(relay.attempts == 3 + 2)
        try await eventually("it waits alone") {
            let outbox = try await daemon.health()["outbox"]
            return outbox?["pending"]?.intValue == 1 && outbox?["claimed"]?.intValue == 1
        }
        relay.release()
        try await relay.waitForMessages(to: "ann@one.example")
        try await relay.waitForMessages(to: "ben@two.example")
        #expect(relay.attempts == 3 + 3)
        try await daemon.process.terminate()
        relay.stop()
        try await resolver.stop()
        try await directory.remove()
    }

    @Test func aNameServerThatDoesNotAnswerHoldsNoMailBack() async throws {
        let directory = try ServerDirectory.temporary()
        // Takes questions and says nothing.
        let names = try DatagramSocket()
        let sink = try await SMTPSink.start(in: directory)
        let site = try await BareSite(
            relayPort: sink.port, workflows: [DeliveryLogStories.welcome],
            settings: Self.settings("127.0.0.1:\(names.port)", "rate: 1/h"), in: directory)
        let daemon = try await site.start()
        let addresses = Self.addresses(3, "one", "two", "three")
        for address in addresses { try await Self.write(to: address, daemon) }
        let messages = try await sink.waitForMessages(addresses.count)
        #expect(messages.flatMap(\.recipients).sorted() == addresses.sorted())
        try await eventually("it has been asked") { names.hasMail }
        #expect(try await daemon.gauge("outboxQueues", "domainsByServer") == 0)
        try await daemon.process.terminate()
        try await sink.stop()
        try await directory.remove()
    }
}
