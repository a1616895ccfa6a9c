import MailModel
import Testing

/// What is stored of an address, and who is no machine although the name says so.
@Suite struct PixelNetworkTests {
    private static let networks: [(String, String)] = [
        ("192.0.2.77", "192.0.2.0/24"), ("::ffff:192.0.2.77", "192.0.2.0/24"), ("::FFFF:c000:24d", "192.0.2.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"), ("2001:DB8:1::6", "2001:db8:1::/48"),
        // The zeros may stand for any of the groups.
        ("2600::5:6:7:8", "2600::/48"), ("2001:db8::1", "2001:db8::/48"), ("2001::7:6:5:4:3:2", "2001:0:7::/48"),
        ("2001:0db8:0001::", "2001:db8:1::/48"), ("::1", "::/48"), ("0:1:2:3:4:5:6:7", "0:1:2::/48"),
        ("fe80::1%eth0", "fe80::/48"), ("", ""), ("192.0.2", ""), ("2001:db8", ""), ("1:2:3:4:5:6:7:8:9", ""),
        ("unknown", ""), ("2001:db8::xyz", ""),
    ]

    @Test(arguments: networks)
    func anAddressIsCutToItsNetwork(address: String, network: String) {
        #expect(PixelClient.network(of: address) == network)
    }

    @Test(arguments: [
        "Mozilla/5.0 (Linux; Android 11; CUBOT X30) AppleWebKit/537.36 Chrome/120.0 Mobile Safari/537.36",
        "Mozilla/5.0 (Linux; Android 9; CUBOT_NOTE_S Build/PPR1) Chrome/90", "Cubot", "ä (CUBOT P40)",
    ])
    func aTelephoneIsNoMachine(userAgent: String) {
        #expect(PixelClient.machineReason(userAgent: userAgent) == nil)
    }

    @Test(arguments: ["CUBOT bot/1", "Googlebot on CUBOT X30", "focubot/1", "ubot/2", "cu-bot", "ä CUBOT, Bingbot"])
    func aMachineOnATelephoneIsOne(userAgent: String) {
        #expect(PixelClient.machineReason(userAgent: userAgent) == "scanner")
    }
}
