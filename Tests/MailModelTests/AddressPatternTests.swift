import MailModel
import Testing

@Suite struct AddressPatternTests {
    @Test(arguments: [
        ("a@b.example", "a@b.example", true), ("a@b.example", "xa@b.example", false),
        ("a@b\\.example", "a@bxexample", false), ("a@b.example", "a@bxexample", true),
        ("(sales|support)[0-9]{1,4}@b\\.example", "support1234@b.example", true),
        ("(sales|support)[0-9]{1,4}@b\\.example", "sales@b.example", false),
        ("(sales|support)[0-9]{1,4}@b\\.example", "sales12345@b.example", false),
        ("[^@]+@(.+\\.)?b\\.example", "x@a.b.example", true), ("[^@]+@(.+\\.)?b\\.example", "x@ab.example", false),
        ("^a.*$", "abc@d", true), ("a+?b@c", "", false), ("Ticket-\\d+@B\\.example", "ticket-7@b.example", true),
        ("\\w+@b", "a_9@b", true), ("\\D@b", "1@b", false), ("x{2}@b", "xx@b", true), ("x{2,}@b", "xxxx@b", true),
        ("x{0,1}@b", "@b", true), ("(?:a|b|)c@d", "c@d", true), ("[]a-c-]+@d", "]b-@d", true), ("ü+@d", "ü@d", true),
        ("(a*)*b@c", "aaab@c", true), ("\\+@c", "+@c", true),
    ])
    func wholeAddressesAreMatched(_ expression: String, _ address: String, _ isMatch: Bool) throws {
        guard let pattern = try? AddressPattern(expression: expression) else {
            #expect(expression == "a+?b@c", "\(expression) is refused")
            return
        }
        #expect(pattern.matches(address) == isMatch)
    }

    @Test(arguments: [
        "", "(a)\\1", "(?=a)b", "(?<n>a)", "a(", "a)", "[a", "[b-a]", "a{3,1}", "a{x}", "a{1", "*a", "a**", "a{2}{3}",
        "\\", "\\b", "a^b", "a$b", "a{5000}", "((((a{10}){10}){10}){10})",
        String(repeating: "(", count: 40) + "a" + String(repeating: ")", count: 40), "a|*",
    ])
    func whatCannotBeMatchedInOnePassIsRefused(_ expression: String) {
        #expect(throws: AddressPattern.Failure.self) { try AddressPattern(expression: expression) }
    }

    @Test(arguments: [
        ("sales-*@b.example", "sales-east@b.example", true), ("sales-*@b.example", "sales-@b.example", true),
        ("sales-*@b.example", "sales-x@c@b.example", false), ("*@*.b.example", "x@a.b.example", true),
        ("*@*.b.example", "x@b.example", false), ("a?@b", "ab@b", true), ("a?@b", "a@b", false),
        ("a.b@c", "axb@c", false), ("A*@B", "ab@b", true),
    ])
    func wildcardsStopAtTheAt(_ wildcard: String, _ address: String, _ isMatch: Bool) throws {
        #expect(try AddressPattern(wildcard: wildcard).matches(address) == isMatch)
    }

    /// Expressions that search for minutes where one way after the other is tried.
    @Test(arguments: ["(a+)+b@c", "(a|aa)+b@c", "(a*)*(a*)*(a*)*b@c", "(.*)(.*)(.*)(.*)(.*)b@c"])
    func noExpressionSearchesForLong(_ expression: String) throws {
        let pattern = try AddressPattern(expression: expression)
        let address = String(repeating: "a", count: 10_000) + "@c"
        let start = ContinuousClock.now
        #expect(!pattern.matches(address))
        #expect(ContinuousClock.now - start < .seconds(5))
    }
}
