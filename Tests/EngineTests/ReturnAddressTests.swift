import Engine
import EngineTestKit
import JSONValue
import MailModel
import Testing
import WorkflowModel

/// The addresses that mail comes back to.
@Suite struct ReturnAddressTests {
    private let tokens = TokenSigner(key: [UInt8](repeating: 7, count: 32), cryptography: TestCryptography())
    private let entry = Identifier(high: 0x0123_4567_89AB_CDEF, low: 0xFEDC_BA98_7654_3210)

    private func addresses(_ delimiter: Character = "+") -> ReturnAddresses {
        ReturnAddresses(
            .init(
                returnPath: MailAddress.parse("bounce@mail.example.com"),
                replies: MailAddress.parse("reply@mail.example.com")),
            byProject: ["news": .init(returnPath: MailAddress.parse("back@news.example.com"))], delimiter: delimiter)
    }

    @Test(arguments: ["+", "-", "="] as [Character])
    func whatGoesOutIsKnownWhenItComesBack(delimiter: Character) throws {
        let addresses = addresses(delimiter)
        let path = "bounce\(delimiter)\(tokens.addressToken(.bounce, for: entry))@mail.example.com"
        let match = try #require(addresses.match(path))
        #expect(match.kind == .bounce && match.project == nil)
        #expect(tokens.verifyAddress(match.token, kind: .bounce) == entry)
        #expect(tokens.verifyAddress(match.token.uppercased(), kind: .bounce) == entry)
        #expect(tokens.verifyAddress(match.token, kind: .reply) == nil)
        #expect(addresses.match("BACK\(delimiter)x@news.example.com")?.project == "news")
    }

    @Test(arguments: [
        "bounce@mail.example.com", "+x@mail.example.com", "other+x@mail.example.com", "bounce+x@example.com",
        "bounce+x",
        "", "@", "bounce+x@mail.example.com.evil.example",
    ])
    func otherAddressesAreNone(address: String) { #expect(addresses().match(address) == nil) }

    @Test func everyTextOfATokenIsOne() {
        let token = tokens.addressToken(.bounce, for: entry)
        #expect(token.utf8.count == 52 && token == token.lowercased())
        var accepted = 0
        for index in token.indices {
            for letter in "abcdefghijklmnopqrstuvwxyz234567" {
                var changed = token
                changed.replaceSubrange(index...index, with: [letter])
                if tokens.verifyAddress(changed, kind: .bounce) != nil { accepted += 1 }
            }
        }
        #expect(accepted == 52, "each place takes its own letter alone")
    }

    @Test(arguments: 0..<64) func base32ComesBackWhole(_ count: Int) {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ count) }
        #expect(Base32.decode(Base32.encode(bytes)) == bytes)
    }
}
