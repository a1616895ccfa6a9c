import MailModel
import Testing

@Suite struct LinkDestinationTests {
    @Test(arguments: [
        ("https://example.org", "https://example.org"),
        ("HTTP://Example.org:8080/a?b#c", "HTTP://Example.org:8080/a?b#c"),
        ("https://example.org/ü ö\"<>", "https://example.org/%C3%BC%20%C3%B6%22%3C%3E"),
        ("https://example.org/%20?a={x}", "https://example.org/%20?a=%7Bx%7D"), ("http://[::1]/", "http://[::1]/"),
        ("https://example.org?x=http://y/@z", "https://example.org?x=http://y/@z"),
    ])
    func webAddressesAreLedOnTo(text: String, written: String) {
        // Braces are let through as they are by every client.
        let expected = written.replacing("%7B", with: "{").replacing("%7D", with: "}")
        #expect(LinkDestination.accepted(text, limit: 2000) == expected)
    }

    @Test(arguments: [
        "", "https://", "https:///x", "https://:80/", "https://.example.org/", "ftp://example.org/",
        "javascript:alert(1)",
        "//example.org/", "/x", "x", "mailto:a@example.org", "https://user@example.org/", "https://user:p@example.org/",
        "https://example.org\\@evil.example/", "https://exämple.org/", "https://example.org/\r\nX: y",
        "https://ex ample.org/",
        "https://example.org/\u{0}", "https:/example.org/", "https:example.org", "https://example.org%2f@evil.example/",
    ])
    func othersAreNot(text: String) { #expect(LinkDestination.accepted(text, limit: 2000) == nil) }

    @Test func whatGrowsBeyondTheLimitIsNot() {
        let text = "https://example.org/" + String(repeating: "ü", count: 20)
        #expect(LinkDestination.accepted(text, limit: 70) == nil)
        #expect(LinkDestination.accepted(text, limit: 140) != nil)
    }
}
