import Testing

@testable import HTTPAdapter

@Suite struct FormBodyTests {
    @Test(arguments: [
        ("a=1", ["1"]), ("a=1&b=2&a=3", ["1", "3"]), ("a", [""]), ("a=", [""]), ("%61=x%20y+z%2B", ["x y z+"]),
        ("a=%zz%", ["%zz%"]), ("a=%ff", []), ("", []), ("&&=&a=b=c", ["b=c"]), ("b=a", []), ("a=%c3%a9", ["é"]),
    ])
    func valuesOfAName(body: String, values: [String]) {
        #expect(FormBody(Array(body.utf8)).values("a") == values)
    }

    @Test(arguments: [
        ("List-Unsubscribe=One-Click", true), ("list-unsubscribe=one-click", false), ("List-Unsubscribe=", false),
        ("Content-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click", true), ("", false),
    ])
    func oneClickIsKnownInBothEncodings(body: String, isOneClick: Bool) {
        #expect(FormBody(Array(body.utf8)).isOneClick == isOneClick)
    }
}
