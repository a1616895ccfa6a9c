import MailModel
import Testing

@Suite struct PixelClientTests {
    private static let machines: [(String, String)] = [
        ("", "no_user_agent"), ("Mozilla/5.0", "mpp"),
        (
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 Mozilla/5.0",
            "gmail_prefetch"
        ),
        ("Googlebot/2.1", "scanner"), ("bot", "scanner"), ("a BOT", "scanner"), ("curl/8.5.0", "scanner"),
        ("Wget/1.21", "scanner"), ("PYTHON-requests/2", "scanner"), ("Go-http-client/1.1", "scanner"),
        ("Mozilla/5.0 HeadlessChrome/120", "scanner"), ("Proofpoint", "scanner"), ("x Java/17", "scanner"),
        // Beyond ASCII the same words count.
        ("Bücher-Spider/1", "scanner"), ("ä Chrome/42.0.2311.135 Safari/537.36 Edge/12.246", "gmail_prefetch"),
    ]

    @Test(arguments: machines)
    func machinesAreKnownByTheirWords(userAgent: String, reason: String) {
        #expect(PixelClient.machineReason(userAgent: userAgent) == reason)
    }

    @Test(arguments: [
        ("Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)", "gmail_proxy"),
        ("YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html", "yahoo_proxy"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", nil), ("", nil),
    ])
    func proxiesOfProvidersAreKnown(userAgent: String, signal: String?) {
        #expect(PixelClient.imageProxy(userAgent: userAgent) == signal)
        if signal != nil { #expect(PixelClient.machineReason(userAgent: userAgent) == nil) }
    }

    @Test(arguments: [
        "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "Mozilla/5.0 ", "bo", "o", "curl",
        "java",
        "curl\u{0F}", "Bücher", "b\u{F6}t",
        "Mozilla/5.0 Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 (via ggpht.com GoogleImageProxy)",
        "ä Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 GoogleImageProxy",
        "chrome/42.0.2311.135 Safari/537.36 Edge/12.246",
    ])
    func everybodyElseMayBeAPerson(userAgent: String) {
        #expect(PixelClient.machineReason(userAgent: userAgent) == nil)
    }
}
