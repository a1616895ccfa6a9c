import MailModel
import Testing

struct MailAddressTests {
    @Test(arguments: [
        ("ann@example.org", "ann", "example.org"), ("Ann.B+tag@Example.ORG", "Ann.B+tag", "Example.ORG"),
        ("\"a b\"@example.org", "\"a b\"", "example.org"), ("\"a@b\\\"c\"@example.org", "\"a@b\\\"c\"", "example.org"),
        ("a..b.@docomo.example", "a..b.", "docomo.example"), ("jürgen@bücher.example", "jürgen", "bücher.example"),
        ("x@[192.0.2.1]", "x", "[192.0.2.1]"), ("x@[IPv6:2001:db8::1]", "x", "[IPv6:2001:db8::1]"),
        ("x@localhost", "x", "localhost"), ("x@under_score.example", "x", "under_score.example"),
        ("!#$%&'*+-/=?^_`{|}~@example.org", "!#$%&'*+-/=?^_`{|}~", "example.org"),
        ("\"\"@example.org", "\"\"", "example.org"),
    ])
    func addressesAreTakenApart(text: String, localPart: String, domain: String) throws {
        let address = try MailAddress(text)
        #expect(address.localPart == localPart)
        #expect(address.domain == domain)
        #expect(address.description == text)
        #expect(address.normalized == text.lowercased())
    }

    static let refused: [(String, MailAddress.Failure)] = [
        ("", .empty), ("ann", .noDomain), ("ann@", .noDomain), ("@example.org", .invalidLocalPart),
        ("\"a@b\"", .noDomain),
        ("a b@example.org", .invalidLocalPart), ("<a@example.org>", .invalidLocalPart),
        ("a@example.org>", .invalidDomain),
        ("a@b@example.org", .invalidLocalPart), ("a@ example.org", .invalidDomain), ("a@example..org", .invalidDomain),
        ("a@.example.org", .invalidDomain), ("a@example.org.", .invalidDomain), ("a@-x.example", .invalidDomain),
        ("a@x-.example", .invalidDomain), ("a@exa mple.org", .invalidDomain), ("a@[]", .invalidDomain),
        ("a@[1.2.3.4", .invalidDomain), ("a@[1.2.3.4]x", .invalidDomain), ("a@[x> RCPT]", .invalidDomain),
        ("\"a@example.org", .invalidLocalPart), ("\"a\"b\"@example.org", .invalidLocalPart),
        ("\"a\\\"@example.org", .invalidLocalPart),
        ("a\"b@example.org", .invalidLocalPart), ("a,b@example.org", .invalidLocalPart),
        ("a(b)@example.org", .invalidLocalPart),
        ("a\r\nRCPT TO:<x@y>@example.org", .forbiddenCharacter), ("a\0@example.org", .forbiddenCharacter),
        ("a\t@example.org", .forbiddenCharacter), ("\"a\nb\"@example.org", .forbiddenCharacter),
        ("a@example.org\n", .forbiddenCharacter), ("a\u{85}@example.org", .forbiddenCharacter),
        ("a\u{202E}@example.org", .forbiddenCharacter), ("a\u{2028}@example.org", .forbiddenCharacter),
        ("a\u{A0}b@example.org", .invalidLocalPart), ("a@ex\u{3000}ample.org", .invalidDomain),
        (String(repeating: "a", count: 65) + "@example.org", .tooLong),
        ("a@" + String(repeating: "b", count: 64) + ".example", .tooLong),
        ("a@" + String(repeating: "b.", count: 127) + "org", .tooLong),
    ]

    @Test(arguments: refused) func refusalsSayWhy(text: String, failure: MailAddress.Failure) {
        #expect(throws: failure) { try MailAddress(text) }
    }

    @Test func theLongestAllowedAddressesAreTaken() {
        #expect(MailAddress.parse(String(repeating: "a", count: 64) + "@example.org") != nil)
        let domain = String(repeating: "b", count: 63) + "." + String(repeating: "c", count: 63) + ".example"
        #expect(MailAddress.parse("a@" + domain) != nil)
        #expect(MailAddress.parse(received: String(repeating: "a", count: 200) + "@example.org") != nil)
        #expect(MailAddress.parse(received: String(repeating: "a", count: 201) + "@example.org") == nil)
    }

