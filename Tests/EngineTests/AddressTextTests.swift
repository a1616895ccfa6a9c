import Engine
import Testing

@Suite struct AddressTextTests {
    @Test(arguments: [
        "a@b", "ann@example.com", "ann.lee+tag@sub.example.co.uk", "o'brien@example.com", "x_1%2@xn--mller-kva.example",
        "müller@müller.example", "\(String(repeating: "l", count: 64))@example.com",
    ])
    func addressesAreAccepted(text: String) {
        #expect(AddressText.accepted(text) == text)
    }

    @Test func blanksAroundItAreTrimmed() {
        #expect(AddressText.accepted(" \tann@example.com ") == "ann@example.com")
    }

    @Test(arguments: [
        "", " ", "@", "ann", "ann@", "@example.com", "a@b@c", "a b@example.com", "ann@exa mple.com",
        "ann@example..com", ".ann@example.com", "ann.@example.com", "a..b@example.com", "ann@-example.com",
        "ann@example-.com", "ann@example.com.", "ann@example.com\n", "ann\r\n@example.com", "ann\u{0}@example.com",
        "<ann@example.com>", "Ann <ann@example.com>", "\"a b\"@example.com", "a,b@example.com", "a@[127.0.0.1]",
        "a\u{FFFD}n@example.com", "ann@exam\u{FFFD}ple", "a@\u{301}b@example.com", "ann@example\u{3002}com",
        "a@ex_ample.com", "a@b:25", "ann@example\u{202E}.com", "ann\u{00A0}@example.com",
        "\(String(repeating: "l", count: 65))@example.com", "ann@\(String(repeating: "d", count: 64)).com",
        "ann@\(Array(repeating: "d", count: 130).joined(separator: "."))",
    ])
    func anythingElseIsRefused(text: String) {
        #expect(AddressText.accepted(text) == nil)
    }
}
