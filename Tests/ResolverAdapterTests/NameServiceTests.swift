import Engine
import MailModel
import ServerTestKit
import Testing

@testable import ResolverAdapter

/// Questions to a real name server.
@Suite struct NameServiceTests {
    private static let records = [
        "shop.example. 300 IN MX 20 b.shop.example.", "shop.example. 300 IN MX 10 A.Shop.example.",
        "shop.example. 60 IN TXT \"v=spf1 \" \"-all\"", "shop.example. 60 IN TXT \"\"",
        "a.shop.example. 30 IN A 192.0.2.1", "a.shop.example. 30 IN A 192.0.2.2",
        "a.shop.example. 30 IN AAAA 2001:db8::1", "alias.shop.example. 30 IN CNAME a.shop.example.",
        "far.shop.example. 30 IN CNAME alias.shop.example.", "gone.shop.example. 30 IN CNAME nothing.shop.example.",
        "loop.shop.example. 30 IN CNAME pool.shop.example.", "pool.shop.example. 30 IN CNAME loop.shop.example.",
        "1.2.0.192.in-addr.arpa. 30 IN PTR a.shop.example.", "null.example. 30 IN MX 0 .",
        // Larger than a datagram: the answer comes over TCP.
        "long.example. 30 IN TXT "
            + Array(repeating: "\"\(String(repeating: "x", count: 250))\"", count: 20).joined(separator: " "),
    ]

    @Test func recordsOfEachKindAreRead() async throws {
        let directory = try ServerDirectory.temporary()
        let server = try await PrivateResolver.start(
            in: directory, records: Self.records, refusing: ["secret.example"])
        let names = SystemNameService(timeout: 2, server: NameServer(server.address))

        let exchangers = await names.ask("shop.example", .exchanger)
        #expect(exchangers.exchangers.map(\.host) == ["a.shop.example", "b.shop.example"])
        #expect(exchangers.outcome == .found && exchangers.lifetime == 300)
        #expect(Set(await names.ask("Shop.Example", .text).texts) == ["v=spf1 -all", ""])
        #expect(Set(await names.ask("a.shop.example", .a).addresses.map(\.description)) == ["192.0.2.1", "192.0.2.2"])
        #expect(await names.ask("a.shop.example", .aaaa).addresses.map(\.description) == ["2001:db8:0:0:0:0:0:1"])
        #expect(await names.ask("1.2.0.192.in-addr.arpa", .pointer).pointers == ["a.shop.example"])
        #expect(await names.ask("null.example", .exchanger).exchangers.map(\.host) == [""])
        #expect(await names.ask("long.example", .text).texts.first?.utf8.count == 5000)

        let alias = await names.ask("far.shop.example", .a)
        #expect(alias.aliases == ["alias.shop.example", "a.shop.example"] && alias.addresses.count == 2)
        #expect(await names.ask("gone.shop.example", .a).outcome == .noName)
        guard case .failed = await names.ask("loop.shop.example", .a).outcome else {
            Issue.record("a loop of aliases is an answer")
            return
        }
        #expect(await names.ask("shop.example", .a).outcome == .noRecord)
        #expect(await names.ask("nothing.example", .a).outcome == .noName)
        guard case .failed = await names.ask("secret.example", .a).outcome else {
            Issue.record("a refusal is an answer")
            return
        }
        // What no name can be is asked of nobody.
        for name in ["", "a..b", "a b.example", "\u{E9}.example", String(repeating: "a.", count: 200) + "b"] {
            #expect(await names.ask(name, .a).outcome == .noName)
        }
        try await server.stop()
        guard case .failed = await names.ask("shop.example", .a).outcome else {
            Issue.record("nobody is an answer")
            return
        }
        try await directory.remove()
    }

    @Test(arguments: ["192.0.2.1", "192.0.2.1:5353"])
    func aNameServerIsAnAddressAndAPort(_ text: String) {
        #expect(NameServer(text)?.description == (text.contains(":") ? text : "\(text):53"))
    }

    @Test(arguments: [
        "", "localhost:53", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:66000", "[::1]:53", "::1", "1.2.3:53",
    ])
    func whatIsNoNameServerIsRefused(_ text: String) { #expect(NameServer(text) == nil) }
}

/// Messages that no name server should send.
@Suite struct DNSMessageTests {
    /// An answer to `a.example IN MX` with one record: 10, and `mx` before the name of the question.
    private static let message: [UInt8] =
        [0, 1, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0] + [1, 0x61, 7] + Array("example".utf8) + [0, 0, 15, 0, 1]
        + [0xC0, 12, 0, 15, 0, 1, 0, 0, 1, 44, 0, 7, 0, 10, 2, 0x6D, 0x78, 0xC0, 12]

    @Test func aSoundMessageIsRead() throws {
        let message = try #require(DNSMessage(Self.message))
        let record = try #require(message.records.first)
        #expect(record.name == "a.example" && record.lifetime == 300)
        #expect(message.value(of: record) == .exchanger(preference: 10, host: "mx.a.example"))
    }

    @Test func everyBeginningOfAMessageIsNone() {
        for end in 0..<Self.message.count { #expect(DNSMessage(Array(Self.message[..<end])) == nil, "\(end)") }
    }

    @Test func aNameThatLeadsForwardOrToItselfIsNone() {
        // The name of the record begins at 27.
        for target in [UInt8(27), 28, 29, 45, 0xFF] {
            var bytes = Self.message
            bytes[28] = target
            #expect(DNSMessage(bytes) == nil, "\(target)")
        }
    }

    @Test func noBytesAreTooMuch() {
        var state: UInt64 = 1
        func random() -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33)
        }
        for _ in 0..<50_000 {
            var bytes = Self.message
            for _ in 0..<(1 + random() % 6) { bytes[random() % bytes.count] = UInt8(random() % 256) }
            guard let message = DNSMessage(bytes) else { continue }
            for record in message.records {
                #expect(record.name.utf8.count <= 4 * 255)
                _ = message.value(of: record)
                _ = message.target(of: record)
            }
        }
    }
}