    @Test func addressesCompareWithoutCase() throws {
        #expect(try MailAddress("A@Example.org") == MailAddress("a@eXample.ORG"))
        #expect(try Set([MailAddress("A@Example.org"), MailAddress("a@example.org")]).count == 1)
        #expect(try MailAddress("a@example.org") != MailAddress("b@example.org"))
    }

    /// Known pairs of the DNS, RFC 3492 section 7.1 (Russian, Japanese) among them.
    @Test(arguments: [
        ("Bücher.Example", "xn--bcher-kva.example"), ("münchen.de", "xn--mnchen-3ya.de"),
        ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
        ("почемужеонинеговорятпорусски", "xn--b1abfaaepdrnnbgefbadotcwatmq2g4l"), ("EXAMPLE.org", "example.org"),
        ("ひとつ屋根の下2", "xn--2-u9tlzr9756bt3uc0v"), ("straße.example", "xn--strae-oqa.example"),
    ])
    func domainsHaveAnASCIIForm(domain: String, ascii: String) { #expect(MailDomain.ascii(domain) == ascii) }

    @Test func aDomainWithoutASCIIFormIsNotWritten() {
        let address = MailAddress.parse("a@" + String(repeating: "ü", count: 60) + ".example")
        #expect(address != nil)
        #expect(address?.asciiDomain == nil)
        #expect(address?.smtpForm == nil)
    }

    @Test(arguments: [
        ("", true), ("a@b", true), ("\"a b\"@c", true), ("a b@c", false), ("a@b> RET=HDRS", false), ("<a@b>", false),
        ("a@b\r\nRCPT TO:<c@d>", false), ("\"a", false), ("\"<\"@b", false), ("a\\ b@c", false), ("a\0@b", false),
    ])
    func onlyHarmlessTextGoesIntoACommand(text: String, isSafe: Bool) {
        #expect(MailAddress.isSafeForSMTP(text) == isSafe)
    }

    @Test func lettersOutsideASCIINeedAnExtension() throws {
        #expect(try MailAddress("jürgen@example.org").requiresSMTPUTF8)
        #expect(try !MailAddress("j@bücher.example").requiresSMTPUTF8)
        #expect(try MailAddress("j@bücher.example").smtpForm == "j@xn--bcher-kva.example")
    }

    @Test(arguments: [
        ("a@x.example, b@y.example", ["a@x.example", "b@y.example"]),
        ("\"Doe, J <no@no.example>\" <j@x.example>", ["j@x.example"]),
        ("Team: a@x.example, B <b@x.example>;, c@x.example", ["a@x.example", "b@x.example", "c@x.example"]),
        ("a@x.example (c@y.example)", ["a@x.example"]), ("<@relay.example,@b.example:a@x.example>", ["a@x.example"]),
        ("undisclosed-recipients:;", []), ("a@[IPv6:2001:db8::1]", ["a@[IPv6:2001:db8::1]"]),
        ("<<a@x.example>>", ["a@x.example"]),
        ("\"unended, a@x.example", []), ("", []), (",,;", []), ("=?utf-8?q?a=2C?= <a@x.example>", ["a@x.example"]),
    ])
    func addressesAreFoundInFields(field: String, addresses: [String]) {
        #expect(HeaderAddresses.parse(field).map(\.description) == addresses)
    }

    @Test(arguments: [
        ("<a@b>", ["a@b"]), ("<a@b> <c@d>\t(x) <e@f>", ["a@b", "c@d", "e@f"]), ("a@b", ["a@b"]), ("no id", []),
        ("", []), ("a@b>\u{301}", ["a@b\u{301}"]),
        ("<a\u{20}b@c>", ["ab@c"]), ("<unended", []), ("<>", []), ("<<a@b>", ["a@b"]),
    ])
    func messageIdsAreFound(field: String, ids: [String]) { #expect(MessageIdentifiers.parse(field) == ids) }
}
