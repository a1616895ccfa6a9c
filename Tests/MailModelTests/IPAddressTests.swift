import Glibc
import MailModel
import Testing

@Suite struct IPAddressTests {
    /// From the text that inet_pton(3) reads.
    private static func address(_ text: String) -> IPAddress? {
        var four = in_addr()
        if inet_pton(AF_INET, text, &four) == 1 { return withUnsafeBytes(of: &four) { IPAddress(bytes: $0) } }
        var six = in6_addr()
        guard inet_pton(AF_INET6, text, &six) == 1 else { return nil }
        return withUnsafeBytes(of: &six) { IPAddress(bytes: $0) }
    }

    /// First and last address of every block.
    @Test(arguments: [
        "0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255", "127.0.0.0",
        "127.255.255.255", "168.63.129.16", "169.254.0.0", "169.254.169.254", "169.254.255.255", "172.16.0.0",
        "172.31.255.255", "192.0.0.0", "192.0.0.255", "192.0.2.0", "192.0.2.255", "192.88.99.0", "192.88.99.255",
        "192.168.0.0", "192.168.255.255", "198.18.0.0", "198.19.255.255", "198.51.100.0", "198.51.100.255",
        "203.0.113.0", "203.0.113.255", "224.0.0.0", "239.255.255.255", "240.0.0.0", "255.255.255.255",
        "::", "::1", "100::", "100::ffff:ffff:ffff:ffff", "64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff",
        "2001::", "2001:0:ffff::1", "2001:2::1", "2001:10::1", "2001:20::1", "2001:1ff:ffff::", "2001:db8::",
        "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "3fff::", "3fff:fff:ffff::", "fc00::", "fdff:ffff::1", "fe80::1",
        "febf::1", "fec0::1", "feff::1", "ff00::", "ff02::1", "ffff::1",
        // Outside 2000::/3 nothing is handed out.
        "1::1", "200::1", "4000::1", "5f00::1", "8000::1", "e000::1",
        // Addresses in addresses.
        "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0:127.0.0.1",
        "64:ff9b::127.0.0.1", "64:ff9b::192.168.1.1", "2002:7f00:1::", "2002:a00:1::1", "2002:c0a8:101::",
    ])
    func reservedAddressIsKnown(text: String) throws {
        let address = try #require(Self.address(text))
        #expect(address.reservation != nil)
    }

    /// The neighbours of the blocks, and some that people own.
    @Test(arguments: [
        "1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
        "168.63.129.15", "168.63.129.17", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0",
        "191.255.255.255", "192.0.1.0", "192.0.3.0", "192.88.98.255", "192.88.100.0", "192.167.255.255", "192.169.0.0",
        "198.17.255.255", "198.20.0.0", "198.51.99.255", "198.51.101.0", "203.0.112.255", "203.0.114.0",
        "223.255.255.255", "8.8.8.8", "2001:200::1", "2001:db7:ffff::1", "2001:db9::", "2000::1", "2003::1",
        "2606:4700::1",
        "2a00:1450::1", "3ffe:ffff::1", "3fff:1000::", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1",
    ])
    func publicAddressIsFree(text: String) throws {
        let address = try #require(Self.address(text))
        #expect(address.reservation == nil)
    }

    @Test(arguments: [0, 1, 3, 5, 15, 17])
    func otherCountOfBytesIsNoAddress(count: Int) {
        #expect(IPAddress(bytes: [UInt8](repeating: 8, count: count)) == nil)
    }

    @Test(arguments: [
        ("192.0.2.0/24", "192.0.2.255", "192.0.3.0"), ("192.0.2.77/24", "192.0.2.1", "192.0.1.1"),
        ("192.0.2.7", "192.0.2.7", "192.0.2.8"), ("2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::"),
        ("2001:db8::1", "2001:db8::1", "2001:db8::2"), ("0.0.0.0/0", "8.8.8.8", "::8"),
    ])
    func networkHoldsWhatBeginsLikeIt(text: String, inside: String, outside: String) throws {
        let network = try #require(IPNetwork(text: text))
        let (inside, outside) = (try #require(IPAddress(inside)), try #require(IPAddress(outside)))
        #expect(network.contains(inside) && !network.contains(outside))
    }

    @Test(arguments: ["", "/", "/8", "192.0.2.0/", "192.0.2.0/33", "192.0.2.0/+8", "192.0.2.0/8/8", "::/129", "x/8"])
    func otherTextIsNoNetwork(text: String) {
        #expect(IPNetwork(text: text) == nil)
    }

    @Test func addressIsShownAsPeopleWriteIt() throws {
        #expect(Self.address("192.0.2.7")?.description == "192.0.2.7")
        #expect(Self.address("2001:db8::7")?.description == "2001:db8:0:0:0:0:0:7")
        #expect(Self.address("::ffff:10.0.0.1")?.embedded == Self.address("10.0.0.1"))
        #expect(Self.address("2002:a00:1::1")?.embedded == Self.address("10.0.0.1"))
        #expect(Self.address("10.0.0.1")?.embedded == nil)
    }
}
