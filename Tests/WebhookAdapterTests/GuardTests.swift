import Engine
import ServerTestKit
import Synchronization
import Testing
import WebhookAdapter
import WorkflowModel

/// The guard looks at the address of the socket, whatever the name was.
@Suite(.timeLimit(.minutes(5))) struct GuardTests {
    @Test(arguments: [
        "127.0.0.1", "localhost", "LOCALHOST.", "127.1", "0x7f.1", "0x7f000001", "2130706433", "0177.0.0.1", "0",
        "0.0.0.0",
        "127.0.0.1.", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
    ])
    func everySpellingOfLoopbackIsRefusedForGood(host: String) async throws {
        var caller = try await Caller()
        caller.allowed = []
        let outcome = try await caller.call("/status/200", host: host)
        #expect(outcome.isTemporary == false, "\(outcome)")
        #expect(outcome.reason.contains("leads to") && outcome.reason.contains("webhooks.allowed_hosts"), "\(outcome)")
        #expect(try await caller.arrived().isEmpty)
    }

    @Test func loopbackOfIPv6IsRefused() async throws {
        var caller = try await Caller()
        caller.allowed = []
        for host in ["[::1]", "[0:0:0:0:0:0:0:1]", "[::]"] {
            let outcome = try await caller.call("/status/200", at: .good6, host: host)
            #expect(outcome.isTemporary == false && outcome.reason.contains("leads to"), "\(host): \(outcome)")
        }
        #expect(try await caller.arrived().isEmpty)
    }

    @Test func metadataServiceOfCloudsIsRefused() async throws {
        var caller = try await Caller()
        caller.allowed = []
        let webhook = try caller.webhook("https://169.254.169.254/latest/meta-data")
        let outcome = try await caller.withTransport { await $0.call(webhook) }
        #expect(outcome.isTemporary == false && outcome.reason.contains("link-local"), "\(outcome)")
    }

    @Test func listingAHostLiftsTheBanForItAlone() async throws {
        var caller = try await Caller()
        caller.allowed = ["localhost"]
        #expect(try await caller.call("/status/200", host: "localhost").response?.status == 200)
        #expect(try await caller.call("/status/200", host: "127.0.0.1").isTemporary == false)
        #expect(try await caller.arrived().count == 1)
    }

    @Test func listingAPortLiftsTheBanForItAlone() async throws {
        var caller = try await Caller()
        caller.allowed = ["127.0.0.1:\(caller.receiver.port(.good))"]
        #expect(try await caller.call("/status/200").response?.status == 200)
        #expect(try await caller.call("/status/200", at: .selfSigned).reason.contains("leads to"))
    }

    @Test func nameThatResolvesToAPrivateAddressIsRefusedAtTheSocket() async throws {
        var caller = try await Caller()
        caller.allowed = []
        let port = caller.receiver.port(.good)
        caller.change = { $0.resolution = { _ in ["hook.test.example:\(port):127.0.0.1"] } }
        let outcome = try await caller.call("/status/200", host: "hook.test.example")
        #expect(outcome.isTemporary == false, "\(outcome)")
        #expect(outcome.reason.contains("hook.test.example leads to 127.0.0.1, which is loopback"), "\(outcome)")
        #expect(try await caller.arrived().isEmpty)
        // The same name, allowed, does arrive: it was the guard that kept it out.
        caller.allowed = ["hook.test.example"]
        #expect(try await caller.call("/status/200", host: "hook.test.example").response?.status == 200)
    }

    /// 127.0.0.1 stands for a public address here, 127.0.0.2 for a private one.
    private static func guardLoopback2(_ configuration: inout WebhookTransportConfiguration) {
        configuration.objection = { address, _ in address == [127, 0, 0, 1] ? nil : "blocked \(address)" }
    }

    @Test func nameThatIsBoundAnewBetweenTwoAttemptsIsRefusedInTheSecond() async throws {
        var caller = try await Caller()
        let port = caller.receiver.port(.good)
        let counter = Counter()
        caller.change = { configuration in
            Self.guardLoopback2(&configuration)
            configuration.resolution = { _ in
                ["hook.test.example:\(port):\(counter.next() == 1 ? "127.0.0.1" : "127.0.0.2")"]
            }
        }
        let webhook = try caller.webhook(caller.receiver.url("/status/200", host: "hook.test.example"))
        let (first, second) = try await caller.withTransport { (await $0.call(webhook), await $0.call(webhook)) }
        #expect(first.response?.status == 200)
        #expect(second == .failed(reason: "blocked [127, 0, 0, 2]", isTemporary: false))
        #expect(try await caller.arrived().count == 1)
    }

    @Test func nameWithAGoodAndABadAddressGoesToTheGoodOneOnly() async throws {
        var caller = try await Caller()
        let port = caller.receiver.port(.good)
        caller.change = { configuration in
            Self.guardLoopback2(&configuration)
            configuration.resolution = { _ in ["hook.test.example:\(port):127.0.0.2,127.0.0.1"] }
        }
        let outcome = try await caller.call("/status/200", host: "hook.test.example")
        #expect(outcome.response?.status == 200, "\(outcome)")
    }

    private final class Counter: Sendable {
        private let count = Mutex(0)

        func next() -> Int {
            count.withLock { count in
                count += 1
                return count
            }
        }
    }
}
