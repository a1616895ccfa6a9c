import MailModel
import Testing

@Suite struct SPFRecordTests {
    @Test func theTermsOfARecordAreRead() throws {
        let record = try SPFRecord(
            "v=spf1 ip4:192.0.2.0/24 IP6:2001:db8::/32 a mx/24 a:mail.example.com/28//64 -include:_spf.example.net "
                + "exists:%{ir}.%{v}._spf.%{d2} ?ptr ~all exp=why.example.com x-unknown=")
        #expect(record.directives.count == 9)
        #expect(
            record.directives[0].mechanism == .network(try #require(IPNetwork(IPAddress("192.0.2.0")!, length: 24))))
        #expect(record.directives[3].text == "mx/24")
        #expect(record.directives[5].qualifier == .fail)
        #expect(record.directives[8].qualifier == .softfail && record.directives[8].mechanism == .all)
        #expect(record.redirect == nil)
        #expect(record.directives.count { $0.mechanism.isLookup } == 6)
        #expect(try SPFRecord("v=spf1 redirect=_spf.example.com").redirect?.text == "_spf.example.com")
        #expect(try SPFRecord("v=spf1").directives.isEmpty)
        #expect(try SPFRecord("V=SPF1  -ALL ").directives.count == 1)
    }

    @Test(arguments: [
        ("v=spf1 ipv4:192.0.2.1 -all", "there is no such mechanism"),
        ("v=spf1 ip4:192.0.2.300 -all", "no IPv4 address"),
        ("v=spf1 ip4:192.0.2.1/33 -all", "number up to 32"), ("v=spf1 ip4:2001:db8::1", "no IPv4 address"),
        ("v=spf1 ip6:192.0.2.1", "no IPv6 address"), ("v=spf1 ip6:2001:db8::/129", "number up to 128"),
        ("v=spf1 ip4", "names no address"), ("v=spf1 include", "names no domain"),
        ("v=spf1 include: -all", "no domain"),
        ("v=spf1 include:localhost", "names no domain"), ("v=spf1 a:192.0.2.1", "names no domain"),
        ("v=spf1 all:example.com", "nothing behind it"), ("v=spf1 a/08", "number up to 32"),
        ("v=spf1 a/24/64", "only `//`"), ("v=spf1 exists:%{x}.example.com", "no macro"),
        ("v=spf1 exists:%{d0}.example.com", "no macro"), ("v=spf1 exists:%(d).example.com", "may mean"),
        ("v=spf1 exists:%{d.example.com", "not closed"), ("v=spf1 redirect=a.example redirect=b.example", "twice"),
        ("v=spf1 -all\u{0}", "not printable"), ("v=spf1 +", "no such mechanism"), ("spf1 -all", "does not begin"),
        ("v=spf1 ip4:192.0.2.1,192.0.2.2 -all", "no IPv4 address"), ("v=spf10 -all", "does not begin"),
    ])
    func oneMistakeMakesTheRecordWorthless(_ text: String, _ words: String) {
        #expect(throws: MalformedRecord.self) { try SPFRecord(text) }
        do { _ = try SPFRecord(text) } catch { #expect(error.description.contains(words), "\(text): \(error)") }
    }

    /// The examples of RFC 7208 section 7.4.
    @Test(arguments: [
        ("%{s}.x", "strong-bad@email.example.com.x"), ("%{o}.x", "email.example.com.x"), ("%{d}", "email.example.com"),
        ("%{d4}", "email.example.com"), ("%{d3}", "email.example.com"), ("%{d2}", "example.com"), ("%{d1}", "com"),
        ("%{dr}", "com.example.email"), ("%{d2r}", "example.email"), ("%{l}.x", "strong-bad.x"),
        ("%{l-}.x", "strong.bad.x"), ("%{lr}.x", "strong-bad.x"), ("%{lr-}.x", "bad.strong.x"),
        ("%{l1r-}.x", "strong.x"), ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
        ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
        ("%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"),
        ("%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"),
    ])
    func macrosAreFilledAsTheStandardShows(_ text: String, _ expected: String) throws {
        let record = try SPFRecord("v=spf1 exists:\(text)\(text.hasSuffix(".x") ? ".example" : "")")
        guard case .exists(let name) = record.directives[0].mechanism else { Issue.record("no exists"); return }
        let mail = SPFName.Mail(
            localPart: "strong-bad", senderDomain: "email.example.com", domain: "email.example.com",
            address: IPAddress("192.0.2.3")!, greeting: "mail.example.com")
        #expect(name.filled(for: mail) == expected + (text.hasSuffix(".x") ? ".example" : ""))
        #expect(!name.isLiteral)
    }

    @Test func anIPv6AddressIsFilledDigitByDigit() throws {
        let record = try SPFRecord("v=spf1 exists:%{ir}.%{v}._spf.example.com")
        guard case .exists(let name) = record.directives[0].mechanism else { Issue.record("no exists"); return }
        let mail = SPFName.Mail(
            senderDomain: "example.com", domain: "example.com", address: IPAddress("2001:db8::cb01")!, greeting: "x")
        #expect(
            name.filled(for: mail)
                == "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com")
    }

    @Test func aNameThatBecomesTooLongLosesItsFront() throws {
        let record = try SPFRecord("v=spf1 exists:%{l}.example.com")
        guard case .exists(let name) = record.directives[0].mechanism else { Issue.record("no exists"); return }
        let mail = SPFName.Mail(
            localPart: Array(repeating: "abcdefghi", count: 40).joined(separator: "."), senderDomain: "x", domain: "x",
            address: IPAddress("192.0.2.3")!, greeting: "x")
        let filled = name.filled(for: mail)
        #expect(filled.utf8.count <= 253 && filled.hasSuffix(".example.com") && filled.hasPrefix("abcdefghi."))
    }

    @Test(arguments: [
        ("192.0.2.1", "192.0.2.1"), ("2001:db8::1", "2001:db8:0:0:0:0:0:1"), ("::", "0:0:0:0:0:0:0:0"),
        ("::ffff:192.0.2.1", "0:0:0:0:0:ffff:c000:201"), ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
        ("1::", "1:0:0:0:0:0:0:0"), ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
    ])
    func addressesAreRead(_ text: String, _ expected: String) {
        #expect(IPAddress(text)?.description == expected)
    }

    @Test(arguments: [
        "", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.4 ", "+1.2.3.4", ":", ":::", "1:2", "::1::", "1:::2",
        "12345::", "g::", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "::1.2.3", "1.2.3.4::", "fe80::1%eth0", "::1:",
    ])
    func whatIsNoAddressIsNone(_ text: String) { #expect(IPAddress(text) == nil, "\(text)") }

    @Test func networksContainTheirAddresses() throws {
        let network = try #require(IPNetwork(IPAddress("192.0.2.128")!, length: 25))
        #expect(network.contains(IPAddress("192.0.2.200")!) && !network.contains(IPAddress("192.0.2.1")!))
        #expect(!network.contains(IPAddress("::ffff:192.0.2.200")!))
        #expect(IPNetwork(IPAddress("192.0.2.1")!, length: 0)?.contains(IPAddress("8.8.8.8")!) == true)
        #expect(IPNetwork(IPAddress("192.0.2.1")!, length: 33) == nil)
        #expect(IPAddress("192.0.2.1")?.reverseName == "1.2.0.192.in-addr.arpa")
        #expect(IPAddress("2001:db8::1")?.reverseName.hasPrefix("1.0.0.0.") == true)
    }

    /// Pieces of records in any order: no text ends the reading but with an answer, and what is read keeps its terms.
    @Test func anythingMayStandInARecord() {
        let pieces = [
            "v=spf1", " ", "a", "mx", ":", "/", "//", "24", "ip4:", "192.0.2.1", "ip6:", "::", "%{", "}", "d", "i", "r",
            "include:", "example.com", "redirect=", "all", "-", "~", "?", "+", "=", "%", "é", "\u{0}", ".", "exists:",
        ]
        var generator = Generator(seed: 7)
        for _ in 0..<20_000 {
            let count = Int.random(in: 0...12, using: &generator)
            let text =
                (Bool.random(using: &generator) ? "v=spf1 " : "")
                + (0..<count).map { _ in pieces[Int.random(in: 0..<pieces.count, using: &generator)] }.joined()
            guard let record = try? SPFRecord(text) else { continue }
            #expect(SPFRecord.isRecord(text))
            for directive in record.directives { #expect(text.contains(directive.text)) }
        }
    }
}

/// The same numbers every time (SplitMix64).
struct Generator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
