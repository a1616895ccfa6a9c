import EngineTestKit
import JSONValue
import MailFormat
import MailModel
import Testing
import WorkflowModel

@testable import Engine

/// Whoever follows a link of a mail comes to where it would have led without us, byte for byte.
@Suite struct LinkFidelityTests {
    private static let browserOnly: [UInt8] = Array(" \"<>".utf8)

    /// What a browser asks for when it follows the link itself (WHATWG URL, section 1.3): what no request can carry goes
    /// in percent, and every other byte stays.
    private static func asked(_ url: String) -> String {
        var result = ""
        for byte in url.utf8 {
            if byte >= 0x80 || browserOnly.contains(byte) {
                let digits = String(byte, radix: 16, uppercase: true)
                result += "%" + (digits.count == 1 ? "0" + digits : digits)
            } else {
                result.unicodeScalars.append(Unicode.Scalar(byte))
            }
        }
        return result
    }

    private static let pieces = [
        "a", "Z", "0", "/", "//", "/../", "?", "=", "&", "&amp;", "&copy=", "#", "%20", "%2F", "%2f", "%", "%zz",
        "%C3%BC", "%E2%82%AC", "%25", "%40", "+", " ", "ü", "日本", "e\u{301}", "😀", "\u{A0}", "\u{200D}", "'", "(", ")",
        "*", ",", ";", ":", "@", "!", "$", "~", "_", "-", ".", "[", "]", "{", "}", "|", "^", "`", "<", ">", "\"",
        "http://",
    ]

    private static let beginnings = [
        "https://shop.example", "http://shop.example", "HTTPS://Shop.Example:8443", "https://xn--bcher-kva.example",
        "http://192.0.2.1:8080", "https://[2001:db8::1]",
    ]

    /// The ways in which authors and their tools write an attribute.
    private static func attribute(_ url: String, _ generator: inout SeededGenerator) -> String {
        let quote = Bool.random(using: &generator) ? "\"" : "'"
        let ampersand = ["&amp;", "&#38;", "&#x26;", "&AMP;"].randomElement(using: &generator) ?? "&amp;"
        var text = quote
        // By scalars: together with a mark that follows, none of them is a character of its own.
        for scalar in url.unicodeScalars {
            switch scalar {
            case "&": text += ampersand
            case "\"": text += "&quot;"
            case "'": text += "&#39;"
            case "<": text += "&lt;"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text + quote
    }

    @Test(arguments: 0..<20)
    func strangeAddressesArriveByteForByte(seed: Int) throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        let signer = TokenSigner(key: Array(repeating: 7, count: 32), cryptography: TestCryptography())
        let entry = Identifier(high: 1, low: 2)
        for _ in 0..<200 {
            let path = (0..<Int.random(in: 0...12, using: &generator)).compactMap { _ in
                Self.pieces.randomElement(using: &generator)
            }.joined()
            let beginning = Self.beginnings.randomElement(using: &generator) ?? "https://shop.example"
            // A blank at the end is none of the address.
            let url = beginning + "/" + path + "."
            let attribute = Self.attribute(url, &generator)
            let html = "<p><a class=x href=\(attribute)>ü</a></p>"
            let sent = HTMLLinks.rewrite(html) { found in
                LinkDestination.accepted(found, limit: TokenSigner.destinationLimit).map {
                    "https://t.example/c/\(signer.token(forLinkTo: $0, in: entry))"
                }
            }
            let token = try #require(sent.firstMatch(of: /"https:\/\/t\.example\/c\/([A-Za-z0-9_-]+)"/)?.1, "\(html)")
            #expect(signer.verifyLink(token)?.destination == Self.asked(url), "\(html)")
        }
    }

    /// Through the whole mail: rendered, composed, and read again.
    @Test func linksOfAMailArriveAndOthersStay() async throws {
        let followed = [
            "https://shop.example/a?x=1&y=%26&copy=2#part", "https://shop.example/%7Euser/%2e%2E/?q=a+b%20c^d`e|f",
            "https://shop.example/?u=https%3A%2F%2Fother.example%2F%3Fa%3Db%26c",
            "https://xn--bcher-kva.example/ü?ö=日本",
            "https://shop.example/?to=somebody%40else.example", "http://[2001:db8::1]:8080/x",
        ]
        let kept = [
            "mailto:help@shop.example?subject=a%20b", "tel:+491234567", "sms:+491234567", "cid:logo@shop.example",
            "#top",
            "/relative?a=b", "//shop.example/a", "https://bücher.example/", "https://user:word@shop.example/",
            "https://shop.example/?who=ann%40example.org", "https://shop.example/?reader=ANN%2540example.org",
            "https://shop.example/ann@example.org#x", "ftp://shop.example/a", "https://shop.example/a\\b",
        ]
        var generator = SeededGenerator(seed: 1)
        var html = ""
        for url in followed + kept {
            let attribute = Self.attribute(url, &generator)
            html += "<a href=\(attribute)>x</a>"
        }
        let (engine, database) = try await makeEngine()
        _ = database
        try await engine.apply(
            document(
                steps: ["mail": ["type": "SEND_EMAIL", "config": ["template": "ad"]]],
                templates: [
                    "ad": ["type": "TRANSACTIONAL", "subject": "News", "html": .string(html), "text": "News"]
                ]))
        try await engine.track("signed_up")
        let transport = ScriptedTransport()
        try await engine.runDispatch(transport)
        let mail = SentMail(try #require(transport.sent.first))
        let destinations = mail.tokens("c").compactMap { engine.context.tokens.verifyLink($0)?.destination }
        #expect(destinations == followed.map { Self.asked($0) })
    }

    /// The mail goes to another address than its contact's.
    @Test(arguments: ["{{ contact.email }}", "{{ email | url_encode }}", "boss@example.com", "boss%40example.com"])
    func noTokenCarriesAnAddressOfEither(parameter: String) async throws {
        let (engine, database) = try await makeEngine()
        _ = database
        let html = "<a href=\"https://shop.example/?to=\(parameter)\">x</a>"
        try await engine.apply(
            document(
                steps: ["mail": ["type": "SEND_EMAIL", "config": ["template": "ad", "to": "boss@example.com"]]],
                templates: [
                    "ad": ["type": "TRANSACTIONAL", "subject": "News", "html": .string(html), "text": "News"]
                ]))
        try await engine.track("signed_up", "ann+news@example.org")
        let transport = ScriptedTransport()
        try await engine.runDispatch(transport)
        let mail = SentMail(try #require(transport.sent.first))
        #expect(mail.tokens("c").isEmpty && mail.text.contains("https://shop.example/?to=3D"))
    }
}
