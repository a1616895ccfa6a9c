import MailModel
import Testing

@Suite struct LinkDestinationTests {
    @Test(arguments: [
        ("https://example.org", "https://example.org"),
        ("HTTP://Example.org:8080/a?b#c", "HTTP://Example.org:8080/a?b#c"),
        ("https://example.org/ü ö\"<>", "https://example.org/%C3%BC%20%C3%B6%22%3C%3E"),
        ("https://example.org/%20?a={x}", "https://example.org/%20?a=%7Bx%7D"), ("http://[::1]/", "http://[::1]/"),
        ("https://example.org?x=http://y/@z", "https://example.org?x=http://y/@z"),
        ("https://example.org/?q=a^b`c|d'e#f^", "https://example.org/?q=a^b`c|d'e#f^"),
        ("https://example.org/ü?a=%C3%BC%2f%zz%&b=+^", "https://example.org/%C3%BC?a=%C3%BC%2f%zz%&b=+^"),
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

    @Test(arguments: [
        "https://e.org/?to=ann+news@example.org", "https://e.org/ANN+NEWS@EXAMPLE.ORG",
        "https://e.org/?x=ann%2Bnews%40example.org", "https://e.org/?x=%41nn%2bnews%40example%2Eorg",
        "https://e.org/?u=https%3A%2F%2Fx.org%2F%3Fto%3Dann%252Bnews%2540example.org",
        "https://e.org/#to=ann%25252Bnews%252540example.org", "https://e.org/%ff%zz/ann+news%40example.org?%",
    ])
    func anAddressIsFoundHoweverItIsWritten(destination: String) {
        #expect(LinkDestination.names("Ann+news@example.org", in: destination))
    }

    @Test(arguments: [
        "https://e.org/?to=bob@example.org", "https://e.org/?x=ann%2Bnews", "https://e.org/%", "https://e.org/%40",
        "https://e.org/?x=ann%2Bnews%40example", "https://e.org/?x=ann%2Bnews%4",
    ])
    func anotherAddressIsNot(destination: String) {
        #expect(!LinkDestination.names("ann+news@example.org", in: destination))
        #expect(!LinkDestination.names("", in: destination))
    }

    @Test func whatGrowsBeyondTheLimitIsNot() {
        let text = "https://example.org/" + String(repeating: "ü", count: 20)
        #expect(LinkDestination.accepted(text, limit: 70) == nil)
        #expect(LinkDestination.accepted(text, limit: 140) != nil)
    }
}
